"""A generator and a photo of any size in, the restored photo out; saving and loading generators."""

import os
import re
from pathlib import Path

import keras
import numpy as np

from . import untrusted
from .datasets.pipeline import to_float, to_uint8
from .errors import CourseError

SHIPPED = Path(__file__).parent / "weights"


def find_weights(weights: str | Path, runs: Path) -> Path:
    """The file of a trained generator: a path, the name of a run, or of one that is shipped.

    Raises:
        CourseError: there is no such file, run, or shipped generator.
    """
    if Path(weights).suffix == ".keras":
        if not Path(weights).is_file():
            raise CourseError(f"There is no file {weights}; check the path.")
        return Path(weights)
    if re.fullmatch(r"[\w.-]+", str(weights)):
        for file in (Path(runs) / weights / "generator.keras", SHIPPED / f"{weights}.keras"):
            if file.is_file():
                return file
    done = sorted(file.parent.name for file in Path(runs).glob("*/generator.keras"))
    finished = f"finished runs: {', '.join(done)}" if done else "no run has finished yet"
    shipped = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.keras")))
    raise CourseError(
        f"{weights} is neither a .keras file, nor a run in {runs} ({finished}), "
        f"nor one of the generators that are shipped ({shipped})."
    )


def load(weights: str | Path, runs: Path = Path("runs")) -> keras.Model:
    """Load a trained generator, wherever it comes from, in Keras' safe mode.

    Args:
        weights: a `.keras` file, the name of a run, or the name of a shipped generator.
        runs: the folder of the runs.

    Raises:
        CourseError: the file is missing, broken, or holds something other than a generator.
    """
    path = find_weights(weights, runs)
    try:
        untrusted.check(path)
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Whatever is wrong with the file, Keras raises something else.
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise CourseError(
            f"{path} could not be loaded as a generator ({reason}); "
            "it may be damaged: copy or train it again."
        ) from None
    shapes = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
    if shapes != ((None, None, None, 3),) * 2:
        raise CourseError(
            f"{path} holds the model {model.name!r}, which is not a generator: "
            "it does not turn a picture of any size into one of the same size."
        )
    # On a GPU Keras would else compile with XLA, anew for every size of photograph.
    model.compile(jit_compile=False)
    return model


def save(generator: keras.Model, path: Path) -> None:
    """Save a trained generator, beside its place and then renamed, for any Keras from 3.13 on.

    Its initializers are set to zeros: its weights are there, and the options of initializers differ
    between versions of Keras, so an older one could not load them.
    """
    for layer in generator.layers:
        if hasattr(layer, "kernel_initializer"):
            layer.kernel_initializer = keras.initializers.Zeros()
    beside = path.with_name(f".{path.stem}.part.keras")
    generator.save(beside)
    os.replace(beside, path)


def restore(generator: keras.Model, photo: np.ndarray) -> np.ndarray:
    """Restore a photograph.

    Args:
        generator: see `load`.
        photo: uint8 (H, W, 3), any height and width.

    Returns:
        uint8 (H, W, 3).
    """
    return to_uint8(generator.predict_on_batch(to_float(photo[None])))[0].numpy()
