"""Reads damaged photographs, in a process of its own: `python fuzz_photos.py FOLDER COUNT SEED`.

Prints one JSON object: how the files ended, the slowest one, and the most memory that was held.
"""

import collections
import io
import json
import os
import re
import struct
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
import tifffile
from PIL import Image, PngImagePlugin

from deblurgan_lib.errors import CourseError
from deblurgan_lib.photos import photo_size, read_photo, read_with_metadata, write_photo


def png(width, height, bits, colour, rows):
    """A PNG whose header need not tell the truth."""

    def chunk(name, data):
        crc = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + crc

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(rows, 9))
    return b"\x89PNG\r\n\x1a\n" + header + data + chunk(b"IEND", b"")


def whole_files():
    """From a name to the bytes of a small photograph: every kind that the course reads."""

    def file(picture, kind, **options):
        buffer = io.BytesIO()
        picture.save(buffer, kind, **options)
        return buffer.getvalue()

    def tiff(pixels, **options):
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, pixels, **options)
        return buffer.getvalue()

    smooth = np.add.outer(np.arange(24), 2 * np.arange(32))[..., None] * [1, 2, 3]
    noise = np.random.default_rng(0).integers(0, 32, smooth.shape)
    pixels = ((smooth + noise) % 256).astype(np.uint8)
    rgb, grey = Image.fromarray(pixels), Image.fromarray(pixels[..., 0])
    rgba = Image.fromarray(np.dstack([pixels, pixels[..., 0]]))
    deep = pixels.astype(np.uint16) * 257
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "camera"
    exif.get_ifd(0x8769)[0x9286] = b"a comment " * 50
    several = {"save_all": True, "append_images": [Image.fromarray(255 - pixels), rgb]}
    pillow_heif.register_heif_opener()
    raw, raw_directory = io.BytesIO(), {"photometric": 32803}
    with tifffile.TiffWriter(raw) as pages:
        pages.write(pixels, photometric="rgb", subfiletype=1, subifds=1)
        pages.write(deep[..., 0], **raw_directory)
    meta = {"exif": exif, "icc_profile": b"no profile" * 50, "dpi": (300, 300)}
    text = PngImagePlugin.PngInfo()
    text.add_text("comment", "a" * 5000, zip=True)
    return {
        "rgb.png": file(rgb, "PNG", **meta, pnginfo=text),
        "grey.png": file(grey, "PNG"),
        "la.png": file(rgba.convert("LA"), "PNG"),
        "rgba.png": file(rgba, "PNG"),
        "deep.png": file(Image.fromarray(deep[..., 0]), "PNG"),
        "deep_rgb.png": png(4, 4, 16, 2, (b"\0" + bytes(range(24))) * 4),
        "bit.png": file(grey.convert("1"), "PNG"),
        "palette.png": file(rgb.convert("P"), "PNG", transparency=3),
        "moving.png": file(rgb, "PNG", **several),
        "rgb.jpg": file(rgb, "JPEG", **meta),
        "progressive.jpg": file(rgb, "JPEG", progressive=True),
        "grey.jpg": file(grey, "JPEG"),
        "cmyk.jpg": file(rgb.convert("CMYK"), "JPEG"),
        "several.jpg": file(rgb, "MPO", **several),
        "rgb.webp": file(rgb, "WEBP", **meta),
        "lossless.webp": file(rgba, "WEBP", lossless=True),
        "moving.webp": file(rgb, "WEBP", **several),
        "rgb.heic": file(rgb, "HEIF", **meta | {"exif": exif.tobytes()}),
        "rgba.heic": file(rgba, "HEIF"),
        "several.heic": file(rgb, "HEIF", **several),
        "rgb.avif": file(rgb, "AVIF", **meta),
        "moving.avif": file(rgb, "AVIF", **several),
        "raw.tif": raw.getvalue(),
        "palette.gif": file(rgb, "GIF"),
        "moving.gif": file(rgb, "GIF", **several),
        "rgb.bmp": file(rgb, "BMP"),
        "palette.bmp": file(rgb.convert("P"), "BMP"),
        "rgb.tif": tiff(pixels),
        "tiled.tif": tiff(pixels, tile=(16, 16), compression="zlib"),
        "big.tif": tiff(pixels, bigtiff=True),
        "pages.tif": tiff(np.stack([pixels] * 3), photometric="rgb"),
        "planes.tif": tiff(pixels.transpose(2, 0, 1), photometric="rgb", planarconfig="separate"),
        "deep.tif": tiff(deep[..., 0]),
        "deep_rgb.tif": tiff(deep),
        "float.tif": tiff(pixels[..., 0] / np.float32(255)),
        "float_rgb.tif": tiff(pixels / np.float32(255)),
        "cmyk.tif": file(rgb.convert("CMYK"), "TIFF"),
        "lab.tif": file(rgb.convert("LAB"), "TIFF"),
        "lzw.tif": file(rgba, "TIFF", compression="tiff_lzw"),
        "packbits.tif": file(rgb.convert("P"), "TIFF", compression="packbits"),
        "jpeg.tif": file(rgb, "TIFF", compression="jpeg"),
        "fax.tif": file(grey.convert("1"), "TIFF", compression="group4"),
        "dot.png": file(rgb.crop((0, 0, 1, 1)), "PNG"),
        "dot.jpg": file(rgb.crop((0, 0, 1, 1)), "JPEG"),
        "wide.png": file(Image.new("L", (30_000, 3), 77), "PNG"),
        "wide.jpg": file(Image.new("RGB", (30_000, 8), 77), "JPEG"),
    }


