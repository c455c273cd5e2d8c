"""What a network and a training step cost, counted from the layers."""

import math

import keras


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


def step_operations(gan, crop: int, batch: int) -> dict[str, int]:
    """Of one full training step of a compiled `DeblurGAN`, by part.

    A multiplication and an addition are two operations. A backward pass costs as much as one
    forward for each of the inputs and the weights. The gradient penalty: forward, back to the
    picture, and that whole chain back again, to the weights and to what lies before: 1 + 1 + 4.

    Args:
        gan: what is trained; its generator, critic, perceptual network and settings are read.
        crop: height and width of a training crop, pixels.
        batch: crops in a step.
    """
    critic_update = 6 + 6 * bool(gan.gradient_penalty)
    passes = {
        "generator": (gan.generator, 3 + gan.fakes_from_inference),
        "VGG": (gan.perceptual.network, 3),
        "critic": (gan.critic, gan.critic_steps * critic_update + 2),
    }
    operations = {
        part: 2 * batch * times * sum(multiply_adds(network, crop).values())
        for part, (network, times) in passes.items()
    }
    if hasattr(gan.optimizer, "multiply_adds"):
        operations["Muon"] = 2 * gan.optimizer.multiply_adds(gan.generator.trainable_variables)
    return operations
