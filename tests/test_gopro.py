"""GOPRO in small: archives and folders in its layout, whole, incomplete, broken and malicious."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from deblurgan_lib import paths
from deblurgan_lib.data import blur, download, find_data, gopro
from deblurgan_lib.data.pairs import find_pairs
from deblurgan_lib.errors import CourseError
from deblurgan_lib.photos import read_photo, write_photo

REAL = Path(__file__).resolve().parents[2] / "shared" / "real_pairs" / "GOPRO_Large"
SCENES = {"train": {"SCENE_01": None, "SCENE_02": None}, "test": {"SCENE_03": 2}}


@pytest.fixture(autouse=True)
def small_gopro(monkeypatch):
    """Of three scenes instead of 33, and from nowhere: no test contacts GOPRO's sources."""
    known = gopro.manifest()
    known["scenes"], known["pairs"] = SCENES, {"train": 5, "test": 2}
    light = {
        "file": "GOPRO_Large.zip",
        "sources": ["http://127.0.0.1:9/"],  # Nobody listens there.
        "bytes": None,
        "approximate_bytes": 1000,
        "approximate_extracted_bytes": 1000,
        "sha256": None,
    }
    known["sets"] = {"light": light, "complete": {**light, "file": "GOPRO_Large_all.zip"}}
    monkeypatch.setattr(gopro, "manifest", lambda: known)
    return known


@pytest.fixture(scope="module")
def png(tmp_path_factory, photo):
    """A function that gives the bytes of a PNG, another one for each number."""
    folder = tmp_path_factory.mktemp("png")

    def png(i):
        path = folder / f"{i}.png"
        if not path.exists():
            write_photo(path, photo[i : i + 24, i : i + 32])
        return path.read_bytes()

    return png


@pytest.fixture
def members(png):
    """Names and contents of the small light set."""
    frames = {"train/SCENE_01": 3, "train/SCENE_02": 2, "test/SCENE_03": 2}
    members = {
        f"{scene}/{side}/{i + 1:06}.png": png(10 * len(side) + i)
        for scene, n in frames.items()
        for side in ("blur", "blur_gamma", "sharp")
        for i in range(n)
    }
    return {"train/SCENE_01/frames 3 offset 1.txt": b"not needed", **members}


