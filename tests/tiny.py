"""Sizes and recipes for tests of runs: few layers, because most of the time is tracing."""

import dataclasses

import keras
import pytest

from deblurgan_lib import restoration, training
from deblurgan_lib.training import profiles, recipes

SIZES = dataclasses.replace(
    profiles.PROFILES["smoke"], width=4, blocks=1, critic_width=4, epochs=3, steps_per_epoch=2
)
# Everything that a run of the course has, in few layers: both phases, critic, penalty, averaging.
GAN = dataclasses.replace(
    recipes.RECIPES["course"],
    generator="resnet",
    optimizer="adam",
    features="vgg16-random",
    layer="block1_conv2",
)
# One phase, and the pixel loss alone.
PIXELS = dataclasses.replace(GAN, pretraining=0.0, perceptual=0.0, adversarial=0.0)
# One checkpoint, at the end; `minutes=0` makes one at each step, each of which takes half a second.
OPTIONS = {
    "recipe": PIXELS, "profile": SIZES, "precision": "float32", "minutes": 60, "verbose": 0,
}  # fmt: skip


def finished_run(recipe):
    """A fixture: one run for all tests of a file, none of which may change it."""

    @pytest.fixture(scope="module")
    def finished(tmp_path_factory, make_data_set):
        folder = tmp_path_factory.mktemp("finished")
        data = make_data_set(folder / "tiny")
        return training.train("run", data, folder, **OPTIONS | {"recipe": recipe})

    return finished


def weights(run):
    return restoration.load(run.generator).get_weights()


def steps(run):
    """Those of its checkpoints."""
    return [int(path.name.split("-")[1]) for path in run.checkpoints]


class Interrupt(keras.callbacks.Callback):
    """Before the given step, counted from 0."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_epoch_begin(self, epoch, logs=None):
        self.before = epoch * self.params["steps"]

    def on_train_batch_begin(self, batch, logs=None):
        if self.before + batch == self.step:
            raise KeyboardInterrupt
