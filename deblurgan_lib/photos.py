"""Reading photographs of any kind as 8-bit RGB, and writing them atomically."""

import contextlib
import importlib
import itertools
import logging
import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, TiffImagePlugin
from PIL.JpegImagePlugin import get_sampling

from .errors import CourseError, quiet_stderr
from .files import explaining, replacing

FORMATS = {
    ".png": "PNG", ".apng": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG",
    ".jfif": "JPEG", ".mpo": "MPO", ".webp": "WEBP", ".bmp": "BMP", ".tif": "TIFF",
    ".tiff": "TIFF", ".gif": "GIF", ".heic": "HEIF", ".heif": "HEIF", ".hif": "HEIF",
    ".avif": "AVIF",
}  # fmt: skip
"""The formats that are read, by suffix; Pillow's other decoders are not used."""

RAW = {
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".gpr", ".iiq", ".k25",
    ".kdc", ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".ptx", ".raf", ".raw", ".rw2",
    ".rwl", ".sr2", ".srf", ".srw", ".x3f",
}  # fmt: skip
"""Suffixes of what a camera's sensor saw, before it was developed into a photograph."""

FILMS = {
    ".3gp", ".avi", ".insv", ".lrv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".mts",
    ".webm", ".wmv",
}  # fmt: skip

GENERATED = {
    "__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "picasa.ini", "#recycle", "#snapshot",
    "$recycle.bin", "system volume information", "lost+found",
}  # fmt: skip
"""Files and folders that systems make, in small letters; besides all that begin with . or @."""

DEVELOP = (
    "is a camera raw file, which must be developed first: open it in the camera maker's program, "
    "darktable or RawTherapee, and restore the JPEG or TIFF that you save there"
)

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


def look_through(
    folder: Path, recursive: bool = False, exclude: Path | None = None
) -> tuple[list[Path], dict[str, list[Path]]]:
    """The photographs of a folder, by suffix, and what else it holds.

    Args:
        folder: where to look.
        recursive: look into its subfolders as well.
        exclude: a folder that is left out.

    Returns:
        The photographs, sorted by name; and what is left out, by the reason. Hidden and generated
        files and folders are in neither.

    Raises:
        OSError: the folder itself cannot be read; one below it that cannot is left out.
    """
    photos, left_out, excluded = [], {}, exclude and Path(exclude).resolve()
    for path in sorted(Path(folder).iterdir()):
        suffix = path.suffix.lower()
        if path.name.startswith((".", "@")) or path.name.lower() in GENERATED:
            continue
        if path.is_dir():
            if (
                not recursive or suffix == ".lrdata"
            ):  # The latter holds previews that Lightroom made.
                continue
            if path.is_symlink():
                left_out.setdefault(LINK, []).append(path)
            elif path.resolve() != excluded:
                try:
                    more, others = look_through(path, recursive, exclude)
                except OSError:
                    more, others = [], {UNREADABLE: [path]}
                photos += more
                for reason, paths in others.items():
                    left_out.setdefault(reason, []).extend(paths)
        elif suffix in FORMATS:
            photos.append(path)
        else:
            reason = IS_RAW if suffix in RAW else IS_FILM if suffix in FILMS else IS_OTHER
            left_out.setdefault(reason, []).append(path)
    return photos, left_out


IS_RAW = (
    "camera raw files, to be developed first, with darktable, RawTherapee or the maker's program"
)
IS_FILM = "films"
IS_OTHER = "files that are no photos of a kind that is read"
LINK = "links to folders, which are not followed"
UNREADABLE = "folders that you may not read"


def list_photos(folder: Path) -> list[Path]:
    """The photographs of a folder, by suffix, sorted by name; see `look_through`."""
    return look_through(folder)[0]


def some(names: list) -> str:
    """At most five names, and how many more there are."""
    names = [str(name) for name in names]
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown


def _reason(error: Exception) -> str:
    """The message of an exception, in one short line."""
    said = getattr(error, "strerror", None) or " ".join(str(error).split())
    return said[:200] or type(error).__name__


