"""The folder of a training run: what is kept, and how nothing of it is lost.

`runs/<name>/` holds `config.json` (what would repeat the run), `metrics.csv`, `logs/` for
TensorBoard, `checkpoints/` (the last two), `generator.keras`, `report.json` and
`before_after.png`. The report is written last: a run that has one is finished.
"""

import contextlib
import csv
import dataclasses
import json
import math
import os
import shutil
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
        """Oldest first; the number in the name is that of the epochs done."""
        return sorted((self.folder / "checkpoints").glob("epoch-*.weights.h5"))

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
        """Make the folder, or check that this is the run that is in it.

        Raises:
            CourseError: a run with another recipe, data, seed or length has been here.
        """
        if not self.has_begun:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_json(self.folder / "config.json", config)
            return
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
        """Load the newest readable checkpoint.

        Returns:
            The number of epochs it has done, 0 if there is no checkpoint.
        """
        for path in reversed(self.checkpoints):
            try:
                gan.load_weights(path)
            except Exception as error:  # A damaged HDF5 file raises many things.
                print(f"{path} is damaged and is left out ({type(error).__name__}).")
                continue
            return int(path.name.split("-")[1].split(".")[0])
        if self.checkpoints:
            raise CourseError(
                f"No checkpoint in {self.folder / 'checkpoints'} can be read; "
                "delete them to start this run from the beginning."
            )
        return 0

    def forget_after(self, epoch: int) -> None:
        """Drop the rows of epochs whose checkpoint never came to be; they are trained again."""
        path = self.folder / "metrics.csv"
        if not path.exists():
            return
        lines = path.read_text(errors="replace").splitlines(keepends=True)
        whole = [line for line in lines if line.count(",") == lines[0].count(",")]
        done = {str(number) for number in range(epoch)}
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
        except tf.errors.OpError as error:
            _, found, sentence = error.message.partition("CourseError: ")
            what = (sentence if found else error.message).strip().splitlines()[0]
            raise CourseError(what) from None


def _read_json(path: Path, needed: set[str]) -> dict:
    try:
        value = json.loads(path.read_text())
    except ValueError:
        value = None
    if not isinstance(value, dict) or not needed <= value.keys():
        raise CourseError(f"{path} is damaged; delete the folder {path.parent.name} to begin anew.")
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


class SaveCheckpoint(keras.callbacks.Callback):
    """After each epoch keep both networks, both optimisers and the averaged weights."""

    def __init__(self, run: Run):
        super().__init__()
        self.run = run

    def on_epoch_end(self, epoch, logs=None):
        # The losses of a step are those before its update; a last update may have broken a weight.
        if not all(np.isfinite(weight).all() for weight in self.model.get_weights()):
            raise diverged(self.run, "a weight")
        folder = self.run.folder / "checkpoints"
        beside = folder / "saving.weights.h5"
        try:
            folder.mkdir(exist_ok=True)
            self._check_room(folder)
            self.model.save_weights(beside)
            os.replace(beside, folder / f"epoch-{epoch + 1:05d}.weights.h5")
        except (OSError, RuntimeError) as error:  # h5py reports a full disk as either.
            beside.unlink(missing_ok=True)
            raise CourseError(
                f"The checkpoint of epoch {epoch + 1} could not be written to {folder} ({error}); "
                "make room on the disk and start the run again, it continues from the one before."
            ) from None
        for old in self.run.checkpoints[:-CHECKPOINTS_KEPT]:
            old.unlink()

    def _check_room(self, folder: Path) -> None:
        # The HDF5 library may end the whole process when the disk fills while it closes a file.
        optimizers = self.model.optimizer, self.model.critic_optimizer
        variables = [*self.model.variables, *(v for o in optimizers for v in o.variables)]
        needed = 1.2 * sum(np.asarray(variable).nbytes for variable in variables) + 1e6
        if shutil.disk_usage(folder).free < needed:
            raise OSError(28, f"No space left on device, {needed / 1e6:.0f} MB are needed")
