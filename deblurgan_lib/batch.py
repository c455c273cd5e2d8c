"""Many photographs: which ones folders hold, where their results go, and one after the other.

A result has the name of its photograph, and a mark in its EXIF that says from which photograph and
by which generator it was made. So results are not restored again, and are told from those that
another generator would make.
"""

import contextlib
import errno
import functools
import itertools
import os
import re
import tempfile
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .errors import CourseError
from .files import explaining, sha256
from .photos import (
    FORMATS,
    RAW,
    look_through,
    open_photo,
    photo_size,
    read_mark,
    read_with_metadata,
    side_by_side,
    some,
    suffix_of_result,
    write_photo,
)
from .progress import progress

LONGEST_NAME = 255  # Bytes, on most disks.
AHEAD = 8_000_000  # Pixels of the largest photograph that is read while another one is restored.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # What the next photograph would meet as well.
IS_RESULT = "results of deblurgan, which are restored again only if they are named themselves"
MARK = re.compile(r"deblurgan (\S+); (.+) ([0-9a-f]{16}); (.+); of ([0-9a-f]{16})")


@dataclass(frozen=True)
class Settings:
    """What decides what a photograph becomes.

    Args:
        version: of the library.
        weights: the file of the generator.
        name: what the generator is called.
        method: what is done besides, in a few words of ASCII.
    """

    version: str
    weights: Path
    name: str
    method: str

    @functools.cached_property
    def digest(self) -> str:
        """The beginning of the sha256 of the weights."""
        return _digest(self.weights)

    def mark(self, photo: Path) -> str:
        """What is written into the result of a photograph; see `MARK`."""
        name = self.name.encode("ascii", "replace").decode()[:80]
        return f"deblurgan {self.version}; {name} {self.digest}; {self.method}; of {_digest(photo)}"


def _digest(file: Path) -> str:
    return sha256(file)[:16]


@dataclass
class Plan:
    """What is asked for.

    Args:
        targets: from each photograph to the file for its result.
        left_out: what the folders hold besides, by the reason.
        numbered: the photographs whose results got a number, because another one has the name.
        failures: what cannot be restored, in a sentence each.
    """

    targets: dict[Path, Path] = field(default_factory=dict)
    left_out: dict[str, list[Path]] = field(default_factory=dict)
    numbered: list[Path] = field(default_factory=list)
    failures: list[CourseError] = field(default_factory=list)


def plan(arguments: list[Path], output: Path, stem_end: str = "") -> Plan:
    """Which photographs are asked for, and which file each of them becomes.

    A photograph that was named goes into the output folder; one in a folder that was named, or
    below it, keeps its place in that folder. It keeps its name as well; of several that would get
    the same one, on a disk that ignores case, the later ones get a number. An output with the
    suffix of a photograph is the file for the only one.

    Args:
        arguments: photographs, and folders of them.
        output: a folder, or a file.
        stem_end: what the names of results get before their suffix.

    Raises:
        CourseError: several photographs are to go into one file, or a result would take the place
            of a photograph.
    """
    found, asked = Plan(), {}
    for argument in arguments:
        try:
            with explaining(f"{argument} cannot be read", then=""):
                is_folder = argument.is_dir()
            if is_folder:
                inside, top = _inside(argument, output, found.left_out), argument
            else:
                open_photo(argument).close()
                inside, top = [argument], argument.parent
        except CourseError as error:
            found.failures.append(error)
            continue
        for photo in inside:
            asked.setdefault(Path(photo).absolute(), (photo, top))
    if is_file(output):
        if len(asked) > 1:
            raise CourseError(
                f"{output} is one file, and there are {len(asked)} photos; give a folder instead."
            )
        if suffix_of_result(output) != output.suffix:
            raise CourseError(f"{output} cannot be written in that format; take .png or .jpg.")
        found.targets = {photo: output for photo, _ in asked.values()}
    else:
        found.targets = _names(list(asked.values()), output, stem_end, found.numbered)
    _protect_photos(found.targets)
    return found


def is_file(output: Path) -> bool:
    """Whether an output is meant to be the file for one photograph, by its suffix."""
    return output.suffix.lower() in {*FORMATS, *RAW} and not output.is_dir()


def _inside(folder: Path, output: Path, left_out: dict[str, list[Path]]) -> list[Path]:
    """The photographs in a folder and below it; the others are added to `left_out`."""
    with explaining(f"{folder} cannot be read", then=""):
        photos, others = look_through(folder, recursive=True, exclude=output)
    results = [photo for photo in photos if read_mark(photo).startswith("deblurgan ")]
    if results:
        others[IS_RESULT] = results
        photos = [photo for photo in photos if photo not in set(results)]
    if not photos:
        holds = f"; it holds {listed(others)}" if others else ""
        raise CourseError(f"There are no photos to restore in {folder}{holds}.")
    for why, paths in others.items():
        left_out.setdefault(why, []).extend(paths)
    return photos


def listed(left_out: dict[str, list[Path]]) -> str:
    """What is left out, in one sentence's worth: how many, which, and why."""
    return "; ".join(f"{why}: {len(paths)} ({some(paths)})" for why, paths in left_out.items())


