"""The generators: from a blurred picture to a restored one of the same size.

All take float32 (B, H, W, 3) in [-1, 1] of any height and width: the picture is padded by
reflection to what the strides need and cropped back at the end.
"""

import keras
from keras import layers

from .layers import (
    NORMS,
    CheckerboardFree,
    DepthToSpace,
    GlobalSkip,
    PadToMultiple,
    ReflectionPadding2D,
    SpaceToDepth,
    check_choice,
    initial_weights,
    normalised,
)

UPSAMPLINGS = ("transposed", "resize")
STEMS = ("conv", "space_to_depth")


def _activated(x, norm):
    """ReLU; without a norm a leaky one, because nothing else would revive a dead channel."""
    x = normalised(x, norm)
    return layers.LeakyReLU(0.2)(x) if norm == "none" else layers.Activation("relu")(x)


def _bare_conv(x, filters, size, strides=1, reflect=True, **options):
    """Convolution that keeps height and width except for its strides.

    Reflection padding copies the whole tensor, zero padding costs nothing. Where tensors have few
    channels, that copy took a third of a step's time.
    """
    if not reflect:
        return layers.Conv2D(filters, size, strides, padding="same", **options)(x)
    return layers.Conv2D(filters, size, strides, **options)(ReflectionPadding2D(size // 2)(x))


def _conv(x, filters, size, norm, strides=1, reflect=True):
    """Convolution, normalisation, activation."""
    return _activated(_bare_conv(x, filters, size, strides, reflect, **initial_weights(norm)), norm)


def _res_block(x, norm, dropout, reflect=True):
    filters = x.shape[-1]
    y = _conv(x, filters, 3, norm, reflect=reflect)
    if dropout:
        y = layers.Dropout(dropout)(y)
    # A block starts close to the identity; otherwise each would double the variance.
    y = _bare_conv(y, filters, 3, reflect=reflect, **initial_weights(norm, scale=0.1))
    return layers.Add()([x, normalised(y, norm)])


def _upsample(x, filters, norm, upsampling):
    if upsampling == "resize":
        return _conv(layers.UpSampling2D(2, interpolation="nearest")(x), filters, 3, norm)
    x = layers.Conv2DTranspose(filters, 3, strides=2, padding="same", **initial_weights(norm))(x)
    return _activated(x, norm)


def _output_start(norm, skip):
    # With the plain residual, zero weights make the untrained network the identity.
    return "zeros" if skip == "residual" else initial_weights(norm)["kernel_initializer"]


def _output(x, blurred, size, norm, skip):
    """The last convolution and the global skip; the sum itself is always float32."""
    x = _bare_conv(x, 3, size, kernel_initializer=_output_start(norm, skip), name="to_rgb")
    return GlobalSkip(skip, dtype="float32", name="restored")([x, blurred])


def _depth_to_space_output(x, blurred, norm, skip):
    """As `_output`, from a quarter of height and width, by depth-to-space."""
    even = CheckerboardFree(4)
    x = _bare_conv(
        x,
        4 * 4 * 3,
        3,
        reflect=False,
        kernel_initializer=_output_start(norm, skip),
        kernel_constraint=even,
        bias_constraint=even,
        name="to_rgb",
    )
    return GlobalSkip(skip, dtype="float32", name="restored")([DepthToSpace(4)(x), blurred])


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
            `"space_to_depth"` moves 4x4 pixels into channels first and ends with 3x3 instead of
            7x7, which costs a fraction of that.

    Returns:
        A `keras.Model`, float32 (B, H, W, 3) in [-1, 1] to float32 (B, H, W, 3).
    """
    check_choice("norm", norm, NORMS)
    check_choice("upsampling", upsampling, UPSAMPLINGS)
    check_choice("stem", stem, STEMS)
    blurred = keras.Input((None, None, 3), name="blurred")
    x = PadToMultiple(4)(blurred)
    if stem == "space_to_depth":
        x = _conv(SpaceToDepth(4)(x), 4 * width, 3, norm)
    else:
        x = _conv(x, width, 7, norm)
        x = _conv(x, 2 * width, 3, norm, strides=2)
        x = _conv(x, 4 * width, 3, norm, strides=2)
    for _ in range(blocks):
        x = _res_block(x, norm, dropout)
    x = _upsample(x, 2 * width, norm, upsampling)
    x = _upsample(x, width, norm, upsampling)
    x = _output(x, blurred, 3 if stem == "space_to_depth" else 7, norm, skip)
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


def space_to_depth_unet_generator(width=16, blocks=8, norm="none", skip="residual", dropout=0.0):
    """A U-Net between space-to-depth and depth-to-space: the generator for few cores.

    Squares of 4x4 pixels become channels. Three levels work at a quarter, an eighth and a sixteenth
    of height and width, with 3, 6 and 9 times `width` channels, so that most weights are applied
    at few positions, and a long blur spans few of them. At the end a convolution computes all 4x4
    pixels of a square at once (Shi et al. 2016), without a checkerboard: see `CheckerboardFree`.

    Args:
        width: a third of the channels of the finest level.
        blocks: each of the five stages - three on the way down, two up - has a quarter of this
            number of residual blocks, but at least one.
        norm, skip, dropout: as in `resnet_generator`.

    Returns:
        A `keras.Model`, float32 (B, H, W, 3) in [-1, 1] to float32 (B, H, W, 3).
    """
    check_choice("norm", norm, NORMS)
    blurred = keras.Input((None, None, 3), name="blurred")
    channels = [3 * width, 6 * width, 9 * width]
    blocks = max(blocks // 4, 1)
    x = SpaceToDepth(4)(PadToMultiple(16, minimum=64)(blurred))
    x = _conv(x, channels[0], 3, norm, reflect=False)
    finer = []
    for level, filters in enumerate(channels):
        if level:
            finer.append(x)
            x = _conv(x, filters, 3, norm, strides=2, reflect=False)
        for _ in range(blocks):
            x = _res_block(x, norm, dropout, reflect=False)
    for filters in reversed(channels[:-1]):
        x = layers.Conv2D(filters, 1, **initial_weights(norm))(x)
        x = layers.UpSampling2D(2, interpolation="nearest")(normalised(x, norm))
        x = layers.Add()([x, finer.pop()])
        for _ in range(blocks):
            x = _res_block(x, norm, dropout, reflect=False)
    return keras.Model(
        blurred,
        _depth_to_space_output(x, blurred, norm, skip),
        name="space_to_depth_unet_generator",
    )
