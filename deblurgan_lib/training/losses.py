"""The loss terms: pixel, perceptual, Wasserstein, and the gradient penalty.

All losses are float32 scalars, means over everything they see, and smaller is better.
"""

import keras
import tensorflow as tf
from keras import ops

from ..models.features import feature_network, vgg_input


def pixel_loss(sharp, restored):
    """Mean absolute difference (L1) of two batches, (B, H, W, 3) in [-1, 1] each."""
    return ops.mean(ops.abs(ops.cast(sharp, "float32") - ops.cast(restored, "float32")))


def critic_loss(real_score, fake_score):
    """The Wasserstein critic's loss: mean D(fake) - mean D(real).

    The critic makes it small by scoring real pictures high, as in the WGAN papers. (The article
    labels real +1 and minimises, so its critic scores real pictures low; nothing else changes.)
    """
    return ops.mean(fake_score) - ops.mean(real_score)


def adversarial_loss(fake_score):
    """The generator's adversarial loss: -mean D(fake), small where the critic scores high."""
    return -ops.mean(fake_score)


PENALTY_SCALE = 1024.0
"""What the score is multiplied by while its gradient is taken, for float16: a picture has so many
values that each has a tiny part in a gradient of length 1. The optimiser's loss scale does not
reach inside. This one need not change in training, for the penalty keeps the length near 1."""


def gradient_penalty(critic, real, fake, alpha):
    """The gradient penalty of WGAN-GP (Gulrajani et al. 2017, equation 3).

    The mean squared deviation from 1 of the critic's gradient norm, at points between real and
    fake pictures.

    The critic's score of a picture is the mean of its map. The square root gets a tiny constant,
    because its own gradient is infinite at a norm of 0.

    Args:
        critic: a model, (B, H, W, 3) to a score or a map of scores.
        real, fake: float32 (B, H, W, 3), or a batch of anything else that the critic takes.
        alpha: float32 (B, 1, 1, 1), uniform in [0, 1], one for each picture.

    Returns:
        mean((|gradient| - 1)^2), float32.
    """
    interpolated = tf.convert_to_tensor(fake + alpha * (real - fake))
    with tf.GradientTape() as tape:
        tape.watch(interpolated)
        score = critic(interpolated, training=True)
        score = tf.reduce_mean(tf.reshape(score, (tf.shape(interpolated)[0], -1)), axis=1)
        scaled = PENALTY_SCALE * score
    gradient = tf.cast(tape.gradient(scaled, interpolated), tf.float32) / PENALTY_SCALE
    norm = tf.sqrt(tf.reduce_sum(gradient**2, axis=range(1, len(gradient.shape))) + 1e-12)
    return tf.reduce_mean((norm - 1.0) ** 2)


FEATURE_UNIT = 58.0
"""Standard deviation of ImageNet's pixels, grey levels. Dividing features by it brings them to
the size they have where the input is normalised to deviation 1, as in the paper's code; its
weight of 100 belongs to that size."""


class PerceptualLoss:
    """Mean squared difference of VGG features (Johnson et al. 2016; DeblurGAN, equation 4).

    The network is built once, here. It is not part of the trained model and not saved with it.

    Args:
        name, layer, before_relu: see `feature_network`.
        preprocess: give VGG its own input range, see `vgg_input`. The article does not, and feeds
            it [-1, 1]; its features are then of another size, so weights do not carry over.

    Calling it takes two batches (B, H, W, 3) in [-1, 1] and returns a float32 scalar.
    """

    def __init__(self, name, layer="block3_conv3", before_relu=False, preprocess=True):
        self.name = name
        self.network = feature_network(name, layer, before_relu)
        self.preprocess = preprocess

    def features(self, photo):
        """Features of a batch, float32 (B, H', W', C)."""
        if not self.preprocess:
            return ops.cast(self.network(photo, training=False), "float32")
        return ops.cast(self.network(vgg_input(photo), training=False), "float32") / FEATURE_UNIT

    def __call__(self, sharp, restored):
        return ops.mean(ops.square(self.features(sharp) - self.features(restored)))


def frequency_loss(sharp, restored):
    """Mean absolute difference of the Fourier transforms of two batches (Cho et al. 2021).

    Errors of one frequency that are spread over a whole picture are small in each pixel, and blur
    is an error of frequencies. The transform keeps lengths, so that the value is of the size of
    `pixel_loss`.

    Args:
        sharp, restored: (B, H, W, 3) in [-1, 1].
    """
    wrong = ops.cast(restored, "float32") - ops.cast(sharp, "float32")
    wrong = ops.transpose(wrong, (0, 3, 1, 2))
    real, imaginary = ops.fft2((wrong, ops.zeros_like(wrong)))
    size = ops.sqrt(ops.cast(ops.shape(wrong)[2] * ops.shape(wrong)[3], "float32"))
    return ops.mean(ops.abs(real) + ops.abs(imaginary)) / size


class FeatureLoss:
    """Difference of features at several depths, each before its ReLU (Wang et al. 2018, ESRGAN).

    After a ReLU most features are zero and tell nothing. Each depth's mean absolute difference is
    divided by the mean absolute feature of the sharp picture, so that all depths count alike; 0 for
    equal pictures, about 1 for unrelated ones.

    Args:
        name: see `models.feature_network`.
        depths: names of the layers.

    Calling it takes two batches (B, H, W, 3) in [-1, 1] and returns a float32 scalar.
    """

    DEPTHS = ("block1_conv2", "block2_conv2", "block3_conv3")

    def __init__(self, name: str = "vgg16-hed", depths: tuple[str, ...] = DEPTHS):
        known = feature_network(name, depths[-1])
        x, outputs = known.input, []
        for layer in known.layers[1:]:
            is_conv = isinstance(layer, keras.layers.Conv2D)
            copy = type(layer).from_config(
                layer.get_config() | ({"activation": "linear"} if is_conv else {})
            )
            x = copy(x)
            copy.set_weights(layer.get_weights())
            if layer.name in depths:
                outputs.append(x)
            if is_conv:
                x = keras.layers.ReLU()(x)
        self.network = keras.Model(known.input, outputs)
        self.network.trainable = False

    def __call__(self, sharp, restored):
        wanted = self.network(vgg_input(sharp), training=False)
        found = self.network(vgg_input(restored), training=False)
        depths = [
            ops.mean(ops.abs(ops.cast(a, "float32") - ops.cast(b, "float32")))
            / ops.mean(ops.abs(ops.cast(a, "float32")))
            for a, b in zip(wanted, found)
        ]
        return sum(depths) / len(depths)


def relativistic_loss(better, worse):
    """How far scores are from being 1 above those of the other kind on average (RaLSGAN).

    Relativistic average least squares (Jolicoeur-Martineau 2018; DeblurGAN-v2, Kupyn et al. 2019).
    The critic calls it with the scores of sharp pictures as `better`, the generator, which wants
    the contrary, with those of its own.

    Args:
        better, worse: scores or maps of scores.
    """
    above = better - ops.mean(worse)
    below = worse - ops.mean(better)
    return (ops.mean(ops.square(above - 1.0)) + ops.mean(ops.square(below + 1.0))) / 2
