"""Atomic writes, JSON and CSV files, checksums, and errors of the file system."""

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

try:
    import fcntl
except ImportError:  # On Windows without WSL.
    fcntl = None

REMEDIES = {
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
    """A temporary path in the same folder, renamed to `path` when the block ends without an error.

    If the block raises, the temporary file is removed and `path` stays as it was. The temporary
    name is short, because the name of `path` may already be as long as the file system allows.
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
    found = [action for action, names in REMEDIES.items() if name in names]
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


@contextlib.contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold the file `path` as a lock inside the block, and remove it afterwards.

    The system lets go of the lock of a process that was killed; only the empty file stays. Where
    there are no locks, as on some folders of the network, the block is entered without one.

    Yields:
        False if another process holds the lock, or another block of this one.
    """
    file = _take_lock(path)
    try:
        yield file is not None
    finally:
        if file is not None:
            with contextlib.suppress(OSError):  # Its folder may have gone meanwhile.
                path.unlink()
            os.close(file)


def _take_lock(path: Path) -> int | None:
    """The opened and locked file; None if it is locked already."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT)
        try:
            if fcntl:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                return file
            os.close(file)
            return None
        # Whoever held it may have removed it after we opened it; then it locks nothing.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file), path.stat()):
                return file
        os.close(file)


def write_json(path: Path, value: dict) -> None:
    """Write a JSON file atomically, see `replacing`."""
    with replacing(path) as beside:
        beside.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict:
    """The object in a JSON file; `{}` if the file is missing, damaged, or holds something else."""
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write_csv(path: Path, rows: list[dict]) -> None:
    """Write a CSV file atomically; its columns are the keys of the first row."""
    with replacing(path) as beside, open(beside, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file, values as text; an empty list if it is missing."""
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
    """A size in bytes as text, in units of 10^9 bytes."""
    return f"{size / 1e9:.1f} GB"


def check_free_space(folder: Path, needed: float, purpose: str) -> None:
    """Make `folder` if it is not there, and check that its disk has enough free space.

    Args:
        folder: a folder on the disk in question.
        needed: bytes.
        purpose: what the space is for; the error begins with it.

    Raises:
        CourseError: less than `needed` bytes are free.
    """
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise CourseError(
            f"{purpose} needs {gigabytes(needed)}, and the disk of {folder} has {gigabytes(free)} "
            "free; make room, or choose a folder on another disk."
        )