def write_zip(path, members, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def archive(tmp_path, members):
    return write_zip(tmp_path / "GOPRO_Large.zip", members)


@pytest.fixture
def extracted(tmp_path, archive):
    return gopro.extract(archive, tmp_path / "GOPRO_Large")


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# --------------------------------------------------------------------------------------- manifest


def test_the_manifest_is_consistent():
    known = json.loads(gopro.MANIFEST.read_text())["gopro"]
    assert {part: len(known["scenes"][part]) for part in gopro.SPLITS} == {"train": 22, "test": 11}
    assert known["scenes"]["train"].keys().isdisjoint(known["scenes"]["test"])
    assert sum(known["scenes"]["test"].values()) == known["pairs"]["test"] == 1111
    for about in known["sets"].values():
        assert len(set(about["sources"])) == 3
        assert all(url.startswith("https://") for url in about["sources"])
        assert [bool(download.DRIVE.match(url)) for url in about["sources"]] == [False, True, True]
        assert about["sha256"] is None or len(about["sha256"]) == 64
        assert about["bytes"] is None or isinstance(about["bytes"], int)


# --------------------------------------------------------------------------------------- download


def test_an_archive_at_hand_is_verified_once_and_stays(archive, tmp_path, monkeypatch):
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    folder = tmp_path / "data"
    assert gopro.download(folder, sha256=sha256.upper(), zip_file=archive) == archive
    with monkeypatch.context() as patch:
        patch.setattr(gopro, "fault", None)  # A second look reads no byte of it.
        assert gopro.download(folder, sha256=sha256, zip_file=archive) == archive
    assert [path.name for path in folder.iterdir()] == [".GOPRO_Large.zip.verified"]
    os.utime(archive, (1, 1))
    with pytest.raises(CourseError, match=r"GOPRO_Large.zip is not .* expected \(its sha256 is"):
        gopro.download(folder, sha256="0" * 64, zip_file=archive)
    assert archive.exists()


def test_an_archive_that_changes_is_verified_again(archive, tmp_path):
    assert gopro.download(tmp_path) == archive
    archive.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(CourseError, match="no zip archive, or only a part of one"):
        gopro.download(tmp_path)
    archive.write_bytes(b"<html>Quota exceeded</html>")
    with pytest.raises(CourseError, match="it is a web page"):
        gopro.download(tmp_path)


@pytest.mark.parametrize(
    ("endpoint", "asked"),
    [
        ("https://hub.example/", "https://hub.example/datasets/snah/a.zip"),
        (None, "https://huggingface.co/datasets/snah/a.zip"),
    ],
)
def test_the_hub_is_reached_through_a_mirror(tmp_path, monkeypatch, small_gopro, endpoint, asked):
    hub, drive = "https://huggingface.co/datasets/snah/a.zip", "https://drive.google.com/uc?id=x"
    small_gopro["sets"]["light"]["sources"] = [hub, drive]
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    if endpoint:
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
    seen = []

    def fetch(sources, target, *_):
        seen.extend(sources)
        target.write_bytes(b"")

    monkeypatch.setattr(gopro, "fetch", fetch)
    gopro.download(tmp_path)
    assert seen == [asked, drive]


def test_a_mirror_of_ones_own_replaces_the_sources(tmp_path, monkeypatch, small_gopro):
    small_gopro["sets"]["light"].update(sources=["https://first"], sha256="a" * 64, bytes=77)
    fetched = []
    monkeypatch.setattr(gopro, "fetch", lambda *a: fetched.append(a) or a[1].write_bytes(b"zip"))
    gopro.download(tmp_path / "1")
    gopro.download(tmp_path / "2", url="https://mirror", sha256="b" * 64)
    gopro.download(tmp_path / "3", url="https://mirror")
    gopro.download(tmp_path / "3")  # It is there.
    assert [(a[0], a[2], a[3]) for a in fetched] == [
        (["https://first"], "a" * 64, 77),
        (["https://mirror"], "b" * 64, None),
        (["https://mirror"], "a" * 64, 77),
    ]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"name": "tiny"}, "no set 'tiny'; it has light and complete"),
        ({"url": "ftp://mirror/x"}, "'ftp://mirror/x' is no mirror's address"),
        ({"sha256": "abc"}, "'abc' is no sha256"),
        ({"zip_file": "nowhere.zip"}, "no archive nowhere.zip"),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_is_done(tmp_path, options, reason):
    with pytest.raises(CourseError, match=reason):
        gopro.download(tmp_path / "data", **options)
    assert not (tmp_path / "data").exists()


def test_the_disk_is_checked_before_the_first_byte(tmp_path, small_gopro, monkeypatch):
    small_gopro["sets"]["light"].update(
        sources=["https://first"], approximate_bytes=9e15, approximate_extracted_bytes=6e15
    )
    monkeypatch.setattr(gopro, "fetch", None)
    with pytest.raises(CourseError, match=rf"needs 15000000.0 GB, and the disk of {tmp_path}"):
        gopro.download(tmp_path)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=int(14.5e15)))
    with pytest.raises(CourseError, match="has 14500000.0 GB free"):
        gopro.download(tmp_path)
    kept = download.partial_file(tmp_path / "GOPRO_Large.zip", "https://first")
    with open(kept, "wb") as file:
        file.truncate(int(1e12))  # A file with a hole: it takes no room.
    with pytest.raises(CourseError, match="needs 14999000.0 GB"):
        gopro.download(tmp_path)


# ---------------------------------------------------------------------------------------- extract


