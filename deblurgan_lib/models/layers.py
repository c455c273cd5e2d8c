"""Layers that Keras lacks and our networks need, and the initial weights of convolutions.

Every layer is registered under the package name `deblurgan`, so a saved model loads again in
Keras' safe mode once `deblurgan_lib` is imported. Only `BatchNormalization` has weights.
"""

import math

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

NORMS = ("batch", "instance", "none")


def check_choice(name, value, known):
    """Raise a ValueError that names the argument, its value, and the known values."""
    if value not in known:
        raise ValueError(f"{name}={value!r} is unknown; choose one of {', '.join(known)}.")


def normalised(x, norm):
    """`x` normalised by one of `NORMS`."""
    if norm == "batch":
        return BatchNormalization()(x)
    if norm == "instance":
        return InstanceNormalization()(x)
    return x


def initial_weights(norm, scale=2.0):
    """Initializer and bias of a convolution that is followed by `norm`, as arguments of `Conv2D`.

    A norm rescales its input, so N(0, 0.02) as in the article and the paper is enough; and it
    subtracts the mean, so a bias before it would have no effect. Without a norm the initializer
    has to preserve the variance (He et al. 2015: `scale` 2).
    """
    if norm == "none":
        start = keras.initializers.VarianceScaling(scale, "fan_in", "truncated_normal")
        return {"kernel_initializer": start, "use_bias": True}
    return {"kernel_initializer": keras.initializers.RandomNormal(stddev=0.02), "use_bias": False}


