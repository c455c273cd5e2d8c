"""Widgets: what they show answers to their values; the browser tests look at the rest."""

import io

import numpy as np
import PIL.Image
import pytest

from deblurgan_lib import widgets

BEFORE = np.full((40, 60, 3), 60, np.uint8)
AFTER = np.full((40, 60, 3), 200, np.uint8)


def shown(slider_box):
    with PIL.Image.open(io.BytesIO(slider_box.children[0].value)) as picture:
        return np.array(picture).astype(int)


def test_the_line_follows_the_slider():
    box = widgets.before_after_slider(BEFORE, AFTER)
    slider = box.children[1].children[0]
    for value, columns in ((0, 0), (50, 30), (100, 60)):
        slider.value = value
        picture = shown(box)
        assert abs(picture[:, : max(columns - 8, 0)] - 60).max(initial=0) < 4
        assert abs(picture[:, columns + 8 :] - 200).max(initial=0) < 4


def png(photo):
    buffer = io.BytesIO()
    PIL.Image.fromarray(photo).save(buffer, "PNG")
    return buffer.getvalue()


def upload(name, content, version):
    """A file as ipywidgets 7 or 8 hands it over."""
    if version == 7:
        return {name: {"metadata": {"name": name}, "content": content}}
    return ({"name": name, "content": memoryview(content)},)


class Button:
    """What `restore_upload` uses of a FileUpload, which cannot be filled from Python in both."""

    def __init__(self, **options):
        self.value = ()

    def observe(self, function, name):
        self.function = function

    def choose(self, value):
        self.value = value
        self.function({"new": value})


@pytest.fixture
def page(monkeypatch):
    """The upload page over a restoration that brightens, and the button that it made."""
    made = []
    monkeypatch.setattr(
        widgets.ipywidgets, "FileUpload", lambda **o: made.append(Button()) or made[0]
    )
    monkeypatch.setattr(widgets.ipywidgets, "VBox", Box)
    box = widgets.restore_upload(lambda photo: np.minimum(photo, 155) + 100)
    return box, made[0]


class Box:
    def __init__(self, children=()):
        self.children = children


@pytest.mark.parametrize("version", [7, 8])
def test_an_uploaded_photo_is_shown_before_and_after(page, version):
    (_, said, result), choose = page[0].children, page[1].choose
    choose(upload("holiday.png", png(BEFORE), version))
    assert said.value == "holiday.png, 60x40 pixels."
    picture = shown(result.children[0])
    assert abs(picture[:, :20] - 60).max() < 4 and abs(picture[:, 40:] - 160).max() < 4


def test_a_large_photo_is_made_smaller_and_said_so(page):
    (_, said, result), choose = page[0].children, page[1].choose
    choose(upload("large.png", png(np.zeros((1000, 2560, 3), np.uint8)), 8))
    assert said.value == "large.png, 1280x500 pixels, made smaller from 2560x1000."
    assert shown(result.children[0]).shape == (500, 1280, 3)


def test_what_is_no_photo_gets_a_sentence(page):
    (_, said, result), choose = page[0].children, page[1].choose
    choose(upload("notes.txt", b"not a picture", 8))
    assert said.value == "notes.txt is not a photograph that can be read; try a JPEG."
    assert result.children == ()
    choose(())
