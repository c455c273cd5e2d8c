"""Exercises of lesson 01."""

import functools

import keras
import numpy as np
import tensorflow as tf

from .. import toy
from .exercise import Exercise


def modes_covered(points, centres, radius, least):
    distances = np.linalg.norm(points[:, None] - centres[None], axis=2)
    nearest = distances.argmin(axis=1)
    good = distances.min(axis=1) < radius
    counts = np.bincount(nearest[good], minlength=len(centres))
    return (counts >= least).sum()


def _distances(points, centres):
    return np.linalg.norm(points[:, None] - centres[None], axis=2)


def _networks():
    """A small generator and discriminator, always with the same weights."""
    random = np.random.default_rng(0)
    networks = [toy.network(2, outputs, width=4, activation="tanh") for outputs in (2, 1)]
    for network in networks:
        network.set_weights([random.normal(0, 0.7, w.shape) for w in network.get_weights()])
    return networks


def _flat(network):
    return np.concatenate([weight.ravel() for weight in network.get_weights()])


POINTS = np.random.default_rng(1).normal(0, 1, (2, 6, 2)).astype("float32")


def _try(step, compiled, inputs):
    """What one step returns, and how it changes the networks that it gets."""
    generator, discriminator = _networks()
    # Plain gradient descent with a learning rate of 1: the change is the gradient itself.
    arguments = inputs(generator, discriminator, keras.optimizers.SGD(1.0))
    names = {id(generator): "generator", id(discriminator): "discriminator"}
    networks = {names[id(x)]: x for x in arguments if id(x) in names}
    before = {name: _flat(network) for name, network in networks.items()}
    loss = (tf.function(step) if compiled else step)(*arguments)
    changes = {
        f"the change of the {name}'s weights": _flat(network) - before[name]
        for name, network in networks.items()
    }
    return {"the loss that it returns": loss} | changes


def _try_discriminator(step, compiled):
    real, fake = map(tf.constant, POINTS)
    return _try(step, compiled, lambda _, discriminator, sgd: (discriminator, sgd, real, fake))


def _try_generator(step, compiled):
    noise = tf.constant(POINTS[0])
    return _try(step, compiled, lambda *arguments: (*arguments, noise))


def _real_half(discriminator, real, fake):
    logits = discriminator(real)
    return toy.cross_entropy(tf.ones_like(logits), logits)


def _twice_sigmoid(discriminator, real, fake):
    return toy.cross_entropy_loss(lambda x: tf.sigmoid(discriminator(x)), real, fake)


def _found_out(fake_logits):
    return toy.cross_entropy(tf.zeros_like(fake_logits), fake_logits)


def _discriminator_with(loss_of):
    return functools.partial(toy.discriminator_step, loss_of=loss_of)


def _generator_with(loss_of):
    return functools.partial(toy.generator_step, loss_of=loss_of)


def _trains(which):
    """The generator's step, with the weights of other networks handed to the optimiser."""

    def step(generator, discriminator, optimizer, noise):
        with tf.GradientTape() as tape:
            loss = toy.non_saturating_loss(discriminator(generator(noise)))
        networks = {"D": [discriminator], "both": [generator, discriminator]}[which]
        weights = [w for network in networks for w in network.trainable_variables]
        optimizer.apply(tape.gradient(loss, weights), weights)
        return loss

    return step


CORNERS = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [4.0, 4.0]])
# Three points at the first corner, two at the second, one at the third, none at the fourth, and
# three that are nearest to the fourth but far from it.
SCATTER = np.array(
    [[0.1, 0], [0, 0.2], [-0.1, 0], [4, 0.1], [4.1, 0], [0, 3.9], [3, 2.5], [2.9, 3], [2.5, 2.9]]
)

