import dataclasses
import io
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny
from PIL import Image

from deblurgan_lib import figures, machine, paths, restoration, training
from deblurgan_lib.data import find_data
from deblurgan_lib.data.pairs import find_pairs
from deblurgan_lib.errors import CourseError
from deblurgan_lib.evaluation import psnr
from deblurgan_lib.notebook import course, show, show_source, widgets
from deblurgan_lib.notebook import display as displaying
from deblurgan_lib.photos import read_photo
from deblurgan_lib.restoration import restore
from deblurgan_lib.training import loop, profiles, recipes
from deblurgan_lib.training.gan import DeblurGAN


def test_auto_chooses_by_environment_then_by_device(monkeypatch):
    monkeypatch.setenv("DEBLURGAN_PROFILE", "smoke")
    assert profiles.choose("auto", gpu=True) == profiles.PROFILES["smoke"]
    monkeypatch.delenv("DEBLURGAN_PROFILE")
    assert profiles.choose("auto", gpu=True) == profiles.PROFILES["colab"]
    assert profiles.choose("auto", gpu=False) == profiles.PROFILES["sample"]
    assert profiles.choose("full", gpu=False) == profiles.PROFILES["full"]


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(CourseError, match="auto, smoke, sample, overnight, refine, colab, full"):
        profiles.choose("huge", gpu=False)
    with pytest.raises(CourseError, match="tutorial, paper, course"):
        recipes.choose("mine")


def test_start_says_what_there_is(capsys, monkeypatch):
    monkeypatch.setenv("DEBLURGAN_PROFILE", "smoke")
    machine = course.start()
    printed = capsys.readouterr().out
    assert machine.profile == "smoke"
    assert machine.sizes is profiles.PROFILES["smoke"]
    assert "Keras 3." in printed and "'smoke'" in printed


@pytest.mark.parametrize(
    ("package", "said"),
    [
        ("numpy>=1", "ok    all is as the course needs it"),
        ("no-such-package>=1", "LOOK  no-such-package is missing - pip install"),
    ],
)
def test_checking_the_machine_prints_what_is_wrong(package, said, capsys, monkeypatch):
    monkeypatch.setattr(machine, "requirements", lambda: (">=3", [package]))
    course.check_machine()
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith(said) and "deblurgan check" in last


def test_the_map_shows_every_lesson_and_marks_one(monkeypatch):
    shown = []
    monkeypatch.setattr(course, "show", lambda fig, alt: shown.append((fig, alt)))
    course.start("smoke")
    assert not shown
    for number, name in (("01", "GAN basics"), ("08", "Modern critics"), ("10", "At scale")):
        course.start("smoke", lesson=number)
        fig, alt = shown.pop()
        assert alt.endswith(f"you are in {number}, {name}.")
        texts = {text.get_text(): text for text in fig.axes[0].texts}
        marked = {word for word, text in texts.items() if text.get_weight() == "bold"}
        assert marked == {number, name, "you are here"}
        lessons = sorted((paths.home() / "notebooks").glob("[0-9][0-9]_*.ipynb"))
        assert {path.name[:2] for path in lessons} == {word for word in texts if word.isdigit()}
        for path in lessons:
            title = path.stem[3:].replace("_", " ")
            assert title in {word.lower().replace("\n", " ") for word in texts}, title
        low, high = fig.axes[0].get_xlim()
        for line in fig.axes[0].lines:  # Half a unit beside each: no station is cut off.
            assert low + 0.5 <= min(line.get_xdata()) and max(line.get_xdata()) <= high - 0.5


def test_folders(monkeypatch, tmp_path, data_set):
    assert (paths.home() / "deblurgan_lib").is_dir()
    monkeypatch.setenv("DEBLURGAN_RUNS", str(tmp_path / "drive"))
    assert paths.runs_folder() == tmp_path / "drive"
    monkeypatch.delenv("DEBLURGAN_RUNS")
    assert paths.runs_folder() == paths.home() / "runs"
    assert find_data(str(data_set)) == data_set
    with pytest.raises(CourseError, match="no data folder 'gorpo'"):
        find_data("gorpo")


def test_show_source_shows_the_librarys_own_text(monkeypatch):
    shown = []
    monkeypatch.setattr(displaying, "display", shown.append)
    show_source(DeblurGAN.train_step)
    assert "def train_step(self, data):" in shown[0].data
    assert shown[0].data.startswith("```python\ndef")


def test_the_busiest_square_is_where_the_detail_is():
    photo = np.zeros((90, 120, 3), np.uint8)
    photo[50:70:2, 80:100] = 255
    top, left, size = figures.busiest_square(photo)
    assert size == 30
    assert top <= 50 and top + size >= 69
    assert left <= 80 and left + size >= 99


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_figures_become_pictures(photo, kind):
    fig = figures.before_after(photo, photo, photo, ("20 dB", "21 dB"))
    picture = Image.open(io.BytesIO(figures.image_bytes(fig, kind)))
    assert picture.format.lower() == kind
    assert picture.width > 600


