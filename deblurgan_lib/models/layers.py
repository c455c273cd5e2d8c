"""Layers that Keras does not have and the two networks need, and how all layers start.

Every layer is registered under the package name `deblurgan`, so a saved model loads again in
Keras' safe mode once `deblurgan_lib` is imported. None of them has weights.
"""

import keras
from keras import layers, ops

NORMS = ("batch", "instance", "none")


def check_choice(name, value, known):
    """Raise a ValueError that names the argument, what it was, and what it may be."""
    if value not in known:
        raise ValueError(f"{name}={value!r} is unknown; choose one of {', '.join(known)}.")


def normalised(x, norm):
    """`x` after one of `NORMS`."""
    if norm == "batch":
        return layers.BatchNormalization()(x)
    if norm == "instance":
        # One group per channel is instance normalisation; like the paper's, without affine weights.
        return layers.GroupNormalization(groups=-1, center=False, scale=False)(x)
    return x


def weights(norm, scale=2.0):
    """How a convolution that is followed by this norm starts, as arguments of `Conv2D`.

    A norm sets the scale of its input, so the article's and the paper's N(0, 0.02) does, and
    subtracts the mean, so a bias before it could do nothing. Without a norm the variance has to
    survive on its own (He et al. 2015: `scale` 2).
    """
    if norm == "none":
        start = keras.initializers.VarianceScaling(scale, "fan_in", "truncated_normal")
        return {"kernel_initializer": start, "use_bias": True}
    return {"kernel_initializer": keras.initializers.RandomNormal(stddev=0.02), "use_bias": False}


@keras.saving.register_keras_serializable(package="deblurgan")
class ReflectionPadding2D(layers.Layer):
    """Mirror the picture at its border instead of surrounding it with black.

    Args:
        padding: pixels added on each of the four sides; must be smaller than height and width.

    Shape: (B, H, W, C) -> (B, H + 2 padding, W + 2 padding, C).
    """

    def __init__(self, padding=1, **kwargs):
        super().__init__(**kwargs)
        self.padding = padding

    def call(self, inputs):
        sides = (self.padding, self.padding)
        return ops.pad(inputs, ((0, 0), sides, sides, (0, 0)), mode="reflect")

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        grow = 2 * self.padding
        return batch, height and height + grow, width and width + grow, channels

    def get_config(self):
        return {**super().get_config(), "padding": self.padding}


@keras.saving.register_keras_serializable(package="deblurgan")
class PadToMultiple(layers.Layer):
    """Grow a picture by reflection, below and to the right, until its strides divide it.

    Args:
        multiple: height and width of the result are multiples of this many pixels.
        minimum: and at least this many, so that inner layers have something to mirror.

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
    """Fold each `block` x `block` square of pixels into channels; no pixel is lost.

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
class GlobalSkip(layers.Layer):
    """Join what the generator computed with the blurred picture it was given.

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