EXERCISES = {
    "discriminator_step": Exercise(
        solution=toy.discriminator_step,
        helpers=(toy.cross_entropy_loss,),
        trial=_try_discriminator,
        hint="Inside the tape: the logits of `real` and of `fake`, and the mean of their two "
        "cross-entropies, with `tf.ones_like` and `tf.zeros_like` for labels. After it: "
        "`tape.gradient(loss, discriminator.trainable_variables)`, then `optimizer.apply`.",
        insight="The loss is right, and only the discriminator moved. The gradient could flow "
        "further; what is handed to the optimiser decides.",
        mistakes={
            "The labels are swapped: this trains it to call real points fake.": (
                _discriminator_with(lambda d, real, fake: toy.cross_entropy_loss(d, fake, real))
            ),
            "The half of the fakes is missing. A discriminator that says real to everything would "
            "be perfect.": _discriminator_with(_real_half),
            "This is the sum of the two halves, and their mean is asked for: undecided must be "
            "log 2, not 2 log 2.": _discriminator_with(
                lambda *args: 2 * toy.cross_entropy_loss(*args)
            ),
            "A sigmoid comes before the loss, and `cross_entropy` applies one itself: give it the "
            "logits.": _discriminator_with(_twice_sigmoid),
            "The sign is wrong: this makes the loss larger.": (
                _discriminator_with(lambda *args: -toy.cross_entropy_loss(*args))
            ),
            "The loss is right, but no weight moved. Hand the gradient to `optimizer.apply`.": (
                lambda d, optimizer, real, fake: toy.cross_entropy_loss(d, real, fake)
            ),
        },
        cases=[(False,), (True,)],
    ),
    "generator_step": Exercise(
        solution=toy.generator_step,
        helpers=(toy.non_saturating_loss,),
        trial=_try_generator,
        hint="Inside the tape: `discriminator(generator(noise))`. These are logits of fakes; the "
        "generator wishes that they were called real. Whose weights does the optimiser get?",
        insight="The gradient ran through the discriminator and left it as it was: only the "
        "generator moved.",
        mistakes={
            "The label is 0 here: this trains the generator to be found out. It wants its fakes "
            "to be called real.": _generator_with(_found_out),
            "This is the minimax loss. It is flat where the generator is bad (lesson 08); take "
            "the label 1 instead of the opposite sign.": (
                _generator_with(lambda logits: -_found_out(logits))
            ),
            "The sign is wrong: this makes the fakes worse.": (
                _generator_with(lambda logits: -toy.non_saturating_loss(logits))
            ),
            "A sigmoid comes before the loss, and `cross_entropy` applies one itself: give it the "
            "logits.": _generator_with(lambda logits: toy.non_saturating_loss(tf.sigmoid(logits))),
            "The discriminator moved, and the generator did not: this teaches the discriminator "
            "to be fooled. Take `generator.trainable_variables`.": _trains("D"),
            "Both networks moved. The discriminator must stay: the optimiser gets only "
            "`generator.trainable_variables`.": _trains("both"),
            "The loss is right, but no weight moved. Hand the gradient to `optimizer.apply`.": (
                lambda g, d, optimizer, noise: toy.non_saturating_loss(d(g(noise)))
            ),
        },
        cases=[(False,), (True,)],
    ),
    "modes_covered": Exercise(
        solution=modes_covered,
        hint="A table of all distances, (N, M), helps: its `argmin` along the centres says where "
        "each point belongs, its `min` whether the point is good. `np.bincount` counts.",
        insight="A count like this is what a loss cannot tell: a collapsed generator has a normal "
        "loss and covers one mode.",
        mistakes={
            "These are the good points. The modes that have enough of them are asked for.": (
                lambda points, centres, radius, least: (
                    _distances(points, centres).min(axis=1) < radius
                ).sum()
            ),
            "A mode counts here if it is the nearest of enough points, however far away they "
            "are. Use `radius`.": lambda points, centres, radius, least: modes_covered(
                points, centres, np.inf, least
            ),
            "One good point is enough here. A mode needs at least `least`.": (
                lambda points, centres, radius, least: modes_covered(points, centres, radius, 1)
            ),
            "At least `least` means that exactly so many are enough.": (
                lambda points, centres, radius, least: modes_covered(
                    points, centres, radius, least + 1
                )
            ),
            "A point may lie near two centres, but belongs only to the nearest.": (
                lambda points, centres, radius, least: (
                    (_distances(points, centres) < radius).sum(axis=0) >= least
                ).sum()
            ),
        },
        cases=[
            (SCATTER, CORNERS, 0.5, 2),
            (SCATTER, CORNERS, 0.5, 3),
            (SCATTER, CORNERS, 0.5, 1),
            (SCATTER, CORNERS, 2.0, 3),
            (SCATTER, CORNERS, 3.5, 2),
        ],
    ),
}
