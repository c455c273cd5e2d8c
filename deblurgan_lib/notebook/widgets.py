"""Interactive widgets of the notebooks: live training, a before/after slider, an upload."""

import base64
import html
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import ipywidgets
import keras
import numpy as np
import PIL.Image
from matplotlib.figure import Figure

from .. import figures
from ..data.pairs import Pair
from ..errors import CourseError
from ..evaluation import decibels, psnr, psnr_of_input
from ..photos import FORMATS, RAW, mime_type, read_photo, suffix_of_result
from ..progress import watching
from ..restoration import restore, restore_file
from ..training.run import Run
from .display import show


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
        self.psnr_blurred = psnr_of_input(pairs)
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
        """Draw curves and photograph again, `newest` being the metrics of the last epoch."""
        rows = [row for row in self.run.metrics if row["epoch"] < newest["epoch"]] + [newest]
        before, after = psnr(self.sharp, self.blurred), psnr(self.sharp, self.restored)
        photo = figures.before_after(
            self.blurred,
            self.restored,
            self.sharp,
            (decibels(before), f"after epoch {newest['epoch'] + 1}: {decibels(after)}"),
        )
        minutes = (time.monotonic() - self.begin) / 60
        curves = figures.training_curves(rows, self.psnr_blurred)
        curves.suptitle(f"epoch {newest['epoch'] + 1}, {minutes:.1f} minutes")
        alt_curves = "Validation PSNR, pixel loss and critic losses by epoch."
        alt_photo = "A validation photograph blurred, restored and sharp, with an enlarged detail."
        self.handles = (
            show(curves, alt_curves, handle=self.handles[0]),
            show(photo, alt_photo, kind="jpeg", handle=self.handles[1]),
        )


SHOWN = (1280, 800)
"""Pixels. A photograph that is wider or higher is made smaller for the slider to fit the page."""


def _jpeg(photo: np.ndarray, icc_profile: bytes | None) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(photo).save(buffer, "JPEG", quality=85, icc_profile=icc_profile)
    return buffer.getvalue()


def before_after_slider(
    before: np.ndarray, after: np.ndarray, icc_profile: bytes | None = None
) -> ipywidgets.Widget:
    """One picture, `before` left of a line and `after` right of it, and a slider for the line.

    The slider is the browser's own kind: it follows the mouse, and the arrow keys once it has the
    focus. It needs a running kernel.

    Args:
        before, after: uint8 (H, W, 3), of one size.
        icc_profile: the profile that says what their values are, for other than sRGB.
    """
    width = before.shape[1]
    picture = ipywidgets.Image(format="jpeg")
    picture.layout = ipywidgets.Layout(width=f"{width}px", max_width="100%", height="auto")
    slider = ipywidgets.FloatSlider(
        value=50,
        max=100,
        step=1,
        description="before",
        readout=False,
        layout=ipywidgets.Layout(flex="1 1 auto", width="auto", min_width="0"),
    )
    after_label = ipywidgets.Label("after", layout=ipywidgets.Layout(flex="0 0 auto"))

    def draw(_=None):
        line = round(slider.value / 100 * width)
        mixed = after.copy()
        mixed[:, :line] = before[:, :line]
        if 0 < line < width:
            mixed[:, max(line - 1, 0) : line + 1] = 255
        picture.value = _jpeg(mixed, icc_profile)

    draw()
    slider.observe(draw, "value")
    line_of_slider = ipywidgets.HBox([slider, after_label])
    line_of_slider.layout = ipywidgets.Layout(width=f"{width}px", max_width="100%")
    return ipywidgets.VBox([picture, line_of_slider])


def picture_slider(draw: Callable[[int], Figure], count: int, name: str) -> ipywidgets.Widget:
    """One of several pictures, and a slider that chooses it by mouse or arrow keys.

    It needs a running kernel.

    Args:
        draw: from 0 to `count - 1` to a figure, which is drawn when it is chosen.
        count: how many there are.
        name: what the slider chooses, for its label.
    """
    return _redrawn(draw, [ipywidgets.IntSlider(max=count - 1, description=name)], "png")


def figure_sliders(
    draw: Callable[..., Figure], sliders: dict[str, tuple[float, float, float, float]]
) -> ipywidgets.Widget:
    """A figure, and sliders for the numbers that it is drawn from, moved by mouse or arrow keys.

    It needs a running kernel.

    Args:
        draw: from these numbers, in the order of the sliders, to a figure.
        sliders: for each its name, and its lowest, highest and first value and its step.
    """
    made = [
        ipywidgets.FloatSlider(value=first, min=low, max=high, step=step, description=name)
        for name, (low, high, first, step) in sliders.items()
    ]
    return _redrawn(draw, made, "jpeg")


def _redrawn(draw: Callable[..., Figure], sliders: list, kind: str) -> ipywidgets.Widget:
    """What `draw` makes of the sliders' values, above the sliders."""
    picture = ipywidgets.Image(format=kind, layout=ipywidgets.Layout(max_width="100%"))

    def redraw(_=None):
        picture.value = figures.image_bytes(draw(*(slider.value for slider in sliders)), kind)

    redraw()
    for slider in sliders:
        slider.observe(redraw, "value")
    return ipywidgets.VBox([picture, *sliders])


