"""The arithmetic of a network and of a training step, counted from the layers."""

import math

import keras


def multiply_adds(network: keras.Model, size: int) -> dict[str, int]:
    """Multiply-adds of each convolution and dense layer, by name, for one size x size picture.

    Norms, activations, padding and sums are not counted.
    """
    inner = [layer for layer in network.layers if hasattr(layer, "kernel")]
    outputs = keras.Model(network.input, [layer.output for layer in inner])
    shapes = outputs.compute_output_shape((1, size, size, 3))
    counts = {}
    for layer, shape in zip(inner, shapes, strict=True):
        places = math.prod(shape[1:-1])
        if isinstance(layer, keras.layers.Conv2DTranspose):
            places //= math.prod(layer.strides)  # It multiplies at each position of its input.
        counts[layer.name] = places * math.prod(layer.kernel.shape)
    return counts


def step_operations(gan, crop: int, batch: int) -> dict[str, int]:
    """Operations of one full training step of a compiled `DeblurGAN`, by part.

    A multiplication and an addition are two operations. A backward pass costs one forward pass for
    the gradient of the inputs and one for that of the weights. The gradient penalty takes a forward
    pass, a backward pass to the picture, and the backward pass through both: 1 + 1 + 4.

    Args:
        gan: its generator, critic, perceptual network and settings are read.
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
    optimizer = getattr(gan.optimizer, "inner_optimizer", gan.optimizer)  # Below a loss scale.
    if hasattr(optimizer, "multiply_adds"):
        operations["Muon"] = 2 * optimizer.multiply_adds(gan.generator.trainable_variables)
    return operations
