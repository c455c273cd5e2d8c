"""Generators on disk: find, verify, load, save; and what a file must be before Keras sees it.

A file of weights may come from anywhere. Keras' safe mode refuses pickled code, and each version
refuses more than the one before it. What remains is refused here: names of anything but the layers
that generators have, networks that are larger than the weights beside them, and members that unpack
to more than they are.
"""

import io
import json
import math
import re
import zipfile
from pathlib import Path

import h5py
import keras

from ..errors import CourseError
from ..files import replacing, sha256
from ..models.layers import GlobalSkip
from ..models.receptive_field import receptive_field
from ..precision import measure_precision

SHIPPED = Path(__file__).parent.parent / "weights"
"""The generators that come with the library, their cards, and SHA256SUMS, which verifies them."""
DEFAULT = "gan"
"""The shipped generator that the command line takes where none is named."""


def shipped() -> list[str]:
    """The names of the generators that are shipped, the default first."""
    return sorted((file.stem for file in SHIPPED.glob("*.keras")), key=lambda x: (x != DEFAULT, x))


def find_weights(weights: str | Path, runs: Path) -> Path:
    """The file of a trained generator: a path, the name of a run, or of one that is shipped.

    A name that is both is the shipped one's. `train` refuses such names, but a folder may be older.

    Raises:
        CourseError: there is no such file, run, or shipped generator.
    """
    if Path(weights).suffix == ".keras":
        if not Path(weights).is_file():
            raise CourseError(f"There is no file {weights}; check the path.")
        return Path(weights)
    if re.fullmatch(r"[\w.-]+", str(weights)):
        files = SHIPPED / f"{weights}.keras", Path(runs) / weights / "generator.keras"
        found = [file for file in files if file.is_file()]
        if len(found) == 2:
            print(f"{weights} is the generator that is shipped; the run's is {found[1]}.")
        if found:
            return found[0]
    done = sorted(file.parent.name for file in Path(runs).glob("*/generator.keras"))
    finished = f"finished runs: {', '.join(done)}" if done else "no run has finished yet"
    raise CourseError(
        f"{weights} is neither a .keras file, nor a run in {runs} ({finished}), "
        f"nor one of the generators that are shipped ({', '.join(shipped())})."
    )


def load(weights: str | Path, runs: Path = Path("runs"), precision: str = "float32") -> keras.Model:
    """Load a trained generator, wherever it comes from, in Keras' safe mode.

    Args:
        weights: a `.keras` file, the name of a run, or the name of a shipped generator.
        runs: the folder of the runs.
        precision: what it computes in: `"float32"`, the same on every machine; a Keras dtype
            policy; or `"auto"` for the device's fastest, see `measure_precision`. The sum of the
            blurred picture and what the generator adds is float32 in any case.

    Raises:
        CourseError: the file is missing, broken, or holds something other than a generator.
    """
    path = find_weights(weights, runs)
    if path.parent == SHIPPED:
        _verify(path)
    try:
        check_file(path)
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Whatever is wrong with the file, Keras raises something else.
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise CourseError(
            f"{path} could not be loaded as a generator ({reason}); "
            "it may be damaged: copy or train it again."
        ) from None
    shapes = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
    field = receptive_field(model) if shapes == ((None, None, None, 3),) * 2 else None
    if field is None or field.step != 1 or field.finest < 1:
        raise CourseError(
            f"{path} holds the model {model.name!r}, which is not a generator: "
            "it does not turn a picture of any size into one of the same size."
        )
    policy = measure_precision() if precision == "auto" else precision
    for layer in model.layers:
        if not isinstance(layer, GlobalSkip):
            layer.dtype_policy = policy
    # On a GPU Keras would else compile with XLA, anew for every size of photograph.
    model.compile(jit_compile=False)
    return model


