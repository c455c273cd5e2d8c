"""Several devices and several machines compute what one device computes."""

import json
import os
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from deblurgan_lib import restoration
from deblurgan_lib.errors import CourseError
from deblurgan_lib.training import devices
from deblurgan_lib.training.run import Run

# A process of its own, because TensorFlow's devices cannot be changed once it has begun.
TRAIN = """
import dataclasses, sys
from pathlib import Path
import tensorflow as tf
from deblurgan_lib.training import profiles, recipes, train

data, runs, recipe, precision, devices, epochs = sys.argv[1:]
cpu = tf.config.list_physical_devices("CPU")[0]
parts = [tf.config.LogicalDeviceConfiguration()] * int(devices)
tf.config.set_logical_device_configuration(cpu, parts)
tiny = dataclasses.replace(
    profiles.PROFILES["smoke"], width=4, blocks=1, critic_width=4, steps_per_epoch=3, batch=4
)
# Masks of dropout are each device's own; the rest must be equal.
recipe = recipes.RECIPES[recipe]
pretraining = 0.5 * (recipe.pretraining > 0)
recipe = dataclasses.replace(
    recipe, dropout=0.0, features="vgg16-random", pretraining=pretraining
)
options = {"precision": precision, "epochs": int(epochs), "minutes": 0, "verbose": 0}
train("run", Path(data), Path(runs), recipe, tiny, **options)
"""


def start(*arguments, task=None, ports=()):
    config = {"cluster": {"worker": [f"127.0.0.1:{port}" for port in ports]}}
    config["task"] = {"type": "worker", "index": task}
    environment = {} if task is None else {"TF_CONFIG": json.dumps(config)}
    command = [sys.executable, "-c", TRAIN, *map(str, arguments)]
    return subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def finish(*processes):
    for process in processes:
        said = process.communicate(timeout=300)[0].decode()
        assert process.returncode == 0, said[-3000:]


def free_ports(n):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def assert_alike(run, other, rel=1e-4, abs=1e-6):
    for a, b in zip(run.metrics, other.metrics, strict=True):
        assert a == pytest.approx(b, rel=rel, abs=abs)
    weights = (
        restoration.load(run.generator).get_weights(),
        restoration.load(other.generator).get_weights(),
    )
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, atol=10 * abs)


@pytest.fixture(scope="module")
def one(tmp_path_factory, make_data_set):
    """The data and a run on one device, six epochs of which three are pretraining."""
    folder = tmp_path_factory.mktemp("one")
    data = make_data_set(folder / "data")
    finish(start(data, folder, "course", "float32", 1, 6))
    return data, Run(folder / "run")


def test_two_devices_train_as_one_does(one, tmp_path):
    """Losses, averaged weights, the limit on the gradient, the places of the penalty."""
    data, run = one
    finish(start(data, tmp_path, "course", "float32", 2, 6))
    assert_alike(run, Run(tmp_path / "run"))


def test_two_devices_in_float16_scale_the_loss_alike(one, tmp_path):
    folders = tmp_path / "one", tmp_path / "two"
    settings = "course", "mixed_float16"
    finish(*(start(one[0], folder, *settings, n, 2) for n, folder in enumerate(folders, 1)))
    assert_alike(*(Run(folder / "run") for folder in folders), rel=2e-2, abs=2e-3)


def test_two_machines_train_as_one_does_and_go_on_after_one_has_died(one, tmp_path):
    data, unbroken = one
    run = Run(tmp_path / "run")

    def both():
        ports = free_ports(2)
        arguments = data, tmp_path, "course", "float32", 1, 6
        return [start(*arguments, task=task, ports=ports) for task in (0, 1)]

    first, second = both()
    deadline = time.monotonic() + 200
    while not run.metrics and time.monotonic() < deadline:
        time.sleep(0.02)
    second.kill()
    said = first.communicate(timeout=200)[0].decode()
    assert first.returncode != 0
    assert "Another machine of this run" in said, said[-3000:]
    assert not run.is_finished and 1 <= len(run.metrics) < 6
    finish(*both())
    assert_alike(unbroken, run)


def test_a_batch_that_cannot_be_shared_is_refused():
    class Three:
        num_replicas_in_sync = 3

    assert devices.per_replica_batch(6, Three) == 2
    with pytest.raises(CourseError, match="3 devices cannot share a batch of 8 equally"):
        devices.per_replica_batch(8, Three)
