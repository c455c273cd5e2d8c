"""A generator with means to draw texture: the U-Net, and a path at half and at full size."""

import keras
from keras import layers

from .generators import _activated, _bare_conv, _conv, _res_block
from .layers import (
    BilinearUpsampling,
    CheckerboardFree,
    DepthToSpace,
    GlobalSkip,
    LowPass,
    PadToMultiple,
    SoftThreshold,
    SpaceToDepth,
    initial_weights,
)

BLOCKS = (2, 2, 2, 2, 2)


def detail_generator(width=16, blocks=BLOCKS, half=32, full=24, after=(2, 1), threshold=0.0):
    """The space-to-depth U-Net, and convolutions at half and at full size after it.

    The space-to-depth U-Net computes all 4x4 pixels of a square at once, so texture that it draws
    tends to have the square's period. Here its answer is a first estimate. Convolutions at half
    and at full size see that estimate, the blurred picture and the features behind it, and add
    missing detail: the same to all colours, and without alternating rows or columns (see
    `LowPass`). A critic accepts specks of colour and fine stripes as texture; viewers do not.
    They are thin, for there are 4 and 16 times as many places; the weights stand where there are
    few. New blocks and the last convolution start at zero, so `grow` can take over a trained
    space-to-depth U-Net and begin with exactly its answers.

    Args:
        width: a third of the channels of the finest level, as in `space_to_depth_unet_generator`.
        blocks: residual blocks of the five stages: down at a quarter and an eighth, a sixteenth,
            up at an eighth and a quarter.
        half, full: channels at half and at full size.
        after: residual blocks at half and at full size.
        threshold: how much is taken off what the convolutions add, before the low-pass filter, see
            `SoftThreshold`. A critic likes faint patterns in what is smooth, and they would be
            seen. 0 to train: below the threshold nothing has a gradient.

    Returns:
        A `keras.Model`, float32 (B, H, W, 3) in [-1, 1] to float32 (B, H, W, 3).
    """
    blurred = keras.Input((None, None, 3), name="blurred")
    channels = [3 * width, 6 * width, 9 * width]
    picture = PadToMultiple(16, minimum=64)(blurred)
    x = _conv(SpaceToDepth(4)(picture), channels[0], 3, "none", reflect=False)
    finer = []
    for level, filters in enumerate(channels):
        if level:
            finer.append(x)
            x = _conv(x, filters, 3, "none", strides=2, reflect=False)
        for _ in range(blocks[level]):
            x = _res_block(x, "none", 0.0, reflect=False)
    for level in (1, 0):
        x = layers.Conv2D(channels[level], 1, **initial_weights("none"))(x)
        x = layers.UpSampling2D(2, interpolation="nearest")(x)
        x = layers.Add()([x, finer.pop()])
        for _ in range(blocks[4 - level]):
            x = _res_block(x, "none", 0.0, reflect=False)
    even = CheckerboardFree(4)
    estimate = DepthToSpace(4, name="estimate")(
        _bare_conv(
            x, 48, 3, reflect=False, kernel_initializer="zeros", kernel_constraint=even,
            bias_constraint=even, name="to_rgb",
        )
    )  # fmt: skip
    seen = layers.Concatenate()([picture, estimate])
    x = BilinearUpsampling()(layers.Conv2D(half, 1, name="to_half")(x))
    y = _bare_conv(SpaceToDepth(2)(seen), half, 3, reflect=False, **initial_weights("none"))
    x = _activated(layers.Add()([x, y]), "none")
    for _ in range(after[0]):
        x = _res_block(x, "none", 0.0, reflect=False)
    x = BilinearUpsampling()(layers.Conv2D(full, 1, name="to_full")(x))
    y = _bare_conv(seen, full, 3, reflect=False, **initial_weights("none"))
    x = _activated(layers.Add()([x, y]), "none")
    for _ in range(after[1]):
        x = _res_block(x, "none", 0.0, reflect=False)
    x = _bare_conv(x, 1, 3, reflect=False, kernel_initializer="zeros", name="to_detail")
    if threshold:
        x = SoftThreshold(threshold)(x)
    x = LowPass()(x)
    x = layers.Add()([estimate, x])
    x = GlobalSkip("residual", dtype="float32", name="restored")([x, blurred])
    return keras.Model(blurred, x, name="detail_generator")


def first_estimate(generator):
    """The generator without what follows its first estimate; itself, if nothing does.

    On average its pixels are closer to the truth than what a critic makes of it.

    Args:
        generator: a model of `detail_generator`, or any other generator.
    """
    if "estimate" not in [layer.name for layer in generator.layers]:
        return generator
    residual = generator.get_layer("estimate").output
    restored = GlobalSkip("residual", dtype="float32", name="first")([residual, generator.input])
    return keras.Model(generator.input, restored, name="first_estimate")


def grow(unet, detail, blocks=BLOCKS):
    """Give `detail` the weights of a trained space-to-depth U-Net: it starts with its answers.

    The U-Net's blocks become the first of each stage. What else there is begins as the identity,
    or adds nothing, but has a gradient, so training moves it from the first step on.

    Args:
        unet: a model of `space_to_depth_unet_generator` without a norm, of the same width.
        detail: a model of `detail_generator`, whose weights are changed.
        blocks: those of `detail`.
    """

    def convolutions(model, blocks):
        """By stage, block and place in it; -1 is what leads into the stage."""
        places = [
            (stage, block, place)
            for stage, count in enumerate(blocks)
            for block, place in [(-1, 0), *((i // 2, i % 2) for i in range(2 * count))]
        ]
        found = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]
        return dict(zip([*places, "to_rgb"], found))

    count = sum(isinstance(layer, layers.Add) for layer in unet.layers) - 2
    trained = convolutions(unet, [count // 5] * 5)
    for place, layer in convolutions(detail, blocks).items():
        if place in trained:
            layer.set_weights(trained[place].get_weights())
        elif place[2] == 1:  # The last of a new block.
            layer.set_weights([0 * value for value in layer.get_weights()])
