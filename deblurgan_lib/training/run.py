"""The folder of a training run: what is kept, and how nothing of it is lost.

`runs/<name>/` holds `config.json` (what would repeat the run), `metrics.csv`, `logs/` for
TensorBoard, `checkpoints/` (the last two), `pixel_only.keras` (the generator when pretraining
ended, if there was any), `generator.keras`, `report.json` and `before_after.png`. The report is
written last: a run that has one is finished.
"""

import contextlib
import dataclasses
import warnings
from pathlib import Path

import keras
import tensorflow as tf

from ..errors import CourseError
from ..files import explaining, read_csv, read_json, replacing, sha256, write_json

BINDING = ("recipe", "profile", "data", "pairs", "seed", "epochs", "precision")


@dataclasses.dataclass(frozen=True)
class Run:
    """One run; what it knows it reads from its folder."""

    folder: Path

    @property
    def config(self) -> dict:
        return _read_whole(self.folder / "config.json", set(BINDING))

    @property
    def report(self) -> dict:
        return _read_whole(self.folder / "report.json", {"psnr_restored", "photos"})

    @property
    def metrics(self) -> list[dict]:
        """One dict of floats for each epoch so far."""
        rows = read_csv(self.folder / "metrics.csv")
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

    @property
    def generator(self) -> Path:
        """The file of the trained generator, with its averaged weights."""
        return self.folder / "generator.keras"

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
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        whole = [line for line in lines if line.count(",") == lines[0].count(",")]
        done = {str(number) for number in range(epochs)}
        kept = [line for line in whole[1:] if line.endswith("\n") and line.split(",")[0] in done]
        if not kept:
            path.unlink()  # The logger writes its header into a new file only.
            return
        with replacing(path) as beside:
            beside.write_text("".join(lines[:1] + kept), encoding="utf-8")

    @contextlib.contextmanager
    def explained(self):
        """Turn what the disk or the input pipeline raises into one sentence.

        TensorFlow wraps an error of a reader thread into one of its own, with a traceback inside.
        """
        try:
            with explaining(f"The run {self.folder.name} had to stop"):
                yield
        except (tf.errors.ResourceExhaustedError, MemoryError):
            raise CourseError(
                "There is not enough memory for this profile; end what else uses the GPU or the "
                "memory and start again, it continues, or choose a smaller profile for another run."
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


def checksum(path: Path) -> str:
    """What stands for a file's content in names and in `config.json`: half of its sha256."""
    return sha256(path)[:32]


def _read_whole(path: Path, needed: set[str]) -> dict:
    value = read_json(path)
    if not needed <= value.keys():
        what = "damaged" if path.exists() else "not there"
        raise CourseError(f"{path} is {what}; delete the folder {path.parent.name} to begin anew.")
    return value
