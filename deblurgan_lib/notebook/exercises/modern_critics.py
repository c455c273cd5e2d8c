"""Exercises of lesson 08."""

import numpy as np
import tensorflow as tf

from .exercise import Exercise


def wasserstein_1d(a, b):
    return np.abs(np.sort(a) - np.sort(b)).mean()


def hinge_loss(real_score, fake_score):
    too_low = tf.reduce_mean(tf.nn.relu(1 - real_score))
    too_high = tf.reduce_mean(tf.nn.relu(1 + fake_score))
    return too_low + too_high


def _try_hinge(loss, real, fake):
    """The loss, and what it asks of each score: its gradient."""
    scores = {"real": tf.constant(real), "fake": tf.constant(fake)}
    with tf.GradientTape() as tape:
        tape.watch(scores)
        value = loss(scores["real"], scores["fake"])
    if value is None or value is ...:
        return {"the loss": value}
    if not tf.is_tensor(value):
        raise TypeError("no gradient flows through this; compute with tf, not with NumPy.")
    asked = tape.gradient(value, scores, unconnected_gradients="zero")
    return {
        "the loss": value,
        "its gradient at real scores": asked["real"],
        "its gradient at fake scores": asked["fake"],
    }


def _hinge_with(real_part, fake_part):
    """A loss of this kind, from what it does with each kind of score."""
    return lambda real, fake: tf.reduce_mean(real_part(real)) + tf.reduce_mean(fake_part(fake))


def _column(*scores):
    return np.array(scores, "float32")[:, None]


EXERCISES = {
    "wasserstein_1d": Exercise(
        solution=wasserstein_1d,
        hint="Which point goes to which? The smallest to the smallest. Each moves by a distance, "
        "which has no sign.",
        insight="In one dimension sorting finds the cheapest transport. In more dimensions a "
        "critic has to find the distance.",
        mistakes={
            "Sort both samples first: their order means nothing, and the points go to partners "
            "that are too far away.": lambda a, b: np.abs(a - b).mean(),
            "This is the difference of the means. A narrow and a wide heap with one mean have a "
            "distance of more than 0.": lambda a, b: np.abs(a.mean() - b.mean()),
            "Some moves go left and some right, and cancel. Take the length of each first.": (
                lambda a, b: (np.sort(a) - np.sort(b)).mean()
            ),
            "The moves are squared here. This is the square of another distance (W2); take the "
            "lengths.": lambda a, b: ((np.sort(a) - np.sort(b)) ** 2).mean(),
            "The mean of the moves is asked for; the median ignores the long ones.": (
                lambda a, b: np.median(np.abs(np.sort(a) - np.sort(b)))
            ),
            "This is the sum of all moves. Take their mean, or it grows with the sample.": (
                lambda a, b: np.abs(np.sort(a) - np.sort(b)).sum()
            ),
        },
        cases=[
            (np.array([3.0, -1.0, 0.5, 2.0]), np.array([0.0, 4.5, -2.0, 1.0])),
            (np.array([-2.0, 2.0, 1.0]), np.array([0.25, 0.5, 0.25])),
            (np.array([1.0, 2.0, 3.0]), np.array([3.0, 1.0, 2.0])),
            (np.array([-3.0, 0.0]), np.array([2.5, 1.0])),
            (np.array([0.0, 1.0, 2.0, 9.0]), np.array([0.0, 1.5, 2.0, 3.0])),
        ],
    ),
    "hinge_loss": Exercise(
        solution=hinge_loss,
        trial=_try_hinge,
        hint="A real score of 0.25 lacks 0.75, and one of 3 lacks nothing: `tf.nn.relu` makes 0 of "
        "what is below 0. Which sign does a fake's score get?",
        insight="Scores beyond 1 and -1 have the gradient 0: the critic gains nothing by making "
        "them larger still.",
        mistakes={
            "Real and fake are swapped: this wants real points below -1 and fakes above 1.": (
                lambda real, fake: hinge_loss(fake, real)
            ),
            "The half of the fakes is missing. A critic that scores everything high would be "
            "perfect.": _hinge_with(lambda real: tf.nn.relu(1 - real), tf.zeros_like),
            "Nothing stops at 1 and -1 here: this is the Wasserstein critic's loss plus 2, which "
            "falls without end.": _hinge_with(lambda real: 1 - real, lambda fake: 1 + fake),
            "The margin is missing: this is content with a real score just above 0.": (
                _hinge_with(lambda real: tf.nn.relu(-real), tf.nn.relu)
            ),
            "What is lacking is squared here. The hinge loss takes it as it is.": _hinge_with(
                lambda real: tf.nn.relu(1 - real) ** 2, lambda fake: tf.nn.relu(1 + fake) ** 2
            ),
            "The sum of the two means is asked for, and this is half of it.": (
                lambda real, fake: hinge_loss(real, fake) / 2
            ),
        },
        cases=[
            (_column(-2.0, 0.25, 0.5, 3.0), _column(-1.5, -0.5, 0.75, 2.0)),
            (_column(1.5, 2.0), _column(-3.0, -1.25)),
        ],
    ),
}
