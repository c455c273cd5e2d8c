"""Several devices and several machines compute what one device computes."""

import dataclasses
import json
import multiprocessing
import os
import socket
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

from deblurgan_lib import restoration, training
from deblurgan_lib.errors import CourseError
from deblurgan_lib.training import devices
from deblurgan_lib.training.run import Run

pytestmark = pytest.mark.slow

# A small network of few layers; masks of dropout would be each device's own.
RECIPE = dataclasses.replace(tiny.GAN, optimizer="muon", dropout=0.0, pretraining=0.5)
SIZES = dataclasses.replace(tiny.SIZES, steps_per_epoch=3, batch=4)

# Processes of their own, because TensorFlow's devices cannot be changed once it has begun. They
# are forked from one that has loaded it and has not begun.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["deblurgan_lib.training.loop"])


def split(said, environment, count):
    """Make so many devices of the processor; what the process says goes to a file."""
    with open(said, "w") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.environ |= environment
    cpu = tf.config.list_physical_devices("CPU")[0]
    parts = [tf.config.LogicalDeviceConfiguration()] * count
    tf.config.set_logical_device_configuration(cpu, parts)


def train(said, environment, data, runs, precision, count, epochs, minutes=60):
    split(said, environment, count)
    options = {"precision": precision, "epochs": epochs, "minutes": minutes, "verbose": 0}
    training.train("run", data, runs, RECIPE, SIZES, **options)


class Process:
    """A process that trains, and what it has said when it has ended."""

    def __init__(self, *arguments, target=train, task=None, ports=()):
        config = {"cluster": {"worker": [f"127.0.0.1:{port}" for port in ports]}}
        config["task"] = {"type": "worker", "index": task}
        environment = {} if task is None else {"TF_CONFIG": json.dumps(config)}
        self.said = Path(tempfile.mkstemp(suffix=".txt")[1])
        arguments = (self.said, environment, *arguments)
        self.process = PROCESSES.Process(target=target, args=arguments)
        self.process.start()

    def end(self):
        """Its exit code, and what it said."""
        self.process.join(600)
        said = self.said.read_text()
        self.said.unlink()
        return self.process.exitcode, said[-3000:]


def finish(*processes):
    for code, said in [process.end() for process in processes]:
        assert code == 0, said


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
    """The data and a run on one device, four epochs of which two are pretraining."""
    folder = tmp_path_factory.mktemp("one")
    data = make_data_set(folder / "data")
    finish(Process(data, folder, "float32", 1, 4))
    return data, Run(folder / "run")


def test_two_devices_train_as_one_does(one, tmp_path):
    """Losses, averaged weights, the points of the penalty."""
    data, run = one
    finish(Process(data, tmp_path, "float32", 2, 4))
    assert_alike(run, Run(tmp_path / "run"))


def test_two_devices_in_float16_scale_the_loss_alike(one, tmp_path):
    folders = tmp_path / "one", tmp_path / "two"
    settings = "mixed_float16"
    finish(*(Process(one[0], folder, settings, n, 1) for n, folder in enumerate(folders, 1)))
    assert_alike(*(Run(folder / "run") for folder in folders), rel=2e-2, abs=2e-3)


def update_twice(said, environment, connection):
    """Sends the weight and the loss scale after each update, and what devices sent each other."""
    split(said, environment, 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        weight = keras.Variable(np.zeros(3, "f"))
        sgd = keras.optimizers.SGD(1.0)
        optimizer = keras.optimizers.LossScaleOptimizer(sgd, initial_scale=4.0)
        optimizer.build([weight])
    sent, all_reduce = [], tf.distribute.ReplicaContext.all_reduce

    def counted(devices, how, values, **options):
        sent.append(sum(value.shape.num_elements() for value in tf.nest.flatten(values)))
        return all_reduce(devices, how, values, **options)

    tf.distribute.ReplicaContext.all_reduce = counted

    @tf.function
    def step(seconds):
        def each():
            number = tf.distribute.get_replica_context().replica_id_in_sync_group
            gradient = tf.fill([3], 4.0 * tf.where(number == 1, seconds, 1.0))
            training.DeblurGAN.update(None, optimizer, [gradient], [weight])

        strategy.run(each)

    for seconds in (2.0, np.inf):
        step(tf.constant(seconds))
        connection.send((weight.numpy().tolist(), float(optimizer.dynamic_scale.numpy())))
    connection.send(sorted(sent))


def test_gradients_are_sent_once_and_one_devices_infinity_stops_all():
    ours, theirs = PROCESSES.Pipe()
    finish(Process(theirs, target=update_twice))
    assert ours.recv() == ([-1.5] * 3, 4.0)  # The mean of 1 and 2.
    assert ours.recv() == ([-1.5] * 3, 2.0)
    assert ours.recv() == [1, 1, 3, 3]  # From each: whether all is finite, and the gradient.


def test_two_machines_train_as_one_does_and_go_on_after_one_has_died(one, tmp_path):
    data, unbroken = one
    run = Run(tmp_path / "run")

    def both():
        ports = free_ports(2)
        arguments = data, tmp_path, "float32", 1, 4, 0  # A checkpoint at each step.
        return [Process(*arguments, task=task, ports=ports) for task in (0, 1)]

    first, second = both()
    deadline = time.monotonic() + 200
    while not run.metrics and time.monotonic() < deadline:
        time.sleep(0.02)
    second.process.kill()
    second.end()
    code, said = first.end()
    assert code and "Another machine of this run" in said, said
    assert not run.is_finished and 1 <= len(run.metrics) < 4
    finish(*both())
    assert_alike(unbroken, run)


def test_a_batch_that_cannot_be_shared_is_refused():
    class Three:
        num_replicas_in_sync = 3

    assert devices.per_replica_batch(6, Three) == 2
    with pytest.raises(CourseError, match="3 devices cannot share a batch of 8 equally"):
        devices.per_replica_batch(8, Three)
