"""Downloads, from a server on this machine that fails in every way that servers fail."""

import hashlib
import inspect
import io
import os
import re
import socket
import struct
import subprocess
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import tqdm

from deblurgan_lib.data import download
from deblurgan_lib.errors import CourseError
from deblurgan_lib.files import check_free_space


def an_archive():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("frame.png", os.urandom(300_000))
    return file.getvalue()


ARCHIVE = an_archive()
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()
PAGE = b"<!DOCTYPE html><html>Too many users have viewed this file.</html>"


class Handler(BaseHTTPRequestHandler):
    """Answers each request as the next word of `server.script` says; then, as it should."""

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.asked.append((self.path, asked))
        word = self.server.script.pop(0) if self.server.script else "ok"
        if word.isdigit():
            return self.answer(int(word), b"sorry")
        if word == "page":
            return self.answer(200, PAGE)
        if word == "redirects":
            return self.answer(302, b"", headers={"Location": "/elsewhere.zip"})
        if word == "an empty page":
            return self.answer(200, b"")
        body, start = ARCHIVE, int(re.findall(r"\d+", asked)[0]) if asked else 0
        if word == "wrong bytes":
            body = body[:1000] + bytes(len(body) - 2000) + body[-1000:]
        if word == "too short":
            body = body[: len(body) // 2]
        if word == "ignores the range" or not asked:
            return self.answer(200, body, word)
        if start >= len(body):
            return self.answer(416, b"", headers={"Content-Range": f"bytes */{len(body)}"})
        if word == "another part":
            start = 7
        place = f"bytes {start}-{len(body) - 1}/{len(body)}"
        return self.answer(206, body[start:], word, {"Content-Range": place})

    def answer(self, status, body, word="", headers=()):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        if word != "says no length":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if word in ("drops", "resets", "stalls"):
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            if word == "stalls":
                self.server.over.wait(5)
            if word == "resets":
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                time.sleep(0.05)
            self.connection.close()
        else:
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.script, server.asked, server.over = [], [], threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}/archive.zip"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0.0)
    monkeypatch.setattr(download, "STALLED", 0.3)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def target(tmp_path):
    return tmp_path / "archive.zip"


def ranges(server):
    return [asked for _, asked in server.asked]


HALF = f"bytes={len(ARCHIVE) // 2}-"


# What the server does -> the ranges it is asked for, until the archive is there; None: it depends.
MENDED = {
    "ok": [None],
    "drops": [None, HALF],
    "resets": None,
    "stalls": [None, HALF],
    "503, 503, 503": [None] * 4,
    "429, drops": [None, None, HALF],
    "drops, ignores the range": [None, HALF],
    "drops, another part": [None, HALF, None],
    "drops, page": None,
    "drops, 503, 503, 503, drops, 503, 503, 503": None,
    "says no length": [None],
    "redirects, drops, redirects": [None, None, HALF, HALF],
}


@pytest.mark.parametrize("script", MENDED)
def test_what_breaks_on_the_way_is_continued(server, target, script):
    server.script = script.split(", ")
    sources = [server.url, server.url] if "page" in script else [server.url]
    download.fetch(sources, target, SHA256, len(ARCHIVE))
    assert target.read_bytes() == ARCHIVE
    assert list(target.parent.iterdir()) == [target]
    if MENDED[script]:
        assert ranges(server) == MENDED[script]
    elif "resets" not in script:  # What had arrived before a reset may be lost.
        assert server.asked[1][1] == HALF


# What the server does every time -> how often it is asked, and the reason that is given.
FINAL = {
    "404": (1, "HTTP 404 Not Found"),
    "403": (1, "HTTP 403 Forbidden"),
    "503": (download.TRIES, "HTTP 503 Service Unavailable"),
    "page": (1, "something else than a zip archive"),
    "an empty page": (1, "something else than a zip archive"),
    "wrong bytes": (1, "its sha256 is .* and not"),
    "too short": (1, "only a part of one"),
}


