"""Three lines of Python that do what `deblurgan deblur` does.

from deblurgan_lib import deblur

sharp = deblur("photo.jpg")
sharp.save("sharp.jpg", quality=95)
"""

import functools
import os
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from ..errors import CourseError
from ..paths import runs_folder
from ..photos import convert, read_as_image
from .inference import METHODS
from .weights import DEFAULT, find_weights, load


def deblur(
    photo: str | Path | Image.Image | np.ndarray,
    weights: str | Path = DEFAULT,
    motion: bool = True,
    ensemble: bool = False,
) -> Image.Image | np.ndarray:
    """Deblur one photograph of any size. The generator is loaded once and kept.

    Args:
        photo: the path of a file, a PIL image, or an array: uint8 (H, W, 3), or (H, W) of grey.
        weights: a `.keras` file, the name of a run, or of a generator that is shipped.
        motion: correct the generator's answer where one motion of the camera explains the photo.
        ensemble: take the mean of the answers to eight views, in eight times as long.

    Returns:
        An array for an array, of its shape; else a PIL image, upright and with 8 bits, which is
        grey or has opacity if the photo has, and keeps its EXIF and colour profile in `info`.

    Raises:
        CourseError: the photo cannot be read, is no photo, or there are no such weights.
    """
    file = find_weights(weights, runs_folder())
    restore = functools.partial(
        METHODS[bool(motion), bool(ensemble)], _generator(file, file.stat().st_mtime_ns)
    )
    if isinstance(photo, str | os.PathLike):
        image, metadata = read_as_image(photo)
    elif isinstance(photo, Image.Image):
        image, metadata = convert(photo)
    else:
        return _deblur_array(np.asarray(photo), restore)
    sharp = Image.fromarray(restore(np.array(image.convert("RGB")), bar=False))
    if metadata.grey:
        sharp = sharp.convert("L")
    if metadata.alpha is not None:
        sharp.putalpha(Image.fromarray(metadata.alpha))
    sharp.info |= {key: metadata.options[key] for key in KEPT if key in metadata.options}
    return sharp


KEPT = ("exif", "icc_profile", "dpi")


@functools.lru_cache(maxsize=2)
def _generator(file: Path, changed: int) -> keras.Model:
    return load(file, precision="auto")


def _deblur_array(photo: np.ndarray, restore) -> np.ndarray:
    grey = photo.ndim == 2
    if photo.dtype != np.uint8 or photo.ndim not in (2, 3) or not (grey or photo.shape[2] == 3):
        raise CourseError(
            f"The photo is an array of {photo.dtype} with the shape {photo.shape}; give uint8 "
            "(H, W, 3) with values from 0 to 255, or (H, W) of grey."
        )
    sharp = restore(np.dstack([photo] * 3) if grey else photo, bar=False)
    return np.array(Image.fromarray(sharp).convert("L")) if grey else sharp
