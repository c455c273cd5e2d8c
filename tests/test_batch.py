"""Which photographs are asked for, where results go, and one after the other at the same time."""

import errno
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deblurgan_lib import batch, photos
from deblurgan_lib.errors import CourseError
from deblurgan_lib.photos import read_mark, read_photo, write_photo


@pytest.fixture
def folder(tmp_path, photo, monkeypatch):
    """The working folder, with two photographs in folders of their own."""
    monkeypatch.chdir(tmp_path)
    for name in ("a/DSC_0001.JPG", "b/DSC_0001.JPG"):
        Path(name).parent.mkdir()
        write_photo(Path(name), photo[:20, :30])
    return tmp_path


@pytest.fixture
def settings(folder):
    (folder / "weights").write_bytes(b"weights")
    return batch.Settings("1.0", folder / "weights", "mine", "one view")


def plan(*arguments, output="out", stem_end=""):
    return batch.plan([Path(argument) for argument in arguments], Path(output), stem_end)


def results(found):
    return [str(target) for target in found.targets.values()]


# ------------------------------------------------------------------------------------------- names


def test_photos_with_one_name_get_numbers(folder):
    assert results(plan("a", "b")) == ["out/DSC_0001.JPG", "out/DSC_0001_2.JPG"]
    found = plan("a/DSC_0001.JPG", "b/DSC_0001.JPG")
    assert results(found) == ["out/DSC_0001.JPG", "out/DSC_0001_2.JPG"]
    assert found.numbered == [Path("b/DSC_0001.JPG")]
    assert results(plan(".")) == ["out/a/DSC_0001.JPG", "out/b/DSC_0001.JPG"]
    shutil.copy("a/DSC_0001.JPG", "b/DSC_0001_2.JPG")  # Whose own name goes first.
    assert sorted(results(plan("a", "b"))) == [
        "out/DSC_0001.JPG", "out/DSC_0001_2.JPG", "out/DSC_0001_3.JPG",
    ]  # fmt: skip


def test_no_two_results_are_the_same_file_on_any_disk(folder, photo):
    Path("mixed").mkdir()
    for name in ("A.png", "a.png", "a.gif", "é.png", "e\u0301.png"):
        Image.fromarray(photo[:8, :8]).save(Path("mixed", name))
    names = [name.casefold() for name in results(plan("mixed"))]
    assert len(names) == 5 and len(set(names)) == 5
    assert [name.removeprefix("out/") for name in names if "a" in name] == [
        "a.png", "a_2.png", "a_3.png",
    ]  # fmt: skip


def test_a_photo_that_is_named_twice_is_restored_once(folder):
    assert results(plan("a/DSC_0001.JPG", "./a", folder / "a" / "DSC_0001.JPG")) == [
        "out/DSC_0001.JPG"
    ]


def test_names_stay_short_enough(folder, photo):
    Path("long").mkdir()
    for last in "甲乙":  # Which are cut off.
        write_photo(Path("long", "照" * 82 + last + ".jpg"), photo[:8, :8])
    found = plan("long", stem_end="_before_after")
    assert len(set(results(found))) == 2
    for target in found.targets.values():
        assert 240 < len(target.name.encode()) <= 255 and "_before_after" in target.name
        target.parent.mkdir(exist_ok=True)
        target.touch()


def test_an_output_with_a_photos_suffix_is_a_file(folder):
    assert results(plan("a/DSC_0001.JPG", output="sharp.png")) == ["sharp.png"]
    assert results(plan("a", output="x/sharp.jpg")) == ["x/sharp.jpg"]
    Path("photos.jpg").mkdir()
    assert results(plan("a", output="photos.jpg")) == ["photos.jpg/DSC_0001.JPG"]
    with pytest.raises(CourseError, match=r"sharp.jpg is one file, and there are 2 photos"):
        plan("a", "b", output="sharp.jpg")
    with pytest.raises(CourseError, match=r"sharp.gif cannot be written in that format"):
        plan("a", output="sharp.gif")


