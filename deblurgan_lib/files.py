"""Files that are whole or not there, tables, checksums, and what to do when a disk refuses."""

import contextlib
import csv
import errno
import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

from .errors import CourseError
from .progress import progress

BLOCK = 1 << 20

WAYS_OUT = {
    "make room on the disk": ("ENOSPC", "EDQUOT"),
    "give yourself the right to write there, or choose another folder": ("EACCES", "EPERM"),
    "choose a folder on a disk that can be written": ("EROFS",),
    "put the folder back, or connect its disk": (
        "ENOENT", "ENXIO", "ENODEV", "ENOTCONN", "ESTALE", "EHOSTDOWN"
    ),
    "choose a shorter name": ("ENAMETOOLONG",),
    "move away what stands in its place": ("EEXIST", "ENOTDIR", "EISDIR", "ENOTEMPTY"),
    "choose a disk that takes files of this size": ("EFBIG",),
    "close other programs, or allow more open files (ulimit -n)": ("EMFILE", "ENFILE"),
}  # fmt: skip
"""From what can be done to the system's errors that it helps against."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; when the block ends in order, it takes the place of `path`.

    If the block raises, what was written is removed, and `path` is as it was. The name is short,
    since the name of `path` may be as long as names can be.
    """
    path = Path(path)
    beside = path.with_name(f".{zlib.crc32(os.fsencode(path.name)):08x}.part{path.suffix}")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def advice(error: OSError) -> str:
    """What to do about what the system refused, as an imperative without a full stop."""
    name = errno.errorcode.get(error.errno)
    found = [way for way, names in WAYS_OUT.items() if name in names]
    return found[0] if found else "check that its disk is connected and not full"


def reason(error: OSError) -> str:
    """What the system refused, and for which file."""
    said = error.strerror or " ".join(str(error).split()) or type(error).__name__
    return f"{said}: {error.filename}" if error.filename else said


@contextlib.contextmanager
def explaining(failure: str, then: str = " and start again, it continues") -> Iterator[None]:
    """Turn what a disk refuses inside the block into one sentence.

    Args:
        failure: what did not work, such as "x.png could not be written".
        then: how the sentence goes on after the advice.

    Raises:
        CourseError: instead of any OSError but that of a closed pipe, which is no disk's: whoever
            read what the program prints has gone, and `cli.main` ends quietly.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CourseError(f"{failure} ({reason(error)}); {advice(error)}{then}.") from None


def write_json(path: Path, value: dict) -> None:
    """Write a JSON file in one piece."""
    with replacing(path) as beside:
        beside.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict:
    """What a JSON file holds; `{}` if it is not there, is damaged, or holds something else."""
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write_csv(path: Path, rows: list[dict]) -> None:
    """Write a table in one piece; its columns are the keys of the first row."""
    with replacing(path) as beside, open(beside, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a table; none if it is not there."""
    if not Path(path).exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def sha256(path: Path, title: str = "") -> str:
    """The hexadecimal digest of a file; with a title, a progress bar shows it."""
    digest = hashlib.sha256()
    size = Path(path).stat().st_size
    with open(path, "rb") as file, progress(title, size, hidden=not title) as bar:
        while block := file.read(BLOCK):
            digest.update(block)
            bar.update(len(block))
    return digest.hexdigest()


def gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB"


def check_room(folder: Path, needed: float, what: str) -> None:
    """Make `folder` if it is not there, and check that its disk has room.

    Raises:
        CourseError: less than `needed` bytes are free.
    """
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise CourseError(
            f"{what} needs {gigabytes(needed)}, and the disk of {folder} has {gigabytes(free)} "
            "free; make room, or choose a folder on another disk."
        )