@pytest.mark.parametrize("top", ["", "GOPRO_Large/"])
@pytest.mark.parametrize("kind", gopro.BLURS)
def test_only_what_is_needed_is_extracted_from_both_layouts(tmp_path, members, top, kind):
    archive = write_zip(tmp_path / "a.zip", {top + k: v for k, v in members.items()})
    folder = gopro.extract(archive, tmp_path / "out", kind)
    expected = {k: v for k, v in members.items() if f"/{kind}/" in k or "/sharp/" in k}
    assert files(folder) == expected


def test_the_other_blur_can_be_added_and_nothing_is_done_twice(tmp_path, archive, members):
    folder = gopro.extract(archive, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}
    gopro.extract(archive, folder, "blur_gamma")
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert files(folder) == {k: v for k, v in members.items() if k.endswith(".png")}


def test_frames_that_were_lost_come_back(tmp_path, archive):
    folder = gopro.extract(archive, tmp_path / "out")
    whole = files(folder)
    (folder / "train/SCENE_01/sharp/000002.png").unlink()
    (folder / "train/SCENE_02/sharp/000001.png").write_bytes(b"half")
    (folder / "train/SCENE_01/sharp/mine.txt").write_bytes(b"stays")
    gopro.extract(archive, folder)
    assert files(folder) == {**whole, "train/SCENE_01/sharp/mine.txt": b"stays"}


