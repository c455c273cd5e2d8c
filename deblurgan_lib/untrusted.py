"""What a saved generator must be before Keras sees it, because it may come from anywhere.

Keras' safe mode refuses pickled code, and each version refuses more than the one before it. What
remains is refused here: names of anything but the layers that generators have, networks that are
larger than the weights beside them, and members that unpack to more than they are.
"""

import io
import json
import math
import zipfile
from pathlib import Path

import h5py
import keras

from .models import layers  # noqa: F401 - registers the course's own layers

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


def check(path: Path) -> None:
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
    stored = _stored_bytes(weights)
    model = json.loads(config)
    if (model["module"], model["class_name"]) != ("keras.src.models.functional", "Functional"):
        raise ValueError(
            f"it holds a {model['class_name']}, which is not a generator of the course"
        )
    parts = model["config"]["layers"]
    if len(parts) > MAX_LAYERS:
        raise ValueError(f"it has more than {MAX_LAYERS} layers")
    _check_names_and_numbers(model["config"])
    needed = sum(_kernel_bytes(part) for part in parts if "filters" in part["config"])
    if needed > stored:
        raise ValueError("it describes a larger network than it has weights for")


def _stored_bytes(weights: bytes) -> int:
    """The size of all numbers in an HDF5 file that holds them itself, and plainly."""
    stored = 0

    def visit(group):
        nonlocal stored
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

    with h5py.File(io.BytesIO(weights), "r") as file:
        visit(file)
    if stored > len(weights):
        raise ValueError("its weights unpack to more than they are")
    return stored


def _check_names_and_numbers(node) -> None:
    """Every class is one that generators have, and no size is out of all proportion."""
    if isinstance(node, list):
        for value in node:
            _check_names_and_numbers(value)
    elif isinstance(node, dict):
        name, module = node.get("class_name"), node.get("module")
        own = f"deblurgan>{name}"
        if not (
            name in (None, "__keras_tensor__")
            or (name in CLASSES.get(module, ()) and node.get("registered_name") is None)
            or (node.get("registered_name") == own and own in keras.saving.get_custom_objects())
        ):
            raise ValueError(f"it holds a {name} of {module}, which no generator of the course has")
        for key, value in node.items():
            if key not in ("seed", "shared_object_id"):
                _check_names_and_numbers(value)
    elif isinstance(node, int | float) and not abs(node) <= MAX_SIZE:
        raise ValueError(f"it asks for a size of {node:.3g}")


def _kernel_bytes(layer: dict) -> int:
    channels = layer["build_config"]["input_shape"][-1]
    return 4 * channels * layer["config"]["filters"] * math.prod(layer["config"]["kernel_size"])
