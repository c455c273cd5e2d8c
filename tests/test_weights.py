"""Files that are damaged or made to do harm end in a picture, or in one sentence."""

import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from deblurgan_lib import models, restoration
from deblurgan_lib.errors import CourseError
from deblurgan_lib.restoration import weights

FUZZ = Path(__file__).with_name("fuzz_photos.py")


@pytest.mark.slow
def test_damaged_photos_end_in_a_photo_or_a_sentence(tmp_path):
    """The process lives, says nothing on its own, and needs no more memory than its largest."""
    done = subprocess.run(
        [sys.executable, FUZZ, tmp_path, "2000", "0"], capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["photo"] > 400 and found["sentence"] > 800
    assert found["photo"] + found["sentence"] > 2000
    assert found["MB"] < 1500  # A photo of 95 million pixels is among them.


# ------------------------------------------------------------------------------------- generators


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The three members of a good generator's file."""
    path = tmp_path_factory.mktemp("whole") / "generator.keras"
    restoration.save(
        models.resnet_generator(
            4, 1, norm="none", skip="residual", dropout=0, stem="space_to_depth"
        ),
        path,
    )
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path, members, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


class Payload:
    """What a pickle or a lambda would do if it were run: leave a file."""

    def __reduce__(self):
        return os.mkdir, ("it_was_run",)


def test_what_is_packed_here_is_otherwise_good(whole, tmp_path):
    packed(tmp_path / "generator.keras", whole)
    assert restoration.load(tmp_path / "generator.keras").name == "resnet_generator"


def test_files_of_other_kinds_are_refused(whole, tmp_path, photo):
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "PNG")
    h5 = whole["model.weights.h5"]
    packed(
        tmp_path / "saved_model.keras", {"saved_model.pb": b"x", "variables/variables.index": b""}
    )
    packed(tmp_path / "notes.keras", {"notes.txt": b"text"})
    contents = {"picture": buffer.getvalue(), "pickle": pickle.dumps(Payload()), "old": h5}
    for name, content in contents.items():
        (tmp_path / f"{name}.keras").write_bytes(content)
    for path in tmp_path.glob("*.keras"):
        with pytest.raises(CourseError, match=f"{path.name} could not be loaded"):
            restoration.load(path)
    assert len(list(tmp_path.iterdir())) == 5


