"""Pictures between `fidelity` and `gan`, and beyond, for lesson 06: docs/mixes.csv.

    python experiments/mixes.py DIR
    python experiments/unseen_distance.py DIR --table docs/mixes.csv

The first scores them and stores them in DIR, the second fills the column `unseen`. A share of 0 is
`fidelity`, 1 is `gan`; from there on the pixels go on in the same direction.
"""

import argparse
from pathlib import Path

import numpy as np

from deblurgan_lib import evaluation, paths, restoration
from deblurgan_lib.data import find_pairs
from deblurgan_lib.files import write_csv
from deblurgan_lib.paths import commit
from deblurgan_lib.photos import read_photo, write_photo

SHARES = (0, 0.5, 1, 1.5, 2, 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", type=Path)
    args = parser.parse_args()
    both = [restoration.load(name) for name in ("fidelity", "gan")]
    distance, measured, rows = evaluation.PerceptualDistance(), commit(), []
    for pair in find_pairs(paths.home() / "tests" / "real_crops"):
        blurred, sharp = read_photo(pair.blurred), read_photo(pair.sharp)
        start, end = (restoration.restore(x, blurred).astype(float) for x in both)
        mixes = [np.clip(np.rint(start + x * (end - start)), 0, 255) for x in SHARES]
        pictures = {"sharp": sharp, "blurred": blurred}
        pictures |= {str(x): mix.astype(np.uint8) for x, mix in zip(SHARES, mixes, strict=True)}
        crop = pair.sharp.stem.split("_")[0]
        for name, picture in pictures.items():
            file = args.pictures / crop / name / "0.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            write_photo(file, picture)
            if name != "sharp":
                row = {"photographs": crop, "n": 1, "method": name}
                row["psnr"] = f"{evaluation.psnr(sharp, picture):.3f}"
                row["distance"] = f"{distance(sharp, picture):.4f}"
                rows.append(row | {"unseen": "", "commit": measured})
    write_csv(paths.home() / "docs" / "mixes.csv", rows)


if __name__ == "__main__":
    main()
