"""The folder of a training run: configuration, metrics, checkpoints, results.

`runs/<name>/` holds `config.json` (all settings of the run), `metrics.csv`, `logs/` for
TensorBoard, `checkpoints/` (the last two), `pixel_only.keras` (the generator when pretraining
ended, if there was any), `generator.keras`, `report.json` and `before_after.png`. The report is
written last: a run that has one is finished.
"""

import contextlib
import dataclasses
import json
import re
import warnings
from pathlib import Path

import keras
import tensorflow as tf

from ..errors import CourseError
from ..files import explaining, locked, read_csv, read_json, replacing, sha256, write_json

NEEDED = {"recipe", "profile", "data", "pairs", "seed", "epochs", "precision"}
"""The keys that every version of `config.json` has."""
DESCRIBING = {"data", "start_from", "features", "shakes", "device", "commit", "versions"}
"""Keys of `config.json` that may differ when a run is continued; all others must be equal. A data
set is identified by the names of its pairs, a generator to start from by its content."""


NO_MEMORY = (
    "There is not enough memory for this profile; end what else uses the GPU or the memory and "
    "start again, it continues, or choose a smaller profile for another run."
)


@dataclasses.dataclass(frozen=True)
class Run:
    """A run; its state is read from its folder."""

    folder: Path

    @property
    def config(self) -> dict:
        """The settings of the run.

        Raises:
            CourseError: the file is not there or damaged.
        """
        path = self.folder / "config.json"
        config = read_json(path)
        if not config.keys() >= NEEDED:
            raise CourseError(
                f"{path} is {'damaged' if path.exists() else 'not there'}; choose another run "
                "name. A generator.keras beside it can still be used by its path."
            )
        return config

    def kept(self, name: str, kind: type):
        """The recipe or the profile that the run was started with.

        Args:
            name: `"recipe"` or `"profile"`.
            kind: its class.
        """
        try:
            return kind(**self.config[f"{name}_values"])
        except (KeyError, TypeError):  # Another version of the course had others.
            raise CourseError(
                f"The run {self.folder.name} has a {name} of another version of the course; choose "
                "another run name."
            ) from None

    @property
    def report(self) -> dict:
        """The scores of the trained generator, see `evaluation.evaluate`.

        Raises:
            CourseError: the run is not finished, or the file is damaged.
        """
        if not self.is_finished:
            path = self.folder / "report.json"
            raise CourseError(
                f"{path} is {'damaged' if path.exists() else 'not there'}; start the run "
                f"{self.folder.name} again, and it writes it."
            )
        return read_json(self.folder / "report.json")

    @property
    def metrics(self) -> list[dict]:
        """One dict of floats for each epoch so far; a row that was cut short is left out."""
        rows = []
        for row in read_csv(self.folder / "metrics.csv"):
            with contextlib.suppress(TypeError, ValueError):
                rows.append({key: float(value) for key, value in row.items()})
        return rows

    @property
    def checkpoints(self) -> list[Path]:
        """Its checkpoints, oldest first; a name holds the number of steps and a checksum."""
        return sorted((self.folder / "checkpoints").glob("step-*.weights.h5"))

    @property
    def is_finished(self) -> bool:
        """Whether there is a complete report."""
        return read_json(self.folder / "report.json").keys() >= {"psnr_restored", "photos"}

    @property
    def has_begun(self) -> bool:
        """Whether there are results or checkpoints that another run would overwrite."""
        return self.is_finished or self.generator.exists() or bool(self.checkpoints)

    @property
    def generator(self) -> Path:
        """The file of the trained generator, with its averaged weights."""
        return self.folder / "generator.keras"

    def begin(self, config: dict) -> None:
        """Make the folder of a new run and write its configuration."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / "config.json", config)

    @contextlib.contextmanager
    def exclusive(self):
        """Lock the run: no other process can train it inside the block.

        Raises:
            CourseError: another process has locked it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder / ".lock") as ours:
            if not ours:
                raise CourseError(
                    f"The run {self.folder.name} is being trained by another process; wait until "
                    "that ends, or choose another run name."
                )
            yield

    def check(self, config: dict) -> None:
        """Check that the run in the folder is the one that is asked for.

        Args:
            config: what `config.json` would hold of the run that is asked for.

        Raises:
            CourseError: it has another recipe, data set, seed or other setting.
        """
        name, before, config = self.folder.name, self.config, json.loads(json.dumps(config))
        changed = [
            key
            for key in config
            if key not in DESCRIBING and key in before and before[key] != config[key]
        ]
        if changed == ["epochs"] and config["epochs"] > before["epochs"]:
            raise CourseError(
                f"The schedule of the run {name} is made for its {before['epochs']} epochs; train "
                f"on from its generator under another name, with start_from={name!r} "
                f"(--start-from {name})."
            )
        if changed:
            # Another name says enough; other values of the same name are worth a word.
            changed = [
                key
                for key in changed
                if not key.endswith("_values") or key.removesuffix("_values") not in changed
            ]
            differing = "; ".join(_difference(key, before, config) for key in changed)
            raise CourseError(
                f"The run {name} exists and is another one ({differing}); choose another run name, "
                "or give what it was begun with."
            )

    def extend(self, config: dict) -> None:
        """Raise the number of epochs, if the steps so far would have been the same.

        That is so with a constant learning rate and no pretraining; other schedules depend on the
        number of epochs from the first step.

        Args:
            config: as for `check`.
        """
        before = self.config
        recipe = before.get("recipe_values", {})
        fits = recipe.get("decay") == "constant" and not recipe.get("pretraining")
        if fits and self.checkpoints and config["epochs"] > before["epochs"]:
            self.check(config | {"epochs": before["epochs"]})
            # In this order, because a run with a report is not trained any further.
            (self.folder / "report.json").unlink(missing_ok=True)
            write_json(self.folder / "config.json", before | {"epochs": config["epochs"]})

    def resume(self, gan: keras.Model) -> int:
        """Load the newest checkpoint that is undamaged and fits.

        Returns:
            The number of steps it has done, 0 if there is no checkpoint.
        """
        for path in reversed(self.checkpoints):
            name = re.fullmatch(r"step-(\d+)-(\w+)\.weights\.h5", path.name)
            if not name or name[2] != checksum(path):
                print(f"{path} is damaged and is left out (its content has changed).")
            elif misfit := _load_checkpoint(gan, path):
                print(f"{path} does not fit this run and is left out ({misfit}).")
            else:
                return int(name[1])
        if self.checkpoints:
            raise CourseError(
                f"No checkpoint in {self.folder / 'checkpoints'} can be used; choose another run "
                f"name, or move the folder {self.folder.name} away to begin this run anew."
            )
        return 0

    def truncate_metrics(self, epochs: int) -> None:
        """Keep the rows of the first `epochs` epochs; the others will be trained again."""
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
        """Turn errors of the disk and of the input pipeline into a `CourseError`.

        TensorFlow wraps an error of a reader thread into one of its own, with a traceback inside.
        """
        try:
            with explaining(f"The run {self.folder.name} had to stop"):
                yield
        except MemoryError:
            raise CourseError(NO_MEMORY) from None
        except tf.errors.UnavailableError:
            raise CourseError(
                "Another machine of this run does not answer any more; start the run again on all "
                "of them, it continues from the last checkpoint."
            ) from None
        except tf.errors.OpError as error:
            exhausted = isinstance(error, tf.errors.ResourceExhaustedError)
            if exhausted or re.search("out.of.memory|Dst tensor", error.message, re.IGNORECASE):
                raise CourseError(NO_MEMORY) from None
            _, found, sentence = error.message.partition("CourseError: ")
            message = (sentence if found else error.message).strip().splitlines()[0]
            raise CourseError(message) from None


def checksum(path: Path) -> str:
    """Half of a file's sha256, which identifies it in names and in `config.json`."""
    return sha256(path)[:32]


def _difference(key: str, before: dict, config: dict) -> str:
    if key == "start_checksum" and before["start_from"] == config["start_from"]:
        return f"the weights of start_from={config['start_from']!r} have changed"
    if key == "pair_names":
        return "its pairs have other names"
    if key.endswith("_values"):
        return f"the values of its {key.removesuffix('_values')} have changed"
    key = {"start_checksum": "start_from"}.get(key, key)
    return f"{key} was {before[key]!r} and is now {config[key]!r}"


def _load_checkpoint(gan: keras.Model, path: Path) -> str:
    """Load a checkpoint that is undamaged.

    Returns:
        What does not fit these networks and optimisers, or "". Other errors, such as too little
        memory, are no fault of the file and are raised.
    """
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            gan.load_weights(path)
        except (ValueError, KeyError) as error:
            return " ".join(str(error).split())[:200] or type(error).__name__
    # Of what it leaves out Keras only warns.
    messages = [" ".join(str(each.message).split())[:200] for each in said]
    return next((text for text in messages if text.startswith(("Skipping", "A total of"))), "")
