import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import fuzz_photos
import numpy as np
import pytest
from PIL import Image, ImageCms

from deblurgan_lib import cli, evaluation, restoration
from deblurgan_lib.data import blur, find_data
from deblurgan_lib.photos import read_photo, write_photo
from deblurgan_lib.restoration import weights

ROOT = Path(__file__).resolve().parent.parent
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def run(runs, monkeypatch, capsys):
    """Runs one command; returns its exit code, what it printed, and its errors."""
    monkeypatch.setenv("DEBLURGAN_RUNS", str(runs))

    def run(*arguments):
        arguments = [str(argument) for argument in arguments]
        if arguments[0] == "deblur" and "same" in arguments:
            # Where files go is the question then, and to look for a motion takes seconds a photo.
            arguments.append("--generator-only")
        code = cli.main(arguments)
        printed = capsys.readouterr()
        # A slow machine shows a bar where a quick one does not.
        return code, printed.out, re.sub(r"\r[^\n]*\n?", "", printed.err)

    return run


@pytest.fixture
def holiday(tmp_path, photo):
    folder = tmp_path / "holiday"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x0110] = "a camera"
    exif.get_ifd(0x8769)[0x9003] = "2020:02:02 20:20:20"
    exif.get_ifd(0x8825)[1] = "N"
    meta = {"exif": exif, "dpi": (300, 300), "icc_profile": PROFILE}
    Image.fromarray(photo).save(folder / "upright.jpg", **meta)
    Image.fromarray(photo[..., 0]).save(folder / "grey.png")
    Image.fromarray(np.dstack([photo, photo[..., 0]])).save(folder / "alpha.png")
    (folder / "notes.txt").write_text("not a photo, and not asked for")
    return folder


def test_photos_keep_their_names_formats_and_what_their_files_hold(run, holiday, tmp_path, photo):
    write_photo(tmp_path / "single.png", photo)
    code, out, err = run(
        "deblur", holiday, tmp_path / "single.png", "--weights", "same", "-o", tmp_path / "sharp"
    )
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"4 of 4 photos are restored in {tmp_path / 'sharp'}.",
        f"Left out: files that are no photos of a kind that is read: 1 ({holiday / 'notes.txt'}).",
    ]
    assert {path.name for path in (tmp_path / "sharp").iterdir()} == {
        "upright.jpg", "grey.png", "alpha.png", "single.png",
    }  # fmt: skip
    np.testing.assert_array_equal(read_photo(tmp_path / "sharp" / "single.png"), photo)
    with Image.open(tmp_path / "sharp" / "upright.jpg") as image:
        assert (image.format, image.size) == ("JPEG", (200, 240))
        exif = image.getexif()
        assert 0x0112 not in exif and exif[0x0110] == "a camera"
        assert exif.get_ifd(0x8769)[0x9003] == "2020:02:02 20:20:20"
        assert exif.get_ifd(0x8825)[1] == "N" and not exif.get_ifd(1)
        assert image.info["dpi"] == (300, 300) and image.info["icc_profile"] == PROFILE
    with Image.open(tmp_path / "sharp" / "grey.png") as image:
        assert image.mode == "L"
    with Image.open(tmp_path / "sharp" / "alpha.png") as image:
        np.testing.assert_array_equal(np.array(image), np.dstack([photo, photo[..., 0]]))


def test_folders_below_are_kept_and_results_are_left_as_they_are(run, holiday, monkeypatch):
    (holiday / "beach" / "late").mkdir(parents=True)
    shutil.copy(holiday / "grey.png", holiday / "beach" / "late" / "grey.png")
    monkeypatch.chdir(holiday)
    for restored, there in ((4, 0), (0, 4)):
        code, out, err = run("deblur", ".", "--weights", "same")
        assert (code, err) == (0, "")
        assert f"{restored} of 4 photos are restored in deblurred." in out
        assert (f"{there} were already there" in out) == bool(there)
    results = holiday / "deblurred"
    assert len([path for path in results.rglob("*") if path.is_file()]) == 4
    assert (results / "beach" / "late" / "grey.png").is_file()
    (results / "alpha.png").write_text("mine")
    (results / "grey.png").unlink()
    code, out, err = run("deblur", ".", "--weights", "same")
    assert code == 1 and "1 of 4 photos" in out and "2 were already there" in out
    assert "files that deblurgan has not made (deblurred/alpha.png)" in err
    assert (results / "alpha.png").read_text() == "mine"