def test_show_stores_the_alt_text_and_replaces_in_place(photo, monkeypatch):
    class Handle:
        def update(self, image):
            self.image = image

    shown = []
    monkeypatch.setattr(displaying, "display", lambda x, **k: shown.append(x) or Handle())
    handle = show(figures.photo_grid([{"a": photo}]), "a photograph")
    assert shown[0].metadata == {"alt": "a photograph"}
    assert show(figures.photo_grid([{"b": photo}]), "another", handle=handle) is handle
    assert handle.image.metadata == {"alt": "another"}


def test_curves_can_be_drawn_at_any_moment():
    row = {"epoch": 0, "val_psnr": 27.0, "pixel": 0.1, "critic": 0.0, "penalty": 0.0}
    for rows in ([row], [row, {**row, "epoch": 1, "critic": -0.5, "penalty": 0.2}]):
        assert figures.image_bytes(figures.training_curves(rows, 26.0), "png")


def test_the_real_frames_beside_the_project_are_pairs():
    """Real GOPRO frames, where they are at hand: `A` is the folder `blur`, `B` is `sharp`."""
    frames = Path(paths.home()).parent / "shared" / "real_pairs" / "GOPRO_Large" / "test"
    if not frames.is_dir():
        pytest.skip("there are no real frames beside the project")
    for scene in frames.iterdir():
        blurred, sharp = (next((scene / side).iterdir()) for side in ("blur", "sharp"))
        assert 15 < psnr(read_photo(sharp), read_photo(blurred)) < 35


@pytest.mark.slow
def test_live_training_draws_what_is_scored(data_set, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(displaying, "display", lambda x, **k: drawn.append(x) or FakeHandle(drawn))
    pair = find_pairs(data_set / "test")[0]
    live = widgets.LiveTraining(tmp_path / "live", [pair])
    run = training.train("live", data_set, tmp_path, callbacks=(live,), **tiny.OPTIONS)
    assert len(drawn) == 2 * len(run.metrics)
    expected = restore(restoration.load(run.generator), read_photo(pair.blurred)).astype(int)
    assert np.abs(expected - live.restored).max() <= 2


class FakeHandle:
    def __init__(self, drawn):
        self.drawn = drawn

    def update(self, image):
        self.drawn.append(image)


@pytest.mark.parametrize(("data", "profile"), [("sample", "sample"), ("gopro", "colab")])
def test_a_gpu_does_not_train_for_hours_on_five_photographs(data, profile, monkeypatch):
    import tensorflow as tf

    monkeypatch.delenv("DEBLURGAN_PROFILE")
    gpu = tf.config.PhysicalDevice("/physical_device:GPU:0", "GPU")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [gpu])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: {})
    assert course.start("auto", data).profile == profile


@pytest.mark.parametrize(("built_in", "name"), [(True, "sample"), (False, "colab")])
def test_nor_does_training_without_a_lesson(built_in, name, monkeypatch, data_set, tmp_path):
    monkeypatch.delenv("DEBLURGAN_PROFILE")
    gpu = loop.tf.config.PhysicalDevice("/physical_device:GPU:0", "GPU")
    monkeypatch.setattr(loop.tf.config, "list_physical_devices", lambda kind: [gpu])
    monkeypatch.setattr(loop, "is_complete", lambda folder: built_in)
    small = profiles.PROFILES["smoke"]
    for epochs, known in enumerate(("sample", "colab"), start=5):
        monkeypatch.setitem(profiles.PROFILES, known, dataclasses.replace(small, epochs=epochs))
    monkeypatch.setattr(loop, "find_pairs", lambda folder: [])
    chosen = []
    monkeypatch.setattr(training.Run, "begin", lambda run, config: chosen.append(config["profile"]))
    with pytest.raises(CourseError, match="config.json is not there"):
        training.train("", data_set, tmp_path, precision="float32")
    assert chosen == [name]


def test_drive_is_used_when_it_is_mounted_and_missed_when_it_is_not(monkeypatch, capsys, tmp_path):
    monkeypatch.delenv("DEBLURGAN_RUNS")
    monkeypatch.setitem(sys.modules, "google.colab", None)
    course.start()
    assert "Google Drive is not mounted" in capsys.readouterr().out
    monkeypatch.setattr(paths, "DRIVE", tmp_path)
    course.start()
    assert f"kept on Google Drive, in {tmp_path / 'deblurgan'}" in capsys.readouterr().out
    assert paths.runs_folder() == tmp_path / "deblurgan" / "runs"
    monkeypatch.setenv("DEBLURGAN_RUNS", "elsewhere")
    assert paths.runs_folder() == Path("elsewhere")
