import math

import tensorflow as tf
from keras import layers


def block(negative=0.2, add=True, behind=False, filters=None, padding="same", small="zeros"):
    def my_residual_block(x):
        channels = filters or x.shape[-1]
        y = layers.Conv2D(channels, 3, padding=padding)(x)
        y = layers.LeakyReLU(negative)(y)
        y = layers.Conv2D(channels, 3, padding=padding, kernel_initializer=small)(y)
        y = x + y if add else y
        return layers.LeakyReLU(0.2)(y) if behind else y

    return my_residual_block


def one_convolution_twice(x):
    convolution = layers.Conv2D(x.shape[-1], 3, padding="same")
    return x + convolution(layers.LeakyReLU(0.2)(convolution(x)))


def resized(computed, blurred):
    return tf.image.resize(computed, tf.shape(blurred)[1:3]) + blurred


def from_below(computed, blurred):
    _, height, width, _ = tf.unstack(tf.shape(blurred))
    return blurred + computed[:, -height:, -width:, :]


def only_cropped(computed, blurred):
    size = tf.shape(blurred)
    return computed[:, : size[1], : size[2], :]


def seen(layers, start=1, own=False, forget=False):
    total, step = start, 1
    for kernel, stride in layers:
        if own:
            step *= stride
        total += (kernel - 1) * step
        if forget:
            step = stride
        elif not own:
            step *= stride
    return total


WRONG = {
    "receptive_field": [
        (lambda layers: sum(kernel for kernel, stride in layers), "kernel - 1, not kernel"),
        (lambda layers: sum(kernel for kernel, _ in layers) - len(layers) + 1, "strides are"),
        (lambda layers: seen(layers, own=True), "layers after it"),
        (lambda layers: seen(layers, forget=True), "Strides multiply"),
        (lambda layers: seen(layers, start=0), "One is missing"),
        (lambda layers: math.prod(stride for _, stride in layers), "it gives 1; 3 is right"),
        (lambda layers: None, "returns nothing"),
    ],
    "residual_block": [
        (block(add=False), "The sum is missing"),
        (block(behind=True), "activation behind the sum"),
        (block(negative=0), "plain ReLU"),
        (block(negative=0.3), "0.3"),
        (block(small="he_normal"), "starts like the first"),
        (one_convolution_twice, "the shapes of its weights"),
        (block(filters=4), "It was in line"),
        (block(padding="valid"), "`y = x + y if add else y`"),
        (lambda x: None, "returns nothing"),
    ],
    "global_skip": [
        (only_cropped, "is not added"),
        (resized, "moves every pixel"),
        (from_below, "upper left"),
        (lambda c, b: c[:, : b.shape[1], : b.shape[2]] + b, "only the run knows"),
        (lambda c, b: c + b, "It was in"),
        (lambda c, b: b, "for one photograph"),
    ],
}