def test_before_and_after_side_by_side(run, tmp_path, photo):
    write_photo(tmp_path / "p.png", photo)
    code, *_ = run(
        "deblur", tmp_path / "p.png", "--side-by-side", "--generator-only", "-o", tmp_path / "o"
    )
    assert code == 0
    both = read_photo(tmp_path / "o" / "p_before_after.png")
    np.testing.assert_array_equal(both[:, :240], photo)
    assert both.shape == (200, 480, 3) and not np.array_equal(both[:, 240:], photo)


@pytest.fixture(scope="module")
def shaken():
    """A photograph in which one motion is found, and what was there."""
    folder = find_data("sample") / "test" / "B"
    sharp = read_photo(folder / "astronaut_0.png")[:320, 60:380]
    path = blur.shake_trajectories(1, 3, max_length=15.0)[0]
    return blur.blur(sharp, blur.point_spread_function(path)), sharp


METHODS = {
    (): "deblur",
    ("--ensemble",): "deblur_ensemble",
    ("--no-motion",): "restore",
    ("--generator-only", "--ensemble"): "self_ensemble",
}


@pytest.mark.slow
def test_two_independent_choices_of_how_to_restore(run, tmp_path, monkeypatch, shaken):
    # Not once this, once that.
    monkeypatch.setattr(weights, "measure_precision", lambda: "float32")
    blurred, _ = shaken
    write_photo(tmp_path / "p.png", blurred)
    generator = restoration.load(restoration.DEFAULT, precision="auto")
    results = {
        name: getattr(restoration, name)(generator, blurred, bar=False) for name in METHODS.values()
    }
    for options, method in METHODS.items():
        assert run("deblur", tmp_path / "p.png", *options, "-o", tmp_path / method)[0] == 0
        written = read_photo(tmp_path / method / "p.png")
        assert [name for name in results if np.array_equal(results[name], written)] == [method]


def test_formats_that_are_not_written_become_png(run, tmp_path, photo):
    Image.fromarray(photo).save(tmp_path / "moving.gif")
    Image.fromarray(photo).save(tmp_path / "noname", "JPEG")
    for suffix in ("tif", "webp", "bmp"):
        Image.fromarray(photo).save(tmp_path / f"p.{suffix}")
    folder = tmp_path / "o"
    photos = [path for path in tmp_path.iterdir() if path.is_file()]
    assert run("deblur", *photos, "--weights", "same", "-o", folder)[0] == 0
    kinds = {}
    for path in folder.iterdir():
        with Image.open(path) as image:
            kinds[path.name] = image.format
    assert kinds == {
        "moving.png": "PNG", "noname.png": "PNG", "p.tif": "TIFF", "p.webp": "WEBP", "p.bmp": "BMP",
    }  # fmt: skip


@pytest.mark.slow
def test_damaged_photos_end_in_one_sentence_each_and_change_nothing_else(run, tmp_path):
    whole, random = list(fuzz_photos.whole_files().items()), np.random.default_rng(1)
    folder, output = tmp_path / "damaged", tmp_path / "output"
    folder.mkdir()
    for i in range(80):
        name, content = whole[i % len(whole)]
        (folder / f"{i}_{name}").write_bytes(fuzz_photos.damaged(content, random))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    code, out, err = run("deblur", folder, "--weights", "same", "-o", output)
    assert code == 1
    restored = len(list(output.iterdir()))
    assert 10 < restored < 70 and f"{restored} of 80 photos are restored" in out
    assert len(err.splitlines()) == 80 - restored + 1
    assert all(line.startswith("deblurgan: ") for line in err.splitlines())
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert {path.name for path in tmp_path.iterdir()} == {"damaged", "output"}


def test_one_bad_photo_is_named_and_the_others_are_restored(run, holiday, tmp_path):
    (holiday / "broken.jpg").write_bytes(b"no image")
    code, out, err = run("deblur", holiday, "--weights", "same", "-o", tmp_path / "sharp")
    assert code == 1
    assert "3 of 4 photos are restored" in out
    assert "broken.jpg is not an image" in err
    assert "1 of 4 photos were not restored" in err
    assert len(list((tmp_path / "sharp").iterdir())) == 3


