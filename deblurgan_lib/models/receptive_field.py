"""The receptive field: which input pixels can influence one output pixel."""

import math
from typing import NamedTuple

import keras
from keras import layers

from .layers import (
    BilinearUpsampling,
    DepthToSpace,
    GlobalSkip,
    LowPass,
    PadToMultiple,
    ReflectionPadding2D,
    SoftThreshold,
    SpaceToDepth,
)

# These compute each place by itself, from the same place of what they are given.
POINTWISE = (
    layers.InputLayer, layers.Activation, layers.LeakyReLU, layers.Dropout,
    layers.BatchNormalization, layers.Add, layers.Concatenate, PadToMultiple, GlobalSkip,
    SoftThreshold,
)  # fmt: skip


class ReceptiveField(NamedTuple):
    """In pixels of the input, along one axis.

    Args:
        before, after: pixel n of the output depends on no pixels but n - `before` to n + `after`;
            infinite if a layer looks at the whole picture.
        step: from one pixel of the output to the next; 1 if it is as large as the input.
        finest, coarsest: the smallest and the largest step inside. Moved by the coarsest, the
            input moves the output and changes nothing else.
    """

    before: float
    after: float
    step: float
    finest: float
    coarsest: float


def receptive_field(network: keras.Model) -> ReceptiveField:
    """The receptive field, computed from kernels and strides, which must be square.

    It is a bound. Where the positions of a layer differ in how far they see, the largest reach
    counts. With padding "same" a kernel counts in full to both sides, so that a network that pads
    with zeros sees about half of this. A layer that is not known here is taken to see the whole
    picture.
    """
    spans = {}  # From a tensor to its step, and the first and the last pixel seen from its place 0.
    for layer in network.layers:
        seen = [spans[id(x)] for x in keras.tree.flatten(layer.input) if id(x) in spans]
        step = max((span[0] for span in seen), default=1.0)
        first = min((span[1] for span in seen), default=0.0)
        last = max((span[2] for span in seen), default=0.0)
        match layer:
            case ReflectionPadding2D():
                first, last = first - layer.padding * step, last - layer.padding * step
            case layers.Conv2DTranspose():
                step /= layer.strides[0]
                around = (layer.kernel_size[0] - 1) * step
                first, last = first - around, last + around
            case layers.Conv2D():
                around = (layer.kernel_size[0] - 1) * layer.dilation_rate[0] * step
                first, last = first - around * (layer.padding == "same"), last + around
                step *= layer.strides[0]
            case layers.UpSampling2D():
                step /= layer.size[0]
                first -= (layer.size[0] - 1) * step
            case BilinearUpsampling():
                first, last = first - step, last + step / 2
                step /= 2
            case LowPass():
                first, last = first - 3 * step, last + 3 * step
            case DepthToSpace():
                step /= layer.block
                first -= (layer.block - 1) * step
            case SpaceToDepth():
                last += (layer.block - 1) * step
                step *= layer.block
            case _ if not isinstance(layer, POINTWISE):
                first, last = -math.inf, math.inf
        spans[id(layer.output)] = step, first, last
    step, first, last = spans[id(network.output)]
    steps = [span[0] for span in spans.values()]
    return ReceptiveField(-first, last, step, min(steps), max(steps))
