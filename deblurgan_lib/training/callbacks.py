"""Callbacks of a run: metrics, checkpoints, and the stop at the first NaN."""

import csv
import errno
import math
import os
import re
import shutil
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from ..errors import CourseError
from ..files import explaining
from .gan import LOGGED
from .run import Run, checksum

CHECKPOINTS_KEPT = 2


class StopWhenNotFinite(keras.callbacks.Callback):
    """End the run when losses are read that are not finite."""

    def __init__(self, run: Run):
        super().__init__()
        self.run = run

    def on_train_batch_end(self, batch, logs=None):
        check_losses(self.run, logs or {})


def check_losses(run: Run, losses: dict[str, float]) -> None:
    """Raise the error of a run that diverged if one of its losses is not finite."""
    broken = [name for name, value in losses.items() if not math.isfinite(value)]
    if broken:
        raise diverged(run, ", ".join(broken))


def diverged(run: Run, quantity: str) -> CourseError:
    """The error for a run whose losses or weights are not finite."""
    kept = run.checkpoints[-1].name if run.checkpoints else "none yet"
    return CourseError(
        f"Training diverged: {quantity} became infinite or not a number. The last good checkpoint "
        f"is {kept}; train under another name with a smaller learning rate."
    )


class WriteMetrics(keras.callbacks.Callback):
    """After each epoch add its row to `metrics.csv`.

    Unlike Keras' `CSVLogger` it closes the file each time; a file that stays open may not reach
    Colab's Drive.
    """

    def __init__(self, run: Run):
        super().__init__()
        self.run = run

    def on_epoch_end(self, epoch, logs=None):
        row = {"epoch": epoch, **logs}
        with open(self.run.folder / "metrics.csv", "a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, row)
            if file.tell() == 0:
                writer.writeheader()
            writer.writerow(row)


class WatchGradients(keras.callbacks.Callback):
    """How hard each term of the generator's loss pulls at each of some crops, after each epoch.

    The measure is the norm of the weighted term's gradient with respect to one restored crop. It is
    taken crop by crop, because a critic can pull hard at one and not at all at another.

    Args:
        blurred, sharp: float32 (N, H, W, 3) in [-1, 1], the same crops after every epoch.

    Attributes:
        rows: one dict for each epoch: `epoch`, and for each term in use its N norms.
    """

    def __init__(self, blurred, sharp):
        super().__init__()
        self.blurred, self.sharp = blurred, sharp
        self.rows = []

    def on_epoch_end(self, epoch, logs=None):
        self.rows.append({"epoch": epoch, **pull_of_terms(self.model, self.blurred, self.sharp)})


def pull_of_terms(gan: keras.Model, blurred, sharp) -> dict[str, np.ndarray]:
    """The norm (N,) of each weighted term's gradient with respect to each restored crop.

    Args:
        gan: a `DeblurGAN`, as it is compiled now.
        blurred, sharp: float32 (N, H, W, 3) in [-1, 1].
    """
    with tf.GradientTape(persistent=True) as tape:
        restored = gan.generator(blurred, training=False)
        tape.watch(restored)
        terms = gan.generator_terms(sharp, restored)
    norms = {}
    for name, value in terms.items():
        # A term is a mean over the crops, so each of them has an N-th part of it.
        gradient = len(restored) * gan.term_weights[name] * tape.gradient(value, restored)
        norms[name] = tf.norm(tf.reshape(gradient, (len(restored), -1)), axis=1).numpy()
    return norms


class SaveCheckpoint(keras.callbacks.Callback):
    """Keep both networks, both optimisers, the averaged weights and the sums of the epoch so far.

    It does so whenever `minutes` have passed since the last time, and after the last step.
    """

    def __init__(self, run: Run, minutes: float):
        super().__init__()
        self.run = run
        self.minutes = minutes

    def on_train_begin(self, logs=None):
        self.saved = time.monotonic()

    def on_epoch_begin(self, epoch, logs=None):
        self.before = epoch * self.params["steps"]

    def on_train_batch_end(self, batch, logs=None):
        # The last step of an epoch is not done before the epoch's row is written.
        if batch + 1 < self.params["steps"] and self._is_due():
            self.save(self.before + batch + 1)

    def on_epoch_end(self, epoch, logs=None):
        if self._is_due() or epoch + 1 == self.params["epochs"]:
            self.save(self.before + self.params["steps"])

    def _is_due(self) -> bool:
        return time.monotonic() - self.saved >= 60 * self.minutes

    def save(self, steps: int) -> None:
        """Write the checkpoint of this number of steps, and delete all but the newest two."""
        # The losses may have been read some steps ago, and those of a step are those before its
        # update; a last update may have broken a weight.
        check_losses(self.run, dict(zip(LOGGED, self.model.sums.numpy().tolist())))
        if not all(np.isfinite(weight).all() for weight in self.model.get_weights()):
            raise diverged(self.run, "a weight")
        folder = self.run.folder / "checkpoints"
        beside = folder / "saving.part"
        failure = f"The checkpoint of step {steps} could not be written to {folder}"
        then = " and start the run again, it continues from the one before"
        with explaining(failure, then):
            try:
                self._write(folder, beside, steps)
            finally:
                beside.unlink(missing_ok=True)
        for old in self.run.checkpoints[:-CHECKPOINTS_KEPT]:
            os.truncate(old, 0)  # On Drive what is deleted takes room in the trash for a month.
            old.unlink()
        self.saved = time.monotonic()

    def _write(self, folder: Path, beside: Path, steps: int) -> None:
        try:
            folder.mkdir(exist_ok=True)
            # HDF5 jumps about in the file that it writes, which a folder on the network (Colab's
            # Drive) is not made for; that one gets a copy.
            with tempfile.TemporaryDirectory(prefix="deblurgan-") as local:
                self._check_free_space(local)
                written = Path(local) / "saving.weights.h5"
                self.model.save_weights(written)
                name = f"step-{steps:08d}-{checksum(written)}.weights.h5"
                shutil.copyfile(written, beside)
            os.replace(beside, folder / name)
        except (OSError, RuntimeError) as error:
            # In h5py's errors the system's number may be in the text only.
            number = re.search(r"errno = (\d+)", str(error))
            if getattr(error, "errno", None) or not number:
                raise
            raise OSError(int(number[1]), os.strerror(int(number[1]))) from None

    def _check_free_space(self, folder: str) -> None:
        # The HDF5 library may end the whole process when the disk fills while it closes a file.
        optimizers = self.model.optimizer, self.model.critic_optimizer
        variables = [*self.model.variables, *(v for o in optimizers for v in o.variables)]
        needed = 1.2 * sum(np.asarray(variable).nbytes for variable in variables) + 1e6
        if shutil.disk_usage(folder).free < needed:
            needs = f"{needed / 1e6:.0f} MB are needed in {folder}"
            raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)}, {needs}")
