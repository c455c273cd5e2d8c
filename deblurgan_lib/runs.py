"""The folder of a training run: what is kept, and how nothing of it is lost.

`runs/<name>/` holds `config.json` (what would repeat the run), `metrics.csv`, `logs/` for
TensorBoard, `checkpoints/` (the last two), `pixel_only.keras` (the generator when the warm-up
ended, if there was one), `generator.keras`, `report.json` and `before_after.png`. The report is
written last: a run that has one is finished.
"""

import contextlib
import csv
import dataclasses
import hashlib
import json
import math
import os
import shutil
import tempfile
import time
import warnings
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from . import restore
from .errors import CourseError

CHECKPOINTS_KEPT = 2
BINDING = ("recipe", "profile", "data", "pairs", "seed", "epochs")


@dataclasses.dataclass(frozen=True)
class Run:
    """One run; what it knows it reads from its folder."""

    folder: Path

    @property
    def config(self) -> dict:
        return _read_json(self.folder / "config.json", {*BINDING, "precision"})

    @property
    def report(self) -> dict:
        return _read_json(self.folder / "report.json", {"psnr_restored", "photos"})

    @property
    def metrics(self) -> list[dict]:
        """One dict of floats for each epoch so far."""
        path = self.folder / "metrics.csv"
        if not path.exists():
            return []
        with open(path, newline="") as file:
            rows = csv.DictReader(file)
            return [{key: float(value) for key, value in row.items()} for row in rows]

    @property
    def checkpoints(self) -> list[Path]:
        """Oldest first; the name holds the number of steps done and a checksum of the content."""
        return sorted((self.folder / "checkpoints").glob("step-*.weights.h5"))

    @property
    def is_finished(self) -> bool:
        return (self.folder / "report.json").exists()

    @property
    def has_begun(self) -> bool:
        """Whether there is anything that another run under this name would spoil."""
        return self.is_finished or bool(self.checkpoints)

    def generator(self) -> keras.Model:
        """The trained generator, with its averaged weights."""
        return restore.load(self.folder / "generator.keras")

    def begin(self, config: dict) -> None:
        """Make the folder of a run that has not begun."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / "config.json", config)

    def check(self, config: dict) -> None:
        """Check that this is the run that is in the folder.

        Raises:
            CourseError: a run with another recipe, data, seed or length has been here.
        """
        before = self.config
        differing = [
            f"{key} was {before[key]!r} and is now {config[key]!r}"
            for key in BINDING
            if before[key] != config[key]
        ]
        values = ("recipe_values", "profile_values")
        if not differing and any(before.get(key) != config[key] for key in values):
            differing = ["its recipe or profile has changed since"]
        if differing:
            raise CourseError(
                f"The run {self.folder.name} exists and is another one ({'; '.join(differing)}); "
                "choose another run name, or delete its folder."
            )

    def resume(self, gan: keras.Model) -> int:
        """Load the newest checkpoint that is whole.

        Returns:
            The number of steps it has done, 0 if there is no checkpoint.
        """
        for path in reversed(self.checkpoints):
            try:
                _, steps, expected = path.name.removesuffix(".weights.h5").split("-")
                if expected != checksum(path):
                    raise ValueError("its content has changed")
                with warnings.catch_warnings():
                    warnings.simplefilter("error")  # Keras only warns of what it leaves out.
                    gan.load_weights(path)
            except Exception as error:  # A file with other weights raises many things.
                reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
                print(f"{path} is damaged and is left out ({reason[0]}).")
                continue
            return int(steps)
        if self.checkpoints:
            raise CourseError(
                f"No checkpoint in {self.folder / 'checkpoints'} can be read; "
                "delete them to start this run from the beginning."
            )
        return 0

    def forget_after(self, epochs: int) -> None:
        """Drop the rows of all but the first epochs: those that will be trained again."""
        path = self.folder / "metrics.csv"
        if not path.exists():
            return
        lines = path.read_text(errors="replace").splitlines(keepends=True)
        whole = [line for line in lines if line.count(",") == lines[0].count(",")]
        done = {str(number) for number in range(epochs)}
        kept = [line for line in whole[1:] if line.endswith("\n") and line.split(",")[0] in done]
        if not kept:
            path.unlink()  # The logger writes its header into a new file only.
            return
        beside = path.with_name(".metrics.csv.part")
        beside.write_text("".join(lines[:1] + kept))
        os.replace(beside, path)

    @contextlib.contextmanager
    def explained(self):
        """Turn what the disk or the input pipeline raises into one sentence.

        TensorFlow wraps an error of a reader thread into one of its own, with a traceback inside.
        """
        try:
            yield
        except OSError as error:
            for part in self.folder.glob(".*part*"):
                part.unlink()
            raise CourseError(
                f"The run {self.folder.name} could not be saved ({error.strerror or error}"
                f"{f': {error.filename}' if error.filename else ''}); "
                "make room on the disk and start it again, it continues."
            ) from None
        except tf.errors.ResourceExhaustedError:
            raise CourseError(
                "There is not enough memory for this profile; choose a smaller one."
            ) from None
        except tf.errors.UnavailableError:
            raise CourseError(
                "Another machine of this run does not answer any more; start the run again on all "
                "of them, it continues from the last checkpoint."
            ) from None
        except tf.errors.OpError as error:
            _, found, sentence = error.message.partition("CourseError: ")
            what = (sentence if found else error.message).strip().splitlines()[0]
            raise CourseError(what) from None


def _read_json(path: Path, needed: set[str]) -> dict:
    try:
        value = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        value = None
    if not isinstance(value, dict) or not needed <= value.keys():
        what = "damaged" if path.exists() else "not there"
        raise CourseError(f"{path} is {what}; delete the folder {path.parent.name} to begin anew.")
    return value


def write_json(path: Path, value: dict) -> None:
    """Write beside, then rename: the file is whole or it is the old one."""
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(json.dumps(value, indent=1) + "\n")
    os.replace(beside, path)


class StopWhenNotFinite(keras.callbacks.Callback):
    """End the run at the first step whose losses are not finite, before anything is saved."""

    def __init__(self, run: Run):
        super().__init__()
        self.run = run

    def on_train_batch_end(self, batch, logs=None):
        broken = [name for name, value in (logs or {}).items() if not math.isfinite(value)]
        if broken:
            raise diverged(self.run, ", ".join(broken))


def diverged(run: Run, what: str) -> CourseError:
    """The error for a run whose losses or weights are no numbers any more."""
    kept = run.checkpoints[-1].name if run.checkpoints else "none yet"
    return CourseError(
        f"Training diverged: {what} became infinite or not a number. The last good checkpoint is "
        f"{kept}; train under another name with a smaller learning rate in recipes.py."
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
        with open(self.run.folder / "metrics.csv", "a", newline="") as file:
            writer = csv.DictWriter(file, row)
            if file.tell() == 0:
                writer.writeheader()
            writer.writerow(row)


def checksum(path: Path) -> str:
    """What stands for a file's content in names and in `config.json`: half of its sha256."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


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
        # The losses of a step are those before its update; a last update may have broken a weight.
        if not all(np.isfinite(weight).all() for weight in self.model.get_weights()):
            raise diverged(self.run, "a weight")
        folder = self.run.folder / "checkpoints"
        beside = folder / "saving.part"
        try:
            folder.mkdir(exist_ok=True)
            # HDF5 jumps about in the file that it writes, which a folder on the network (Colab's
            # Drive) is not made for; that one gets a copy.
            with tempfile.TemporaryDirectory(prefix="deblurgan-") as local:
                self._check_room(local)
                written = Path(local) / "saving.weights.h5"
                self.model.save_weights(written)
                name = f"step-{steps:08d}-{checksum(written)}.weights.h5"
                shutil.copyfile(written, beside)
            os.replace(beside, folder / name)
        except (OSError, RuntimeError) as error:  # h5py reports a full disk as either.
            beside.unlink(missing_ok=True)
            reason = getattr(error, "strerror", None) or error
            raise CourseError(
                f"The checkpoint of step {steps} could not be written to {folder} ({reason}); "
                "make room on the disk and start the run again, it continues from the one before."
            ) from None
        for old in self.run.checkpoints[:-CHECKPOINTS_KEPT]:
            os.truncate(old, 0)  # On Drive what is deleted takes room in the trash for a month.
            old.unlink()
        self.saved = time.monotonic()

    def _check_room(self, folder: str) -> None:
        # The HDF5 library may end the whole process when the disk fills while it closes a file.
        optimizers = self.model.optimizer, self.model.critic_optimizer
        variables = [*self.model.variables, *(v for o in optimizers for v in o.variables)]
        needed = 1.2 * sum(np.asarray(variable).nbytes for variable in variables) + 1e6
        if shutil.disk_usage(folder).free < needed:
            needs = f"{needed / 1e6:.0f} MB are needed in {folder}"
            raise OSError(28, f"No space left on device, {needs}")
