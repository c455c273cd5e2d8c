import json
import os
import resource
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from deblurgan_lib import photos
from deblurgan_lib.data import blur, cache, pipeline
from deblurgan_lib.data.pairs import find_pairs
from deblurgan_lib.errors import CourseError

PAIR = 2 * 96 * 128 * 3  # Bytes of a decoded pair of `data_set`.


@pytest.fixture
def folder(data_set, photo):
    """Three pairs, one of another size; not yet decoded."""
    for side, pixels in (("A", photo[70:170, :80]), ("B", photo[70:170, 5:85])):
        photos.write_photo(data_set / "train" / side / "upright.png", pixels)
    return data_set / "train"


def batches(pairs, n=12, **options):
    options = {"crop": 64, "batch": 3, "seed": 1} | options
    return [np.stack(batch) for batch in pipeline.training_batches(pairs, **options).take(n)]


@pytest.mark.parametrize("start", [0, 5])
@pytest.mark.parametrize("fresh_blur", [0.0, 0.5])
def test_batches_are_the_same_with_and_without_it(folder, capsys, fresh_blur, start):
    pairs = find_pairs(folder)
    psfs = blur.random_psfs(8, 0, 15, 20)
    options = {"fresh_blur": fresh_blur, "psfs": psfs, "start_step": start}
    decoded_each_time = batches(pairs, **options)
    capsys.readouterr()
    cache.make_cache(folder)
    made = capsys.readouterr().out
    for side in "AB":  # The pixels do not come from here any more.
        for path in (folder / side).iterdir():
            seen = path.stat()
            with open(path, "r+b") as file:
                file.seek(seen.st_size // 2)
                file.write(bytes(100))
            os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    np.testing.assert_array_equal(batches(pairs, **options), decoded_each_time)
    np.testing.assert_array_equal(batches(pairs, **options), decoded_each_time)
    assert made == f"Decoded, the 3 pairs of {folder} take 0.0 GB of disk.\n"
    said = f"Crops come from the decoded photographs in {folder / 'decoded.raw'}.\n"
    assert capsys.readouterr().out == said


def test_some_of_the_pairs_get_their_own_photographs(folder):
    cache.make_cache(folder)
    pairs = find_pairs(folder)
    for some in (pairs[1:], pairs[::-1]):
        for pixels, pair in zip(cache.open_cache(some), some, strict=True):
            for ours, path in zip(pixels, pair):
                np.testing.assert_array_equal(ours, photos.read_photo(path))


def test_without_one_nothing_is_said(folder, capsys):
    assert cache.open_cache(find_pairs(folder)) is None
    assert capsys.readouterr().out == ""


def changed(folder, photo):
    photos.write_photo(folder / "A" / "train_1.png", photo[:96, :128])


def touched(folder, photo):
    os.utime(folder / "B" / "train_1.png", ns=(0, 0))


def added(folder, photo):
    for side in "AB":
        photos.write_photo(folder / side / "train_1b.png", photo[:96, :128])


def renamed(folder, photo):
    for side in "AB":
        os.replace(folder / side / "train_1.png", folder / side / "train_1c.png")


@pytest.mark.parametrize("change", [changed, touched, added, renamed])
def test_a_stale_one_is_named_not_used_and_made_anew(folder, photo, capsys, change):
    cache.make_cache(folder)
    change(folder, photo)
    pairs = find_pairs(folder)
    capsys.readouterr()
    assert cache.open_cache(pairs) is None
    said = capsys.readouterr().out
    assert "decoded.raw does not fit train_1" in said and "make it again" in said
    expected = batches(pairs)
    cache.make_cache(folder)
    assert cache.open_cache(pairs) is not None
    np.testing.assert_array_equal(batches(pairs), expected)


def test_pairs_of_another_folder_do_not_take_it(folder, data_set):
    cache.make_cache(folder)
    (data_set / "other" / "A").mkdir(parents=True)
    pair = find_pairs(folder)[0]
    elsewhere = data_set / "other" / "A" / pair.blurred.name
    os.link(pair.blurred, elsewhere)
    assert cache.open_cache([pair]) is not None
    assert cache.open_cache([pair._replace(blurred=elsewhere)]) is None


@pytest.mark.parametrize("damage", ["shorter", "longer", "record", "no record", "format"])
def test_a_damaged_one_is_not_used_and_made_anew(folder, damage, capsys):
    pixels = cache.make_cache(folder)
    whole, record = pixels.read_bytes(), folder / "decoded.json"
    if damage in ("shorter", "longer"):
        os.truncate(pixels, len(whole) + (1 if damage == "longer" else -1))
    elif damage == "no record":
        record.unlink()
    elif damage == "format":
        record.write_text(json.dumps(json.loads(record.read_text()) | {"format": 0}))
    else:
        record.write_text(record.read_text()[:50])
    capsys.readouterr()
    assert cache.open_cache(find_pairs(folder)) is None
    assert "decoded.raw" in capsys.readouterr().out
    assert cache.make_cache(folder).read_bytes() == whole
    assert cache.open_cache(find_pairs(folder)) is not None


def test_a_complete_one_is_left_alone(folder, monkeypatch, capsys):
    made_at = cache.make_cache(folder).stat().st_mtime_ns
    monkeypatch.setattr(cache, "read_photo", None)
    assert cache.make_cache(folder).stat().st_mtime_ns == made_at
    assert "fits its 3 pairs" in capsys.readouterr().out


# Each photograph lands on disk at once, as large ones do.
DIES = """
import os, pathlib, signal, sys
from deblurgan_lib.data import blur
from deblurgan_lib.data import cache
from deblurgan_lib import photos

left = int(sys.argv[2])

def read_photo(path):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return photos.read_photo(path)

cache.read_photo = read_photo
cache.open = lambda path, mode: open(path, mode, buffering=0)
cache.make_cache(pathlib.Path(sys.argv[1]))
"""


def begin(folder, number):
    """Begin a cache of `folder` in another process, killed when `number` photos are decoded."""
    done = subprocess.run([sys.executable, "-c", DIES, str(folder), str(number)])
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("number", range(6))
def test_it_goes_on_after_it_was_killed(folder, number, monkeypatch, capsys):
    pairs = find_pairs(folder)
    expected = b"".join(photos.read_photo(path).tobytes() for pair in pairs for path in pair)
    begin(folder, number)
    assert cache.open_cache(pairs) is None
    assert not (folder / "decoded.raw").exists()
    decoded = []
    monkeypatch.setattr(
        cache, "read_photo", lambda path: decoded.append(path) or photos.read_photo(path)
    )
    assert cache.make_cache(folder).read_bytes() == expected
    assert decoded == [path for pair in pairs[number // 2 :] for path in pair]
    assert ("of that are done" in capsys.readouterr().out) == (number >= 2)
    assert {path.name for path in folder.iterdir()} == {"A", "B", "decoded.raw", "decoded.json"}


def test_what_was_begun_of_other_photos_is_not_continued(folder, photo):
    begin(folder, 4)
    changed(folder, photo)
    pairs = find_pairs(folder)
    cache.make_cache(folder)
    for pixels, pair in zip(cache.open_cache(pairs), pairs, strict=True):
        np.testing.assert_array_equal(pixels[0], photos.read_photo(pair.blurred))


def test_a_disk_without_room_is_refused_before_anything_is_written(folder, monkeypatch):
    usage = shutil.disk_usage
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(path)._replace(free=2 * PAIR))
    with pytest.raises(CourseError, match="decoded.raw needs .* free; make room"):
        cache.make_cache(folder)
    assert {path.name for path in folder.iterdir()} == {"A", "B"}


def test_a_disk_that_fills_keeps_what_is_decoded(folder):
    """The system's own limit on the size of a file, which fails as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (PAIR + 1000, before[1]))
    try:
        with pytest.raises(CourseError, match="decoded.raw could not be written .*continues"):
            cache.make_cache(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (folder / ".decoded.raw.part").stat().st_size >= PAIR
    assert cache.open_cache(find_pairs(folder)) is None
    cache.make_cache(folder)
    assert cache.open_cache(find_pairs(folder)) is not None


def test_a_photo_that_changes_meanwhile_is_named(folder, monkeypatch, photo):
    def read_photo(path):
        return photo if path.name == "train_1.png" else photos.read_photo(path)

    monkeypatch.setattr(cache, "read_photo", read_photo)
    with pytest.raises(CourseError, match="train_1.png or its partner has another size"):
        cache.make_cache(folder)
    monkeypatch.undo()
    cache.make_cache(folder)
    assert cache.open_cache(find_pairs(folder)) is not None


def test_a_broken_photo_is_named_and_the_rest_goes_on(folder, photo):
    path = folder / "B" / "train_1.png"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CourseError, match="train_1.png is a broken image"):
        cache.make_cache(folder)
    path.write_bytes(whole)
    cache.make_cache(folder)
    assert cache.open_cache(find_pairs(folder)) is not None