def damaged(path, members, how):
    """An archive with one fault."""
    sharp = "train/SCENE_01/sharp/000001.png"
    info = zipfile.ZipInfo(sharp)
    if how == "a link":
        info.create_system, info.external_attr = 3, 0o120777 << 16
    extra = {
        "a path upward": ("../../evil.png", b"x"),
        "a path upward inside": ("train/SCENE_01/sharp/../../../../000001.png", b"x"),
        "an absolute name": ("/tmp/evil.png", b"x"),
        "a drive letter": ("C:/evil.png", b"x"),
        "backslashes": ("..\\evil.png", b"x"),
        "a link": (info, b"/etc/passwd"),
        "a name twice": ("top/" + sharp, b"x"),
        "a huge frame": ("train/SCENE_01/sharp/000009.png", bytes(gopro.LARGEST_FRAME + 1)),
        "many that grow": None,
        "another packing": None,
    }.get(how)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            if how != "a link" or name != sharp:
                archive.writestr(name, content)
        if extra:
            archive.writestr(*extra)
        if how == "many that grow":
            for i in range(30):
                archive.writestr(f"train/SCENE_01/sharp/1{i:05}.png", bytes(100_000))
        if how == "another packing":
            archive.writestr("train/SCENE_01/sharp/000009.png", bytes(100), zipfile.ZIP_BZIP2)
    data = bytearray(path.read_bytes())
    place = data.index(sharp.encode())  # In the local header of that member.
    listed = data.rindex(sharp.encode())
    if how == "encrypted":
        data[place - 24] |= 1
        data[listed - 38] |= 1
    if how == "one wrong byte":
        data[place + len(sharp) + 300] ^= 0xFF
    if how == "more than declared":  # It says 16 bytes and holds more.
        data[listed - 22 : listed - 18] = (16).to_bytes(4, "little")
    if how == "less than declared":
        size = int.from_bytes(data[listed - 22 : listed - 18], "little")
        data[listed - 22 : listed - 18] = (size + 9).to_bytes(4, "little")
    if how == "cut off":
        data = data[: len(data) // 2]
    if how == "a page":
        data = b"<html>Quota exceeded</html>"
    if how == "nothing of GOPRO":
        return write_zip(path, {"cats/1.png": b"cat"})
    if how == "no blur":
        return write_zip(path, {k: v for k, v in members.items() if "/sharp/" in k})
    path.write_bytes(data)
    return path


FAULTS = {
    "a path upward": "not safe to extract: '../../evil.png' leads elsewhere",
    "a path upward inside": "not safe .* leads elsewhere",
    "an absolute name": "not safe .*'/tmp/evil.png' leads elsewhere",
    "a drive letter": "not safe .*'C:/evil.png' leads elsewhere",
    "backslashes": "not safe .* leads elsewhere",
    "a link": "not safe .*000001.png' is a link",
    "a name twice": "not safe .*'top/train.*' is there twice",
    "a huge frame": "not safe .*000009.png' would have 16000001 bytes",
    "many that grow": "not safe .* it would become",
    "another packing": "not safe .* is packed in an unusual way",
    "encrypted": "not safe .*000001.png' is encrypted",
    "one wrong byte": "is damaged at train/SCENE_01/sharp/000001.png",
    "more than declared": "is damaged at train/SCENE_01/sharp/000001.png",
    "less than declared": "is damaged at train/SCENE_01/sharp/000001.png",
    "cut off": "is damaged .*download it again",
    "a page": "is damaged .*download it again",
    "nothing of GOPRO": "no frames like train/SCENE/sharp",
    "no blur": "no folder blur; choose another",
}


@pytest.mark.parametrize("how", FAULTS)
def test_a_faulty_archive_is_named_and_writes_nothing_under_a_final_name(tmp_path, members, how):
    (tmp_path / "in").mkdir()
    archive = damaged(tmp_path / "in" / "a.zip", members, how)
    with pytest.raises(CourseError, match=FAULTS[how]) as error:
        gopro.extract(archive, tmp_path / "a" / "b" / "out")
    assert "a.zip" in str(error.value) and "\n" not in str(error.value)
    out = tmp_path / "a" / "b" / "out"
    assert not (out / "train/SCENE_01/sharp").exists()
    outside = [p for p in tmp_path.rglob("*") if p.is_file() and out not in p.parents]
    assert outside == [archive]
    assert not Path("/tmp/evil.png").exists()


def test_a_lying_archive_takes_little_memory(tmp_path):
    """It declares a frame of 16 bytes and holds 100 MB of zeros."""
    name = "train/SCENE_01/sharp/000001.png"
    members = {"train/SCENE_01/blur/000001.png": b"frame", name: bytes(100_000_000)}
    archive = write_zip(tmp_path / "a.zip", members, compression=zipfile.ZIP_DEFLATED)
    data = bytearray(archive.read_bytes())
    listed = data.rindex(name.encode())
    data[listed - 22 : listed - 18] = (16).to_bytes(4, "little")
    archive.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(CourseError, match=f"is damaged at {name}"):
        gopro.extract(archive, tmp_path / "out")
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_extraction_needs_room_and_survives_a_full_disk(tmp_path, archive, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10))
        with pytest.raises(CourseError, match="extracted from GOPRO_Large.zip needs 0.0 GB"):
            gopro.extract(archive, tmp_path / "out")

    def full_disk(self, data):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full_disk)
        with pytest.raises(CourseError, match=r"GOPRO_Large.zip could not be .*No space left"):
            gopro.extract(archive, tmp_path / "out")
    assert len(files(gopro.extract(archive, tmp_path / "out"))) == 14


def test_a_killed_extraction_continues(tmp_path, archive, members):
    out = tmp_path / "out"
    code = (
        "import sys, time; from pathlib import Path\n"
        "from deblurgan_lib.data import gopro\n"
        "write = Path.write_bytes\n"
        "Path.write_bytes = lambda *a: (time.sleep(0.05), write(*a))\n"
        "gopro.extract(sys.argv[1], sys.argv[2])"
    )
    root = Path(gopro.__file__).resolve().parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(archive), str(out)], cwd=root, stderr=subprocess.DEVNULL
    )
    while not (out / "train/SCENE_01/blur").is_dir() or not list(out.rglob(".*.part/*")):
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    expected = {k: v for k, v in members.items() if "/blur/" in k or "/sharp/" in k}
    there = files(out)
    assert 3 <= len(there) < len(expected)
    half = {name for name in there if ".part/" in name}
    assert {k: v for k, v in there.items() if k not in half}.items() <= expected.items()
    done = {path: path.stat().st_mtime_ns for path in (out / "train/SCENE_01/blur").iterdir()}
    gopro.extract(archive, out)
    assert files(out) == expected
    assert {path: path.stat().st_mtime_ns for path in done} == done