def test_no_result_takes_the_place_of_a_photo(folder):
    write_photo(Path("a/other.jpg"), read_photo(Path("a/DSC_0001.JPG")))
    Path("linked").symlink_to("a")
    for output in ("a", "linked", "a/DSC_0001.JPG", "a/other.jpg"):
        with pytest.raises(CourseError, match=r"would overwrite (DSC_0001.JPG|other.jpg)"):
            plan("a/DSC_0001.JPG", output=output)


def test_what_cannot_be_restored_stops_nothing_else(folder):
    Path("empty").mkdir()
    Path("raw").mkdir()
    Path("raw/DSC_1.NEF").write_bytes(b"raw")
    Path("no.jpg").write_bytes(b"no photo")
    found = plan("a", "nowhere.jpg", "empty", "raw", "no.jpg", "raw/DSC_1.NEF", "x" * 300)
    assert results(found) == ["out/DSC_0001.JPG"]
    said = [str(error) for error in found.failures]
    for sentence, expected in zip(
        said,
        ("no photo nowhere.jpg", "no photos to restore in empty", "camera raw files, .*: 1 (raw",
         "no.jpg is not an image", "DSC_1.NEF is a camera raw file", "xxx"),
    ):  # fmt: skip
        assert expected.split(".*")[0] in sentence and expected.split(".*")[-1] in sentence


# ----------------------------------------------------------------------------------------- results


def darker(photo):
    return photo // 2


def restored(found, settings, **options):
    return batch.restore_all(found.targets, darker, settings, **options)