def special_files():
    """Files that are made to mislead, whole as they are."""
    whole = whole_files()
    files = {f"as_{name}.png": content for name, content in whole.items()}
    gif = bytearray(whole["palette.gif"])
    gif[6:10] = b"\xff\xff\xff\xff"
    bmp = bytearray(whole["rgb.bmp"])
    bmp[18:26] = struct.pack("<ii", 100_000, -100_000)
    webp = bytearray(whole["rgb.webp"])
    webp[24:30] = b"\xff\x3f\x00\xff\x3f\x00"
    jpeg = bytearray(whole["grey.jpg"])
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    exif = b"\xff\xe1\xff\xff" + b"Exif\0\0" + b"II*\0\x08\0\0\0" + b"\xff" * 65_519
    icc = b"".join(
        b"\xff\xe2\xff\xffICC_PROFILE\0" + bytes([i, 60]) + bytes(65_519) for i in range(1, 61)
    )
    return files | {
        "gigapixels.png": png(60_000, 60_000, 8, 2, b""),
        "warned_of.png": png(10_000, 9_500, 1, 0, (b"\0" + bytes(1250)) * 9_500),
        "promised.png": png(13_000, 13_000, 8, 2, bytes(1000)),
        "no_pixels.png": png(0, 0, 8, 2, b""),
        "screen.gif": bytes(gif),
        "screen.bmp": bytes(bmp),
        "canvas.webp": bytes(webp),
        "header.jpg": bytes(jpeg),
        "huge_exif.jpg": b"\xff\xd8" + exif + whole["rgb.jpg"][2:],
        "huge_icc.jpg": b"\xff\xd8" + icc + whole["rgb.jpg"][2:],
        "empty.jpg": b"",
        "text.png": b"This is no picture.\n" * 100,
        "script.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n",
        "photo.heic": b"\0\0\0\x18ftypheic" + bytes(500),
    }


def damaged(content, random):
    """One of seven kinds of damage."""
    data = bytearray(content)
    size = len(data)
    kind = random.integers(7)
    at, length = random.integers(size), random.integers(1, 64)
    if kind == 0:  # Cut off.
        return data[:at]
    if kind == 1:  # A few bits flipped.
        for place in random.integers(size, size=random.integers(1, 9)):
            data[place] ^= 1 << random.integers(8)
    elif kind == 2:  # Bits flipped where headers are.
        for place in random.integers(min(size, 80), size=random.integers(1, 4)):
            data[place] ^= 1 << random.integers(8)
    elif kind == 3:  # A run of zeros, or of ones.
        data[at : at + length] = bytes([255 * random.integers(2)]) * len(data[at : at + length])
    elif kind == 4:  # A piece that comes twice.
        data[at:at] = data[at : at + length]
    elif kind == 5:  # A piece that is missing.
        del data[at : at + length]
    else:  # Random bytes.
        data[at : at + length] = random.bytes(len(data[at : at + length]))
    return data


def odd_places(folder):
    """What is no file, or cannot be opened."""
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    (folder / "nowhere.png").symlink_to(folder / "missing")
    (folder / "device.png").symlink_to("/dev/zero")
    (folder / "secret.png").write_bytes(whole_files()["dot.png"])
    (folder / "secret.png").chmod(0)  # To root it is readable all the same.
    return [*sorted(folder.iterdir()), folder / ("a" * 300), folder / "nul\0.png"]


def read(path):
    """How reading ends: `"photo"`, or the sentence of the error."""
    try:
        photo = read_photo(path)
    except CourseError as error:
        sentence = str(error)
        assert "\n" not in sentence and len(sentence) < 500, sentence
        return sentence
    assert photo.dtype == np.uint8 and photo.ndim == 3 and photo.shape[2] == 3
    start = path.read_bytes()[:8]  # Damaged, these two may say one size and hold another one.
    assert photo_size(path) == photo.shape[1::-1] or start[1:4] == b"PNG" or start[4:] == b"ftyp"
    if photo.size > 10**7:
        return "photo"
    again, source = read_with_metadata(path)
    out = path.parent / f"out{path.suffix}"
    try:
        write_photo(out, again, source)
    except CourseError as error:
        assert "WebP limit of 16383 pixels" in str(error), error
        return str(error)
    assert read_photo(out).shape == photo.shape
    return "photo"


def peak_memory() -> float:
    """The most this process has held, MB; 0 where there is no /proc.

    `getrusage` would name the memory of the process that started this one, if that had more.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 1024


def main(folder, count, seed):
    random = np.random.default_rng(seed)
    whole = list(whole_files().items())
    ends, slowest = collections.Counter(), (0.0, "")
    paths = odd_places(folder)

    def files():
        yield from ((path, None) for path in paths)
        yield from special_files().items()
        for i in range(count):
            name, content = whole[i % len(whole)]
            yield name, bytes(damaged(content, random))

    for name, content in files():
        path = folder / name
        if content is not None:
            path.write_bytes(content)
        start = time.monotonic()
        end = read(path)
        slowest = max(slowest, (time.monotonic() - start, path.name))
        ends["photo" if end == "photo" else "sentence"] += 1
    print(json.dumps({**ends, "slowest": slowest, "MB": peak_memory()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
