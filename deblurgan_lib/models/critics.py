"""The two critics: from a picture to a score, or a map of scores."""

import keras
from keras import layers

from .layers import (
    NORMS,
    BatchNormalization,
    SpectralNorm,
    check_choice,
    initial_weights,
    normalised,
)


def patch_critic(width=64, strided=3, norm="instance"):
    """The patch critic of pix2pix (Isola et al. 2017) and DeblurGAN: a map of scores, no sigmoid.

    With `strided=3` each score looks at a 70x70 pixel patch.

    Args:
        width: channels after the first convolution; they double up to eight times as many.
        strided: number of 4x4 convolutions with stride 2; two more with stride 1 follow.
        norm: `"instance"` (paper) or `"none"` (course: the gradient penalty is a statement about
            single pictures, and a norm over a batch would mix them).

    Returns:
        A `keras.Model`, float32 (B, H, W, 3) in [-1, 1] to float32 (B, H', W', 1), unbounded.
    """
    check_choice("norm", norm, NORMS)
    picture = keras.Input((None, None, 3), name="picture")
    x = picture
    for layer in range(strided + 1):
        stride = 2 if layer < strided else 1
        norm_here = "none" if layer == 0 else norm
        x = layers.Conv2D(
            width * min(2**layer, 8), 4, stride, "same", **initial_weights(norm_here)
        )(x)
        x = layers.LeakyReLU(0.2)(normalised(x, norm_here))
    # Only differences of scores enter the losses, so a bias would have a gradient of 0.
    score = layers.Conv2D(1, 4, padding="same", use_bias=False, dtype="float32", name="score")(x)
    return keras.Model(picture, score, name="patch_critic")


def tutorial_critic(size, width=64):
    """The article's critic, with its two faults: one number for the whole picture, and a sigmoid.

    The dense layer restricts it to one picture size. The sigmoid keeps its score in [0, 1], so as
    a Wasserstein critic it saturates (lesson 07).

    Args:
        size: height and width of the pictures in pixels.
        width: channels after the first convolution.

    Returns:
        A `keras.Model`, float32 (B, size, size, 3) in [-1, 1] to float32 (B, 1) in [0, 1].
    """
    picture = keras.Input((size, size, 3), name="picture")
    x = layers.Conv2D(width, 4, 2, "same")(picture)
    x = layers.LeakyReLU(0.2)(x)
    for channels, stride in ((1, 2), (2, 2), (4, 2), (8, 1)):
        x = layers.Conv2D(width * channels, 4, stride, "same", use_bias=False)(x)
        x = layers.LeakyReLU(0.2)(BatchNormalization()(x))
    x = layers.Flatten()(layers.Conv2D(1, 4, padding="same")(x))
    x = layers.Dense(1024, activation="tanh", dtype="float32")(x)
    score = layers.Dense(1, activation="sigmoid", dtype="float32", name="score")(x)
    return keras.Model(picture, score, name="tutorial_critic")


def pair_critic(width=32, strided=3):
    """A patch critic of blurred and restored together (Isola et al. 2017), without sigmoid.

    It can see what the blur has left, and so tell texture that belongs there from texture that
    does not. Every kernel but that of the score is kept by `SpectralNorm`.

    Args:
        width: channels after the first convolution; they double with each further one.
        strided: number of 4x4 convolutions with stride 2; two more with stride 1 follow.

    Returns:
        A `keras.Model`, two float32 (B, H, W, 3) in [-1, 1] - blurred, and sharp or restored - to
        float32 (B, H', W', 1), unbounded.
    """
    blurred = keras.Input((None, None, 3), name="blurred")
    picture = keras.Input((None, None, 3), name="picture")
    x = layers.Concatenate()([blurred, picture])
    for layer in range(strided + 1):
        stride = 2 if layer < strided else 1
        x = layers.Conv2D(
            width * 2**layer,
            4,
            stride,
            "same",
            kernel_constraint=SpectralNorm(),
            **initial_weights("none"),
        )(x)
        x = layers.LeakyReLU(0.2)(x)
    score = layers.Conv2D(1, 4, padding="same", use_bias=False, dtype="float32", name="score")(x)
    return keras.Model([blurred, picture], score, name="pair_critic")