def test_members_that_do_not_belong_there_are_refused(whole, tmp_path):
    members = {
        "../escaped.txt": b"", "/escaped.txt": b"", "assets/x": b"", "model.weights.npz": b"",
    }  # fmt: skip
    for name, content in members.items():
        packed(tmp_path / "generator.keras", {**whole, name: content})
        with pytest.raises(CourseError, match="and nothing else, is expected"):
            restoration.load(tmp_path / "generator.keras")
    npz = io.BytesIO()
    np.savez(npz, vars=np.array([Payload()], dtype=object))
    config = {"config.json": whole["config.json"], "metadata.json": whole["metadata.json"]}
    packed(tmp_path / "generator.keras", {**config, "model.weights.npz": npz.getvalue()})
    with pytest.raises(CourseError, match="and nothing else, is expected"):
        restoration.load(tmp_path / "generator.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["generator.keras"]


@pytest.mark.parametrize("member", ["config.json", "model.weights.h5"])
def test_a_member_that_unpacks_to_gigabytes_is_refused(whole, tmp_path, member, monkeypatch):
    monkeypatch.setattr(weights, "MAX_BYTES", 2**22)
    bomb = b" " * 2**23
    packed(tmp_path / "bomb.keras", {**whole, member: bomb}, zipfile.ZIP_DEFLATED)
    with pytest.raises(CourseError, match="unpacks to more than 4 MB"):
        restoration.load(tmp_path / "bomb.keras")


def changed(whole, change):
    config = json.loads(whole["config.json"])
    config = change(config, config["config"]["layers"]) or config
    return {**whole, "config.json": json.dumps(config)}


def first(layers, name):
    return next(layer for layer in layers if layer["class_name"] == name)


def lambda_layer(config, layers):
    layer = first(layers, "LeakyReLU")
    function = {"class_name": "__lambda__", "config": {"value": ["gA==", None, None]}}
    layer |= {"module": "keras.layers", "class_name": "Lambda", "config": {"function": function}}


def function(module, name):
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def hostile_configs():
    """From a name to what is done to a good configuration, and the sentence that names it."""
    none_has = "which no generator of the course has"

    def a_module_to_import(config, layers):
        layers[2] |= {"module": "os", "class_name": "system", "registered_name": None}

    def a_builtin(config, layers):
        layers[2]["config"]["name"] = function("builtins", "eval")

    def an_activation(config, layers):
        first(layers, "Conv2D")["config"]["activation"] = function("keras.utils", "get_file")

    def another_files_model(config, layers):
        layers[2] |= {"module": "keras.layers", "class_name": "TFSMLayer", "registered_name": None}

    def a_disguise(config, layers):
        layers[2] |= {"module": "keras.layers", "class_name": "Add", "registered_name": "os>system"}

    def a_second_disguise(config, layers):
        own = {"class_name": "__lambda__", "registered_name": "deblurgan>PadToMultiple"}
        layers[2] |= {"module": "keras.layers", **own}

    def a_type(config, layers):
        layers[2]["config"]["dtype"] = {"class_name": "__typespec__", "config": []}

    def a_nested_model(config, layers):
        layers[2] = json.loads(json.dumps(config))

    def a_sequential(config, layers):
        return {**config, "class_name": "Sequential", "module": "keras"}

    def terabytes(config, layers):
        conv = first(layers, "Conv2D")
        conv["config"]["filters"] = 2000
        conv["config"]["kernel_size"] = [2000, 2000]

    def a_lie_about_channels(config, layers):
        first(layers, "Conv2D")["build_config"]["input_shape"][-1] = 1

    def a_size(config, layers):
        first(layers, "PadToMultiple")["config"]["minimum"] = 10**9

    def infinity(config, layers):
        first(layers, "LeakyReLU")["config"]["negative_slope"] = float("nan")

    def many_layers(config, layers):
        layers += [layers[-1]] * 1000

    def depth(config, layers):
        deep = []
        for _ in range(900):
            deep = [deep]
        layers[2]["config"]["name"] = deep

    def no_layers(config, layers):
        config["config"] = None

    def a_list(config, layers):
        return [config]

    return {
        "a lambda": (lambda_layer, f"holds a Lambda of keras.layers, {none_has}"),
        "a module to import": (a_module_to_import, f"holds a system of os, {none_has}"),
        "a builtin": (a_builtin, f"holds a function of builtins, {none_has}"),
        "an activation": (an_activation, f"holds a function of keras.utils, {none_has}"),
        "another file's model": (another_files_model, f"holds a TFSMLayer .*{none_has}"),
        "a disguise": (a_disguise, f"holds a Add of keras.layers, {none_has}"),
        "a second disguise": (a_second_disguise, f"holds a __lambda__ .*{none_has}"),
        "a type": (a_type, f"holds a __typespec__ of None, {none_has}"),
        "a nested model": (a_nested_model, f"holds a Functional .*{none_has}"),
        "a sequential": (a_sequential, "a Sequential, which is not a generator"),
        "terabytes": (terabytes, "larger network than it has weights for"),
        "a lie about channels": (a_lie_about_channels, "could not be loaded"),
        "a size": (a_size, "asks for a size of 1e\\+09"),
        "infinity": (infinity, "asks for a size of nan"),
        "many layers": (many_layers, "more than 1000 layers"),
        "depth": (depth, "could not be loaded"),
        "no layers": (no_layers, "could not be loaded"),
        "a list": (a_list, "could not be loaded"),
    }


@pytest.mark.parametrize("case", hostile_configs())
def test_a_hostile_configuration_is_refused(whole, tmp_path, monkeypatch, case):
    change, sentence = hostile_configs()[case]
    monkeypatch.chdir(tmp_path)
    packed(tmp_path / "generator.keras", changed(whole, change))
    with pytest.raises(CourseError, match=sentence) as error:
        restoration.load("generator.keras")
    assert "\n" not in str(error.value) and len(str(error.value)) < 400
    assert [path.name for path in tmp_path.iterdir()] == ["generator.keras"]


def hostile_weights():
    """From a name to what is done to an open HDF5 file, with a file of secrets beside it."""

    def replaced(make):
        def change(file, secrets):
            names = []
            file.visititems(lambda name, x: names.append(name) if hasattr(x, "shape") else None)
            shape, name = file[names[0]].shape, names[0]
            del file[name]
            make(file, name, shape, secrets)

        return change

    def external_dataset(file, name, shape, secrets):
        file.create_dataset(name, shape, "f4", external=[(str(secrets), 0, h5py.h5f.UNLIMITED)])

    def external_link(file, name, shape, secrets):
        file[name] = h5py.ExternalLink(str(secrets), "/secret")

    def soft_link(file, name, shape, secrets):
        file[name] = h5py.SoftLink("/somewhere/else")

    def virtual(file, name, shape, secrets):
        layout = h5py.VirtualLayout(shape, "f4")
        layout[:] = h5py.VirtualSource(str(secrets), "secret", shape)
        file.create_virtual_dataset(name, layout)

    def shape_bomb(file, name, shape, secrets):
        file.create_dataset(name, (2**40,), "f4", chunks=(2**20,), compression="gzip")

    def plain_shape_bomb(file, name, shape, secrets):
        file.create_dataset(name, (2**40,), "f4")

    def text(file, name, shape, secrets):
        file.create_dataset(name, data=["a", "b"])

    def another_shape(file, name, shape, secrets):
        file.create_dataset(name, data=np.zeros(7, "f4"))

    def missing(file, name, shape, secrets):
        pass

    plain, smaller = "not plain numbers", "larger network than it has weights for"
    return {
        "an external dataset": (replaced(external_dataset), plain),
        "an external link": (replaced(external_link), "its weights are links"),
        "a soft link": (replaced(soft_link), "its weights are links"),
        "a virtual dataset": (replaced(virtual), plain),
        "a shape bomb": (replaced(shape_bomb), plain),
        "a plain shape bomb": (replaced(plain_shape_bomb), "unpack to more than they are"),
        "text": (replaced(text), plain),
        "another shape": (replaced(another_shape), f"{smaller}|could not be loaded"),
        "missing": (replaced(missing), f"{smaller}|could not be loaded"),
    }


@pytest.mark.parametrize("case", hostile_weights())
def test_hostile_weights_are_refused(whole, tmp_path, case):
    change, sentence = hostile_weights()[case]
    (tmp_path / "secrets").write_bytes(bytes(10**6))
    buffer = io.BytesIO(whole["model.weights.h5"])
    with h5py.File(buffer, "r+") as file:
        change(file, tmp_path / "secrets")
    packed(tmp_path / "generator.keras", {**whole, "model.weights.h5": buffer.getvalue()})
    with pytest.raises(CourseError, match=sentence):
        restoration.load(tmp_path / "generator.keras")


def test_damage_anywhere_in_a_file_is_named_or_does_not_matter(whole, tmp_path):
    """Cut at fifty places, and with a bit flipped at a hundred others."""
    path = tmp_path / "generator.keras"
    packed(path, whole)
    content = path.read_bytes()
    random = np.random.default_rng(0)
    for cut in random.integers(len(content), size=50):
        path.write_bytes(content[:cut])
        with pytest.raises(CourseError, match="could not be loaded"):
            restoration.load(path)
    good = dict.fromkeys(whole)
    for place in random.integers(len(content), size=100):
        data = bytearray(content)
        data[place] ^= 1 << random.integers(8)
        path.write_bytes(data)
        try:
            weights.check_file(path)
        except Exception as error:
            assert not isinstance(error, MemoryError)
            continue
        with zipfile.ZipFile(path) as archive:  # The flipped bit says when it was written, or so.
            good = {name: archive.read(name) for name in archive.namelist()}
        assert good == whole


def test_weights_in_float16_take_half_the_room_and_come_back_in_float32(tmp_path):
    generator = models.resnet_generator(16, 2, norm="batch", stem="space_to_depth")
    generator.set_weights([w + 0.01 for w in generator.get_weights()])
    for name, half in (("whole", False), ("half", True)):
        restoration.save(generator, tmp_path / f"{name}.keras", half=half)
    whole, half = ((tmp_path / f"{name}.keras").stat().st_size for name in ("whole", "half"))
    assert 0.5 < half / whole < 0.6
    loaded = restoration.load(tmp_path / "half.keras")
    for a, b in zip(generator.get_weights(), loaded.get_weights(), strict=True):
        assert b.dtype == "float32" or a.dtype == b.dtype != "float16"
        np.testing.assert_array_equal(a.astype("float16").astype(a.dtype), b)
    assert np.abs(generator.get_weights()[0] - loaded.get_weights()[0]).max() > 0


def test_half_the_weights_are_not_enough_in_any_number_of_bytes(tmp_path):
    """A file with weights of 8 bytes and half of its kernels is not taken for a whole one."""
    path = tmp_path / "generator.keras"
    generator = models.resnet_generator(4, 1, norm="none", dropout=0, stem="space_to_depth")
    restoration.save(generator, path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    buffer = io.BytesIO(members["model.weights.h5"])
    with h5py.File(buffer, "r+") as file:
        names = []
        file.visititems(lambda name, x: names.append(name) if hasattr(x, "shape") else None)
        for name in names:
            values = file[name][..., ::2].astype("float64")
            del file[name]
            file[name] = values
    packed(path, {**members, "model.weights.h5": buffer.getvalue()})
    with pytest.raises(CourseError, match="larger network than it has weights for"):
        restoration.load(path)


@pytest.mark.slow
def test_generators_of_all_recipes_and_profiles_are_accepted(tmp_path):
    for build in (
        lambda: models.resnet_generator(8, 2),
        lambda: models.resnet_generator(8, 2, norm="batch", skip="half_sum"),
        lambda: models.unet_generator(8, 2),
        lambda: models.space_to_depth_unet_generator(4, 4),
        lambda: models.resnet_generator(64, 9),
    ):
        generator = build()
        restoration.save(generator, tmp_path / "generator.keras")
        loaded = restoration.load(tmp_path / "generator.keras")
        for a, b in zip(generator.get_weights(), loaded.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    keras.utils.clear_session()
