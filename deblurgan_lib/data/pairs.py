"""A/B pairs: blurred photographs in a folder `A`, their sharp partners in `B`.

A data set is a folder with `train/A`, `train/B`, `test/A` and `test/B`. Partners have the same
file stem; photographs are never paired by their position in a list.
"""

from pathlib import Path
from typing import NamedTuple

from ..errors import CourseError
from ..photos import list_photos, photo_size

SIZE_MISMATCH = (
    "has another size than its header said; save it again, or start again if it changed."
)


class Pair(NamedTuple):
    """Two photographs of one size: `blurred` (A) and `sharp` (B)."""

    blurred: Path
    sharp: Path


def _by_stem(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise CourseError(
            f"There is no folder {folder}; a data set has train/A, train/B, test/A and test/B."
        )
    photos = {}
    for path in list_photos(folder):
        if path.stem in photos:
            raise CourseError(f"{photos[path.stem].name} and {path.name} in {folder} share a stem.")
        photos[path.stem] = path
    if not photos:
        raise CourseError(f"There are no photos in {folder}; is this the folder you meant?")
    return photos


def _some(stems: set[str]) -> str:
    shown = ", ".join(sorted(stems)[:5])
    return f"{shown} and {len(stems) - 5} more" if len(stems) > 5 else shown


def find_pairs(folder: Path) -> list[Pair]:
    """The pairs of `folder/A` and `folder/B`, sorted by stem.

    Only the headers of the files are read, so this is quick for thousands of pairs.

    Raises:
        CourseError: a folder is missing or empty, a photo has no partner (they are listed), a
            file is not an image, or two partners differ in size.
    """
    folder = Path(folder)
    blurred, sharp = _by_stem(folder / "A"), _by_stem(folder / "B")
    only_a, only_b = blurred.keys() - sharp.keys(), sharp.keys() - blurred.keys()
    if only_a or only_b:
        lonely = [f"only in A: {_some(only_a)}"] if only_a else []
        lonely += [f"only in B: {_some(only_b)}"] if only_b else []
        raise CourseError(
            f"A and B in {folder} do not match ({'; '.join(lonely)}): "
            "each photo needs a partner with the same name."
        )
    pairs = [Pair(blurred[stem], sharp[stem]) for stem in sorted(blurred)]
    for pair in pairs:
        a, b = photo_size(pair.blurred), photo_size(pair.sharp)
        if a != b:
            raise CourseError(
                f"{pair.blurred} is {a[0]}x{a[1]} and its partner in B is {b[0]}x{b[1]}; "
                "partners must show the same pixels."
            )
    return pairs


def spread(pairs: list[Pair], n: int) -> list[Pair]:
    """At most `n` of the pairs, evenly spread over the list, so that all scenes are represented."""
    if n >= len(pairs):
        return pairs
    return [pairs[i * len(pairs) // n] for i in range(n)]
