"""What moves in a notebook while it runs."""

import time
from pathlib import Path

import keras

from . import figures
from .datasets.pairs import Pair
from .datasets.photos import read_photo
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
