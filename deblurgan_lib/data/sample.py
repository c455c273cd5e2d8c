"""The built-in data set, which needs no download.

Photographs that ship inside scikit-image, blurred with seeded camera shake. The held-out
photographs are other photographs, not other crops of the same ones.
"""

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import skimage

from ..files import explaining, read_json, write_json
from ..photos import read_photo, write_photo
from . import blur

# Public domain or CC0, as is scikit-image's policy; data/README.md has authors and sources.
PHOTOS = {
    "train": (
        "camera.png",
        "chelsea.png",
        "motorcycle_left.png",
        "motorcycle_right.png",
        "rocket.jpg",
    ),
    "test": ("astronaut.png", "coffee.png"),
}
SHAKES = {"train": 6, "test": 6}  # Blurred versions of each photograph.
SEEDS = {"train": 1, "test": 2}
PSF = {"size": 15, "max_length": 20.0}


def _expected() -> dict:
    """The settings of a complete set; if those on disk differ, it is made again."""
    return {
        "photos": {split: list(names) for split, names in PHOTOS.items()},
        "shakes": SHAKES,
        "seeds": SEEDS,
        "psf": PSF,
    }


def _names(split: str) -> list[tuple[str, str]]:
    """(photograph, stem of the pair) for every pair of a split, in the order of its kernels."""
    return [
        (photo, f"{Path(photo).stem}_{shake}")
        for photo in PHOTOS[split]
        for shake in range(SHAKES[split])
    ]


def kernels(split: str) -> dict[str, np.ndarray]:
    """The point-spread functions that blurred a split, `"train"` or `"test"`, by the pair's stem.

    Returns:
        float32 (15, 15) each, see `blur.random_psfs`.
    """
    names = _names(split)
    psfs = blur.random_psfs(len(names), SEEDS[split], **PSF)
    return {stem: psf for (_, stem), psf in zip(names, psfs, strict=True)}


def is_complete(folder: Path) -> bool:
    """Whether `folder` holds the whole sample set as this version of the code makes it."""
    return read_json(folder / "sample.json") == _expected() and all(
        (folder / split / side / f"{stem}.png").is_file()
        for split in PHOTOS
        for _, stem in _names(split)
        for side in "AB"
    )


def make_sample(folder: Path) -> Path:
    """Make the sample set, unless it is complete.

    Args:
        folder: gets `train/A`, `train/B`, `test/A`, `test/B` with 8-bit PNG and `sample.json`.

    Returns:
        `folder`.
    """
    folder = Path(folder)
    if is_complete(folder):
        return folder
    source = Path(skimage.__file__).parent / "data"
    with explaining(f"{folder} could not be made"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".sample-") as beside:
            made = Path(beside) / "sample"
            for split in PHOTOS:
                psfs = kernels(split)
                for side in "AB":
                    (made / split / side).mkdir(parents=True)
                for photo, stem in _names(split):
                    sharp = read_photo(source / photo)
                    write_photo(made / split / "A" / f"{stem}.png", blur.blur(sharp, psfs[stem]))
                    write_photo(made / split / "B" / f"{stem}.png", sharp)
            write_json(made / "sample.json", _expected())
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(made, folder)
    return folder