@keras.saving.register_keras_serializable(package="deblurgan")
class BatchNormalization(layers.BatchNormalization):
    """Keras' layer over the last axis, computed by TensorFlow's fused operation.

    Keras' own is a dozen operations, each of which reads and writes the whole batch, in float32;
    the fused one keeps its statistics in float32 but reads the batch as it is.
    Shape: (B, H, W, C) -> the same.
    """

    def call(self, inputs, training=None):
        known = (self.moving_mean.value, self.moving_variance.value)
        train = bool(training and self.trainable)
        x, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, self.gamma.value, self.beta.value, *known, self.epsilon, is_training=train
        )
        if train:
            # TensorFlow divides by n - 1, Keras by n.
            n = tf.cast(tf.size(inputs) // inputs.shape[-1], "float32")
            for moving, new in (
                (self.moving_mean, mean),
                (self.moving_variance, variance * (n - 1.0) / n),
            ):
                moving.assign(moving * self.momentum + new * (1.0 - self.momentum))
        return x


@keras.saving.register_keras_serializable(package="deblurgan")
class InstanceNormalization(layers.Layer):
    """Normalise each channel of each picture to mean 0 and variance 1; no weights, as in the paper.

    It is computed as batch normalisation of one picture with B * C channels, so that it can be
    fused. The gradient penalty differentiates twice, and the second derivative of `tf.nn.moments`,
    on which Keras' GroupNormalization rests, is wrong: it treats the mean inside the variance as a
    constant.
    Shape: (B, H, W, C) -> the same.
    """

    EPSILON = 1e-3

    def call(self, inputs):
        batch, height, width, channels = ops.shape(inputs)
        x = tf.reshape(tf.transpose(inputs, (1, 2, 0, 3)), (1, height, width, batch * channels))
        ones, zeros = tf.ones(batch * channels), tf.zeros(batch * channels)
        x, _, _ = tf.compat.v1.nn.fused_batch_norm(x, ones, zeros, epsilon=self.EPSILON)
        return tf.transpose(tf.reshape(x, (height, width, batch, channels)), (2, 0, 1, 3))

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable(package="deblurgan")
class ReflectionPadding2D(layers.Layer):
    """Reflect the picture at its border instead of surrounding it with black.

    Args:
        padding: pixels added on each of the four sides; must be smaller than height and width.

    Shape: (B, H, W, C) -> (B, H + 2 padding, W + 2 padding, C).
    """

    def __init__(self, padding=1, **kwargs):
        super().__init__(**kwargs)
        self.padding = padding

    def call(self, inputs):
        sides = (self.padding, self.padding)
        paddings = ((0, 0), sides, sides, (0, 0))

        # Gathering is quicker than tf.pad, whose gradient is quicker than that of gathering.
        @tf.custom_gradient
        def reflected(x):
            for axis in (1, 2):
                last = ops.shape(x)[axis] - 1
                of = ops if x.shape[axis] is None else np  # A known size needs no operations.
                place = of.abs(of.arange(-self.padding, last + 1 + self.padding, dtype="int32"))
                x = ops.take(x, of.minimum(place, 2 * last - place), axis=axis)
            return x, lambda gradient: tf.raw_ops.MirrorPadGrad(
                input=gradient, paddings=paddings, mode="REFLECT"
            )

        return reflected(inputs)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        grow = 2 * self.padding
        return batch, height and height + grow, width and width + grow, channels

    def get_config(self):
        return {**super().get_config(), "padding": self.padding}


@keras.saving.register_keras_serializable(package="deblurgan")
class PadToMultiple(layers.Layer):
    """Pad a picture by reflection, below and to the right, to a size that the strides divide.

    Args:
        multiple: height and width of the result are multiples of this many pixels.
        minimum: and at least this many, so that inner layers have something to reflect.

    The reflection is a gather, so it also works where the padding is larger than the picture:
    a single pixel is repeated.
    Shape: (B, H, W, C) -> (B, H', W', C).
    """

    def __init__(self, multiple, minimum=32, **kwargs):
        super().__init__(**kwargs)
        self.multiple = multiple
        self.minimum = minimum

    def _padded(self, size):
        return max(-(-size // self.multiple) * self.multiple, self.minimum)

    def call(self, inputs):
        for axis in (1, 2):
            size = inputs.shape[axis]
            if size is not None and self._padded(size) == size:
                continue
            size = ops.shape(inputs)[axis]
            padded = ops.maximum(-(-size // self.multiple) * self.multiple, self.minimum)
            period = ops.maximum(2 * (size - 1), 1)
            place = ops.arange(padded, dtype="int32") % period
            inputs = ops.take(inputs, ops.minimum(place, period - place), axis=axis)
        return inputs

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return batch, height and self._padded(height), width and self._padded(width), channels

    def get_config(self):
        return {**super().get_config(), "multiple": self.multiple, "minimum": self.minimum}


@keras.saving.register_keras_serializable(package="deblurgan")
class SpaceToDepth(layers.Layer):
    """Move each `block` x `block` square of pixels into channels; no pixel is lost.

    Shape: (B, H, W, C) -> (B, H / block, W / block, block * block * C).
    """

    def __init__(self, block, **kwargs):
        super().__init__(**kwargs)
        self.block = block

    def call(self, inputs):
        _, height, width, channels = ops.shape(inputs)
        rows, columns = height // self.block, width // self.block
        x = ops.reshape(inputs, (-1, rows, self.block, columns, self.block, channels))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (-1, rows, columns, self.block**2 * channels))

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        block = self.block
        return batch, height and height // block, width and width // block, channels * block**2

    def get_config(self):
        return {**super().get_config(), "block": self.block}


@keras.saving.register_keras_serializable(package="deblurgan")
class DepthToSpace(layers.Layer):
    """Move channels into squares of `block` x `block` pixels, the inverse of `SpaceToDepth`.

    Shape: (B, H, W, block * block * C) -> (B, H * block, W * block, C).
    """

    def __init__(self, block, **kwargs):
        super().__init__(**kwargs)
        self.block = block

    def call(self, inputs):
        _, rows, columns, channels = ops.shape(inputs)
        channels = channels // self.block**2
        x = ops.reshape(inputs, (-1, rows, columns, self.block, self.block, channels))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (-1, rows * self.block, columns * self.block, channels))

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        block = self.block
        return batch, height and height * block, width and width * block, channels // block**2

    def get_config(self):
        return {**super().get_config(), "block": self.block}


@keras.saving.register_keras_serializable(package="deblurgan")
class BilinearUpsampling(layers.Layer):
    """Twice the height and width, each value interpolated between the nearest two of each axis.

    Keras' `UpSampling2D` does it for pictures whose size is known when the graph is built.
    Shape: (B, H, W, C) -> (B, 2 * H, 2 * W, C).
    """

    def call(self, inputs):
        _, rows, columns, channels = ops.shape(inputs)
        x = ops.pad(inputs, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric")
        near, far = 0.75 * x, 0.25 * x
        x = ops.stack([far[:, :-2] + near[:, 1:-1], near[:, 1:-1] + far[:, 2:]], axis=2)
        x = ops.reshape(x, (-1, 2 * rows, columns + 2, channels))
        near, far = 0.75 * x, 0.25 * x
        x = ops.stack([far[:, :, :-2] + near[:, :, 1:-1], near[:, :, 1:-1] + far[:, :, 2:]], axis=3)
        return ops.reshape(x, (-1, 2 * rows, 2 * columns, channels))

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return batch, height and 2 * height, width and 2 * width, channels


@keras.saving.register_keras_serializable(package="deblurgan")
class SoftThreshold(layers.Layer):
    """Move every value towards 0 by `threshold`, and smaller ones to 0 (Donoho 1995).

    Shape: any -> the same.
    """

    def __init__(self, threshold, **kwargs):
        super().__init__(**kwargs)
        self.threshold = threshold

    def call(self, inputs):
        return ops.soft_shrink(inputs, self.threshold)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "threshold": self.threshold}


@keras.saving.register_keras_serializable(package="deblurgan")
class LowPass(layers.Layer):
    """Take out what alternates from pixel to pixel, and keep what varies more slowly.

    Along rows and columns by 1 - sin(w / 2)^6 for an angle w from pixel to pixel: 0 at pi, 0.88 at
    pi / 2. Of all symmetric filters of 7 taps with such a zero it is the flattest at w = 0
    (Herrmann 1971).
    Shape: (B, H, W, C) -> the same.
    """

    def call(self, inputs):
        high = np.array([-0.25, 0.5, -0.25])  # sin(w / 2)^2
        taps = -np.convolve(np.convolve(high, high), high)
        taps[3] += 1
        channels = inputs.shape[-1]
        x = ops.pad(inputs, ((0, 0), (3, 3), (3, 3), (0, 0)), mode="symmetric")
        for shape in ((7, 1, 1, 1), (1, 7, 1, 1)):
            kernel = np.tile(taps.reshape(shape), (1, 1, channels, 1))
            x = ops.depthwise_conv(x, ops.cast(kernel, x.dtype), padding="valid")
        return x

    def compute_output_shape(self, input_shape):
        return input_shape


# The name under which stored generators refer to it.
@keras.saving.register_keras_serializable(package="deblurgan", name="EvenUnfolding")
class CheckerboardFree(keras.constraints.Constraint):
    """Keep a convolution before `DepthToSpace` from drawing a checkerboard.

    The pixels of one square come from different output channels. Where the picture is flat they
    must be equal, or a pattern with the square's period covers the picture (Sugawara et al. 2018
    ask the same of other layers). So the taps of each kernel must have the same sum for all pixels
    of a square, and the biases must be equal; the constraint subtracts the differences.

    Args:
        block: height and width of a square, as in `DepthToSpace`.
    """

    def __init__(self, block):
        self.block = block

    def __call__(self, w):
        # (taps, input channels, pixels of a square, colours); a bias is one tap of one channel.
        taps = math.prod(w.shape[:-2])
        parts = ops.reshape(w, (taps, w.shape[-2] if len(w.shape) > 1 else 1, self.block**2, -1))
        mean = ops.mean(parts, axis=0, keepdims=True)
        return ops.reshape(parts - mean + ops.mean(mean, axis=2, keepdims=True), w.shape)

    def get_config(self):
        return {"block": self.block}


@keras.saving.register_keras_serializable(package="deblurgan")
class GlobalSkip(layers.Layer):
    """Combine the generator's output with its blurred input.

    Called with `[computed, blurred]`; where `computed` is larger (`PadToMultiple`) it is cropped.

    Args:
        mode: `"half_sum"` is (blurred + tanh(computed)) / 2, the tutorial's;
            `"clip"` is clip(blurred + tanh(computed), -1, 1), the paper's code;
            `"residual"` is blurred + computed, the course's.

    Shape: [(B, H', W', 3), (B, H, W, 3)] -> (B, H, W, 3).
    """

    MODES = ("half_sum", "clip", "residual")

    def __init__(self, mode, **kwargs):
        super().__init__(**kwargs)
        check_choice("skip", mode, self.MODES)
        self.mode = mode

    def call(self, inputs):
        computed, blurred = inputs
        computed = computed[:, : ops.shape(blurred)[1], : ops.shape(blurred)[2], :]
        if self.mode == "half_sum":
            return (blurred + ops.tanh(computed)) / 2
        if self.mode == "clip":
            return ops.clip(blurred + ops.tanh(computed), -1.0, 1.0)
        return blurred + computed

    def compute_output_shape(self, input_shape):
        return input_shape[1]

    def get_config(self):
        return {**super().get_config(), "mode": self.mode}


@keras.saving.register_keras_serializable(package="deblurgan")
class SpectralNorm(keras.constraints.Constraint):
    """Keep a kernel from stretching any input: its largest singular value is at most 1.

    Miyato et al. 2018 divide by that value in each pass; here a kernel that has grown past 1 is
    brought back after each update, so what is stored is what is used. The kernel is taken as a
    matrix (height * width * in, out), and its value is found by power iteration.
    """

    ITERATIONS = 10

    def __call__(self, w):
        matrix = ops.reshape(w, (-1, w.shape[-1]))
        right = ops.ones_like(matrix[:1])
        for _ in range(self.ITERATIONS):
            left = ops.matmul(right, ops.transpose(matrix))
            right = ops.normalize(ops.matmul(left, matrix))
        stretch = ops.norm(ops.matmul(right, ops.transpose(matrix)))
        return w / ops.maximum(stretch, 1.0)
