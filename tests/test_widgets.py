"""Widgets: what they show answers to their values; the browser tests look at the rest."""

import base64
import html
import io
import re
import sys
from functools import partial

import ipywidgets
import keras
import numpy as np
import PIL.Image
import pytest
import traitlets
from matplotlib.figure import Figure
from PIL import ImageCms

from deblurgan_lib import cli, restoration
from deblurgan_lib.notebook import widgets
from deblurgan_lib.photos import MARKED, read_mark, read_with_metadata
from deblurgan_lib.progress import progress
from deblurgan_lib.restoration import restore_file

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


def test_the_picture_keeps_its_colour_profile():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for given in (profile, None):
        picture = widgets.before_after_slider(BEFORE, AFTER, given).children[0].value
        assert PIL.Image.open(io.BytesIO(picture)).info.get("icc_profile") == given


def test_the_picture_slider_draws_what_is_chosen():
    drawn = []

    def draw(number):
        drawn.append(number)
        fig = Figure((1, 1))
        fig.text(0.5, 0.5, str(number))
        return fig

    box = widgets.picture_slider(draw, 3, "moment")
    picture, slider = box.children
    first = picture.value
    slider.value = 2
    assert drawn == [0, 2] and picture.value != first and slider.max == 2
    with PIL.Image.open(io.BytesIO(picture.value)) as image:
        assert image.format == "PNG"


def test_the_figure_follows_each_of_its_sliders():
    drawn = []

    def draw(*values):
        drawn.append(values)
        fig = Figure((1, 1))
        fig.text(0.1, 0.5, " ".join(str(value) for value in values))
        return fig

    box = widgets.figure_sliders(draw, {"length": (2, 40, 12, 1), "pull": (0, 0.7, 0, 0.05)})
    picture, length, pull = box.children
    assert [slider.description for slider in (length, pull)] == ["length", "pull"]
    pictures = [picture.value]
    for slider, value in ((length, 20), (pull, 0.5), (length, 99)):
        slider.value = value
        pictures.append(picture.value)
    assert drawn == [(12, 0), (20, 0), (20, 0.5), (40, 0.5)]
    assert len(set(pictures)) == 4
    with PIL.Image.open(io.BytesIO(picture.value)) as image:
        assert image.format == "JPEG"


def file(photo, kind="PNG", **options):
    buffer = io.BytesIO()
    PIL.Image.fromarray(photo).save(buffer, kind, **options)
    return buffer.getvalue()


def upload(name, content, version):
    """A file as ipywidgets 7 or 8 hands it over."""
    if version == 7:
        return {name: {"metadata": {"name": name}, "content": content}}
    return ({"name": name, "content": memoryview(content)},)


class Button(ipywidgets.Button):
    """What `restore_upload` uses of a FileUpload, which cannot be filled from Python in both."""

    value = traitlets.Any(())

    def __init__(self, **options):
        super().__init__(description=options["description"])


def brighter(by):
    """A generator that makes every pixel brighter by so many grey levels."""
    picture = keras.Input((None, None, 3))
    return keras.Model(picture, keras.layers.Rescaling(1.0, by / 127.5)(picture))


@pytest.fixture
def page(monkeypatch):
    """The upload page with two generators."""
    monkeypatch.setattr(widgets.ipywidgets, "FileUpload", Button)
    return widgets.restore_upload({"much": brighter(100), "little": brighter(10)})


def choose(page, name, content, version=8):
    page.children[0].children[0].value = upload(name, content, version)


def said(page):
    return html.unescape(page.children[1].value)


def saved(page):
    """Name, kind and content of the file that the link saves."""
    link = page.children[2].children[0].value
    name, kind, data, text = re.fullmatch(
        r'<a [^>]*download="([^"]+)" href="data:([^;]+);base64,([^"]+)">([^<]+)</a>', link
    ).groups()
    assert text == f"Save {name}"
    return html.unescape(name), kind, base64.b64decode(data)


@pytest.mark.parametrize("version", [7, 8])
def test_an_uploaded_photo_is_shown_before_and_after(page, version):
    choose(page, "holiday.png", file(BEFORE), version)
    assert said(page) == "holiday.png, 60x40 pixels."
    picture = shown(page.children[2].children[1])
    assert abs(picture[:, :20] - 60).max() < 4 and abs(picture[:, 40:] - 160).max() < 4


def test_another_choice_restores_the_same_photo_anew_and_lets_go_of_the_old(page):
    choice = page.children[0].children[1]
    choice.value = "little"
    assert page.children[2].children == ()  # There is nothing yet to restore.
    choose(page, "holiday.png", file(BEFORE))
    link, slider = page.children[2].children
    old = [link, slider, *slider.children, *slider.children[1].children]
    assert all(widget.comm for widget in old)
    choice.value = "much"
    assert (shown(page.children[2].children[1])[:, 40:] > 155).all()
    assert not any(widget.comm for widget in old)


def test_one_generator_leaves_no_choice():
    top = widgets.restore_upload({"only": brighter(1)}).children[0]
    assert [type(child).__name__ for child in top.children] == ["FileUpload"]


def test_a_large_photo_is_restored_in_its_size_and_shown_smaller(page):
    choose(page, "large.png", file(np.zeros((200, 2560, 3), np.uint8)))
    assert said(page) == "large.png, 2560x200 pixels, shown smaller."
    assert shown(page.children[2].children[1]).shape == (100, 1280, 3)
    with PIL.Image.open(io.BytesIO(saved(page)[2])) as picture:
        assert picture.size == (2560, 200)