# ------------------------------------------------------------------------------------------ split


@pytest.mark.parametrize("links", [True, False])
def test_pairs_get_names_with_their_scene(tmp_path, extracted, members, monkeypatch, links):
    def no_links(*_):
        raise OSError(18, "Invalid cross-device link")

    if not links:
        monkeypatch.setattr(os, "link", no_links)
    folder = gopro.split(extracted, tmp_path / "gopro")
    pairs = {part: find_pairs(folder / part) for part in gopro.SPLITS}
    assert [pair.sharp.stem for pair in pairs["test"]] == ["SCENE_03_000001", "SCENE_03_000002"]
    assert len(pairs["train"]) == 5
    for part in gopro.SPLITS:
        for pair in pairs[part]:
            scene, frame = pair.sharp.name.rsplit("_", 1)
            assert pair.blurred.read_bytes() == members[f"{part}/{scene}/blur/{frame}"]
            assert pair.sharp.read_bytes() == members[f"{part}/{scene}/sharp/{frame}"]
            assert pair.sharp.samefile(extracted / part / scene / "sharp" / frame) == links
    assert gopro.is_complete(folder)


def test_a_second_split_changes_nothing_and_a_third_completes(tmp_path, extracted):
    folder = gopro.split(extracted, tmp_path / "gopro")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    whole = files(folder)
    gopro.split(extracted, folder)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    (folder / "test/A/SCENE_03_000001.png").unlink()
    assert not gopro.is_complete(folder)
    gopro.split(extracted, folder)
    assert files(folder) == whole


def test_a_folder_around_the_set_is_looked_into(tmp_path, extracted):
    (tmp_path / "around").mkdir()
    extracted.rename(tmp_path / "around" / "GOPRO_Large")
    assert gopro.is_complete(gopro.split(tmp_path / "around", tmp_path / "gopro"))


def test_the_two_kinds_of_blur_are_never_mixed(tmp_path, archive, extracted):
    folder = gopro.split(extracted, tmp_path / "gopro")
    with pytest.raises(CourseError, match=r"gopro was split with blur='blur' .* another folder"):
        gopro.split(extracted, folder, "blur_gamma")
    with pytest.raises(CourseError, match="SCENE_01 has no frames in blur_gamma and sharp"):
        gopro.split(extracted, tmp_path / "other", "blur_gamma")
    assert not (tmp_path / "other").exists()
    gopro.extract(archive, extracted, "blur_gamma")
    other = gopro.split(extracted, tmp_path / "other", "blur_gamma")
    assert json.loads((other / "split.json").read_text()) == {
        "blur": "blur_gamma",
        "frames": 0,
        "pairs": {"train": 5, "test": 2},
        "complete": True,
    }
    with pytest.raises(CourseError, match="no blur 'gamma'; it has blur and blur_gamma"):
        gopro.split(extracted, tmp_path / "third", "gamma")


def test_what_is_missing_is_said_exactly(tmp_path, extracted):
    shutil.rmtree(extracted / "train" / "SCENE_02")
    for side in ("blur", "sharp"):
        (extracted / "test" / "SCENE_03" / side / "000002.png").unlink()
    with pytest.raises(CourseError) as error:
        gopro.split(extracted, tmp_path / "gopro")
    assert (
        "train lacks 1 of 2 scenes (SCENE_02); train has 3 of 5 pairs; "
        "test/SCENE_03 has 1 of 2 pairs; test has 1 of 2 pairs."
    ) in str(error.value)
    assert not (tmp_path / "gopro").exists()
    folder = gopro.split(extracted, tmp_path / "gopro", partial=True)
    assert len(find_pairs(folder / "train")) == 3
    assert not gopro.is_complete(folder)