def open_photo(path: Path) -> Image.Image:
    """Open a photograph without decoding it: its size is known, its pixels are not yet read.

    Raises:
        CourseError: the file is missing, is not an image, is a camera raw file, or is too large to
            be decoded safely.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():  # A pipe would be waited for.
            raise CourseError(f"{path} is not a file; give a photo.")
        with open(path, "rb") as file:
            start = file.read(32)
        if path.suffix.lower() in RAW or _is_raw(path, start):
            raise CourseError(f"{path} {DEVELOP}.")
        image = Image.open(path, formats=_formats(start))
        if image.format == "TIFF":
            _seek_photo(image)
        return image
    except CourseError:
        raise
    except FileNotFoundError:
        raise CourseError(f"There is no photo {path}; check the spelling.") from None
    except Image.DecompressionBombError:
        raise CourseError(
            f"{path} has more than {MAX_PIXELS // 10**6} million pixels; make it smaller first."
        ) from None
    except ImportError as error:
        raise CourseError(
            f"{path} is a HEIC photo, which needs {error.name}; `pip install pillow-heif`."
        ) from None
    except Image.UnidentifiedImageError:
        raise CourseError(f"{path} is not an image that can be read; is it complete?") from None
    except Exception as error:  # Whatever is wrong with a header, each decoder says it its own way.
        raise CourseError(f"{path} cannot be read ({_reason(error)}); is it complete?") from None


def _formats(start: bytes) -> list[str]:
    """The formats that a file may have by its first bytes; their plugins are loaded.

    Pillow would load the plugins of all formats that it knows for any but the first four.
    """
    if start[4:8] == b"ftyp":
        _load_plugin("AVIF")
        if start[8:12] not in (b"avif", b"avis"):
            _load_plugin("HEIF")
            return ["AVIF", "HEIF"]
        return ["AVIF"]
    kind = "WEBP" if start[:4] == b"RIFF" else "TIFF" if start[:2] in (b"II", b"MM") else ""
    if kind:
        _load_plugin(kind)
    return [kind] if kind else ["BMP", "GIF", "JPEG", "PNG"]


def _load_plugin(kind: str) -> None:
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    else:
        importlib.import_module(f"PIL.{kind.title().replace('Webp', 'WebP')}ImagePlugin")


RAW_STARTS = re.compile(
    rb"FUJIFILMCCD-RAW|\0MRM|FOVb|IIU\0|IIR[OS]|MMOR|II\x1a\0\0\0HEAP|II\*\0.{4}CR|.{4}ftypcrx ",
    re.DOTALL,
)
"""Raw files of Fujifilm, Minolta, Sigma, Panasonic, Olympus and Canon; others are plain TIFF."""
SENSOR = {32803, 34892}  # What a pixel of a sensor's mosaic, or of a linear DNG, is called.
DNG_VERSION, SUB_IFDS, KIND, OLD_KIND, OLD_JPEG = 50706, 330, 254, 255, 513
REDUCED, MASK = 1, 4  # Bits of `KIND`.


def _directories(path: Path) -> tuple[list, list]:
    """The directories of a TIFF's pages, and those that are below them."""
    pages, below = [], []
    with open(path, "rb") as file:
        head = file.read(8)
        if head[2:4] in (b"+\0", b"\0+"):
            head += file.read(8)

        def follow(offset, found):
            seen = set()
            while offset and offset not in seen and len(seen) < 1000:
                seen.add(offset)
                directory = TiffImagePlugin.ImageFileDirectory_v2(head)
                file.seek(offset)
                directory.load(file)
                found.append(directory)
                offset = directory.next

        follow(TiffImagePlugin.ImageFileDirectory_v2(head).next, pages)
        for page in pages:
            offsets = page.get(SUB_IFDS, ())
            for offset in offsets if isinstance(offsets, tuple) else (offsets,):
                follow(offset, below)
    return pages, below