def test_results_are_known_by_their_marks(folder, settings):
    found = plan(".")
    assert batch.existing(found.targets, settings) == batch.Existing()
    assert restored(found, settings) == batch.Done()
    for photo, target in found.targets.items():
        assert np.abs(read_photo(target).astype(int) - read_photo(photo) // 2).mean() < 3
    assert batch.existing(found.targets, settings).same == list(found.targets)
    Path("other").write_bytes(b"other weights")
    for others in (
        batch.Settings("1.0", Path("other"), "mine", "one view"),
        batch.Settings("1.0", settings.weights, "mine", "eight views"),
    ):
        there = batch.existing(found.targets, others)
        assert there.other == {"results of mine (one view)": list(found.targets)}
    newer = batch.Settings("2.0", settings.weights, "the same", "one view")
    assert batch.existing(found.targets, newer).same == list(found.targets)
    first, second = found.targets
    shutil.copy(found.targets[first], found.targets[second])
    Path(first).write_bytes(Path(first).read_bytes() + b" changed")
    there = batch.existing(found.targets, settings)
    assert list(there.other) == ["results of other photos, or of these before they changed"] or (
        there.same == [second]
    )
    write_photo(found.targets[second], read_photo(second))
    kind = "files that deblurgan has not made"
    assert batch.existing(found.targets, settings).other[kind] == [second]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif", ".webp", ".heic", ".avif"])
def test_results_are_not_restored_again_wherever_they_are(folder, settings, photo, suffix):
    Path("c").mkdir()
    write_photo(Path("c", f"p{suffix}"), photo[:32, :32])
    restored(plan("c"), settings)
    found = plan(".", output="again")
    assert [str(path) for path in found.left_out[batch.IS_RESULT]] == [f"out/p{suffix}"]
    shutil.move(Path("out", f"p{suffix}"), Path("c", f"elsewhere{suffix}"))
    assert results(plan("c", output="again")) == [f"again/p{suffix}"]
    assert results(plan(f"c/elsewhere{suffix}", output="again")) == [f"again/elsewhere{suffix}"]
    Path(f"c/p{suffix}").unlink()
    assert "results of deblurgan" in str(plan("c", output="again").failures[0])


def test_side_by_side_in_the_same_folder_goes_on(folder, settings):
    for there in (0, 1):
        found = plan("a", output="a", stem_end="_before_after")
        assert results(found) == ["a/DSC_0001_before_after.JPG"]
        assert len(batch.existing(found.targets, settings).same) == there
        restored(found, settings, both=True)
    assert read_photo(Path("a/DSC_0001_before_after.JPG")).shape == (20, 60, 3)


# -------------------------------------------------------------------------------------- many photos


@pytest.fixture
def six(folder, photo):
    Path("six").mkdir()
    for number in range(6):
        write_photo(Path("six", f"{number}.png"), photo[number : number + 20, :30])
    return [Path("six", f"{number}.png") for number in range(6)]


def test_the_next_photo_is_read_and_the_last_one_written_meanwhile(six, settings, monkeypatch):
    read, written, lock = [], threading.Event(), threading.Event()

    def reading(path):
        read.append(path)
        return photos.read_with_metadata(path)

    def writing(path, *arguments):
        if path.name == "0.png":
            assert lock.wait(20)  # Until the second one is being restored.
            written.set()
        write_photo(path, *arguments)

    def restore(photo):
        number = len(seen)
        seen.append(photo)
        deadline = time.monotonic() + 20
        while len(read) < min(number + 2, 6) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(read) == min(number + 2, 6)  # The next one, and none after it.
        if number == 1:
            assert not written.is_set()
            lock.set()
        return darker(photo)

    seen = []
    monkeypatch.setattr(batch, "read_with_metadata", reading)
    monkeypatch.setattr(batch, "write_photo", writing)
    found = plan("six")
    assert batch.restore_all(found.targets, restore, settings) == batch.Done()
    for number, target in enumerate(found.targets.values()):
        np.testing.assert_array_equal(read_photo(target), seen[number] // 2)
        np.testing.assert_array_equal(seen[number], read_photo(six[number]))


def test_a_large_photo_is_alone_in_memory(six, settings, monkeypatch):
    monkeypatch.setattr(batch, "AHEAD", 100)
    read = []

    def reading(path):
        read.append(path)
        return photos.read_with_metadata(path)

    def restore(photo):
        time.sleep(0.05)
        restored.append(photo)
        assert len(read) == len(restored)
        assert len(list(Path("out").glob("*.png"))) == len(read) - 1
        return photo

    restored = []
    monkeypatch.setattr(batch, "read_with_metadata", reading)
    assert batch.restore_all(plan("six").targets, restore, settings) == batch.Done()


def test_whatever_is_wrong_with_one_photo_the_others_are_restored(six, settings, monkeypatch):
    def restore(photo):
        if np.array_equal(photo, bad):
            raise MemoryError("too\nmuch")
        return photo

    def writing(path, *arguments):
        if path.name == "4.png":
            raise OSError(errno.ENAMETOOLONG, "File name too long")
        write_photo(path, *arguments)

    bad = read_photo(six[2])
    found = plan("six")
    six[0].write_bytes(six[0].read_bytes()[:200])
    monkeypatch.setattr(batch, "write_photo", writing)
    done = batch.restore_all(found.targets, restore, settings)
    assert sorted(done.failures) == [six[0], six[2], six[4]]
    assert "six/2.png could not be restored (MemoryError: too much)" in str(done.failures[six[2]])
    assert sorted(path.name for path in Path("out").iterdir()) == ["1.png", "3.png", "5.png"]


def test_nothing_more_is_tried_when_the_disk_is_full(six, settings, monkeypatch):
    def full(self, target, kind, **options):
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    found = plan("six")
    saved = Image.Image.save
    restore = iter(range(6))

    def one_by_one(photo):
        if next(restore) == 2:
            monkeypatch.setattr(Image.Image, "save", full)
        return photo

    done = batch.restore_all(found.targets, one_by_one, settings)
    monkeypatch.setattr(Image.Image, "save", saved)
    assert "make room" in str(next(iter(done.failures.values())))
    there = len(list(Path("out").iterdir()))
    assert there in (1, 2) and there + len(done.failures) + len(done.untried) == 6
    assert len(done.untried) >= 1 and all(read_mark(path) for path in Path("out").iterdir())


def test_a_folder_that_cannot_be_written_gets_a_sentence_before_anything_is_done(folder):
    for place, advice in (("a/DSC_0001.JPG/out", "move away"), ("x" * 300, "shorter name")):
        with pytest.raises(CourseError, match=f"cannot be written to .*{advice}"):
            batch.make_folder(Path(place))
