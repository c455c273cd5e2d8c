"""Lessons 00 and 06 in a real JupyterLab and a real browser: `make test-browser`.

Not collected by `make test`: it needs Chromium and Playwright, which the command installs.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
LESSONS = ROOT / "notebooks"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
TOKEN = "for-this-test-only"
MINUTES = 60_000  # In milliseconds, as Playwright counts.


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The address of a JupyterLab that shows a copy of the lessons."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(LESSONS, folder / "notebooks")
    settings = folder / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    # Every cell stays in the page, not only those in view, so that all can be looked at.
    options = {"windowingMode": "none", "autoStartDefaultKernel": True}
    (settings / "tracker.jupyterlab-settings").write_text(json.dumps(options))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder / 'notebooks'}"]
    environment = {
        **os.environ,
        "DEBLURGAN_PROFILE": "smoke",
        "DEBLURGAN_RUNS": str(folder / "runs"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
    }
    log = (folder / "log").open("w")
    server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{address}/api/status?token={TOKEN}", timeout=5)
                break
            except OSError:
                time.sleep(0.5)
        else:
            pytest.fail((folder / "log").read_text())
        yield address
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="module")
def browser():
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert path, f"None of {', '.join(BROWSERS)} is installed; make test-browser does it."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=["00_start_here", "06_results"])
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


def test_the_lesson_runs_and_answers(lesson, tmp_path):
    errors = lesson.locator("[data-mime-type='application/vnd.jupyter.stderr']")
    assert errors.count() == 0, errors.first.inner_text()
    numbers = lesson.locator(".jp-CodeCell .jp-InputPrompt").all_text_contents()
    # The first code cell is folded, and a folded cell shows no number.
    assert numbers == ["", *(f"[{i + 1}]:" for i in range(1, len(numbers)))]

    lesson.click(".jp-SideBar [data-id='table-of-contents']")
    contents = ".jp-TableOfContents-content .jp-tocItem-content"
    lesson.wait_for_selector(contents)
    shown = [
        re.sub(r"\s+", " ", text).strip() for text in lesson.locator(contents).all_inner_texts()
    ]
    assert shown == headings(lesson.name)

    use_the_slider(lesson, lesson.locator(".jupyter-widgets.widget-vbox").first)
    if lesson.name == "06_results":
        take_a_photo(lesson, tmp_path)


def take_a_photo(page, folder):
    """A click, and the keyboard, open the file dialogue; what is chosen is restored."""
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "mine.png")
    (folder / "notes.txt").write_text("not a photograph")
    button = page.locator("button.jupyter-button:has-text('Choose a photo')")
    box = button.locator("xpath=..")
    for act, file, answer in (
        (button.click, "notes.txt", "notes.txt is not a photograph"),
        (lambda: button.press("Enter"), "mine.png", "mine.png, 120x90 pixels"),
    ):
        with page.expect_file_chooser() as chooser:
            act()
        chooser.value.set_files(folder / file)
        box.get_by_text(answer).wait_for(timeout=MINUTES)
    use_the_slider(page, box)
