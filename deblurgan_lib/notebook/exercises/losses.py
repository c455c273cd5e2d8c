"""Exercises of lesson 04."""

import numpy as np
import tensorflow as tf

from .exercise import Exercise

MEAN = [103.939, 116.779, 123.68]


def perceptual_loss(network, sharp, restored):
    # The last axis is reversed first: the mean is in the order blue, green, red.
    wanted, found = (
        network((photo[..., ::-1] + 1) * 127.5 - MEAN) / 58 for photo in (sharp, restored)
    )
    return tf.reduce_mean((wanted - found) ** 2)


def gradient_penalty(critic, real, fake, alpha):
    between = fake + alpha * (real - fake)
    with tf.GradientTape() as tape:
        tape.watch(between)
        # One score for each picture, the mean of its map.
        score = tf.reduce_mean(critic(between), axis=(1, 2, 3))
    gradient = tape.gradient(score, between)
    # The constant is there because a root has no finite gradient at 0.
    norm = tf.sqrt(tf.reduce_sum(gradient**2, axis=(1, 2, 3)) + 1e-12)
    return tf.reduce_mean((norm - 1) ** 2)


_RANDOM = np.random.default_rng(1)
_PHOTOS = _RANDOM.uniform(-1, 1, (2, 3, 4, 4, 3)).astype("float32")
_ALPHA = np.reshape([0.2, 0.5, 0.9], (3, 1, 1, 1)).astype("float32")
_COLOURS = _RANDOM.standard_normal((3, 5)).astype("float32")
_KERNELS = [
    _RANDOM.standard_normal(shape).astype("float32") for shape in ((3, 3, 3, 4), (1, 1, 4, 1))
]


def _examine(loss, compiled, network, arguments, watched, names):
    """What a network is given by a loss, the loss, and its gradient; by the names of the parts."""

    def run():
        given = []

        def watching(photo, training=False):
            given.append(tf.cast(photo, tf.float32))
            return network(given[-1])

        with tf.GradientTape() as tape:
            tape.watch(watched)
            value = loss(watching, *arguments)
            if value is None or value is ...:
                return {names[1]: value}
            value = tf.convert_to_tensor(value)
        zero = tf.UnconnectedGradients.ZERO
        gradients = tape.gradient(value, watched, unconnected_gradients=zero)
        # The order of the pictures does not matter, nor in how many calls they come.
        mean = tf.reduce_mean(tf.concat(given or [tf.zeros((1, 4, 4, 3))], 0), 0)
        joined = tf.concat([tf.reshape(gradient, [-1]) for gradient in gradients], 0)
        return dict(zip(names, (mean, value, joined), strict=True))

    return (tf.function(run) if compiled else run)()


def _try_perceptual(loss, compiled):
    sharp, restored = map(tf.constant, _PHOTOS)
    names = (
        "what the network is given (the mean of the pictures)",
        "the loss",
        "its gradient with respect to the restored pictures",
    )

    def network(photo):
        return tf.nn.relu(photo @ _COLOURS)

    return _examine(loss, compiled, network, (sharp, restored), [restored], names)


def _try_penalty(loss, compiled, size):
    real, fake = map(tf.constant, _PHOTOS)
    kernels = [tf.Variable(_KERNELS[0]), tf.Variable(size * _KERNELS[1])]
    names = (
        "where the gradient is measured (the mean of the pictures)",
        "the penalty",
        "its gradient with respect to the critic's weights",
    )

    def critic(photo):
        return tf.nn.conv2d(
            tf.nn.elu(tf.nn.conv2d(photo, kernels[0], 2, "SAME")), kernels[1], 1, "SAME"
        )

    return _examine(loss, compiled, critic, (real, fake, tf.constant(_ALPHA)), kernels, names)


def _prepared(photo):
    return (photo[..., ::-1] + 1) * 127.5 - MEAN


def _perceptual_with(prepare=_prepared, distance=lambda x: tf.reduce_mean(x**2), unit=58.0):
    """The perceptual loss with one of its parts replaced."""
    return lambda network, sharp, restored: distance(
        (network(prepare(sharp)) - network(prepare(restored))) / unit
    )


def _norms(gradient, axis=(1, 2, 3)):
    return tf.sqrt(tf.reduce_sum(gradient**2, axis=axis) + 1e-12)


def _penalty_with(
    place=lambda real, fake, alpha: fake + alpha * (real - fake),
    score=lambda scores: tf.reduce_mean(scores, axis=(1, 2, 3)),
    norm=_norms,
    deviation=lambda norm: tf.reduce_mean((norm - 1) ** 2),
):
    """The gradient penalty with one of its parts replaced."""

    def penalty(critic, real, fake, alpha):
        points = place(real, fake, alpha)
        with tf.GradientTape() as tape:
            tape.watch(points)
            value = score(critic(points))
        return deviation(norm(tape.gradient(value, points)))

    return penalty


