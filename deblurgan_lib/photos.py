"""Reading photographs of any kind as 8-bit RGB, and writing them atomically."""

import contextlib
import logging
import os
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image
from PIL.JpegImagePlugin import get_sampling

from .errors import CourseError, quiet_stderr
from .files import explaining

FORMATS = {
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".bmp": "BMP",
    ".tif": "TIFF", ".tiff": "TIFF", ".gif": "GIF",
}  # fmt: skip
"""The formats that are read, by suffix; Pillow's other decoders are not used."""

MAX_PIXELS = 2 * Image.MAX_IMAGE_PIXELS
"""179 million, where Pillow refuses a file as a decompression bomb: 0.7 GB once decoded."""

TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF's orientation to the operation that makes the photograph upright."""

ORIENTATION_CHUNKS = {"exif", "xmp", "Raw profile type exif"}
"""PNG chunks that may hold the orientation and that Pillow reads before the pixels."""

# Pillow warns of damaged metadata and of many pixels; users get the picture, or an error.
warnings.filterwarnings("ignore", module="PIL")
logging.getLogger("PIL").addHandler(logging.NullHandler())


def list_photos(folder: Path, recursive: bool = False, exclude: Path | None = None) -> list[Path]:
    """The photographs of a folder, by suffix, sorted by name; what is hidden is left out.

    Args:
        folder: where to look.
        recursive: look into its subfolders as well.
        exclude: a folder that is left out.
    """
    photos, excluded = [], exclude and Path(exclude).resolve()
    for path in sorted(Path(folder).iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if recursive and not path.is_symlink() and path.resolve() != excluded:
                photos += list_photos(path, recursive, exclude)
        elif path.suffix.lower() in FORMATS:
            photos.append(path)
    return photos


def _reason(error: Exception) -> str:
    """The message of an exception, in one short line."""
    said = getattr(error, "strerror", None) or " ".join(str(error).split())
    return said[:200] or type(error).__name__


def open_photo(path: Path) -> Image.Image:
    """Open a photograph without decoding it: its size is known, its pixels are not yet read.

    Raises:
        CourseError: the file is missing, is not an image, or is too large to be decoded safely.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():  # A pipe would be waited for.
            raise CourseError(f"{path} is not a file; give a photo.")
        return Image.open(path, formats=sorted(set(FORMATS.values())))
    except CourseError:
        raise
    except FileNotFoundError:
        raise CourseError(f"There is no photo {path}; check the spelling.") from None
    except Image.DecompressionBombError:
        raise CourseError(
            f"{path} has more than {MAX_PIXELS // 10**6} million pixels; make it smaller first."
        ) from None
    except Image.UnidentifiedImageError:
        with open(path, "rb") as file:
            start = file.read(12)
        if start[4:8] == b"ftyp":
            raise CourseError(f"{path} is a HEIC or AVIF photo; export it as JPEG.") from None
        raise CourseError(f"{path} is not an image that can be read; is it complete?") from None
    except Exception as error:  # Whatever is wrong with a header, each decoder says it its own way.
        raise CourseError(f"{path} cannot be read ({_reason(error)}).") from None


def _upright(image: Image.Image) -> Image.Transpose | None:
    """The operation that makes the photograph upright, None if it is, or if its EXIF is damaged."""
    try:
        return TRANSPOSES.get(image.getexif().get(ExifTags.Base.Orientation))
    except Exception:
        return None


def photo_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels as people see the photo, from its header alone."""
    with open_photo(path) as image:
        if image.format == "PNG" and not ORIENTATION_CHUNKS & image.info.keys():
            return image.size  # Pillow would decode the whole file to be sure.
        swaps_sides = _upright(image) in [TRANSPOSES[n] for n in (5, 6, 7, 8)]
        return image.size[::-1] if swaps_sides else image.size


@dataclass(frozen=True)
class PhotoMetadata:
    """The contents of a photograph's file besides its colours, to be written with its result.

    Args:
        grey: the photograph has no colours.
        alpha: uint8 (H, W), its opacity, or None.
        options: its EXIF, colour profile, resolution and JPEG quality, as Pillow's `save` takes
            them.
    """

    grey: bool
    alpha: np.ndarray | None
    options: dict


def _decode(path: Path) -> tuple[Image.Image, PhotoMetadata]:
    """The photograph upright, as RGB or RGBA, and what else its file holds."""
    image = open_photo(path)
    try:
        with image:
            with quiet_stderr() if image.format == "TIFF" else contextlib.nullcontext():
                image.load()
            grey = image.mode in ("1", "L", "LA", "I") or image.mode.startswith("I;16")
            options, transpose = _options(image, grey), _upright(image)
            if image.mode == "F":
                raise CourseError(f"{path} holds floating-point numbers; save it with 8 bits.")
            if image.mode == "I" or image.mode.startswith("I;16"):
                image = Image.fromarray((np.asarray(image).clip(0, 65535) // 257).astype(np.uint8))
            image = image.convert("RGBA" if image.has_transparency_data else "RGB")
            image = image if transpose is None else image.transpose(transpose)
            alpha = np.array(image.getchannel("A")) if image.mode == "RGBA" else None
            return image, PhotoMetadata(grey, alpha, options)
    except CourseError:
        raise
    except Exception as error:  # Whatever is wrong with a file, each decoder says it its own way.
        raise CourseError(
            f"{path} is a broken image ({_reason(error)}); save or copy it again."
        ) from None


KEPT_EXIF = [
    ExifTags.Base[name]
    for name in (
        "ImageDescription", "Make", "Model", "Software", "DateTime", "Artist", "Copyright"
    )
]  # fmt: skip
# Width and height may be those before the rotation.
DROPPED_EXIF = (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)
QUALITY_95 = 369  # The sum of the luminance table that Pillow writes at this quality.


def _options(image: Image.Image, grey: bool) -> dict:
    """See `PhotoMetadata`; what is damaged, or does not describe the result, is left out."""
    options = {}
    try:
        old, new = image.getexif(), Image.Exif()
        new.update({tag: old[tag] for tag in KEPT_EXIF if tag in old})
        for part in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            if kept := {k: v for k, v in old.get_ifd(part).items() if k not in DROPPED_EXIF}:
                new.get_ifd(part).update(kept)
        exif = new.tobytes()
        if 20 < len(exif) < 65_000:  # Between the length of none and what a JPEG can hold.
            options["exif"] = exif
    except Exception:
        pass
    profile = image.info.get("icc_profile") or b""
    if profile[16:20] == (b"GRAY" if grey else b"RGB "):
        options["icc_profile"] = profile
    with contextlib.suppress(Exception):
        dpi = tuple(float(value) for value in image.info["dpi"])
        if len(dpi) == 2 and all(1 <= value < 65536 for value in dpi):
            options["dpi"] = dpi
    if tables := getattr(image, "quantization", None):
        options["subsampling"] = get_sampling(image)
        if sum(tables.get(0, [QUALITY_95])) < QUALITY_95:
            options["quality"] = 100
    return options


def read_photo(path: Path) -> np.ndarray:
    """Decode a photograph as people see it.

    The EXIF orientation is applied; grey becomes RGB; what is transparent is laid on white; of an
    animation the first picture counts; 16 bits become 8.

    Returns:
        uint8 (H, W, 3).

    Raises:
        CourseError: the file is missing, broken, or not an image.
    """
    image, metadata = _decode(path)
    return np.array(image if metadata.alpha is None else _on_white(image))


def _on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


def read_with_metadata(path: Path) -> tuple[np.ndarray, PhotoMetadata]:
    """As `read_photo`, with the colours under what is transparent, and what else the file holds."""
    image, metadata = _decode(path)
    return np.array(image if image.mode == "RGB" else image.convert("RGB")), metadata


def side_by_side(
    before: np.ndarray, after: np.ndarray, metadata: PhotoMetadata
) -> tuple[np.ndarray, PhotoMetadata]:
    """One picture, `before` on the left and `after` on the right, and what to keep for it."""
    alpha = None if metadata.alpha is None else np.hstack([metadata.alpha] * 2)
    return np.hstack([before, after]), replace(metadata, alpha=alpha)


def suffix_of_result(name: str | Path) -> str:
    """The suffix of the file that holds what is made of this photograph: its own.

    What cannot be written in the format it has (GIF, or a format without a suffix) becomes a PNG.
    """
    suffix = Path(name).suffix
    return suffix if FORMATS.get(suffix.lower(), "GIF") != "GIF" else ".png"


def write_photo(path: Path, photo: np.ndarray, metadata: PhotoMetadata | None = None) -> None:
    """Write a photograph in the format of its suffix, beside its place, then rename.

    Args:
        path: a suffix of `FORMATS`; JPEG and WebP are written with quality 95, TIFF uncompressed,
            because Pillow cannot compress one that has EXIF.
        photo: uint8 (H, W, 3).
        metadata: of a photograph that this one is made from; grey, opacity, EXIF, colour profile
            and resolution are kept, and a JPEG of finer quality is written with quality 100.

    Raises:
        CourseError: it could not be written; nothing is left behind.
    """
    path = Path(path)
    beside = path.with_name(f".{path.stem}.part{path.suffix}")
    kind = FORMATS.get(path.suffix.lower())
    image, options = Image.fromarray(photo), {"quality": 95}
    if metadata is not None:
        options.update(metadata.options)
        if metadata.grey:
            image = image.convert("L")
        if metadata.alpha is not None:
            image.putalpha(Image.fromarray(metadata.alpha))
            image = _on_white(image.convert("RGBA")) if kind == "JPEG" else image
    try:
        with explaining(f"{path} could not be written", then=""):
            image.save(beside, **options)
            os.replace(beside, path)
    except ValueError as error:
        raise CourseError(f"{path} could not be written ({_reason(error)}).") from None
    finally:
        beside.unlink(missing_ok=True)


def quantize(photo: np.ndarray) -> np.ndarray:
    """Float [0, 1] to uint8 [0, 255], rounded and clipped."""
    return np.clip(np.rint(photo * 255), 0, 255).astype(np.uint8)


# Keras is imported where a network needs these; reading a photograph does not wait for it.


def to_float(photo):
    """uint8 [0, 255] to a float32 tensor in [-1, 1], the range of both networks."""
    from keras import ops

    return ops.cast(photo, "float32") / 127.5 - 1.0


def to_uint8(photo):
    """Float [-1, 1] to a uint8 tensor [0, 255]; clipped, for it could wrap around, and rounded."""
    from keras import ops

    return ops.cast(ops.clip(ops.round((photo + 1.0) * 127.5), 0.0, 255.0), "uint8")
