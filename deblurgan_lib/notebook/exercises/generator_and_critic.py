"""Exercises of lesson 03."""

import functools

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from ...models.layers import initial_weights
from .exercise import Exercise


def receptive_field(stack):
    seen, step = 1, 1
    for kernel, stride in stack:
        seen += (kernel - 1) * step
        step *= stride
    return seen


def _stride_too_early(layers):
    seen, step = 1, 1
    for kernel, stride in layers:
        step *= stride
        seen += (kernel - 1) * step
    return seen


def _last_stride_only(layers):
    seen, step = 1, 1
    for kernel, stride in layers:
        seen += (kernel - 1) * step
        step = stride
    return seen


# The lesson's own; a learner is shown `residual_block` alone.
usual = functools.partial(initial_weights, "none")
small = functools.partial(initial_weights, "none", scale=0.1)


def residual_block(x):
    y = layers.Conv2D(x.shape[-1], 3, padding="same", **usual())(x)
    y = layers.LeakyReLU(0.2)(y)
    y = layers.Conv2D(x.shape[-1], 3, padding="same", **small())(y)
    return layers.Add()([x, y])


def _try_block(block, channels):
    """The block as a model, with weights of ours and with a last convolution of zeros."""
    x = keras.Input((6, 7, channels))
    y = block(x)
    if y is ... or y is None:
        return {"what it returns": y}
    model = keras.Model(x, y)
    weights = model.get_weights()
    spread = [weight.std() for weight in weights if weight.ndim == 4]
    random = np.random.default_rng(channels)
    picture = random.normal(0, 1, (2, 6, 7, channels)).astype("float32")
    model.set_weights([random.normal(0, 0.3, weight.shape) for weight in weights])
    parts = {
        "the shapes of its weights": [side for weight in weights for side in weight.shape],
        "what it computes": model(picture),
    }
    zeros = [0 * weight for weight in model.get_weights()[-2:]]
    model.set_weights([*model.get_weights()[:-2], *zeros])
    parts["what it leaves alone if its last convolution is zero"] = model(picture)
    parts["the last convolution starts small"] = float(spread[-1] < 0.5 * spread[0])
    return parts


def _block(x, between=0.2, after=None, skip=True, scale=0.1, last=None):
    """A residual block with mistakes; with `between` 1 there is no activation."""
    scales = 2.0, scale
    first, second = (
        layers.Conv2D(x.shape[-1], 3, padding="same", **initial_weights("none", scale))
        for scale in scales
    )
    y = second(layers.LeakyReLU(between)(first(x)))
    y = layers.LeakyReLU(0.2)(y) if after else y
    y = layers.Add()([x, y]) if skip else y
    return layers.LeakyReLU(0.2)(y) if last else y


def _block_with(**mistake):
    return functools.partial(_block, **mistake)


def global_skip(computed, blurred):
    size = tf.shape(blurred)
    return computed[:, : size[1], : size[2]] + blurred


def _try_skip(skip, height, width):
    """With a photograph that was padded to 16x16 pixels, line by line and in a network."""
    random = np.random.default_rng(height)
    computed = tf.constant(random.normal(0, 0.6, (2, 16, 16, 3)), "float32")
    blurred = tf.constant(random.uniform(-1, 1, (2, height, width, 3)), "float32")
    any_size = tf.TensorSpec((None, None, None, 3))
    parts = {"for one photograph": skip(computed, blurred)}
    if parts["for one photograph"] is ... or parts["for one photograph"] is None:
        return parts
    compiled = tf.function(skip, input_signature=[any_size, any_size])
    try:
        parts["in a network for any size"] = compiled(computed, blurred)
    except tf.errors.InvalidArgumentError:  # The sizes do not agree when it runs.
        parts["in a network for any size"] = np.zeros(blurred.shape)
    return parts


def _skip_with(combine=lambda a, b: a + b, crop=lambda x, height, width: x[:, :height, :width]):
    def skip(computed, blurred):
        height, width = ops.shape(blurred)[1:3]
        return combine(crop(computed, height, width), blurred)

    return skip