def _is_raw(path: Path, start: bytes) -> bool:
    """Whether a file holds what a sensor saw, whatever it is called; its picture is a preview.

    A raw file that is a TIFF as well has a preview for its first page; the sensor's pixels are
    another page, or in a directory below, and larger.
    """
    if RAW_STARTS.match(start):
        return True
    if start[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return False
    try:
        pages, below = _directories(path)
        if any(DNG_VERSION in page for page in pages):
            return True
        if any(page.get(262) in SENSOR for page in pages + below):
            return True
        return any(_pixels(part) > _pixels(pages[0]) for part in below)
    except Exception:  # Whatever a damaged file says; its decoder finds better words.
        return False


def _pixels(directory) -> int:
    return directory.get(256, 0) * directory.get(257, 0)


def _is_picture(page, first: bool = False) -> bool:
    """Whether a page of a TIFF is a picture of its own: no preview, and no mask of another one."""
    kind = page.get(KIND)
    other = (isinstance(kind, int) and kind & (REDUCED | MASK)) or page.get(OLD_KIND) == 2
    return not other and (first or OLD_JPEG not in page)


def _seek_photo(image: Image.Image) -> None:
    """Go to the first page of a TIFF that is not the preview of another one."""
    for number in itertools.count():
        try:
            image.seek(number)
        except EOFError:
            raise CourseError(
                f"{image.filename} holds only a preview of a photo; is it a camera raw file? "
                "Develop it first."
            ) from None
        if _is_picture(image.tag_v2, first=number == 0):
            return


def _left_out(path: Path, image: Image.Image) -> str:
    """What a file holds besides the picture that is restored, or "".

    Previews, masks and the gain maps of phones are no pictures of their own.
    """
    pictures = getattr(image, "n_frames", 1)
    try:
        if image.format == "TIFF":
            pages = _directories(path)[0]
            pictures = sum(_is_picture(page, page is pages[0]) for page in pages)
        elif image.format == "MPO":
            with Image.open(
                path, formats=["JPEG"]
            ) as again:  # What is read below would stay in it.
                pictures = 1 + sum(_is_in_mpo(again, number) for number in range(1, pictures))
    except Exception:  # What is damaged behind the picture does not hurt it.
        pictures = 1
    if pictures > 1:
        return f"{pictures - 1} more picture{'s' * (pictures > 2)}"
    xmp = image.info.get("xmp") or b""
    return "a film" if isinstance(xmp, bytes) and MOTION_PHOTO.search(xmp) else ""


MOTION_PHOTO = re.compile(rb"(MotionPhoto|MicroVideo)(=[\"']1|>1<)")  # As Android's phones say it.


def _is_in_mpo(image: Image.Image, number: int) -> bool:
    """Whether a further picture of a JPEG is one to look at; CIPA DC-007 says what there is.

    Gain maps are "undefined", and so is all that Pillow writes; then size and colours decide.
    """
    kind = image.mpinfo[0xB002][number]["Attribute"]["MPType"]
    if kind != "Undefined":
        return "Thumbnail" not in kind
    image.seek(0)
    seen = image.size, image.mode
    image.seek(number)
    return (image.size, image.mode) == seen


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
        size = image.size
        if image.format == "TIFF":  # Some versions of Pillow have turned it already.
            size = image.tag_v2[256], image.tag_v2[257]
        return size[::-1] if swaps_sides else size


@dataclass(frozen=True)
class PhotoMetadata:
    """The contents of a photograph's file besides its colours, to be written with its result.

    Args:
        grey: the photograph has no colours.
        alpha: uint8 (H, W), its opacity, or None.
        options: its EXIF, colour profile, resolution and JPEG quality, as Pillow's `save` takes
            them.
        left_out: what else is in the file and not read, such as "2 more pictures"; else "".
    """

    grey: bool
    alpha: np.ndarray | None
    options: dict
    left_out: str = ""


def _decode(path: Path) -> tuple[Image.Image, PhotoMetadata]:
    """The photograph upright, as RGB or RGBA, and what else its file holds."""
    image = open_photo(path)
    try:
        with image:
            with quiet_stderr() if image.format == "TIFF" else contextlib.nullcontext():
                image.load()
            if image.mode == "F":
                raise CourseError(f"{path} holds floating-point numbers; save it with 8 bits.")
            left_out = _left_out(path, image)
            image, metadata = convert(image)
            return image, replace(metadata, left_out=left_out)
    except CourseError:
        raise
    except Exception as error:  # Whatever is wrong with a file, each decoder says it its own way.
        raise CourseError(
            f"{path} is a broken image ({_reason(error)}); save or copy it again."
        ) from None


def convert(image: Image.Image) -> tuple[Image.Image, PhotoMetadata]:
    """A decoded picture upright, as RGB or RGBA of 8 bits, and its metadata."""
    grey = image.mode in ("1", "L", "LA", "I") or image.mode.startswith("I;16")
    options, transpose = _options(image, grey), _upright(image)
    if image.mode == "I" or image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image).clip(0, 65535) // 257).astype(np.uint8))
    image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    image = image if transpose is None else image.transpose(transpose)
    alpha = np.array(image.getchannel("A")) if image.mode == "RGBA" else None
    return image, PhotoMetadata(grey, alpha, options)