@pytest.mark.parametrize("word", FINAL)
def test_a_source_that_does_not_deliver_is_left_for_the_next(server, target, word):
    tries, reason = FINAL[word]
    server.script = [word] * tries
    bad = server.url.replace("archive", "bad")
    download.fetch([bad, server.url], target, SHA256)
    assert [path for path, _ in server.asked] == ["/bad.zip"] * tries + ["/archive.zip"]
    assert target.read_bytes() == ARCHIVE
    target.unlink()
    server.script = [word] * tries
    with pytest.raises(CourseError, match=rf"bad.zip \(.*{reason}") as error:
        download.fetch([bad], target, SHA256)
    assert "\n" not in str(error.value)
    assert list(target.parent.iterdir()) == []


def test_what_another_source_left_is_removed_at_the_end(server, target):
    server.script = ["drops", "404"]
    download.fetch([server.url.replace("archive", "first"), server.url], target, SHA256)
    assert ranges(server) == [None, HALF, None]
    assert list(target.parent.iterdir()) == [target]


def test_at_the_end_every_source_is_listed_with_its_reason(server, target):
    server.script = ["404", "page"]
    other = server.url.replace("archive", "other")
    with pytest.raises(CourseError, match=r"archive.zip \(HTTP 404.*other.zip \(it sent something"):
        download.fetch([server.url, other], target)


def test_a_server_that_is_not_there_is_named(target):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        with pytest.raises(CourseError, match=rf"127.0.0.1:{port}/a.zip \(.*refused"):
            download.fetch([f"http://127.0.0.1:{port}/a.zip"], target)


def test_a_size_that_differs_is_found_without_a_checksum(server, target):
    with pytest.raises(CourseError, match=rf"has {len(ARCHIVE)} bytes and not 12"):
        download.fetch([server.url], target, size=12)


@pytest.mark.parametrize("kept", [1, 1000, len(ARCHIVE) - 1, len(ARCHIVE), len(ARCHIVE) + 5])
def test_another_run_continues_what_was_kept(server, target, kept):
    download.partial_file(target, server.url).write_bytes((ARCHIVE + bytes(5))[:kept])
    download.fetch([server.url], target, SHA256)
    assert target.read_bytes() == ARCHIVE
    assert ranges(server)[0] == f"bytes={kept}-"
    assert len(ranges(server)) == (2 if kept > len(ARCHIVE) else 1)


def test_what_is_kept_survives_a_page_and_an_interruption(server, target, monkeypatch):
    partial = download.partial_file(target, server.url)
    partial.write_bytes(ARCHIVE[:1000])
    server.script = ["page"]
    with pytest.raises(CourseError, match="something else"):
        download.fetch([server.url], target, SHA256)
    assert partial.read_bytes() == ARCHIVE[:1000]

    def control_c(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tqdm.tqdm, "update", control_c)
    with pytest.raises(KeyboardInterrupt):
        download.fetch([server.url], target, SHA256)
    assert partial.stat().st_size > 1000
    assert not target.exists()


def test_a_full_disk_is_not_taken_for_a_broken_connection(server, target):
    download.partial_file(target, server.url).mkdir()  # Cannot be written, whoever runs the test.
    with pytest.raises(CourseError, match="archive.zip could not be written to .* move away what"):
        download.fetch([server.url], target)
    assert len(server.asked) == 1


def test_the_disk_must_have_room(tmp_path):
    with pytest.raises(CourseError, match=rf"It needs 1000000.0 GB, .* {tmp_path}.* free"):
        check_free_space(tmp_path / "new", 1e15, "It")
    check_free_space(tmp_path / "new", 1, "It")


# -------------------------------------------------------------------------------------------- Drive

DRIVE = "https://drive.google.com/uc?id=FAKE_id-1"
SIGNATURES = {
    "5.2.2": "url=None, output=None, quiet=False, proxy=None, speed=None, use_cookies=True, "
    "verify=True, id=None, fuzzy=False, resume=False, format=None, user_agent=None, "
    "log_messages=None",
    "6.5.1": "url=None, output=None, quiet=False, proxy=None, speed=None, use_cookies=True, "
    "verify=True, id=None, resume=False, format=None, user_agent=None, log_messages=None, "
    "progress=None, skip_download=False, cookies_file=None, hasher=None, timeout=None, retries=0, "
    "cancel=None",
}
PART = "assert id == 'FAKE_id-1' and resume; part = output + 'abcd1234.part'; "
DELIVERS = PART + "shutil.copy(ARCHIVE, output); return output"
FAKES = {
    "delivers": DELIVERS,
    "continues": PART
    + "have = open(part, 'rb').read() if os.path.exists(part) else b''; "
    + "data = open(ARCHIVE, 'rb').read(); assert data.startswith(have); "
    + "more = data[len(have):][:200_000]; open(part, 'ab').write(more); "
    + "assert have, 'the connection broke'; os.replace(part, output); return output",
    "page": "open(output, 'wb').write(PAGE); return output",
    "none": "return None",
    "raises": "raise RuntimeError('Too many users\\n\\n  have viewed it')",
    "hangs": PART + "open(part, 'wb').write(b'PK'); time.sleep(60)",
    "exits": "os._exit(3)",
}


