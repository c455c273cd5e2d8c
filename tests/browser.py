"""Seven lessons in a real JupyterLab, the app in Voila, a real browser: `make test-browser`.

Not collected by `make test`: it needs Chromium and Playwright, which the command installs.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms
from playwright.sync_api import sync_playwright
from skimage import data as photographs

from deblurgan_lib import cli, restoration
from deblurgan_lib.photos import read_photo
from deblurgan_lib.restoration import weights

ROOT = Path(__file__).resolve().parent.parent
LESSONS = ROOT / "notebooks"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
TOKEN = "for-this-test-only"
MINUTES = 60_000  # In milliseconds, as Playwright counts.


@contextlib.contextmanager
def serve(target, folder, options, answers):
    """What `make TARGET` starts, as a server of this environment, for a copy of the notebooks.

    Args:
        target: lab or app.
        folder: the working folder; the notebooks are copied into it.
        options: for the server.
        answers: the path that the server answers as soon as it runs.
    """
    shutil.copytree(LESSONS, folder / "notebooks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # The environment is there and stays as it is: only the server is started.
    command = ["make", "-f", ROOT / "Makefile", f"BIN={Path(sys.executable).parent}"]
    command += ["-o", ".venv/.ready", target, f"OPTIONS=--no-browser --port={port} {options}"]
    environment = {
        **os.environ,
        "DEBLURGAN_PROFILE": "smoke",
        "DEBLURGAN_RUNS": str(folder / "runs"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
    }
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(address + answers, timeout=5)
                break
            except OSError:
                time.sleep(0.5)
        else:
            pytest.fail((folder / "log").read_text())
        yield address
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The address of a JupyterLab that shows a copy of the lessons."""
    folder = tmp_path_factory.mktemp("lab")
    settings = folder / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    # Every cell stays in the page, not only those in view, so that all can be looked at.
    options = {"windowingMode": "none", "autoStartDefaultKernel": True}
    (settings / "tracker.jupyterlab-settings").write_text(json.dumps(options))
    options = f"--allow-root --IdentityProvider.token={TOKEN}"
    with serve("lab", folder, options, f"/api/status?token={TOKEN}") as address:
        yield address


@pytest.fixture
def app(tmp_path, browser):
    """The page of the app, as Voila shows it."""
    # Kernels are asked for by the page; a path that is none of its own starts no kernel.
    with serve("app", tmp_path, "", "/voila/static/voila.js") as address:
        page = browser.new_page(viewport={"width": 1100, "height": 1000})
        page.goto(address, timeout=2 * MINUTES)
        yield page
        page.close()


@pytest.fixture(scope="module")
def browser():
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert path, f"None of {', '.join(BROWSERS)} is installed; make test-browser does it."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(
    params=[
        "00_start_here",
        "01_gan_basics",
        "02_gopro_data",
        "03_generator_and_critic",
        "04_losses",
        "06_results",
        "09_one_camera_motion",
    ]
)
def lesson(request, lab, browser):
    """A lesson after `Run All Cells`."""
    page = browser.new_page(viewport={"width": 1300, "height": 1000})
    page.goto(f"{lab}/lab/tree/{request.param}.ipynb?token={TOKEN}&reset", timeout=2 * MINUTES)
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=2 * MINUTES)
    page.wait_for_selector("text=Python 3 (ipykernel) | Idle", timeout=2 * MINUTES)
    page.click(".lm-MenuBar-itemLabel:text-is('Run')")
    page.click(".lm-Menu-itemLabel:text-is('Run All Cells')")
    waiting = "() => [...document.querySelectorAll('.jp-InputPrompt')].filter(%s).length"
    page.wait_for_function(waiting % "e => e.textContent.includes('*')", timeout=MINUTES)
    deadline = time.monotonic() + 300
    while page.evaluate(waiting % "e => e.textContent.includes('*')"):
        assert time.monotonic() < deadline, "The lesson did not come to its end."
        time.sleep(0.5)
    page.name = request.param
    yield page
    page.close()


def headings(name):
    cells = json.loads((LESSONS / f"{name}.ipynb").read_text())["cells"]
    text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)


def collapsed(name):
    """The number of each code cell, and whether it is collapsed."""
    cells = json.loads((LESSONS / f"{name}.ipynb").read_text())["cells"]
    cells = [cell for cell in cells if cell["cell_type"] == "code"]
    return enumerate((bool(cell["metadata"].get("jupyter")) for cell in cells), start=1)


