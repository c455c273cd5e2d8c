"""A cache of decoded photographs: the pairs of a folder as raw pixels in one file.

Decoding a PNG costs a hundred times what cutting a crop out of it does. The file is mapped into
memory instead of read: only what a crop covers is touched, and the operating system keeps these
pages as long as it has memory for them. The cache is optional, and not used when it is stale.
"""

import functools
import itertools
import os
from pathlib import Path

import numpy as np

from ..errors import CourseError
from ..files import check_free_space, explaining, gigabytes, read_json, write_json
from ..photos import photo_size, read_photo
from ..progress import progress
from .pairs import SIZE_MISMATCH, Pair, find_pairs

PIXELS, RECORD = "decoded.raw", "decoded.json"
FORMAT = 1  # Another number when the layout changes, or what `read_photo` makes of a file.


def _made_from(pair: Pair) -> list:
    """Name, size and time of both files, which change when a photograph does."""
    seen = [path.stat() for path in pair]
    return [[path.name, s.st_size, s.st_mtime_ns] for path, s in zip(pair, seen)]


def _record(pairs: list[Pair]) -> dict:
    """The record of a cache of these pairs, in their order."""
    entries = {}
    for pair in pairs:
        width, height = photo_size(pair.sharp)
        shape = [2, height, width, 3]
        entries[pair.sharp.stem] = {"made_from": _made_from(pair), "shape": shape}
    return {"format": FORMAT, "pairs": entries}


def _ends(record: dict) -> list[int]:
    """The offset at which each pair ends, bytes."""
    return list(itertools.accumulate(int(np.prod(e["shape"])) for e in record["pairs"].values()))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def make_cache(folder: Path) -> Path:
    """Decode the pairs of `folder/A` and `folder/B` into one file, unless that is done.

    The disk space it needs is printed and checked first.

    Args:
        folder: gets `decoded.raw`, uint8 (2, H, W, 3) pair after pair in the order of their stems,
            blurred and sharp, and `decoded.json`, which says what they are made from.

    Returns:
        Path of `decoded.raw`.

    Raises:
        CourseError: the pairs are not right (see `find_pairs`), a photo is broken, or the disk is
            too small. What is decoded stays, and the same call goes on.
    """
    folder = Path(folder)
    pixels, record, partial = folder / PIXELS, folder / RECORD, folder / f".{PIXELS}.part"
    pairs = find_pairs(folder)
    wanted = _record(pairs)
    ends = _ends(wanted)
    fits = read_json(record) == wanted
    if fits and _size(pixels) == ends[-1]:
        print(f"{pixels} is there and fits its {len(pairs)} pairs.")
        return pixels
    done = sum(end <= _size(partial) for end in ends) if fits else 0
    kept = ends[done - 1] if done else 0
    print(
        f"Decoded, the {len(pairs)} pairs of {folder} take {gigabytes(ends[-1])} of disk"
        + (f"; {gigabytes(kept)} of that are done." if done else ".")
    )
    check_free_space(
        folder, ends[-1] - _size(partial) - _size(pixels), f"The rest of {pixels.name}"
    )
    with explaining(f"{pixels} could not be written"):
        pixels.unlink(missing_ok=True)  # It is stale, and its space is needed.
        partial.touch()
        os.truncate(partial, kept)
        if not fits:
            write_json(record, wanted)
        with open(partial, "ab") as file, progress("decoding", len(pairs), done, " pairs") as bar:
            for pair, end in zip(pairs[done:], ends[done:]):
                for path in pair:
                    file.write(read_photo(path).tobytes())
                if file.tell() != end:
                    raise CourseError(f"{pair.sharp} or its partner {SIZE_MISMATCH}")
                bar.update()
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, pixels)
    return pixels


@functools.cache
def _say_once(sentence: str) -> None:
    print(sentence)


def open_cache(pairs: list[Pair]) -> list[np.ndarray] | None:
    """The decoded photographs of these pairs; None if there is no valid cache.

    One printed sentence says which it is.

    Args:
        pairs: all or some pairs of one folder.

    Returns:
        For each pair uint8 (2, H, W, 3), blurred and sharp, mapped and not read. None also if a
        photograph was added or changed after the cache was made; the sentence names it.
    """
    folder = pairs[0].sharp.parent.parent
    pixels, record = folder / PIXELS, read_json(folder / RECORD)
    if not pixels.is_file():
        return None
    entries = record.get("pairs", {}) if record.get("format") == FORMAT else {}
    places = dict(zip(entries, itertools.pairwise([0, *_ends(record)]))) if entries else {}
    wrong = ""
    if _size(pixels) != max((end for _, end in places.values()), default=0):
        wrong = f"does not have the size that {RECORD} says"
    for pair in pairs:
        entry = entries.get(pair.sharp.stem)
        here = {path.parent.parent for path in pair} == {folder}
        if not here or not entry or entry["made_from"] != _made_from(pair):
            wrong = f"does not fit {pair.sharp.name} as it is now"
    if wrong:
        _say_once(f"{pixels} {wrong} and is not used; make it again with deblurgan cache.")
        return None
    _say_once(f"Crops come from the decoded photographs in {pixels}.")
    decoded = np.memmap(pixels, np.uint8, "r")
    stems = [pair.sharp.stem for pair in pairs]
    return [decoded[slice(*places[stem])].reshape(entries[stem]["shape"]) for stem in stems]