@pytest.mark.parametrize(
    ("name", "kind", "mime"),
    [
        ('a "b" <i>&.JPG', "JPEG", "image/jpeg"),
        ("holiday.webp", "WEBP", "image/webp"),
        ("moving.gif", "GIF", "image/png"),
        ("without", "PNG", "image/png"),
    ],
)
def test_what_is_saved_is_what_the_command_line_writes(
    page, monkeypatch, tmp_path, name, kind, mime
):
    exif = PIL.Image.Exif()
    exif[0x0112], exif[0x0110] = 6, "a camera"
    content = file(BEFORE, kind, **({} if kind == "GIF" else {"exif": exif}))
    choose(page, name, content)

    (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(restoration, "load", lambda *_, **__: brighter(100))
    assert cli.main(["deblur", str(tmp_path / name), "-o", str(tmp_path / "out")]) == 0
    (written,) = (tmp_path / "out").iterdir()
    link, its_kind, its_content = saved(page)
    assert (link, its_kind) == (written.name, mime)
    (tmp_path / "saved").write_bytes(its_content)
    for path in (tmp_path / "saved", written):
        assert read_mark(path).startswith("deblurgan ")
    (one, its_meta), (other, meta) = map(read_with_metadata, (tmp_path / "saved", written))
    np.testing.assert_array_equal(one, other)
    assert without_mark(its_meta.options) == without_mark(meta.options)


def without_mark(options):
    """The mark of the command line says more than the page knows."""
    exif = PIL.Image.Exif()
    exif.load(options.get("exif", b""))
    return options | {"exif": {k: v for k, v in exif.items() if k != MARKED}}


def test_a_file_with_more_than_one_picture_is_said_to_have_it(page):
    more = [PIL.Image.fromarray(AFTER)]
    choose(page, "pages.tif", file(BEFORE, "TIFF", save_all=True, append_images=more))
    assert said(page).endswith("60x40 pixels. The file holds 1 more picture, which is left out.")


def test_no_preview_of_a_raw_file_is_shown(page):
    choose(page, "DSC_0001.NEF", file(BEFORE, "TIFF"))
    assert said(page).startswith("DSC_0001.NEF is a camera raw file, which must be developed first")


def test_progress_is_shown_while_it_works(page, monkeypatch):
    def restore_slowly(generator, photo, bar=True):
        for total in (2, 5):
            with progress("searching", total) as shown:
                for _ in range(total):
                    seen.append((bar_of_page.description, bar_of_page.value, bar_of_page.max))
                    shown.update()
        assert bar_of_page.layout.display is None
        return photo

    bar_of_page, seen = page.children[3], []
    monkeypatch.setattr(widgets, "restore_file", partial(restore_file, method=restore_slowly))
    choose(page, "holiday.png", file(BEFORE))
    assert seen == [("searching", i, total) for total in (2, 5) for i in range(total)]
    assert bar_of_page.layout.display == "none"


def test_the_label_after_fits_beside_the_slider_at_any_width():
    box = widgets.before_after_slider(
        np.zeros((40, 1280, 3), np.uint8), np.ones((40, 1280, 3), np.uint8)
    )
    row = box.children[1]
    slider, label = row.children
    assert row.layout.max_width == "100%"  # Both share what the page has; the slider gives way.
    assert slider.layout.flex == "1 1 auto" and slider.layout.min_width == "0"
    assert label.layout.flex == "0 0 auto"


def test_a_result_that_is_too_large_for_a_page_gets_a_sentence(page, monkeypatch):
    monkeypatch.setattr(widgets, "LARGEST_RESULT", 0)
    choose(page, "large.png", file(BEFORE))
    assert "The restored large.png has 0 MB, more than a page can save" in said(page)
    assert page.children[2].children == ()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"not a picture", "<b>.jpg is not an image that can be read; is it complete?"),
        (b"    ftypheic", "<b>.jpg is not an image that can be read; is it complete?"),
        (file(BEFORE)[:90], "<b>.jpg is a broken image ("),
    ],
)
def test_what_is_no_photo_gets_a_sentence_and_the_next_one_is_restored(page, content, sentence):
    choose(page, "<b>.jpg", content)
    assert said(page).startswith(sentence) and page.children[1].value.startswith("&lt;b&gt;.jpg")
    assert page.children[2].children == ()
    choose(page, "holiday.png", file(BEFORE))
    assert said(page) == "holiday.png, 60x40 pixels."


def test_restoring_is_said_and_a_failure_does_not_look_like_it(page, monkeypatch):
    def fails(*_, **__):
        assert said(page) == "Restoring holiday.png ..."
        assert page.children[0].children[0].disabled
        raise MemoryError

    monkeypatch.setattr(widgets, "restore_file", fails)
    with pytest.raises(MemoryError):
        choose(page, "holiday.png", file(BEFORE))
    assert said(page) == "holiday.png could not be restored (MemoryError)."
    assert not page.children[0].children[0].disabled


def test_the_page_says_before_how_much_arrives(page, monkeypatch):
    assert said(page).startswith("Up to 10 MB")
    monkeypatch.setenv("DEBLURGAN_UPLOAD_MB", "50")
    assert widgets.largest_upload() == 50
    monkeypatch.setitem(sys.modules, "google.colab", None)
    assert widgets.largest_upload() == 1