def test_a_one_pixel_photo_is_restored(run, tmp_path, photo):
    write_photo(tmp_path / "dot.png", photo[:1, :1])
    assert run("deblur", tmp_path / "dot.png", "--weights", "same", "-o", tmp_path / "o")[0] == 0
    np.testing.assert_array_equal(read_photo(tmp_path / "o" / "dot.png"), photo[:1, :1])


def test_what_a_folder_holds_is_counted_and_named(run, holiday, tmp_path, photo):
    write_photo(holiday / "phone.HEIC", photo)
    write_photo(holiday / "camera.avif", photo)
    (holiday / "DSC_0001.NEF").write_bytes(b"raw")
    (holiday / "phone.MOV").write_bytes(b"film")
    (holiday / "@eaDir").mkdir()
    shutil.copy(holiday / "grey.png", holiday / "@eaDir" / "thumb.png")
    Image.fromarray(photo).save(
        holiday / "pages.tif", save_all=True, append_images=[Image.fromarray(255 - photo)]
    )
    code, out, err = run("deblur", holiday, "--weights", "same", "-o", tmp_path / "o")
    assert (code, err) == (0, "")
    assert "6 of 6 photos are restored" in out
    assert (
        f"1 files hold more than the picture that was restored ({holiday}/pages.tif: 1 more" in out
    )
    for left_out in ("DSC_0001.NEF", "phone.MOV", "notes.txt"):
        assert f"1 ({holiday / left_out})" in out
    assert len(list((tmp_path / "o").iterdir())) == 6
    code, _, err = run("deblur", holiday / "DSC_0001.NEF", "--weights", "same", "-o", tmp_path)
    assert code == 1 and "DSC_0001.NEF is a camera raw file" in err


def test_other_settings_are_not_taken_for_done(run, holiday, tmp_path, monkeypatch):
    shutil.copytree(tmp_path / "holiday", tmp_path / "h")
    monkeypatch.chdir(tmp_path / "h")
    photos = ("upright.jpg", "grey.png")
    same = ("--weights", "same")
    assert run("deblur", *photos, *same)[0] == 0
    before = {path: path.read_bytes() for path in Path("deblurred").iterdir()}
    for options, kind in (
        ((*same, "--ensemble"), "results of same (one view, the generator alone)"),
        (("--weights", "gan", "--no-motion"), "results of same (one view, the generator alone)"),
    ):
        code, out, err = run("deblur", *photos, *options)
        assert code == 1 and "0 of 2 photos are restored" in out
        assert f"2 photos are not restored, because in their places there are {kind}" in err
        assert "(deblurred/upright.jpg, deblurred/grey.png); --overwrite replaces them" in err
    assert {path: path.read_bytes() for path in Path("deblurred").iterdir()} == before
    code, out, err = run("deblur", *photos, *same, "--ensemble", "--overwrite")
    assert (code, err) == (0, "") and "2 of 2 photos are restored" in out
    assert all(path.read_bytes() != content for path, content in before.items())
    # Results are not restored again, whatever is asked for.
    code, out, err = run("deblur", ".", *same, "-o", "again")
    assert (code, err) == (0, "") and "3 of 3 photos are restored" in out
    assert "results of deblurgan" in out and ": 2 (deblurred/" in out


def test_one_photo_may_become_a_file(run, holiday, tmp_path):
    for name in ("sharp.jpg", "there/sharp.heic"):
        code, out, _ = run(
            "deblur", holiday / "alpha.png", "--weights", "same", "-o", tmp_path / name
        )
        assert code == 0 and f"1 of 1 photos are restored in {tmp_path / name}." in out
        assert read_photo(tmp_path / name).shape == (200, 240, 3)
    code, _, err = run("deblur", holiday, "--weights", "same", "-o", tmp_path / "sharp.jpg")
    assert code == 1 and "sharp.jpg is one file, and there are 3 photos" in err