def _uploaded(value) -> tuple[str, bytes]:
    """Name and content of the file in a `FileUpload`: a dict in ipywidgets 7, a tuple in 8."""
    if isinstance(value, dict):
        name, file = next(iter(value.items()))
        return name, bytes(file["content"])
    return value[0]["name"], bytes(value[0]["content"])


def largest_upload() -> int:
    """Megabytes that the browser can send to the kernel in one piece.

    Jupyter's server cuts the connection at 10 unless it is told otherwise, as the Makefile does;
    Colab's does at 1 (https://github.com/jupyter-widgets/ipywidgets/issues/3452). The kernel never
    hears of such a file, so that this must be said before.
    """
    return 1 if "google.colab" in sys.modules else int(os.environ.get("DEBLURGAN_UPLOAD_MB", 10))


ACCEPTED = ",".join(["image/*", *FORMATS])  # Not every browser takes HEIC for an image.
LARGEST_RESULT = 100
"""Megabytes. A page holds all of what its link saves; Chromium saved 150 out of one."""


def restore_upload(generators: dict[str, keras.Model]) -> ipywidgets.Widget:
    """A button that takes a photograph; below it the photograph before and after, and a link.

    The link saves the restored photograph in its own size, under the name and with all else that
    `deblurgan deblur` keeps. Where there are several generators, one is chosen, and another choice
    restores the same photograph anew.

    Args:
        generators: from what they are called on the page; the first is chosen at the start.
    """
    button = ipywidgets.FileUpload(accept=ACCEPTED, multiple=False, description="Choose a photo")
    button.layout.width = "auto"
    choice = ipywidgets.Dropdown(options=list(generators), description="Generator")
    said, result = ipywidgets.HTML(), ipywidgets.VBox()  # A Label would not break its line.
    bar = ipywidgets.IntProgress(layout=ipywidgets.Layout(display="none", width="auto"))

    def say(text):
        said.value = html.escape(text)

    def tell(title, done, total):
        bar.max, bar.value, bar.description = total or 1, done, title
        bar.style.description_width = "initial"

    def take(_):
        if not button.value:
            return
        name, content = _uploaded(button.value)
        _close(*result.children)
        result.children = ()
        say(f"Restoring {name} ...")
        button.disabled = choice.disabled = True
        tell("reading", 0, 1)
        bar.layout.display = None
        try:
            with watching(tell):
                text, result.children = _restored(generators[choice.value], name, content)
            say(text)
        except CourseError as error:
            say(str(error))
        except Exception as error:
            say(f"{name} could not be restored ({type(error).__name__}).")
            raise
        finally:
            button.disabled = choice.disabled = False
            bar.layout.display = "none"

    say(
        f"Up to {largest_upload()} MB; a larger file does not arrive, and then the page must be "
        "loaded again. Your photograph goes nowhere but to the kernel behind this page."
    )
    button.observe(take, "value")
    choice.observe(take, "value")
    top = ipywidgets.HBox([button, choice] if len(generators) > 1 else [button])
    return ipywidgets.VBox([top, said, result, bar])


def _close(*widgets: ipywidgets.Widget) -> None:
    """Let go of widgets and of what is in them; else kernel and page would keep every picture."""
    for widget in widgets:
        _close(*getattr(widget, "children", ()))
        widget.close()


def _restored(
    generator: keras.Model, name: str, content: bytes
) -> tuple[str, list[ipywidgets.Widget]]:
    """What to say of an upload; and the link that saves its restoration, and the slider."""
    with tempfile.TemporaryDirectory() as folder:
        suffix = Path(name).suffix.lower()
        upload = Path(folder) / f"photo{suffix if suffix in {*FORMATS, *RAW} else ''}"
        target = upload.with_name(f"restored{suffix_of_result(name)}")
        upload.write_bytes(content)
        try:
            source = restore_file(generator, upload, target)
        except CourseError as error:
            said = str(error).replace(str(target), f"The restored {name}")
            raise CourseError(said.replace(str(upload), name)) from None
        before, after, restored = read_photo(upload), read_photo(target), target.read_bytes()
    size = before.shape[1::-1]
    smaller = size[0] > SHOWN[0] or size[1] > SHOWN[1]
    said = f"{name}, {size[0]}x{size[1]} pixels" + (", shown smaller." if smaller else ".")
    if source.left_out:
        said += f" The file holds {source.left_out}, which is left out."
    if len(restored) > LARGEST_RESULT * 10**6:
        raise CourseError(
            f"The restored {name} has {len(restored) / 1e6:.0f} MB, more than a page can save; "
            "restore it with `deblurgan deblur`."
        )
    profile = None if source.grey else source.options.get("icc_profile")
    slider = before_after_slider(_preview(before), _preview(after), profile)
    return said, [_save_link(f"{Path(name).stem}{target.suffix}", restored), slider]


def _preview(photo: np.ndarray) -> np.ndarray:
    picture = PIL.Image.fromarray(photo)
    picture.thumbnail(SHOWN, PIL.Image.Resampling.LANCZOS)
    return np.array(picture)


def _save_link(name: str, content: bytes) -> ipywidgets.Widget:
    """A link in the shape of a button that saves a photograph; the page holds all of it."""
    kind = mime_type(Path(name).suffix)
    data = base64.b64encode(content).decode()
    name = html.escape(name)
    return ipywidgets.HTML(
        '<a class="jupyter-widgets jupyter-button widget-button mod-primary" '
        'style="width: auto; color: white" '
        f'download="{name}" href="data:{kind};base64,{data}">Save {name}</a>'
    )
