"""Score the shipped generators, the blurred input, and classical methods: docs/quality.csv.

    python experiments/quality.py "GOPRO test=GOPRO_Large/test" "REDS 020=REDS/020"

Each argument is a name and a folder with pairs in `blur` and `sharp`, at any depth; none of them
may have been trained on. Always measured, because they need no download: the sample set's
held-out photographs, the same photographs shaken by paths of four lengths, and the sharp
photographs themselves. Rows that are not measured stay as they were. With `--pictures` all
results are stored, and `unseen_distance.py` fills the column `unseen`.
"""

import argparse
import functools
from pathlib import Path

import numpy as np

from deblurgan_lib import paths
from deblurgan_lib.data import blur, find_data, sample
from deblurgan_lib.data.pairs import find_pairs
from deblurgan_lib.errors import quiet_import
from deblurgan_lib.files import read_csv, write_csv
from deblurgan_lib.paths import commit
from deblurgan_lib.photos import read_photo, write_photo

with quiet_import():
    from deblurgan_lib import evaluation, restoration

GENERATORS = ("fidelity", "gan")
METHODS = {"motion": restoration.deblur, "ensemble": restoration.self_ensemble}
EXCLUDED = {("gan", "ensemble")}  # The ensemble takes long.
LENGTHS = (5, 10, 20, 40)  # Of a path, pixels.
SHAKES = 3  # Of each length, for each photograph.
SEED = 1000  # Of shakes that no training run draws.


def methods(weights, psf, classical):
    """Restoration methods by name; the last two need the kernel."""
    found = {"blurred": lambda x: x, "unsharp mask": restoration.unsharp_mask} if classical else {}
    for name, generator in weights.items():
        found[name] = functools.partial(restoration.restore, generator)
        for name_of_method, method in METHODS.items():
            if (name, name_of_method) not in EXCLUDED:
                found[f"{name}, {name_of_method}"] = functools.partial(method, generator, bar=False)
    if classical and psf is not None:
        found["Wiener, true kernel"] = lambda x: restoration.wiener(x, psf)
        found["Richardson-Lucy, true kernel"] = lambda x: restoration.richardson_lucy(x, psf)
    return found


def held_out():
    return find_pairs(find_data("sample") / "test")


def sample_pairs():
    """(blurred, sharp, kernel) of the sample set's held-out photographs."""
    kernels = sample.kernels("test")
    for pair in held_out():
        yield read_photo(pair.blurred), read_photo(pair.sharp), kernels[pair.sharp.stem]


def sharp_photos():
    """Each of the held-out photographs once, although the set has several shakes of it."""
    found = {pair.sharp.stem.split("_")[0]: pair.sharp for pair in held_out()}
    return [read_photo(path) for path in found.values()]


def shaken(length):
    """The held-out photographs, blurred by paths of one length."""
    photos = sharp_photos()
    paths = blur.shake_trajectories(SHAKES * len(photos), SEED + length, max_length=length)
    for number, path in enumerate(paths):
        psf, sharp = blur.point_spread_function(path), photos[number % len(photos)]
        yield blur.blur(sharp, psf), sharp, psf


def frames(folder):
    for blurred in sorted(folder.rglob("blur/*.png")):
        sharp = blurred.parent.parent / "sharp" / blurred.name
        yield read_photo(blurred), read_photo(sharp), None


def score(name, triples, weights, distance, classical, pictures):
    """One row for each method: the means over all photographs."""
    scores = {}
    for number, (blurred, sharp, psf) in enumerate(triples):
        distance_to_sharp = distance.to(sharp)
        for method, restore in methods(weights, psf, classical).items():
            result = restore(blurred)
            if pictures:
                for kind, picture in (("sharp", sharp), (method, result)):
                    file = pictures / name / kind / f"{number}.png"
                    file.parent.mkdir(parents=True, exist_ok=True)
                    write_photo(file, picture)
            values = (
                evaluation.psnr(sharp, result),
                evaluation.ssim(sharp, result),
                distance_to_sharp(result),
            )
            scores.setdefault(method, []).append(values)
    for method, values in scores.items():
        psnr, ssim, mean_distance = np.mean(values, axis=0)
        row = {"photographs": name, "n": len(values), "method": method}
        row |= {"psnr": f"{psnr:.3f}", "ssim": f"{ssim:.4f}", "distance": f"{mean_distance:.4f}"}
        print(*row.values(), sep="  ", flush=True)
        yield row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("frames", nargs="*", metavar="NAME=FOLDER")
    parser.add_argument("--weights", nargs="*", default=GENERATORS, metavar="NAME_OR_FILE")
    parser.add_argument("--only", action="store_true", help="not the classical methods")
    parser.add_argument("--pictures", type=Path, help="where all results are stored as PNG")
    parser.add_argument("--to", type=Path, default=paths.home() / "docs" / "quality.csv")
    args = parser.parse_args()
    weights = {Path(x).stem: restoration.load(x, paths.runs_folder(), "auto") for x in args.weights}
    distance = evaluation.PerceptualDistance()
    sets = {"sample": sample_pairs()}
    sets |= {name: frames(Path(folder)) for name, folder in (x.split("=") for x in args.frames)}
    sets |= {f"shake of {length} pixels": shaken(length) for length in LENGTHS}
    sets["sharp"] = ((photo, photo, None) for photo in sharp_photos())
    measured = commit()
    rows = {(row["photographs"], row["method"]): row for row in read_csv(args.to)}
    for name, triples in sets.items():
        for row in score(name, triples, weights, distance, not args.only, args.pictures):
            rows[name, row["method"]] = row | {"unseen": "", "commit": measured}
    order = list(dict.fromkeys(name for name, _ in rows))
    write_csv(args.to, sorted(rows.values(), key=lambda row: order.index(row["photographs"])))


if __name__ == "__main__":
    main()
