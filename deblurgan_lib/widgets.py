"""What moves in a notebook while it runs."""

import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import ipywidgets
import keras
import numpy as np
import PIL.Image

from . import figures
from .datasets.pairs import Pair
from .datasets.photos import read_photo
from .errors import CourseError
from .evaluation import psnr, psnr_of_doing_nothing
from .restore import restore
from .runs import Run


class LiveTraining(keras.callbacks.Callback):
    """Curves and one validation photograph, redrawn after each epoch in the same place.

    The photograph is restored while Keras has the averaged weights in place for validation, so
    it shows what is scored.

    Args:
        run_folder: the folder of the run, whose `metrics.csv` is drawn.
        pairs: the photographs that the run validates with; the first one is watched.
    """

    def __init__(self, run_folder: Path, pairs: list[Pair]):
        super().__init__()
        self.run = Run(Path(run_folder))
        self.doing_nothing = psnr_of_doing_nothing(pairs)
        pair = pairs[0]
        self.blurred, self.sharp = read_photo(pair.blurred), read_photo(pair.sharp)
        self.restored = self.blurred
        self.handles = (None, None)
        self.begin = None

    def on_train_begin(self, logs=None):
        self.begin = self.begin or time.monotonic()

    def on_test_end(self, logs=None):
        # This comes before SwapEMAWeights puts the unaveraged weights back.
        self.restored = restore(self.model.generator, self.blurred)

    def on_epoch_end(self, epoch, logs=None):
        self.draw({"epoch": epoch, **logs})

    def draw(self, newest: dict):
        rows = [row for row in self.run.metrics if row["epoch"] < newest["epoch"]] + [newest]
        before, after = psnr(self.sharp, self.blurred), psnr(self.sharp, self.restored)
        photo = figures.before_after(
            self.blurred,
            self.restored,
            self.sharp,
            (f"{before:.2f} dB", f"after epoch {newest['epoch'] + 1}: {after:.2f} dB"),
        )
        minutes = (time.monotonic() - self.begin) / 60
        curves = figures.training_curves(rows, self.doing_nothing)
        curves.suptitle(f"epoch {newest['epoch'] + 1}, {minutes:.1f} minutes")
        alt_curves = "Validation PSNR, pixel loss and critic losses by epoch."
        alt_photo = "A validation photograph blurred, restored and sharp, with an enlarged detail."
        self.handles = (
            figures.show(curves, alt_curves, handle=self.handles[0]),
            figures.show(photo, alt_photo, kind="jpeg", handle=self.handles[1]),
        )


LONGEST_SIDE = 1280
"""Pixels. A longer upload is made smaller, so that an answer takes seconds."""


def _jpeg(photo: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(photo).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def before_after_slider(before: np.ndarray, after: np.ndarray) -> ipywidgets.Widget:
    """One picture, `before` left of a line and `after` right of it, and a slider for the line.

    The slider is the browser's own kind: it follows the mouse, and the arrow keys once it has the
    focus. It needs a running kernel.

    Args:
        before, after: uint8 (H, W, 3), of one size.
    """
    width = before.shape[1]
    picture = ipywidgets.Image(format="jpeg")
    picture.layout = ipywidgets.Layout(max_width="100%", height="auto", object_fit="contain")
    slider = ipywidgets.FloatSlider(
        value=50,
        max=100,
        step=1,
        description="before",
        readout=False,
        layout=ipywidgets.Layout(width=f"{width}px", max_width="100%"),
    )

    def draw(_=None):
        line = round(slider.value / 100 * width)
        mixed = after.copy()
        mixed[:, :line] = before[:, :line]
        if 0 < line < width:
            mixed[:, max(line - 1, 0) : line + 1] = 255
        picture.value = _jpeg(mixed)

    draw()
    slider.observe(draw, "value")
    return ipywidgets.VBox([picture, ipywidgets.HBox([slider, ipywidgets.Label("after")])])


def _uploaded(value) -> tuple[str, bytes]:
    """Name and content of the file in a `FileUpload`: a dict in ipywidgets 7, a tuple in 8."""
    if isinstance(value, dict):
        name, file = next(iter(value.items()))
        return name, bytes(file["content"])
    return value[0]["name"], bytes(value[0]["content"])


def restore_upload(restore_photo: Callable[[np.ndarray], np.ndarray]) -> ipywidgets.Widget:
    """A button that takes a photograph, and below it the photograph before and after.

    Args:
        restore_photo: uint8 (H, W, 3) blurred to uint8 (H, W, 3) restored.
    """
    button = ipywidgets.FileUpload(accept="image/*", multiple=False, description="Choose a photo")
    said = ipywidgets.Label("Nothing is sent anywhere but to the kernel of this notebook.")
    result = ipywidgets.VBox()

    def take(_):
        if not button.value:
            return
        name, content = _uploaded(button.value)
        said.value = f"Restoring {name} ..."
        result.children = ()
        try:
            photo, note = _read_upload(name, content)
        except CourseError as error:
            said.value = str(error)
            return
        result.children = (before_after_slider(photo, restore_photo(photo)),)
        height, width = photo.shape[:2]
        said.value = f"{name}, {width}x{height} pixels{note}"

    button.observe(take, "value")
    return ipywidgets.VBox([button, said, result])


def _read_upload(name: str, content: bytes) -> tuple[np.ndarray, str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo"
        path.write_bytes(content)
        try:
            photo = read_photo(path)
        except CourseError:
            raise CourseError(f"{name} is not a photograph that can be read; try a JPEG.") from None
    scale = LONGEST_SIDE / max(photo.shape[:2])
    if scale >= 1:
        return photo, "."
    size = [max(round(side * scale), 1) for side in photo.shape[1::-1]]
    smaller = PIL.Image.fromarray(photo).resize(size, PIL.Image.Resampling.LANCZOS)
    return np.array(smaller), f", made smaller from {photo.shape[1]}x{photo.shape[0]}."