def use_the_slider(page, box):
    """The picture follows the arrow keys and the mouse."""
    picture, handle = box.locator("img").first, box.locator(".noUi-handle").first
    handle.scroll_into_view_if_needed()

    def changes(act):
        before = picture.get_attribute("src")
        act()
        page.wait_for_function(
            "([image, old]) => image.src !== old",
            arg=[picture.element_handle(), before],
            timeout=MINUTES,
        )

    def drag():
        place = handle.bounding_box()
        x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x - 80, y, steps=4)
        page.mouse.up()

    handle.focus()
    changes(lambda: page.keyboard.press("ArrowRight"))
    changes(drag)


def test_the_lesson_runs_and_answers(lesson, tmp_path, monkeypatch):
    errors = lesson.locator("[data-mime-type='application/vnd.jupyter.stderr']")
    assert errors.count() == 0, errors.first.inner_text()
    numbers = lesson.locator(".jp-CodeCell .jp-InputPrompt").all_text_contents()
    # A collapsed cell shows no number.
    assert numbers == ["" if hidden else f"[{i}]:" for i, hidden in collapsed(lesson.name)]

    lesson.click(".jp-SideBar [data-id='table-of-contents']")
    contents = ".jp-TableOfContents-content .jp-tocItem-content"
    lesson.wait_for_selector(contents)
    shown = [
        re.sub(r"\s+", " ", text).strip() for text in lesson.locator(contents).all_inner_texts()
    ]
    assert shown == headings(lesson.name)

    use_the_slider(lesson, lesson.locator(".jupyter-widgets.widget-vbox").first)
    if lesson.name == "06_results":
        restore_a_photo(lesson, tmp_path, monkeypatch)


def test_the_app_restores_a_photo_and_shows_no_code(app, tmp_path, monkeypatch):
    app.get_by_role("button", name="Choose a photo").wait_for(timeout=2 * MINUTES)
    assert app.title() == "Deblur a photograph"
    assert "import" not in app.locator("body").inner_text()
    restore_a_photo(app, tmp_path, monkeypatch)


def make_a_photo(path):
    """A camera's photograph that lies on its side, of more bytes than Jupyter takes by itself."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.Model] = 6, "a camera"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2020:02:02 20:20:20"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = Image.fromarray(photographs.astronaut()[:300, :400])
    photo.save(path, exif=exif, icc_profile=profile)
    with path.open("ab") as file:
        file.write(bytes(11 * 2**20))  # After its end, where no decoder looks.


def restore_a_photo(page, folder, monkeypatch):
    """A click, and the keyboard, open the file dialogue; what is chosen is restored and saved."""
    photo = folder / "mine & ours.jpg"
    make_a_photo(photo)
    (folder / "notes.txt").write_text("not a photograph")
    button = page.locator("button.jupyter-button:has-text('Choose a photo')")
    box = button.locator("xpath=ancestor::*[contains(@class, 'widget-vbox')][1]")
    assert "Up to 50 MB" in box.inner_text()
    choices = box.locator("select")
    if choices.count():
        choices.select_option(restoration.DEFAULT)
    for act, file, answer in (
        (button.click, "notes.txt", "notes.txt is not an image that can be read"),
        (lambda: button.press("Enter"), photo.name, f"{photo.name}, 300x400 pixels"),
    ):
        with page.expect_file_chooser() as chooser:
            act()
        chooser.value.set_files(folder / file)
        box.get_by_text(answer).wait_for(timeout=2 * MINUTES)
    for word in ("before", "after"):
        label = box.locator(".widget-label", has_text=re.compile(f"^{word}$")).first
        assert label.evaluate("e => e.clientWidth > 0 && e.scrollWidth <= e.clientWidth"), word
    use_the_slider(page, box)
    with page.expect_download() as saved:
        box.get_by_role("link", name=f"Save {photo.name}").click()
    assert saved.value.suggested_filename == photo.name
    saved.value.save_as(folder / "saved.jpg")

    # The command line measures which precision is faster, and may not find what the page found.
    same = []
    for precision in ("float32", "mixed_bfloat16"):
        monkeypatch.setattr(weights, "measure_precision", lambda found=precision: found)
        arguments = [str(photo), "--weights", restoration.DEFAULT, "-o", str(folder / precision)]
        assert cli.main(["deblur", *arguments]) == 0
        same.append(read_photo(folder / precision / photo.name))
    assert any(np.array_equal(read_photo(folder / "saved.jpg"), result) for result in same)
    with Image.open(folder / "saved.jpg") as image, Image.open(photo) as uploaded:
        assert (image.format, image.size) == ("JPEG", (300, 400))
        assert image.info["icc_profile"] == uploaded.info["icc_profile"]
        exif = image.getexif()
        assert ExifTags.Base.Orientation not in exif and exif[ExifTags.Base.Model] == "a camera"
    difference = read_photo(folder / "saved.jpg").astype(int) - read_photo(photo)
    assert 0.5 < abs(difference).mean() < 20
