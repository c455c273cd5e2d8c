"""Download of one large archive: several sources, resumed after errors, verified at the end.

huggingface_hub was tried instead: after a reset, an answer of 503 or an interruption it starts
again with the first of nine gigabytes (experiments/download_faults.py, docs/download_faults.csv).
A plain call of gdown 5, which Colab has, waits for ever when a connection stalls.
"""

import contextlib
import http.client
import os
import re
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from pathlib import Path

from ..errors import CourseError
from ..files import advice, reason
from ..files import sha256 as digest_of
from ..progress import progress

TRIES = 4  # In a row that bring no new byte; a try that brings some starts the count again.
PAUSE = 5.0  # Seconds before another try; doubled while nothing arrives.
STALLED = 60.0  # Seconds without a byte after which a connection is given up.
BLOCK = 1 << 20
# All that a connection raises; other OSErrors are the disk's.
NETWORK = (
    TimeoutError, ConnectionError, ssl.SSLError, urllib.error.URLError, http.client.HTTPException
)  # fmt: skip

DRIVE = re.compile(r"https?://drive\.(?:usercontent\.)?google\.com/\S*(?:/d/|[?&]id=)([\w-]+)")
# gdown runs in a process of its own because version 5, which Colab has, knows no time-out: a
# process can be ended. Without -P, Python would look for gdown's imports among our modules first.
GDOWN = (sys.executable, "-P", str(Path(__file__).with_name("drive.py")))


class _Failed(Exception):
    """Why a source did not deliver; `again` says whether another try may help."""

    def __init__(self, reason: str, again: bool = True):
        super().__init__(reason)
        self.again = again


def partial_file(target: Path, source: str) -> Path:
    """Where what has arrived from `source` is kept; one file a source, for they may differ."""
    return target.with_name(f"{target.name}.{zlib.crc32(source.encode()):08x}.part")


def _files(target: Path, source: str) -> list[Path]:
    """What there is from `source`; gdown adds letters of its own to the name."""
    return list(target.parent.glob(f"{partial_file(target, source).stem}*"))


def arrived(target: Path, source: str) -> int:
    """Bytes that are there from `source`."""
    most = 0
    for path in _files(target, source):
        with contextlib.suppress(FileNotFoundError):  # gdown has just renamed it.
            most = max(most, path.stat().st_size)
    return most


def fault(path: Path, sha256: str = "", size: int | None = None) -> str:
    """What is wrong with an archive, or "" if nothing is.

    Args:
        sha256: hexadecimal digest, "" if it is not known.
        size: bytes, None if the number is not known.
    """
    if not zipfile.is_zipfile(path):
        with open(path, "rb") as file:
            page = b"<html" in file.read(BLOCK).lower()
        return "it is a web page" if page else "it is no zip archive, or only a part of one"
    found = path.stat().st_size
    if size is not None and found != size:
        return f"it has {found} bytes and not {size}"
    if sha256:
        digest = digest_of(path, f"checking {path.name}")
        if digest != sha256:
            return f"its sha256 is {digest[:12]}... and not {sha256[:12]}..."
    return ""


def fetch(
    sources: list[str], target: Path, sha256: str = "", size: int | None = None, about: int = 0
) -> None:
    """Download a zip archive from the first source that delivers it.

    Args:
        sources: addresses in the order in which they are tried; Google Drive's go through gdown.
        target: appears under its name only when it is whole and checked.
        sha256: hexadecimal digest, "" if it is not known.
        size: bytes, None if the number is not known.
        about: bytes, roughly, for the progress bar.

    Raises:
        CourseError: no source delivered; each is listed with its reason. What has arrived is kept.
    """
    reasons = []
    for source in sources:
        partial = partial_file(target, source)
        most = in_vain = 0
        while True:
            try:
                if drive := DRIVE.match(source):
                    _from_drive(drive[1], target, source, size or about)
                else:
                    _from_http(source, partial)
                if wrong := fault(partial, sha256, size):
                    partial.unlink()
                    raise _Failed(wrong, again=False)
                os.replace(partial, target)
                for path in [path for other in sources for path in _files(target, other)]:
                    path.unlink()
                return
            except (_Failed, *NETWORK) as error:
                now = arrived(target, source)
                in_vain = 0 if now > most else in_vain + 1
                most = max(most, now)
                if in_vain == TRIES or not getattr(error, "again", True):
                    why = getattr(error, "reason", None) or str(error) or type(error).__name__
                    reasons.append(f"{source} ({why})")
                    break
            except OSError as error:
                raise CourseError(
                    f"{target.name} could not be written to {target.parent} ({reason(error)}); "
                    f"{advice(error)} and start again, what has arrived is kept."
                ) from None
            time.sleep(PAUSE * 2 ** max(in_vain - 1, 0))
    raise CourseError(
        f"No source delivered {target.name}: {'; '.join(reasons)}. Try again later, what has "
        "arrived is kept; or download it in a browser and name that file."
    )


def _from_http(url: str, partial: Path) -> None:
    """Download or continue `partial`; returns only if the connection ended in order."""
    done = partial.stat().st_size if partial.exists() else 0
    headers = {"User-Agent": "deblurgan-course"}
    if done:
        headers["Range"] = f"bytes={done}-"
    try:
        request = urllib.request.Request(url, headers=headers)
        reply = urllib.request.urlopen(request, timeout=STALLED)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # Nothing follows what we have: it is whole, or of another file.
            if error.headers.get("Content-Range") == f"bytes */{done}":
                return
            partial.unlink(missing_ok=True)
        again = error.code in (408, 416, 425, 429) or error.code >= 500
        raise _Failed(f"HTTP {error.code} {error.reason}", again) from None
    with reply:
        if reply.status == 206:
            place = re.match(r"bytes (\d+)-", reply.headers.get("Content-Range", ""))
            if not place or int(place[1]) != done:
                partial.unlink(missing_ok=True)
                raise _Failed("it sent another part than was asked for")
            block = reply.read1(BLOCK)
        else:
            # A server without ranges starts over. What we have is given up for an archive only,
            # not for a page that says that too many people want the file.
            done, block = 0, reply.read(4)
            if not block.startswith(b"PK"):
                raise _Failed("it sent something else than a zip archive", again=False)
        length = reply.headers.get("Content-Length")
        total = done + int(length) if length else None
        with open(partial, "ab" if done else "wb") as file:
            with progress("downloading", total, done) as bar:
                while block:
                    file.write(block)
                    bar.update(len(block))
                    block = reply.read1(BLOCK)
            if total is not None and file.tell() < total:
                raise _Failed(f"the connection ended after {file.tell()} of {total} bytes")


def _from_drive(file_id: str, target: Path, source: str, about: int) -> None:
    """Download or continue through gdown, whose own partial file lies beside ours."""
    partial = partial_file(target, source)
    output = partial.with_suffix("")
    done = arrived(target, source)
    with tempfile.TemporaryFile() as said, progress("downloading", about or None, done) as bar:
        gdown = subprocess.Popen(
            [*GDOWN, file_id, str(output)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
        try:
            last = time.monotonic()
            while gdown.poll() is None:
                time.sleep(0.1)
                if new := arrived(target, source) - bar.n:
                    bar.update(new)
                    last = time.monotonic()
                elif time.monotonic() - last > STALLED:
                    raise _Failed(f"nothing arrived for {STALLED:.0f} seconds")
        finally:
            gdown.kill()
            gdown.communicate()
        if gdown.returncode or not output.is_file():
            said.seek(0)
            raise _Failed(said.read().decode(errors="replace").strip()[-300:] or "gdown failed")
    os.replace(output, partial)
