"""The two generators: a blurred picture in, a sharp one of the same size out.

Both take float32 (B, H, W, 3) in [-1, 1] of any height and width: the picture is padded by
reflection to what the strides need and cropped back at the end.
"""

import keras
from keras import layers

from .layers import (
    NORMS,
    GlobalSkip,
    PadToMultiple,
    ReflectionPadding2D,
    SpaceToDepth,
    check_choice,
    normalised,
    weights,
)

UPSAMPLINGS = ("transposed", "resize")
STEMS = ("conv", "fold")


def _activated(x, norm):
    """ReLU; without a norm a leaky one, because then nothing brings a dead channel back."""
    x = normalised(x, norm)
    return layers.LeakyReLU(0.2)(x) if norm == "none" else layers.Activation("relu")(x)


def _conv(x, filters, size, norm, strides=1):
    """Convolution with mirrored borders, normalisation, activation."""
    x = ReflectionPadding2D(size // 2)(x)
    x = layers.Conv2D(filters, size, strides, **weights(norm))(x)
    return _activated(x, norm)


def _res_block(x, norm, dropout):
    filters = x.shape[-1]
    y = _conv(x, filters, 3, norm)
    if dropout:
        y = layers.Dropout(dropout)(y)
    y = ReflectionPadding2D(1)(y)
    # A block begins close to the identity; without a norm, each would else double the variance.
    y = layers.Conv2D(filters, 3, **weights(norm, scale=0.1))(y)
    return layers.Add()([x, normalised(y, norm)])


def _upsample(x, filters, norm, upsampling):
    if upsampling == "resize":
        return _conv(layers.UpSampling2D(2, interpolation="nearest")(x), filters, 3, norm)
    x = layers.Conv2DTranspose(filters, 3, strides=2, padding="same", **weights(norm))(x)
    return _activated(x, norm)


def _output(x, blurred, size, norm, skip):
    """The last convolution and the global skip; the sum itself is always float32."""
    # With the plain residual, zero weights make the untrained network return its input.
    start = "zeros" if skip == "residual" else weights(norm)["kernel_initializer"]
    x = ReflectionPadding2D(size // 2)(x)
    x = layers.Conv2D(3, size, kernel_initializer=start, name="to_rgb")(x)
    return GlobalSkip(skip, dtype="float32", name="restored")([x, blurred])


def resnet_generator(
    width=64,
    blocks=9,
    norm="instance",
    upsampling="transposed",
    skip="clip",
    dropout=0.5,
    stem="conv",
):
    """The ResNet generator of DeblurGAN (Kupyn et al. 2018, figure 3).

    A stem brings the picture to a quarter of its height and width and 4 * `width` channels,
    `blocks` residual blocks work there, and two upsamplings bring it back.

    Args:
        width: channels at full resolution; the residual blocks have four times as many.
        blocks: number of residual blocks, two 3x3 convolutions each.
        norm: `"batch"` (tutorial), `"instance"` (paper) or `"none"`.
        upsampling: `"transposed"` convolution, or nearest-neighbour `"resize"` and convolution.
        skip: how the blurred input joins the output, see `GlobalSkip`.
        dropout: share of activations dropped inside each block while training.
        stem: `"conv"` is the paper's 7x7 convolution at full resolution and two of stride 2;
            `"fold"` folds 4x4 pixels into channels first and ends with 3x3 instead of 7x7, which
            costs a fraction of that.

    Returns:
        A `keras.Model`, float32 (B, H, W, 3) in [-1, 1] to float32 (B, H, W, 3).
    """
    check_choice("norm", norm, NORMS)
    check_choice("upsampling", upsampling, UPSAMPLINGS)
    check_choice("stem", stem, STEMS)
    blurred = keras.Input((None, None, 3), name="blurred")
    x = PadToMultiple(4)(blurred)
    if stem == "fold":
        x = _conv(SpaceToDepth(4)(x), 4 * width, 3, norm)
    else:
        x = _conv(x, width, 7, norm)
        x = _conv(x, 2 * width, 3, norm, strides=2)
        x = _conv(x, 4 * width, 3, norm, strides=2)
    for _ in range(blocks):
        x = _res_block(x, norm, dropout)
    x = _upsample(x, 2 * width, norm, upsampling)
    x = _upsample(x, width, norm, upsampling)
    x = _output(x, blurred, 3 if stem == "fold" else 7, norm, skip)
    return keras.Model(blurred, x, name="resnet_generator")


def unet_generator(
    width=32, depth=3, norm="none", upsampling="resize", skip="residual", dropout=0.0
):
    """A U-Net generator (Ronneberger et al. 2015) with one residual block a level.

    Args:
        width: channels at full resolution; they double at each of the `depth` halvings.
        depth: number of halvings; the picture is padded to a multiple of 2**depth.
        norm, upsampling, skip, dropout: as in `resnet_generator`.

    Returns:
        A `keras.Model`, float32 (B, H, W, 3) in [-1, 1] to float32 (B, H, W, 3).
    """
    check_choice("norm", norm, NORMS)
    check_choice("upsampling", upsampling, UPSAMPLINGS)
    blurred = keras.Input((None, None, 3), name="blurred")
    x = PadToMultiple(2**depth, minimum=2 ** (depth + 2))(blurred)
    x = _conv(x, width, 3, norm)
    levels = []
    for level in range(depth):
        levels.append(x)
        x = _conv(x, width * 2 ** (level + 1), 3, norm, strides=2)
        x = _res_block(x, norm, dropout)
    for level in reversed(range(depth)):
        x = _upsample(x, width * 2**level, norm, upsampling)
        x = layers.Concatenate()([x, levels[level]])
        x = _res_block(_conv(x, width * 2**level, 3, norm), norm, dropout)
    return keras.Model(blurred, _output(x, blurred, 3, norm, skip), name="unet_generator")
