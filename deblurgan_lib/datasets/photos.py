"""Read a photograph of any kind as 8-bit RGB, write one without ever leaving half a file."""

import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ..errors import CourseError

ORIENTATION = 0x0112  # The EXIF tag; from 5 on, width and height are exchanged.
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


def list_photos(folder: Path) -> list[Path]:
    """The photographs of a folder, by suffix, sorted by name; hidden files are left out."""
    return sorted(
        path
        for path in Path(folder).iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )


def open_photo(path: Path) -> Image.Image:
    """Open a photograph without decoding it: its size is known, its pixels are not yet read.

    Raises:
        CourseError: the file is missing, is not an image, or is too large to be decoded safely.
    """
    try:
        return Image.open(path)
    except FileNotFoundError:
        raise CourseError(f"There is no photo {path}; check the spelling.") from None
    except Image.DecompressionBombError:
        raise CourseError(f"{path} has more pixels than is safe to decode.") from None
    except (OSError, ValueError, SyntaxError):
        raise CourseError(f"{path} is not an image that can be read; is it complete?") from None


def photo_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels as people see the photo, from its header alone."""
    with open_photo(path) as image:
        if image.format == "PNG" and "exif" not in image.info:
            return image.size  # Pillow would decode the whole file to be sure.
        lies_on_its_side = image.getexif().get(ORIENTATION, 1) >= 5
        return image.size[::-1] if lies_on_its_side else image.size


def read_photo(path: Path) -> np.ndarray:
    """Decode a photograph as people see it.

    The EXIF orientation is applied; grey becomes RGB; what is transparent is laid on white; of an
    animation the first picture counts; 16-bit grey is scaled to 8 bits.

    Returns:
        uint8 (H, W, 3).

    Raises:
        CourseError: the file is missing, broken, or not an image.
    """
    image = open_photo(path)
    try:
        with image:
            image.load()
            image = ImageOps.exif_transpose(image)
            if image.mode.startswith("I;16") or image.mode == "I":
                image = Image.fromarray((np.asarray(image).clip(0, 65535) // 257).astype(np.uint8))
            if image.has_transparency_data:
                image = image.convert("RGBA")
                white = Image.new("RGBA", image.size, "white")
                image = Image.alpha_composite(white, image)
            return np.array(image.convert("RGB"))
    except Image.DecompressionBombError:
        raise CourseError(f"{path} has more pixels than is safe to decode.") from None
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, IndexError) as error:
        raise CourseError(f"{path} is a broken image ({error}); save or copy it again.") from None


def write_photo(path: Path, photo: np.ndarray) -> None:
    """Write uint8 (H, W, 3) as PNG or JPEG by the suffix, beside its place, then rename."""
    path = Path(path)
    beside = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        Image.fromarray(photo).save(beside, quality=95)
        os.replace(beside, path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        reason = error.strerror or error
        raise CourseError(f"{path} could not be written ({reason}); is the disk full?") from None