@pytest.fixture
def gdown(tmp_path, monkeypatch):
    """Puts a fake gdown where the process that downloads imports it from."""
    folder = tmp_path / "fake"
    folder.mkdir()
    (folder / "archive.zip").write_bytes(ARCHIVE)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setattr(download, "STALLED", 20.0)  # Starting Python takes its time, too.

    def put(version, behaviour):
        (folder / "gdown.py").write_text(
            f"import os, shutil, time\nARCHIVE = {str(folder / 'archive.zip')!r}\nPAGE = {PAGE!r}\n"
            f"def download({SIGNATURES[version]}):\n    {FAKES[behaviour]}\n"
        )

    return put


@pytest.fixture
def drive_target(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "archive.zip"


@pytest.mark.parametrize("version", SIGNATURES)
@pytest.mark.parametrize("behaviour", ["delivers", "continues"])
def test_drive_delivers_through_either_gdown(gdown, drive_target, version, behaviour):
    gdown(version, behaviour)
    download.fetch([DRIVE], drive_target, SHA256)
    assert drive_target.read_bytes() == ARCHIVE
    assert list(drive_target.parent.iterdir()) == [drive_target]


@pytest.mark.parametrize(
    ("version", "behaviour", "reason"),
    [
        ("5.2.2", "none", "gdown returned no file"),
        ("6.5.1", "raises", "Too many users have viewed it"),
        ("5.2.2", "page", "it is a web page"),
        ("5.2.2", "hangs", "nothing arrived for"),
        ("6.5.1", "exits", "gdown failed"),
    ],
)
def test_what_drive_refuses_is_said(gdown, drive_target, monkeypatch, version, behaviour, reason):
    monkeypatch.setattr(download, "TRIES", 1)
    if behaviour == "hangs":
        monkeypatch.setattr(download, "STALLED", 0.6)
    gdown(version, behaviour)
    with pytest.raises(CourseError, match=re.escape(DRIVE) + rf" \({reason}"):
        download.fetch([DRIVE], drive_target, SHA256)
    assert not drive_target.exists()


def test_what_drive_refuses_comes_from_elsewhere(gdown, server, drive_target):
    gdown("5.2.2", "page")
    download.fetch([DRIVE, server.url], drive_target, SHA256)
    assert drive_target.read_bytes() == ARCHIVE


def test_the_real_gdown_takes_the_call():
    """Whichever version is installed: the arguments that are passed are among its parameters."""
    import gdown

    assert {"id", "output", "quiet", "resume"} <= set(inspect.signature(gdown.download).parameters)


@pytest.mark.parametrize(
    "url",
    [
        DRIVE,
        "https://drive.google.com/file/d/FAKE_id-1/view?usp=sharing",
        "https://drive.google.com/open?id=FAKE_id-1",
        "https://drive.usercontent.google.com/download?id=FAKE_id-1&export=download",
    ],
)
def test_the_links_that_people_share_are_known(url):
    assert download.DRIVE.match(url)[1] == "FAKE_id-1"


def test_gdown_ends_with_the_process_that_started_it(gdown, drive_target):
    """Or it would go on writing while the next download writes, too."""
    gdown("5.2.2", "hangs")
    read_end, write_end = os.pipe()
    child = subprocess.Popen(
        [*download.GDOWN, "FAKE_id-1", str(drive_target)],
        stdin=read_end,
        stderr=subprocess.DEVNULL,
    )
    os.close(read_end)
    while not list(drive_target.parent.glob("*.part")):
        time.sleep(0.01)
        assert child.poll() is None
    os.close(write_end)
    assert child.wait(5) == 1