def test_a_part_can_be_completed_and_stays_complete(tmp_path, archive, extracted):
    part = tmp_path / "part"
    shutil.copytree(extracted, part)
    shutil.rmtree(part / "train" / "SCENE_02")
    folder = gopro.split(part, tmp_path / "gopro", partial=True)
    gopro.split(extracted, folder)
    assert gopro.is_complete(folder)
    gopro.split(part, folder, partial=True)
    assert gopro.is_complete(folder)


def test_a_scene_in_train_and_in_test_is_refused(tmp_path, extracted):
    shutil.copytree(extracted / "train" / "SCENE_01", extracted / "test" / "SCENE_01")
    for partial in (False, True):
        with pytest.raises(CourseError, match="SCENE_01 is in train and in test"):
            gopro.split(extracted, tmp_path / "gopro", partial=partial)


def test_partners_with_other_names_are_refused(tmp_path, extracted):
    sharp = extracted / "train" / "SCENE_01" / "sharp"
    (sharp / "000001.png").rename(sharp / "000009.png")
    with pytest.raises(CourseError, match=r"SCENE_01 has 2 frames only .*000001.png, 000009.png"):
        gopro.split(extracted, tmp_path / "gopro", partial=True)


def test_a_folder_that_is_not_gopro_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(CourseError, match="no folder train or test in"):
            gopro.split(folder, tmp_path / "gopro")