EXERCISES = {
    "perceptual_loss": Exercise(
        solution=perceptual_loss,
        trial=_try_perceptual,
        hint="Prepare both batches in three steps: reverse the colours with `[..., ::-1]`, bring "
        "[-1, 1] to [0, 255], subtract the mean. Then `network(...)`, twice; divide by 58; the "
        "difference, its square, its mean, with functions of TensorFlow.",
        insight="VGG gets what it was trained on, and the gradient reaches the restored pictures. "
        "The library's `PerceptualLoss` computes the same.",
        mistakes={
            "The network is given the pictures as they are, in [-1, 1]. It was trained on numbers "
            "a hundred times larger.": _perceptual_with(lambda photo: photo),
            "The colours are still red, green, blue; this VGG was trained on blue, green, red.": (
                _perceptual_with(lambda photo: (photo + 1) * 127.5 - MEAN)
            ),
            "The range is [0, 1] here. VGG wants grey levels, 0 to 255.": (
                _perceptual_with(lambda photo: (photo[..., ::-1] + 1) / 2 - MEAN)
            ),
            "The mean of ImageNet is not subtracted, so every value is about 115 too large.": (
                _perceptual_with(lambda photo: (photo[..., ::-1] + 1) * 127.5)
            ),
            "The mean is subtracted from the wrong colours: it is listed as blue, green, red.": (
                _perceptual_with(lambda photo: ((photo + 1) * 127.5 - MEAN)[..., ::-1])
            ),
            "-1 must become 0 and 1 must become 255 before the mean goes; add 1 first.": (
                _perceptual_with(lambda photo: photo[..., ::-1] * 255 - MEAN)
            ),
            "The features are not divided by 58, so the loss is 3364 times too large.": (
                _perceptual_with(unit=1.0)
            ),
            "Here the loss is divided by 58. It is a square: divide the features.": (
                _perceptual_with(unit=58.0**0.5)
            ),
            "This is the mean absolute difference; the squared one is asked for.": (
                _perceptual_with(distance=lambda x: tf.reduce_mean(tf.abs(x)))
            ),
            "This is the sum of the squares. It grows with the size of the crop; take the mean.": (
                _perceptual_with(distance=lambda x: tf.reduce_sum(x**2))
            ),
        },
        cases=[(False,), (True,)],
    ),
    "gradient_penalty": Exercise(
        solution=gradient_penalty,
        trial=_try_penalty,
        hint="Five lines: the points between; inside a tape that watches them, the mean of each "
        "picture's map over axes 1, 2, 3; the gradient; its norm over the same axes, with 1e-12 "
        "under the root; the mean of the squared difference from 1.",
        insight="Every picture counts by itself, and the penalty has a gradient of its own, which "
        "trains the critic. The library's `losses.gradient_penalty` computes the same.",
        mistakes={
            "The gradient is measured at the fake pictures. Go `alpha` of the way to the real "
            "ones.": _penalty_with(lambda real, fake, alpha: fake),
            "The gradient is measured at the real pictures. Start from the fake ones and go "
            "`alpha` of the way.": _penalty_with(lambda real, fake, alpha: real),
            "Here `alpha = 1` is the fake picture. Training would not mind, but 1 is to be the "
            "real one.": _penalty_with(lambda real, fake, alpha: real + alpha * (fake - real)),
            "This is the gradient of the sum of the map. The score of a picture is the mean.": (
                _penalty_with(score=lambda scores: tf.reduce_sum(scores, axis=(1, 2, 3)))
            ),
            "The score is a mean over the batch too, which makes each picture's gradient smaller "
            "the more pictures there are.": _penalty_with(score=tf.reduce_mean),
            "The norm is over the colours only. That asks for a norm of 1 in every single "
            "pixel.": _penalty_with(norm=lambda gradient: _norms(gradient, -1)),
            "This is one norm for the whole batch; each picture needs its own.": (
                _penalty_with(norm=lambda gradient: _norms(gradient, None))
            ),
            "The mean over the batch is taken before the square, so norms of 0 and 2 cancel.": (
                _penalty_with(deviation=lambda norm: (tf.reduce_mean(norm) - 1) ** 2)
            ),
            "The root is missing: this compares the squared norm with 1.": (
                _penalty_with(norm=lambda gradient: _norms(gradient) ** 2)
            ),
            "Norms below 1 cost nothing here. This one-sided penalty exists, but the paper's "
            "and the library's pulls small norms up to 1 as well.": _penalty_with(
                deviation=lambda norm: tf.reduce_mean(tf.maximum(norm - 1, 0) ** 2)
            ),
            "This is the absolute difference from 1; the square is asked for.": (
                _penalty_with(deviation=lambda norm: tf.reduce_mean(tf.abs(norm - 1)))
            ),
            "The value is right, but a flat critic gets a gradient that is not a number: add a "
            "tiny constant under the root.": _penalty_with(
                norm=lambda gradient: tf.sqrt(tf.reduce_sum(gradient**2, axis=(1, 2, 3)))
            ),
        },
        cases=[(False, 1.0), (True, 1.0), (False, 0.0)],
        tolerance=1e-3,  # The constant under the root is the learner's choice.
    ),
}