KEPT_EXIF = [
    ExifTags.Base[name]
    for name in (
        "ImageDescription", "Make", "Model", "Software", "DateTime", "Artist", "Copyright"
    )
]  # fmt: skip
# Width and height may be those before the rotation.
DROPPED_EXIF = (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)
LONGEST_EXIF = 65_000  # What a JPEG can hold.
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
        if 20 < len(exif) < LONGEST_EXIF:  # Longer than none at all.
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


def read_as_image(path: str | Path) -> tuple[Image.Image, PhotoMetadata]:
    """As `read_with_metadata`, as a PIL image, RGB or RGBA."""
    return _decode(Path(path))


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

    What cannot be written in the format it has (GIF, or a format without a suffix) becomes a PNG,
    and an MPO a JPEG.
    """
    suffix = Path(name).suffix
    kind = FORMATS.get(suffix.lower(), "GIF")
    return {"GIF": ".png", "MPO": ".jpg"}.get(kind, suffix)


def mime_type(suffix: str) -> str:
    """What a browser calls the format of a suffix in `FORMATS`."""
    return f"image/{FORMATS[suffix.lower()].lower()}"


def write_photo(
    path: Path, photo: np.ndarray, metadata: PhotoMetadata | None = None, mark: str = ""
) -> None:
    """Write a photograph in the format of its suffix, beside its place, then rename.

    Args:
        path: a suffix of `FORMATS`; JPEG, WebP, HEIC and AVIF are written with quality 95, TIFF
            uncompressed, because Pillow cannot compress one that has EXIF.
        photo: uint8 (H, W, 3).
        metadata: of a photograph that this one is made from; grey, opacity, EXIF, colour profile
            and resolution are kept, and a JPEG of finer quality is written with quality 100.
        mark: what `read_mark` finds in the file, ASCII.

    Raises:
        CourseError: it could not be written; nothing is left behind.
    """
    path = Path(path)
    kind = FORMATS.get(path.suffix.lower())
    image, options = Image.fromarray(photo), {"quality": 95}
    if metadata is not None:
        options.update(metadata.options)
        if metadata.grey:
            image = image.convert("L")
        if metadata.alpha is not None:
            image.putalpha(Image.fromarray(metadata.alpha))
            image = _on_white(image.convert("RGBA")) if kind == "JPEG" else image
    if kind != "JPEG":
        options.pop("subsampling", None)  # AVIF has another option of that name.
    if mark:
        options["exif"] = _marked(options.get("exif"), mark)
    try:
        if kind in ("HEIF", "AVIF"):
            _load_plugin(kind)
        failure = f"{path} could not be written"
        with explaining(failure, then=""), replacing(path) as beside:
            image.save(beside, kind, **options)
            if mark and kind == "BMP":  # It has no place for text; nobody reads behind its pixels.
                with open(beside, "ab") as file:
                    file.write(BMP_MARK + mark.encode("ascii"))
    except (ValueError, ImportError) as error:
        raise CourseError(
            f"{path} could not be written ({_reason(error)}); take another format, such as .png."
        ) from None


MARKED = ExifTags.Base.ProcessingSoftware
LONGEST_MARK = 300
BMP_MARK = b"\0ProcessingSoftware="  # What comes before it in a BMP.


def _marked(exif: bytes | None, mark: str) -> bytes:
    """EXIF with a mark; the mark alone where both together are longer than a JPEG can hold."""
    marked = Image.Exif()
    if exif:
        marked.load(exif)
    marked[MARKED] = mark
    if len(marked.tobytes()) >= LONGEST_EXIF:
        marked = Image.Exif()
        marked[MARKED] = mark
    return marked.tobytes()


def read_mark(path: Path) -> str:
    """The mark that `write_photo` has left in a file, from its header; "" if there is none."""
    try:
        with open_photo(path) as image:
            if image.format == "BMP":
                with open(path, "rb") as file:
                    file.seek(max(0, path.stat().st_size - LONGEST_MARK))
                    return file.read().partition(BMP_MARK)[2].decode("ascii")
            if image.format == "PNG" and "exif" not in image.info:
                return ""  # Pillow would decode the whole file to be sure.
            return str(image.getexif().get(MARKED, ""))
    except Exception:  # What cannot be read is no result; whoever restores it says why.
        return ""


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