def test_a_full_disk_is_said_and_the_split_continues(tmp_path, extracted, monkeypatch):
    def fails(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", fails)
        patch.setattr(shutil, "copyfile", fails)
        with pytest.raises(CourseError, match=r"could not be split .*No space left .* continues"):
            gopro.split(extracted, tmp_path / "gopro")
    assert not gopro.is_complete(tmp_path / "gopro")
    assert gopro.is_complete(gopro.split(extracted, tmp_path / "gopro"))


# ------------------------------------------------------------------------------- the complete set


@pytest.fixture
def complete(tmp_path, photo):
    """Sharp frames of a camera that moves: 16 in one scene, with a gap after the eighth."""
    members = {}
    for part, scenes in SCENES.items():
        for scene in scenes:
            for i in [*range(1, 9), *range(11, 19)]:
                write_photo(tmp_path / "frame.png", photo[i : i + 24, 2 * i : 2 * i + 32])
                name = f"GOPRO_Large_all/{part}/{scene}/{i:06}.png"
                members[name] = (tmp_path / "frame.png").read_bytes()
    return write_zip(tmp_path / "GOPRO_Large_all.zip", members)


@pytest.mark.parametrize("kind", gopro.BLURS)
def test_the_complete_set_is_averaged_into_pairs(tmp_path, complete, kind):
    frames = gopro.extract(complete, tmp_path / "frames")
    folder = gopro.split(frames, tmp_path / "gopro", kind, frames=7)
    pairs = find_pairs(folder / "test")
    assert [pair.sharp.stem for pair in pairs] == ["SCENE_03_000004", "SCENE_03_000014"]
    numbers = range(11, 18)  # No average runs over the gap.
    window = np.stack([read_photo(frames / f"test/SCENE_03/{i:06}.png") for i in numbers])
    expected = blur.average_frames(window, gamma=kind == "blur_gamma")
    np.testing.assert_array_equal(read_photo(pairs[1].blurred), expected)
    np.testing.assert_array_equal(read_photo(pairs[1].sharp), window[3])
    assert gopro.is_complete(folder)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    gopro.split(frames, folder, kind, frames=7)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    with pytest.raises(CourseError, match="frames=7; another choice"):
        gopro.split(frames, folder, kind, frames=9)


@pytest.mark.parametrize("n", [-1, 1, 5, 8, 10, 15])
def test_only_odd_numbers_from_7_to_13_are_averaged(tmp_path, n):
    with pytest.raises(CourseError, match=f"{n} frames are not averaged"):
        gopro.split(tmp_path, tmp_path / "gopro", frames=n)


def test_each_set_needs_its_own_way(tmp_path, complete, extracted):
    frames = gopro.extract(complete, tmp_path / "frames")
    with pytest.raises(CourseError, match="frames without blur.* frames=11"):
        gopro.split(frames, tmp_path / "gopro")
    with pytest.raises(CourseError, match="no frames to average.* leave out frames"):
        gopro.split(extracted, tmp_path / "gopro", frames=11)


# ------------------------------------------------------------------------------------- all of it


def test_the_name_gopro_downloads_extracts_and_splits(tmp_path, archive, monkeypatch, capsys):
    home = tmp_path / "course"
    (home / "data").mkdir(parents=True)
    monkeypatch.setattr(paths, "home", lambda: home)
    deliveries = []

    def fetch(sources, target, *_):
        deliveries.append(target)
        shutil.copy(archive, target)

    monkeypatch.setattr(gopro, "fetch", fetch)
    for _ in range(2):
        folder = find_data("gopro")
        assert folder == home / "data" / "gopro"
        assert len(find_pairs(folder / "train")) == 5
    said = capsys.readouterr().out
    assert said.count("GOPRO_Large.zip") == 1 and "about 0.0 GB" in said
    assert deliveries == [home / "data" / "GOPRO_Large.zip"]


def test_on_colab_the_archive_stays_on_drive_and_the_frames_do_not(
    tmp_path, archive, monkeypatch, capsys
):
    vm, drive = tmp_path / "vm", tmp_path / "drive"
    drive.mkdir()
    monkeypatch.setattr(paths, "home", lambda: vm)
    monkeypatch.setattr(paths, "DRIVE", drive)
    monkeypatch.delenv("DEBLURGAN_RUNS")
    deliveries = []

    def fetch(sources, target, *_):
        deliveries.append(target)
        shutil.copy(archive, target)

    monkeypatch.setattr(gopro, "fetch", fetch)
    for _ in range(2):
        assert find_data("gopro") == vm / "data" / "gopro"
        assert len(find_pairs(vm / "data" / "gopro" / "train")) == 5
        shutil.rmtree(vm)  # Colab disconnects, and gives a new machine.
    kept = drive / "deblurgan"
    assert deliveries == [kept / "data" / "GOPRO_Large.zip"]
    assert not list(drive.rglob("*.png"))
    assert paths.runs_folder() == kept / "runs"


def test_the_name_gopro_keeps_the_blur_that_was_chosen(tmp_path, archive, extracted, monkeypatch):
    gopro.extract(archive, extracted, "blur_gamma")
    shutil.rmtree(extracted / "train" / "SCENE_02")
    folder = gopro.split(extracted, tmp_path / "gopro", "blur_gamma", partial=True)
    gopro.make_gopro(folder, tmp_path)
    assert json.loads((folder / "split.json").read_text())["blur"] == "blur_gamma"
    assert gopro.is_complete(folder)


def test_pairs_made_by_hand_count_as_complete(tmp_path, extracted):
    folder = gopro.split(extracted, tmp_path / "gopro")
    (folder / "split.json").unlink()
    assert gopro.make_gopro(folder, tmp_path) == folder


def test_real_frames_are_split(tmp_path, monkeypatch):
    if not REAL.is_dir():
        pytest.skip("there are no real frames beside the project")
    monkeypatch.undo()
    with pytest.raises(CourseError, match=r"train lacks 21 of 22 scenes .* has 2 of 1111 pairs"):
        gopro.split(REAL, tmp_path / "gopro")
    folder = gopro.split(REAL, tmp_path / "gopro", partial=True)
    assert len(find_pairs(folder / "train")) == 28
    assert [pair.sharp.stem for pair in find_pairs(folder / "test")] == [
        "GOPR0384_11_00_000001",
        "GOPR0396_11_00_000001",
    ]
    assert not gopro.is_complete(folder)