EXERCISES = {
    "receptive_field": Exercise(
        solution=receptive_field,
        hint="Keep two numbers: how many pixels are seen so far, and how many pixels of the input "
        "lie between two neighbours of the current layer. Start with 1 and 1.",
        insight="Strides multiply, so a layer behind three strides of 2 widens the view eight "
        "times as much as the same layer at full resolution.",
        mistakes={
            "Kernels do not simply add up: neighbouring positions share most of what they see, so "
            "a layer adds kernel - 1, not kernel.": lambda layers: sum(k for k, _ in layers),
            "The strides are missing: behind a stride of 2 two neighbours are two pixels apart, "
            "so the next kernel reaches twice as far.": (
                lambda layers: 1 + sum(k - 1 for k, _ in layers)
            ),
            "A layer's own stride spaces its outputs. It counts for the layers after it, not for "
            "its own kernel.": _stride_too_early,
            "Strides multiply: after three strides of 2 the step is 8, not 2.": _last_stride_only,
            "One is missing: before the first layer a position already sees itself.": (
                lambda layers: receptive_field(layers) - 1
            ),
        },
        cases=[
            ([(3, 1)],),
            ([(3, 1), (3, 1)],),
            ([(4, 4), (3, 1)],),
            ([(5, 3), (3, 1), (3, 2), (3, 1)],),
            ([(7, 1), (3, 2), (3, 2), (3, 1)],),
            ([(4, 2), (4, 2), (4, 2), (4, 1), (4, 1)],),
        ],
    ),
    "residual_block": Exercise(
        solution=residual_block,
        trial=_try_block,
        hint="Four lines: a convolution of x, the activation, a convolution of that, and the sum, "
        "`layers.Add()([x, y])`. The number of filters is `x.shape[-1]`.",
        insight="What a block adds is small at first, so ten blocks in a row begin close to the "
        "identity, and the gradient reaches the first of them through the sums.",
        mistakes={
            "The sum is missing: the block must return x and its correction, added.": (
                _block_with(skip=False)
            ),
            "There is an activation behind the sum. Nothing may come after it, or what is negative "
            "in x would shrink in every block.": _block_with(last=True),
            "The second convolution has an activation, too. A correction must be free to be "
            "negative: the sum comes right after the convolution.": _block_with(after=True),
            "Between the two convolutions there is no activation: together they are one linear "
            "map, which a single convolution could be.": _block_with(between=1.0),
            "This is a plain ReLU. A channel that is negative everywhere would have no gradient "
            "any more; take `layers.LeakyReLU(0.2)`.": _block_with(between=0.0),
            "The negative side is multiplied by 0.3, which is Keras' own choice; 0.2 is asked "
            "for.": _block_with(between=0.3),
            "The second convolution starts like the first. Give it `**small()`, so that the block "
            "begins close to the identity.": _block_with(scale=2.0),
        },
        cases=[(4,), (6,)],
    ),
    "global_skip": Exercise(
        solution=global_skip,
        trial=_try_skip,
        hint="`tf.shape(blurred)` has the batch, height, width and channels. Keep that many rows "
        "and columns of `computed`, from the upper left, and add.",
        insight="If `computed` is zero, the photograph comes back as it was. All that the network "
        "has to learn is the difference.",
        mistakes={
            "The blurred photograph is not added.": _skip_with(lambda a, b: a),
            "This is the sum of DeblurGAN's authors, with tanh, clipped to [-1, 1]. Here it is a "
            "plain sum; lesson 07 compares them.": (
                _skip_with(lambda a, b: ops.clip(ops.tanh(a) + b, -1.0, 1.0))
            ),
            "This is the mean of the two. It halves the photograph's contrast; a plain sum is "
            "asked for.": _skip_with(lambda a, b: (a + b) / 2),
            "What was computed is made smaller here, and that moves every pixel. The padding is "
            "below and to the right: cut it off.": (
                _skip_with(crop=lambda x, *size: tf.image.resize(x, size))
            ),
            "This keeps the lower right part. The padding was added there, so the upper left has "
            "to be kept.": _skip_with(crop=lambda x, height, width: x[:, -height:, -width:]),
            "This is right for one photograph, but in a network for any size `blurred.shape` says "
            "None where only the run knows the size. Take `tf.shape(blurred)`.": (
                lambda a, b: a[:, : b.shape[1], : b.shape[2]] + b
            ),
        },
        cases=[(16, 16), (9, 13)],
    ),
}