def _names(asked, output: Path, stem_end: str, numbered: list[Path]) -> dict[Path, Path]:
    """The targets in a folder; photographs whose names are taken are added to `numbered`."""
    targets, taken = {}, set()
    for photo, top in asked:
        name = _fitting(photo.stem, stem_end + suffix_of_result(photo))
        target = output / photo.relative_to(top).with_name(name)
        if _alike(target) in taken:
            numbered.append(photo)
        taken.add(_alike(target))
        targets[photo] = target
    for photo in numbered:
        target = targets[photo]
        for number in itertools.count(2):
            end = f"{stem_end}_{number}{target.suffix}"
            other = target.with_name(_fitting(photo.stem, end))
            if _alike(other) not in taken:
                break
        taken.add(_alike(other))
        targets[photo] = other
    return targets


def _fitting(stem: str, end: str) -> str:
    """A name that no disk finds too long: the stem is cut if it must be, between two letters."""
    room, data = LONGEST_NAME - len(os.fsencode(end)), os.fsencode(stem)
    return (stem if len(data) <= room else data[:room].decode("utf-8", "ignore")) + end


def _alike(path: Path) -> str:
    """Equal for names that a disk of Windows or of a Mac takes for the same."""
    return unicodedata.normalize("NFC", str(path)).casefold()


def _protect_photos(targets: dict[Path, Path]) -> None:
    photos = {photo.resolve() for photo in targets}
    for photo, target in targets.items():
        if not target.exists():
            continue
        itself = target.resolve() in photos or target.samefile(photo)
        beside = target.parent.samefile(photo.parent) and not read_mark(target)
        if itself or beside:
            raise CourseError(
                f"{photo} would overwrite {target.name} beside it; choose another output."
            )


@dataclass
class Existing:
    """Results that are there before anything is restored.

    Args:
        same: the photographs whose results are what would be made again.
        other: the photographs in whose places there is something else, by what that is.
    """

    same: list[Path] = field(default_factory=list)
    other: dict[str, list[Path]] = field(default_factory=dict)


def existing(targets: dict[Path, Path], settings: Settings) -> Existing:
    """Look at the results that are there: by which settings, and from which photograph."""
    found = Existing()
    for photo, target in targets.items():
        if not os.path.lexists(target):
            continue
        mark = MARK.search(read_mark(target))
        if mark is None:
            kind = "files that deblurgan has not made"
        elif (mark[3], mark[4]) != (settings.digest, settings.method):
            kind = f"results of {mark[2]} ({mark[4]})"
        elif mark[5] != _digest(photo):
            kind = "results of other photos, or of these before they changed"
        else:
            found.same.append(photo)
            continue
        found.other.setdefault(kind, []).append(photo)
    return found


@dataclass
class Done:
    """How a batch ended.

    Args:
        failures: the photographs that were not restored, with a sentence each.
        left_out: what else was in the files of photographs, see `PhotoMetadata`.
        untried: the photographs that came after the disk was full.
    """

    failures: dict[Path, CourseError] = field(default_factory=dict)
    left_out: dict[Path, str] = field(default_factory=dict)
    untried: list[Path] = field(default_factory=list)


def restore_all(
    targets: dict[Path, Path],
    restore: Callable[[np.ndarray], np.ndarray],
    settings: Settings,
    both: bool = False,
) -> Done:
    """Restore photographs; meanwhile the next one is read, and the one before is written.

    A photograph that fails is noted, and the others go on. A large one is alone in memory: it is
    read when the one before it is written.

    Args:
        targets: see `Plan`.
        restore: uint8 (H, W, 3) to uint8 (H, W, 3).
        settings: what `restore` does, to be written into the results.
        both: make one picture of each photograph before and after.
    """
    done, photos = Done(), list(targets)
    bar = progress("photos", len(photos), unit=" photos", hidden=len(photos) < 2)

    @contextlib.contextmanager
    def noting(photo):
        try:
            yield
        except CourseError as error:
            done.failures[photo] = error
        except Exception as error:  # Whatever is wrong with one, the others need not suffer.
            said = " ".join(str(error).split())[:200]
            kind = type(error).__name__
            done.failures[photo] = CourseError(f"{photo} could not be restored ({kind}: {said}).")

    def read(photo):
        return *read_with_metadata(photo), settings.mark(photo)

    def write(photo, before, after, metadata, mark):
        with noting(photo):
            if both:
                after, metadata = side_by_side(before, after, metadata)
            make_folder(targets[photo].parent)
            write_photo(targets[photo], after, metadata, mark)

    def restored(photo, before, metadata, mark):
        if metadata.left_out:
            done.left_out[photo] = metadata.left_out
        return photo, before if both else None, restore(before), metadata, mark

    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer, bar:
        ahead = writing = None
        for photo, following in itertools.zip_longest(photos, photos[1:]):
            reading = ahead or reader.submit(read, photo)
            alone = _is_large(photo) or not following or _is_large(following)
            ahead = None if alone else reader.submit(read, following)
            with noting(photo):
                result = restored(photo, *reading.result())
                if writing:
                    writing.result()
                writing = writer.submit(write, *result)
            if writing and alone:
                writing.result()
            reading = result = None  # What is not let go of here is held while the next is read.
            bar.update()
            if any(_is_full(error) for error in done.failures.values()):
                done.untried = photos[photos.index(photo) + 1 :]
                break
    return done


def _is_large(photo: Path) -> bool:
    try:
        width, height = photo_size(photo)
    except CourseError:  # Whoever reads it says why.
        return False
    return width * height > AHEAD


def _is_full(error: CourseError) -> bool:
    return getattr(error.__context__, "errno", None) in FULL


def make_folder(folder: Path) -> None:
    """Make a folder that results can be written to, if it is not there.

    Raises:
        CourseError: it cannot be made, or nothing can be written to it.
    """
    with explaining(f"{folder} cannot be written to", then=""):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
