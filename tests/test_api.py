"""`from deblurgan_lib import deblur`: for a file, a PIL image or an array, from any folder."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import deblurgan_lib
from deblurgan_lib import deblur
from deblurgan_lib.errors import CourseError
from deblurgan_lib.photos import read_photo, write_photo

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def same(runs, monkeypatch):
    """Options that leave the photograph as it is."""
    monkeypatch.setenv("DEBLURGAN_RUNS", str(runs))
    return {"weights": "same", "motion": False}


@pytest.mark.slow
def test_the_lines_in_the_readme_run_in_an_empty_folder(tmp_path, monkeypatch, photo):
    monkeypatch.chdir(tmp_path)
    write_photo(Path("photo.jpg"), photo[:64, :64])
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(code, {})
    sharp = read_photo(Path("sharp.jpg"))
    assert sharp.shape == (64, 64, 3) and not np.array_equal(sharp, read_photo(Path("photo.jpg")))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.jpg", "sharp.jpg"]


def test_a_file_becomes_an_image_that_keeps_what_the_file_holds(tmp_path, photo, same):
    exif = Image.Exif()
    exif[0x0112], exif[0x0110] = 6, "a camera"
    Image.fromarray(photo).save(tmp_path / "p.png", exif=exif)
    for path in (tmp_path / "p.png", str(tmp_path / "p.png")):
        sharp = deblur(path, **same)
        np.testing.assert_array_equal(np.array(sharp), np.rot90(photo, -1))
    sharp.save(tmp_path / "q.png", exif=sharp.info["exif"])
    with Image.open(tmp_path / "q.png") as image:
        assert image.getexif()[0x0110] == "a camera" and 0x0112 not in image.getexif()


def test_images_and_arrays_become_their_like(photo, same):
    grey, alpha = Image.fromarray(photo[..., 0]), Image.fromarray(np.dstack([photo, photo[..., 0]]))
    for image in (Image.fromarray(photo), grey, alpha):
        sharp = deblur(image, **same)
        assert sharp.mode == image.mode
        np.testing.assert_array_equal(np.array(sharp), np.array(image))
    for array in (photo, photo[..., 0]):
        sharp = deblur(array, **same)
        assert sharp.dtype == np.uint8
        np.testing.assert_array_equal(sharp, array)


def test_the_generator_is_loaded_once(photo, same, monkeypatch):
    from deblurgan_lib.restoration import api

    loaded = []
    monkeypatch.setattr(api, "load", lambda *args, **kw: loaded.append(args) or load(*args, **kw))
    load, _ = deblurgan_lib.restoration.load, api._generator.cache_clear()
    for _ in range(2):
        deblur(photo[:16, :16], **same)
    assert len(loaded) == 1


@pytest.mark.parametrize(
    "array", [np.zeros((9, 9, 3)), np.zeros((9, 9, 4), np.uint8), np.zeros(9, np.uint8)]
)
def test_what_is_no_photo_gets_a_sentence(array, same):
    with pytest.raises(CourseError, match=r"array of .* give uint8 \(H, W, 3\)"):
        deblur(array, **same)
    with pytest.raises(CourseError, match=r"no photo nowhere.jpg"):
        deblur("nowhere.jpg", **same)