def test_a_long_name_and_a_bad_photo_stop_nothing_on_any_run(run, holiday, tmp_path):
    shutil.copy(holiday / "grey.png", holiday / ("照" * 83 + ".png"))
    (holiday / "bad.jpg").write_bytes(b"no image")
    for restored, there in ((4, 0), (0, 4)):
        code, out, err = run("deblur", holiday, "--weights", "same", "-o", tmp_path / "o")
        assert code == 1 and f"{restored} of 5 photos are restored" in out
        assert ("4 were already there" in out) == bool(there)
        assert "1 of 5 photos were not restored" in err


def test_printing_never_fails_for_the_letters_of_a_name(tmp_path):
    (tmp_path / "空").mkdir()
    command = [sys.executable, "-m", "deblurgan_lib", "deblur", "空", "写真.jpg", b"\xff.jpg"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, env=environment)
    assert done.returncode == 1 and b"Traceback" not in done.stderr
    assert done.stdout.startswith(b"0 of 3 photos are restored in deblurred.")
    assert b"no photo \\u5199\\u771f.jpg" in done.stderr


def test_the_home_folder_is_found_where_no_shell_did_it(run, tmp_path, monkeypatch, photo):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_photo(tmp_path / "p.png", photo[:20, :20])
    assert run("deblur", "~/p.png", "--weights", "same", "--output=~/out")[0] == 0
    assert (tmp_path / "out" / "p.png").is_file()
    assert "no folder" in run("evaluate", "--data=~/out", "--weights", "same")[2]


def test_no_photo_is_ever_overwritten(run, holiday):
    Image.open(holiday / "grey.png").save(holiday / "grey.gif")
    before = {path: path.read_bytes() for path in holiday.iterdir()}
    for photo, output, name in (
        ("alpha.png", holiday, "alpha.png"),
        ("grey.gif", holiday, "grey.png"),
        ("alpha.png", holiday / "grey.png", "grey.png"),
    ):
        for options in ((), ("--overwrite",)):
            code, _, err = run(
                "deblur", holiday / photo, "--weights", "same", "-o", output, *options
            )
            assert code == 1
            assert f"would overwrite {name}" in err
    assert {path: path.read_bytes() for path in holiday.iterdir()} == before


def bad_commands():
    return {
        "a missing photo": ("deblur nowhere.png --weights same -o OUT", "no photo nowhere.png"),
        "an empty folder": ("deblur EMPTY --weights same -o OUT", "no photos to restore in"),
        "unknown weights": ("deblur PHOTO --weights other -o OUT", "finished runs: same"),
        "an output that is a file": ("deblur PHOTO --weights same -o PHOTO", "photo.png"),
        "a missing data folder": ("train --data nowhere --run-name r", "no data folder 'nowhere'"),
        "an empty data folder": ("train --data EMPTY --run-name r", "no folder"),
        "a cache of nothing": ("cache nowhere", "no data folder 'nowhere'"),
        "a cache without pairs": ("cache EMPTY", "no folder"),
        "an unknown recipe": ("train --data DATA --recipe x --run-name r", "no recipe 'x'"),
        "an unknown profile": ("train --data DATA --profile x --run-name r", "no profile 'x'"),
        "an unknown precision": (
            "train --data DATA --precision half --run-name r",
            "no precision 'half'",
        ),
        "a path as run name": ("train --data DATA --run-name ../r", "run name '../r'"),
        "too small photos": ("train --data DATA --profile sample --run-name r", "smaller than"),
        "no such set of GOPRO": ("download gopro --set huge --to OUT", "no set 'huge'"),
        "an archive that is none": ("download gopro --zip PHOTO --to OUT", "is not the archive"),
        "a split of nothing": ("split nowhere --to OUT", "no folder train or test in nowhere"),
        "a split of a photo": ("split PHOTO --to OUT", "photo.png is damaged"),
        "an unknown blur": ("split EMPTY --to OUT --blur x", "no blur 'x'"),
        "frames without a middle": ("split EMPTY --to OUT --frames 8", "8 frames are not"),
        "weights for nothing": ("evaluate --data DATA --weights nowhere.keras", "no file"),
    }


