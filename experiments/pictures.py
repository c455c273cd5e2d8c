"""Frames restored by the shipped generators, and cases in which they fail.

    python experiments/pictures.py GOPRO_Large/test REDS/020

Each folder holds pairs in `blur` and `sharp`, at any depth. Writes docs/real_frames.jpg: of each
folder at most two frames, a detail blurred, restored by both generators, and sharp;
docs/first_frame.jpg, the first of them by itself and larger; and docs/failures.jpg from that frame,
degraded as in no training example.
"""

import argparse
import io
from pathlib import Path

import numpy as np
from PIL import Image
from quality import GENERATORS, frames
from skimage.morphology import disk

from deblurgan_lib import paths
from deblurgan_lib.data import blur
from deblurgan_lib.data.pairs import spread
from deblurgan_lib.errors import quiet_import

with quiet_import():
    from deblurgan_lib import evaluation, figures, restoration

DETAIL = 0.16  # Of a frame's height.


def defocus(radius: int) -> np.ndarray:
    """The point-spread function of a defocused lens."""
    plane = disk(radius).astype(float)
    return plane / plane.sum()


def jpeg(photo: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG", quality=quality)
    return np.array(Image.open(buffer).convert("RGB"))


def failures(sharp: np.ndarray) -> dict[str, np.ndarray]:
    """A frame with a long shake, out of focus, and shaken with noise or strong compression."""
    paths = blur.shake_trajectories(1, 3, max_length=100.0, inertia=0, big_shake=0)
    shaken = blur.blur(sharp, blur.random_psfs(1, 3, 21, 28.0, inertia=0, big_shake=0)[0])
    noise = np.random.default_rng(0).normal(0, 15, sharp.shape)
    return {
        "a path of 100 pixels": blur.blur(sharp, blur.point_spread_function(paths[0])),
        "out of focus": blur.blur(sharp, defocus(5)),
        "shaken, with noise": np.clip(np.rint(shaken + noise), 0, 255).astype(np.uint8),
        "shaken, JPEG 20": jpeg(shaken, 20),
    }


def detail(photos: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same square of all of them, named with their PSNR against the sharp one."""
    sharp = photos["sharp"]
    top, left, size = figures.busiest_square(sharp, DETAIL)
    named = {
        name if photo is sharp else f"{name} {evaluation.psnr(sharp, photo):.1f} dB": photo
        for name, photo in photos.items()
    }
    return {name: x[top : top + size, left : left + size] for name, x in named.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--weights", nargs="*", default=GENERATORS, metavar="NAME_OR_FILE")
    parser.add_argument("--to", type=Path, default=paths.home() / "docs")
    args = parser.parse_args()
    weights = {Path(name).stem: restoration.load(name) for name in args.weights}

    def row(title, degraded, sharp):
        restored = {name: restoration.restore(net, degraded) for name, net in weights.items()}
        return detail({title: degraded, **restored, "sharp": sharp})

    pairs = [pair for folder in args.folders for pair in spread(list(frames(folder)), 2)]
    rows = [row("blurred", blurred, sharp) for blurred, sharp, _ in pairs]
    grid = figures.photo_grid(rows, inches=2.0)
    (args.to / "real_frames.jpg").write_bytes(figures.image_bytes(grid, "jpeg"))
    grid = figures.photo_grid(rows[:1], inches=2.6)
    (args.to / "first_frame.jpg").write_bytes(figures.image_bytes(grid, "jpeg"))
    sharp = pairs[0][1]
    rows = [row(title, degraded, sharp) for title, degraded in failures(sharp).items()]
    grid = figures.photo_grid(rows, inches=2.0)
    (args.to / "failures.jpg").write_bytes(figures.image_bytes(grid, "jpeg"))


if __name__ == "__main__":
    main()
