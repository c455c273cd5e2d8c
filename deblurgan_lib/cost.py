"""What a training step costs, counted from its networks' layers."""

import math

import keras

from . import losses, training
from .muon import Muon
from .profiles import Profile
from .recipes import Recipe


def multiply_adds(network: keras.Model, size: int) -> dict[str, int]:
    """Of each convolution and dense layer, by name, for one picture of size x size pixels.

    All else (norms, activations, borders, sums) counts as nothing.
    """
    inner = [layer for layer in network.layers if hasattr(layer, "kernel")]
    outputs = keras.Model(network.input, [layer.output for layer in inner])
    shapes = outputs.compute_output_shape((1, size, size, 3))
    counts = {}
    for layer, shape in zip(inner, shapes, strict=True):
        places = math.prod(shape[1:-1])
        if isinstance(layer, keras.layers.Conv2DTranspose):
            places //= math.prod(layer.strides)  # It multiplies at the places of its input.
        counts[layer.name] = places * math.prod(layer.kernel.shape)
    return counts


def muon_multiply_adds(network: keras.Model) -> int:
    """Of one update of a network's kernels by `Muon`, whatever the batch.

    Each of its iterations multiplies the matrix (short, long) with its transpose, the square that
    comes out with itself, and that with the matrix.
    """
    muon, total = Muon(), 0
    for weight in network.trainable_variables:
        if not muon._should_use_adamw(weight):
            short, long = sorted((math.prod(weight.shape[:-1]), weight.shape[-1]))
            total += muon.ns_steps * (2 * short**2 * long + short**3)
    return total


def step_operations(recipe: Recipe, profile: Profile) -> dict[str, int]:
    """Of one full training step, by part; a multiplication and an addition are two.

    A pass back costs as much as one forward for each of the inputs and the weights. The gradient
    penalty: forward, back to the picture, and that whole chain back again, to the weights and to
    what lies before: 1 + 1 + 4.
    """
    generator = training.build_generator(recipe, profile)
    # VGG19 is the same as VGG16 up to the layer that is used.
    vgg = losses.feature_network("vgg16-random", recipe.layer)
    critic_update = 6 + 6 * bool(recipe.gradient_penalty)
    passes = {
        "generator": (generator, 3 + recipe.fakes_from_inference),
        "VGG": (vgg, 3),
        "critic": (training.build_critic(recipe, profile), recipe.critic_steps * critic_update + 2),
    }
    operations = {
        part: 2 * profile.batch * times * sum(multiply_adds(network, profile.crop).values())
        for part, (network, times) in passes.items()
    }
    if recipe.optimizer == "muon":
        operations["Muon"] = 2 * muon_multiply_adds(generator)
    return operations