def _verify(path: Path) -> None:
    lines = (SHIPPED / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    sums = dict(line.split()[::-1] for line in lines)
    digest = sha256(path)
    if digest != sums.get(path.name):
        raise CourseError(
            f"{path} is not the file that is shipped: its sha256 is {digest[:12]}...; "
            "install the course again."
        )


def save(generator: keras.Model, path: Path, half: bool = False) -> None:
    """Save a trained generator, beside its place and then renamed, for any Keras from 3.13 on.

    Its initializers are set to zeros: its weights are there, and the options of initializers differ
    between versions of Keras, so an older one could not load them.

    Args:
        generator: the model to save.
        path: a `.keras` file.
        half: store the weights in float16, in half as many bytes; `load` computes in float32 again.
            The two shipped generators change by less than 0.001 dB on the sample set (mean).
    """
    for layer in generator.layers:
        if hasattr(layer, "kernel_initializer"):
            layer.kernel_initializer = keras.initializers.Zeros()
    with replacing(path) as beside:
        generator.save(beside)
        if half:
            _halve(beside)


def _halve(path: Path) -> None:
    """Write a `.keras` file anew, with its float32 arrays in float16."""
    with zipfile.ZipFile(path) as archive:
        config, metadata, weights = (archive.read(name) for name in MEMBERS)
    halved = io.BytesIO()
    with h5py.File(io.BytesIO(weights), "r") as source, h5py.File(halved, "w") as target:

        def copy(name, item):
            if isinstance(item, h5py.Group):
                made = target.create_group(name)
            else:
                values = item[()]
                values = values.astype("float16") if values.dtype == "float32" else values
                made = target.create_dataset(name, data=values)
            made.attrs.update(item.attrs)

        source.visititems(copy)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in zip(MEMBERS, (config, metadata, halved.getvalue()), strict=True):
            archive.writestr(name, content)


MEMBERS = ["config.json", "metadata.json", "model.weights.h5"]
MAX_BYTES = 2**28  # The largest generator of the profiles takes 46 MB.
MAX_LAYERS = 1000  # The largest generator of the profiles has 106.
MAX_SIZE = 2048  # Channels, or pixels: no generator has a larger number of anything.
CLASSES = {
    "keras.layers": {
        "InputLayer", "Conv2D", "Conv2DTranspose", "UpSampling2D", "BatchNormalization",
        "GroupNormalization", "Activation", "LeakyReLU", "Dropout", "Add", "Concatenate",
    },
    "keras.initializers": {"Zeros", "Ones", "RandomNormal", "VarianceScaling", "GlorotUniform"},
    "keras": {"DTypePolicy"},
}  # fmt: skip


def check_file(path: Path) -> None:
    """Look at a `.keras` file without building anything that it describes.

    Raises:
        ValueError, or whatever zipfile, json and h5py raise: it is not a generator of the course.
    """
    with zipfile.ZipFile(path) as archive:
        if sorted(archive.namelist()) != MEMBERS:
            raise ValueError(f"an archive with {', '.join(MEMBERS)}, and nothing else, is expected")
        if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
            raise ValueError(f"it unpacks to more than {MAX_BYTES >> 20} MB")
        # To their end, so that their checksums are compared.
        config, _, weights = (archive.read(name) for name in MEMBERS)
    stored = _stored_numbers(weights)
    model = json.loads(config)
    if (model["module"], model["class_name"]) != ("keras.src.models.functional", "Functional"):
        raise ValueError(
            f"it holds a {model['class_name']}, which is not a generator of the course"
        )
    parts = model["config"]["layers"]
    if len(parts) > MAX_LAYERS:
        raise ValueError(f"it has more than {MAX_LAYERS} layers")
    _check_names_and_numbers(model["config"])
    needed = sum(_kernel_numbers(part) for part in parts if "filters" in part["config"])
    if needed > stored:
        raise ValueError("it describes a larger network than it has weights for")


def _stored_numbers(weights: bytes) -> int:
    """How many weights an HDF5 file has that holds them itself, and plainly."""
    stored = numbers = 0

    def visit(group):
        nonlocal stored, numbers
        for name in group:
            # Soft and external links, external and virtual datasets read from other places.
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError("its weights are links")
            item = group[name]
            if isinstance(item, h5py.Group):
                visit(item)
            elif item.external or item.is_virtual or item.chunks or item.dtype.kind not in "fiu":
                raise ValueError("its weights are not plain numbers")
            else:
                stored += item.nbytes
                numbers += item.size if item.dtype.kind == "f" else 0

    with h5py.File(io.BytesIO(weights), "r") as file:
        visit(file)
    if stored > len(weights):
        raise ValueError("its weights unpack to more than they are")
    return numbers


def _check_names_and_numbers(node) -> None:
    """Every class is one that generators have, and no size is out of all proportion."""
    if isinstance(node, list):
        for value in node:
            _check_names_and_numbers(value)
    elif isinstance(node, dict):
        name, module = node.get("class_name"), node.get("module")
        registered = node.get("registered_name")
        if not (
            name in (None, "__keras_tensor__")
            or (name in CLASSES.get(module, ()) and registered is None)
            or name in _own_names(registered)
        ):
            raise ValueError(f"it holds a {name} of {module}, which no generator of the course has")
        for key, value in node.items():
            if key not in ("seed", "shared_object_id"):
                _check_names_and_numbers(value)
    elif isinstance(node, int | float) and not abs(node) <= MAX_SIZE:
        raise ValueError(f"it asks for a size of {node:.3g}")


def _own_names(registered) -> tuple[str, ...]:
    """What a file may call a layer of ours: its name, or the first one it was known by."""
    known = keras.saving.get_custom_objects()
    if not str(registered).startswith("deblurgan>") or registered not in known:
        return ()
    return known[registered].__name__, registered.removeprefix("deblurgan>")


def _kernel_numbers(layer: dict) -> int:
    channels = layer["build_config"]["input_shape"][-1]
    return channels * layer["config"]["filters"] * math.prod(layer["config"]["kernel_size"])
