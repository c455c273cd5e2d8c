"""What a step costs: against sums by hand, and against the graph that TensorFlow runs."""

import dataclasses
import math

import keras
import pytest
import tensorflow as tf

from deblurgan_lib import models, training
from deblurgan_lib.models import cost
from deblurgan_lib.training.optimizers import Muon
from deblurgan_lib.training.profiles import PROFILES
from deblurgan_lib.training.recipes import RECIPES

FULL = PROFILES["full"]
# The article's networks at 256x256, layer by layer: kernel, channels, places.
GENERATOR = (
    2 * 7 * 7 * 3 * 64 * 256**2
    + 2 * 3 * 3 * 64 * 128 * 128**2  # stride 2, and transposed
    + 2 * 3 * 3 * 128 * 256 * 64**2
    + 18 * 3 * 3 * 256 * 256 * 64**2
)
CRITIC = (
    4 * 4 * 3 * 64 * 128**2
    + 4 * 4 * 64 * 64 * 64**2
    + 4 * 4 * 64 * 128 * 32**2
    + 4 * 4 * 128 * 256 * 16**2
    + 4 * 4 * 256 * 512 * 16**2
    + 4 * 4 * 512 * 16**2
    + 256 * 1024
    + 1024
)
VGG = (
    9 * (3 * 64 + 64 * 64) * 256**2
    + 9 * (64 * 128 + 128 * 128) * 128**2
    + 9 * (128 * 256 + 2 * 256 * 256) * 64**2
)


def test_multiply_adds_are_those_counted_by_hand():
    recipe = RECIPES["tutorial"]
    for network, by_hand in (
        (training.build_generator(recipe, FULL), GENERATOR),
        (training.build_critic(recipe, FULL), CRITIC),
        (models.feature_network("vgg16-random"), VGG),
    ):
        assert sum(cost.multiply_adds(network, 256).values()) == by_hand


def test_the_space_to_depth_unet_multiplies_at_three_sizes():
    network = training.build_generator(RECIPES["course"], PROFILES["sample"])
    counts = list(cost.multiply_adds(network, 128).values())
    stem, blocks = [9 * 48 * 48 * 32**2], [9 * 48 * 48 * 32**2] * 4
    assert counts[:5] == stem + blocks
    assert counts[5] == 9 * 48 * 96 * 16**2
    assert counts[-1] == 9 * 48 * 48 * 32**2  # From 48 channels to 4x4 pixels of 3 colours.


def test_a_step_of_the_article_is_the_sum_by_hand():
    recipe = dataclasses.replace(RECIPES["tutorial"], features="vgg16-random")
    gan = training.build_gan(recipe=recipe, profile=FULL)
    parts = cost.step_operations(gan, FULL.crop, FULL.batch)
    assert parts == {"generator": 2 * 4 * GENERATOR, "VGG": 2 * 3 * VGG, "critic": 2 * 32 * CRITIC}
    assert sum(parts.values()) == pytest.approx(0.54e12, rel=0.01)


def products_in_graph(step, *inputs):
    """Multiply-adds of all convolutions and matrix products that a compiled step needs."""
    graph = tf.function(step, autograph=False).get_concrete_function(*inputs).graph
    needed, todo = set(), [op for op in graph.get_operations() if op.type.startswith("Assign")]
    while todo:
        op = todo.pop()
        if op not in needed:
            needed.add(op)
            todo += [x.op for x in op.inputs] + list(op.control_inputs)
    total = 0
    for op in needed:
        if op.type == "Conv2D":
            total += math.prod(op.inputs[1].shape) * math.prod(op.outputs[0].shape[:3])
        elif op.type == "Conv2DBackpropInput":
            total += math.prod(op.inputs[1].shape) * math.prod(op.inputs[2].shape[:3])
        elif op.type == "Conv2DBackpropFilter":
            total += math.prod(op.outputs[0].shape) * math.prod(op.inputs[2].shape[:3])
        elif op.type == "MatMul":
            rows = op.inputs[0].shape[0 if op.get_attr("transpose_a") else 1]
            total += rows * math.prod(op.outputs[0].shape)
    return total


@pytest.mark.slow
@pytest.mark.parametrize("name", ["paper", "course"])
def test_a_step_is_what_tensorflow_will_multiply(name):
    """But for the back passes to the networks' inputs, which nobody needs: a few percent less."""
    recipe = dataclasses.replace(
        RECIPES[name],
        critic_steps=2,
        features="vgg16-random",
        pixel=1.0,  # Instead of VGG, whose layers are counted by hand above.
        perceptual=0.0,
    )
    sizes = dataclasses.replace(PROFILES["smoke"], critic_width=16)
    gan = training.build_gan(recipe=recipe, profile=sizes)
    crops = tf.zeros((sizes.batch, sizes.crop, sizes.crop, 3))
    in_graph = 2 * products_in_graph(lambda *batch: gan.train_step(batch), crops, crops)
    parts = cost.step_operations(gan, sizes.crop, sizes.batch)
    assert ("Muon" in parts) == (recipe.optimizer == "muon")
    counted = sum(value for part, value in parts.items() if part != "VGG")
    assert 0.95 < in_graph / counted < 1
    gan.optimizer = keras.optimizers.LossScaleOptimizer(gan.optimizer)
    assert cost.step_operations(gan, sizes.crop, sizes.batch) == parts


def test_muon_multiplies_whatever_the_batch():
    x = keras.Input((None, None, 8))
    network = keras.Model(x, keras.layers.Conv2D(4, 3)(x))
    # Five times: (4, 72) with its transpose, that square with itself, and with (4, 72).
    assert Muon().multiply_adds(network.trainable_variables) == 5 * (
        4 * 4 * 72 + 4 * 4 * 4 + 4 * 4 * 72
    )