@pytest.mark.parametrize("case", bad_commands())
def test_bad_input_ends_in_one_sentence(run, data_set, tmp_path, photo, case, runs):
    command, expected = bad_commands()[case]
    write_photo(tmp_path / "photo.png", photo)
    (tmp_path / "empty").mkdir()
    places = {
        "DATA": data_set,
        "EMPTY": tmp_path / "empty",
        "PHOTO": tmp_path / "photo.png",
        "OUT": tmp_path / "out",
    }
    code, _, err = run(*(places.get(word, word) for word in command.split()))
    assert code == 1
    assert expected in err
    assert "Traceback" not in err
    lines = [line for line in err.splitlines() if line.startswith("deblurgan: ")]
    assert 1 <= len(lines) <= 2
    shutil.rmtree(runs / "r", ignore_errors=True)


def test_an_archive_becomes_pairs(run, tmp_path, photo):
    write_photo(tmp_path / "frame.png", photo[:24, :32])
    with zipfile.ZipFile(tmp_path / "GOPRO_Large.zip", "w") as archive:
        for side in ("blur", "blur_gamma", "sharp"):
            archive.write(tmp_path / "frame.png", f"train/SCENE/{side}/000001.png")
    archive, to = tmp_path / "GOPRO_Large.zip", tmp_path / "gopro"
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    code, out, _ = run("download", "gopro", "--zip", archive, "--sha256", digest, "--to", tmp_path)
    assert (code, out) == (0, f"{archive} is there and verified.\n")
    code, _, err = run("split", archive, "--to", to)
    assert code == 1
    assert "train has 1 of 2103 pairs" in err and "--partial" in err
    code, out, _ = run("split", archive, "--to", to, "--blur", "blur_gamma", "--partial")
    assert code == 0
    assert f"{to} holds the pairs" in out
    assert [path.name for path in (to / "train" / "A").iterdir()] == ["SCENE_000001.png"]
    code, _, _ = run("split", tmp_path / "GOPRO_Large", "--to", tmp_path / "again", "--partial")
    assert code == 0


@pytest.mark.slow
def test_train_and_evaluate(run, data_set, runs):
    code, out, _ = run(
        "train", "--data", data_set, "--profile", "smoke", "--epochs", 1, "--run-name", "made"
    )
    assert code == 0
    assert "blurred" in out and "Crops come" not in out
    assert (runs / "made" / "generator.keras").is_file()
    code, again, _ = run("evaluate", "--data", data_set, "--weights", "made", "--no-motion")
    assert code == 0
    assert again.splitlines()[0] == "Restored by made: one view, the generator alone."
    assert again.splitlines()[1:5] == out.splitlines()[-5:-1]
    options = "--profile", "smoke", "--epochs", 1, "--run-name", "made"
    code, _, err = run("train", "--data", data_set, *options, "--precision", "mixed_float16")
    assert code == 1
    assert "precision was" in err and "is now 'mixed_float16'" in err


@pytest.mark.slow
def test_evaluate_scores_what_deblur_makes(run, tmp_path, shaken):
    blurred, sharp = shaken
    for side, picture in (("A", blurred), ("B", sharp)):
        (tmp_path / side).mkdir()
        write_photo(tmp_path / side / "p.png", picture)
    generator = restoration.load(restoration.DEFAULT)
    for options, method in (((), restoration.deblur), (("--no-motion",), restoration.restore)):
        out = run("evaluate", "--data", tmp_path, *options)[1]
        psnr = evaluation.psnr(sharp, method(generator, blurred, bar=False))
        assert f"restored  {psnr:8.2f}" in out


@pytest.mark.slow
def test_pairs_that_were_decoded_once_are_what_training_reads(run, data_set, runs):
    options = ("--profile", "smoke", "--epochs", 1)
    code, out, _ = run("cache", data_set)
    pixels = data_set / "train" / "decoded.raw"
    assert (code, pixels.stat().st_size) == (0, 2 * 2 * 96 * 128 * 3)
    assert "the 2 pairs of" in out and f"{pixels} is complete" in out
    code, after, _ = run("train", "--data", data_set, *options, "--run-name", "decoded")
    assert code == 0
    assert after.count(f"Crops come from the decoded photographs in {pixels}.") == 1


@pytest.mark.slow
def test_the_module_is_the_command(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "deblurgan_lib",
            "deblur",
            "nowhere.png",
            "--weights",
            "x",
            "-o",
            "o",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
