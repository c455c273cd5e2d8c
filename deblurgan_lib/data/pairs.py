"""A/B pairs: blurred photographs in a folder `A`, their sharp partners in `B`.

A data set is a folder with `train/A`, `train/B`, `test/A` and `test/B`; see `BLURRED` and `SHARP`
for other names of `A` and `B`. Partners have the same file stem; photographs are never paired by
their position in a list.
"""

import unicodedata
from pathlib import Path
from typing import NamedTuple

from ..errors import CourseError
from ..files import explaining
from ..photos import IS_RAW, look_through, photo_size, some

BLURRED = ("a", "blur", "blurred", "blurry", "input", "source", "lq")
SHARP = ("b", "sharp", "target", "gt", "groundtruth", "ground_truth", "hq")
"""What the two folders are called in data sets, in small letters; capital ones count as well."""

SIZE_MISMATCH = (
    "has another size than its header said; save it again, or start again if it changed."
)


class Pair(NamedTuple):
    """Two photographs of one size: `blurred` (A) and `sharp` (B)."""

    blurred: Path
    sharp: Path


def _side(folder: Path, names: tuple[str, ...]) -> Path:
    """The folder of blurred, or of sharp photographs."""
    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [path for path in inside if path.name.lower() in names and path.is_dir()]
    if len(found) > 1:
        raise CourseError(
            f"{folder} has {some([path.name for path in found])}, and only one of them can hold "
            "this side of the pairs; rename the others."
        )
    if not found:
        raise CourseError(
            f"There is no folder {folder / names[0].upper()}; a data set has train/A, train/B, "
            f"test/A and test/B (for A also {', '.join(BLURRED[1:])}, for B {', '.join(SHARP[1:])})"
            "; is this the folder you meant?"
        )
    return found[0]


def _by_stem(folder: Path) -> dict[str, Path]:
    """The photographs of a folder by their stems, in the one form that Unicode calls composed."""
    with explaining(f"{folder} cannot be read", then=""):
        found, left_out = look_through(folder)
    if raw := left_out.get(IS_RAW):
        raise CourseError(f"{folder} holds {IS_RAW}: {some([path.name for path in raw])}.")
    photos = {}
    for path in found:
        stem = unicodedata.normalize("NFC", path.stem)
        if stem in photos:
            names = " and ".join(_seen_apart(photos[stem].name, path.name))
            raise CourseError(
                f"{names} in {folder} have the same name but for the suffix, by which partners are "
                "found; rename or remove one."
            )
        photos[stem] = path
    if not photos:
        below = [path.name for path in sorted(folder.iterdir()) if path.is_dir()]
        if below:
            raise CourseError(
                f"There are no photos in {folder} itself, and folders below it ({some(below)}) are "
                "not looked into; move their photos up, each with a name of its own."
            )
        raise CourseError(f"There are no photos in {folder}; is this the folder you meant?")
    return photos


def _look_alike(one: str, other: str) -> bool:
    """Whether two names may look the same: but for letters of other alphabets, spaces, accents."""
    one, other = (
        [x for x in unicodedata.normalize("NFKC", name.strip()) if unicodedata.category(x) != "Cf"]
        for name in (one, other)
    )
    return len(one) == len(other) and all(
        x == y or not (x + y).isascii() for x, y in zip(one, other)
    )


def _seen_apart(one: str, other: str) -> tuple[str, str]:
    """Two names, as code points where one could not see how they differ."""
    return (ascii(one), ascii(other)) if _look_alike(one, other) else (one, other)


def _lonely(side: str, stems: set[str], others: set[str]) -> str:
    shown = [
        ascii(stem) if any(_look_alike(stem, other) for other in others) else stem
        for stem in sorted(stems)
    ]
    return f"only in {side}: {some(shown)}"


def find_pairs(folder: Path) -> list[Pair]:
    """The pairs of `folder/A` and `folder/B`, sorted by stem.

    Only the headers of the files are read, so this is quick for thousands of pairs.

    Raises:
        CourseError: a folder is missing or empty, a photo has no partner (they are listed), a
            file is not an image, or two partners differ in size.
    """
    folder = Path(folder)
    a, b = _side(folder, BLURRED), _side(folder, SHARP)
    blurred, sharp = _by_stem(a), _by_stem(b)
    only_a, only_b = blurred.keys() - sharp.keys(), sharp.keys() - blurred.keys()
    if only_a or only_b:
        lonely = [_lonely(a.name, only_a, only_b)] if only_a else []
        lonely += [_lonely(b.name, only_b, only_a)] if only_b else []
        raise CourseError(
            f"{a.name} and {b.name} in {folder} do not match ({'; '.join(lonely)}): each photo "
            "needs a partner with the same name; rename these, or take them out."
        )
    pairs = [Pair(blurred[stem], sharp[stem]) for stem in sorted(blurred)]
    for pair in pairs:
        one, other = photo_size(pair.blurred), photo_size(pair.sharp)
        if one != other:
            raise CourseError(
                f"{pair.blurred} is {one[0]}x{one[1]} and its partner {pair.sharp} is "
                f"{other[0]}x{other[1]}; partners must show the same pixels: cut them alike, or "
                "take them out."
            )
    return pairs


def spread(pairs: list[Pair], n: int) -> list[Pair]:
    """At most `n` of the pairs, evenly spread over the list, so that all scenes are represented."""
    if n >= len(pairs):
        return pairs
    return [pairs[i * len(pairs) // n] for i in range(n)]
