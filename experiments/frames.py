"""Collect real pairs of several video scenes, and a few of the sample set, into one data set.

    python experiments/frames.py GOPRO_Large/train REDS --held-out 020 --photos walls --to frames

Each folder holds scenes with `blur` and `sharp`, as GOPRO and REDS have them. The scenes that are
held out go to `test`, with the sample set's test photographs. Every second sharp frame of the other
scenes is included at half its size as well: frames of a video are softer than photographs, and at
half their size as sharp. Sharp photographs are reduced to at most 1280 and at most 640 pixels. The
small frames and the photographs get a camera motion each. The shipped generators were trained on
this; see their cards in `deblurgan_lib/weights`.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from deblurgan_lib.data import blur, find_data
from deblurgan_lib.photos import read_photo, write_photo
from deblurgan_lib.training.loop import FRAME_SHAKES

SAMPLE_SHAKES = ("_0", "_1")  # Two of the six versions of each sample photograph.


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--held-out", nargs="*", default=[], metavar="SCENE")
    parser.add_argument("--photos", type=Path, help="a folder of sharp photographs")
    parser.add_argument("--to", type=Path, required=True)
    args = parser.parse_args()
    for split in ("train", "test"):
        for side in "AB":
            (args.to / split / side).mkdir(parents=True, exist_ok=True)
    to_shake = []
    for scene in sorted(scene for folder in args.folders for scene in folder.iterdir()):
        split = "test" if scene.name in args.held_out else "train"
        for place, sharp in enumerate(sorted((scene / "sharp").glob("*.png"))):
            name = f"{scene.name}_{sharp.name}"
            if split == "train" and place % 2 == 0:
                to_shake.append((sharp, f"{scene.name}_{sharp.stem}_640", 640))
            shutil.copyfile(scene / "blur" / sharp.name, args.to / split / "A" / name)
            shutil.copyfile(sharp, args.to / split / "B" / name)
    sample = find_data("sample")
    for split in ("train", "test"):
        for side in "AB":
            for photo in sorted((sample / split / side).iterdir()):
                if photo.stem.endswith(SAMPLE_SHAKES):
                    shutil.copyfile(photo, args.to / split / side / photo.name)
    for photo in sorted(args.photos.iterdir()) if args.photos else []:
        to_shake += [(photo, f"{photo.stem}_{width}", width) for width in (1280, 640)]
    shake(to_shake, args.to / "train")
    for split in ("train", "test"):
        print(split, len(list((args.to / split / "A").iterdir())), "pairs")


def shake(photos: list[tuple[Path, str, int]], to: Path) -> None:
    """Write each photograph under its new name, at most so many pixels wide, and blurred."""
    psfs = np.random.default_rng(0).permutation(blur.mixed_psfs(16, 1, FRAME_SHAKES))
    for (photo, name, width), psf in zip(photos, psfs, strict=False):
        sharp = Image.fromarray(read_photo(photo))
        sharp.thumbnail((width, width), Image.Resampling.LANCZOS)
        write_photo(to / "B" / f"{name}.png", np.asarray(sharp))
        write_photo(to / "A" / f"{name}.png", blur.blur(np.asarray(sharp), psf))


if __name__ == "__main__":
    main()
