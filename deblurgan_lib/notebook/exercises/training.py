"""Exercises of lesson 05."""

import dataclasses
import functools

import keras
import numpy as np
import tensorflow as tf

from ...training import RECIPES, DeblurGAN, losses
from .exercise import Exercise


def critic_update(gan, blurred, sharp, penalty):
    restored = gan.generator(blurred, training=True)
    with tf.GradientTape() as tape:
        difference = tf.reduce_mean(gan.critic(restored)) - tf.reduce_mean(gan.critic(sharp))
        loss = difference + 10 * penalty(sharp, restored)
    weights = gan.critic.trainable_variables
    gan.critic_optimizer.apply(tape.gradient(loss, weights), weights)
    return loss


def generator_loss(gan, sharp, restored):
    pixel = tf.reduce_mean(tf.abs(sharp - restored))
    perceptual = gan.perceptual(sharp, restored)
    adversarial = -tf.reduce_mean(gan.critic(restored))
    weight = gan.term_weights
    return (
        weight["pixel"] * pixel
        + weight["perceptual"] * perceptual
        + weight["adversarial"] * adversarial
    )


def own_recipe(recipe, side, times):
    pull_of_pixels = recipe.pixel / np.sqrt(3 * side**2)
    # A critic whose gradient has norm 1 pulls with its weight.
    return dataclasses.replace(recipe, pretraining=0.0, adversarial=times * pull_of_pixels)


def diagnosis():
    # One for each of the runs A, B, C, D and E.
    return ["photographs", "learning rate", "penalty", "pairs", "sigmoid"]


_RANDOM = np.random.default_rng(2)
_PHOTOS = _RANDOM.uniform(-1, 1, (2, 2, 8, 8, 3)).astype("float32")
_ALPHA = np.reshape([0.3, 0.8], (2, 1, 1, 1)).astype("float32")
_COLOURS = _RANDOM.standard_normal((3, 5)).astype("float32")
_TERMS = {"pixel": 1.0, "perceptual": 0.5, "adversarial": 0.25}


def _perceptual(sharp, restored):
    return tf.reduce_mean(tf.nn.relu(sharp @ _COLOURS - restored @ _COLOURS) ** 2)


@functools.cache
def _networks():
    """A small DeblurGAN, and its weights."""
    blurred = keras.Input((8, 8, 3))
    hidden = keras.layers.Conv2D(3, 3, padding="same", activation="tanh")(blurred)
    generator = keras.Model(blurred, keras.layers.Add()([blurred, hidden]))
    maps = keras.layers.Conv2D(4, 3, strides=2, padding="same", activation="elu")(blurred)
    critic = keras.Model(blurred, keras.layers.Conv2D(1, 3, padding="same")(maps))
    random = np.random.default_rng(3)
    weights = [
        [random.normal(0, 0.5, weight.shape) for weight in network.get_weights()]
        for network in (generator, critic)
    ]
    return DeblurGAN(generator, critic, _perceptual), weights


def _gan():
    """The small DeblurGAN, always with the same weights."""
    gan, weights = _networks()
    for network, first in zip((gan.generator, gan.critic), weights, strict=True):
        network.trainable = True
        network.set_weights(first)
    gan.compile(keras.optimizers.SGD(1.0), keras.optimizers.SGD(1.0), **_TERMS)
    # Plain gradient descent with a learning rate of 1: the change is the gradient itself. These two
    # take whatever weights they are handed.
    gan.optimizer, gan.critic_optimizer = keras.optimizers.SGD(1.0), keras.optimizers.SGD(1.0)
    return gan


def _try(gan, step, compiled, name):
    """What a step returns, and how it changes the two networks."""

    def flat(network):
        return np.concatenate([weight.ravel() for weight in network.get_weights()])

    before = flat(gan.critic), flat(gan.generator)
    value = (tf.function(step, autograph=False) if compiled else step)()
    return {
        name: value,
        "the change of the critic's weights": flat(gan.critic) - before[0],
        "the change of the generator's weights": flat(gan.generator) - before[1],
    }


def _try_critic_update(update, compiled):
    gan, (blurred, sharp) = _gan(), map(tf.constant, _PHOTOS)

    def penalty(sharp, restored):
        return losses.gradient_penalty(gan.critic, sharp, restored, _ALPHA)

    def step():
        return update(gan, blurred, sharp, penalty)

    return _try(gan, step, compiled, "the loss that it returns")


def _try_generator_loss(loss_of, compiled):
    gan, (blurred, sharp) = _gan(), map(tf.constant, _PHOTOS)

    def step():
        with tf.GradientTape() as tape:
            loss = loss_of(gan, sharp, gan.generator(blurred, training=True))
            if loss is None or loss is ...:
                return loss
            loss = tf.convert_to_tensor(loss)
        weights = gan.generator.trainable_variables
        gradients = tape.gradient(loss, weights)
        known = [
            tf.zeros_like(weight) if gradient is None else gradient
            for gradient, weight in zip(gradients, weights, strict=True)
        ]
        gan.optimizer.apply(known, weights)
        return loss

    return _try(gan, step, compiled, "the loss")


def _try_recipe(make, pixel, side, times):
    given = dataclasses.replace(RECIPES["course"], pixel=pixel)
    made = make(given, side, times)
    if made is None or made is ...:
        return {"pretraining": made}
    values, before = dataclasses.asdict(made), dataclasses.asdict(given)
    asked = {name: values.pop(name) for name in ("pretraining", "adversarial")}
    changed = [name for name, value in values.items() if value != before[name]]
    return asked | {"other values that are changed": ", ".join(changed)}


def _recipe_with(adversarial, pretraining=0.0):
    """A recipe with another weight of the critic, or another share of pretraining."""

    def make(recipe, side, times):
        weight = adversarial(recipe, side, times)
        return dataclasses.replace(recipe, pretraining=pretraining, adversarial=weight)

    return make


def _critic_update_with(
    difference=lambda real, fake: tf.reduce_mean(fake) - tf.reduce_mean(real),
    weight=10.0,
    trained=lambda gan: gan.critic.trainable_variables,
    apply=True,
):
    """The critic's update with one of its parts replaced."""

    def update(gan, blurred, sharp, penalty):
        with tf.GradientTape() as tape:
            restored = gan.generator(blurred, training=True)
            loss = difference(gan.critic(sharp), gan.critic(restored))
            loss += weight * penalty(sharp, restored)
        if apply:
            weights = trained(gan)
            gan.critic_optimizer.apply(tape.gradient(loss, weights), weights)
        return loss

    return update


def _generator_loss_with(
    pixel=lambda difference: tf.reduce_mean(tf.abs(difference)),
    features=1.0,
    score=lambda scores: -tf.reduce_mean(scores),
    weights=None,
    restore=lambda restored: restored,
):
    """The generator's loss with one of its parts replaced."""

    def loss(gan, sharp, restored):
        restored = restore(restored)
        weight = weights or gan.term_weights
        return (
            weight["pixel"] * pixel(sharp - restored)
            + features * weight["perceptual"] * gan.perceptual(sharp, restored)
            + weight["adversarial"] * score(gan.critic(restored))
        )

    return loss


def _trains_the_critic_too(gan, sharp, restored):
    loss = generator_loss(gan, sharp, restored)
    critic_update(gan, restored, sharp, lambda sharp, restored: 0.0)
    return loss


def swapped(first, second):
    """The diagnosis with two of its failures exchanged."""
    answer = diagnosis()
    answer[first], answer[second] = answer[second], answer[first]
    return answer


EXERCISES = {
    "critic_update": Exercise(
        solution=critic_update,
        trial=_try_critic_update,
        hint="Restore the crops. Inside a tape: the mean score of `restored` less that of `sharp`, "
        "and 10 times `penalty(sharp, restored)`. After it the gradient with respect to "
        "`gan.critic.trainable_variables`, which goes to `gan.critic_optimizer.apply`.",
        insight="The critic moved and the generator did not, although the loss depends on both.",
        mistakes={
            "The sign is wrong: this critic learns to score restored crops high.": (
                _critic_update_with(lambda real, fake: tf.reduce_mean(real) - tf.reduce_mean(fake))
            ),
            "The penalty is missing. Without it nothing limits the critic's gradient "
            "(lesson 04).": _critic_update_with(weight=0.0),
            "The penalty counts once here; it is to count 10 times.": _critic_update_with(
                weight=1.0
            ),
            "These are sums of scores. They grow with the size of the map; take means.": (
                _critic_update_with(lambda real, fake: tf.reduce_sum(fake) - tf.reduce_sum(real))
            ),
            "The generator moved as well. Along the critic's loss it learns to be scored low, "
            "which means to restore worse.": (
                _critic_update_with(
                    trained=lambda gan: [
                        *gan.critic.trainable_variables,
                        *gan.generator.trainable_variables,
                    ]
                )
            ),
            "The generator moved and the critic did not: these are the weights of the other "
            "network.": _critic_update_with(trained=lambda gan: gan.generator.trainable_variables),
            "The loss is right, but no weight moved. Hand the gradient to "
            "`gan.critic_optimizer.apply`.": _critic_update_with(apply=False),
        },
        cases=[(False,), (True,)],
    ),
    "generator_loss": Exercise(
        solution=generator_loss,
        trial=_try_generator_loss,
        hint="`tf.reduce_mean(tf.abs(sharp - restored))`, `gan.perceptual(sharp, restored)` and "
        "minus the mean of `gan.critic(restored)`, each times its weight in `gan.term_weights`.",
        insight="The gradient passes through the critic into the generator, and leaves the critic "
        "as it was.",
        mistakes={
            "The critic's term has the wrong sign: this generator learns to be scored low.": (
                _generator_loss_with(score=tf.reduce_mean)
            ),
            "The terms are not weighted; `gan.term_weights` says how much each counts.": (
                _generator_loss_with(weights=dict.fromkeys(_TERMS, 1.0))
            ),
            "The perceptual loss is missing.": _generator_loss_with(features=0.0),
            "The critic's term is missing. This is the loss of pretraining, with features.": (
                _generator_loss_with(score=lambda scores: 0.0)
            ),
            "The pixel term is squared here; the absolute difference is asked for.": (
                _generator_loss_with(lambda difference: tf.reduce_mean(difference**2))
            ),
            "The loss is right, but it has no gradient for the generator: something cuts "
            "`restored` off from it.": _generator_loss_with(restore=tf.stop_gradient),
            "The critic moved as well. A loss is computed here, and nothing is applied.": (
                _trains_the_critic_too
            ),
        },
        cases=[(False,), (True,)],
    ),
    "own_recipe": Exercise(
        solution=own_recipe,
        trial=_try_recipe,
        hint="A crop of `side` times `side` pixels has `3 * side**2` numbers, so the pixel term "
        "pulls with `recipe.pixel / np.sqrt(3 * side**2)`. Which weight pulls `times` as hard, if "
        "the critic's own gradient has norm 1?",
        insight="A recipe is a table of values. `train` takes this one as it takes those with a "
        "name, and writes every value into the run's `config.json`.",
        mistakes={
            "It still begins with pretraining: the share of epochs for pixels alone must be 0.": (
                _recipe_with(lambda *given: own_recipe(*given).adversarial, pretraining=0.9)
            ),
            "This is all pretraining. The share must be 0, not 1.": _recipe_with(
                lambda *given: own_recipe(*given).adversarial, pretraining=1.0
            ),
            "This weight is `times` itself. The critic is to pull `times` as hard as the pixel "
            "term, which pulls with much less than 1.": (
                _recipe_with(lambda recipe, side, times: times)
            ),
            "This is `times` the weight that the recipe has. Compare with the pull of the pixel "
            "term instead.": _recipe_with(lambda recipe, side, times: times * recipe.adversarial),
            "A crop has three colours: `3 * side**2` numbers.": _recipe_with(
                lambda recipe, side, times: times * recipe.pixel / side
            ),
            "The norm of N equal numbers grows with the root of N, so a mean of N pulls with 1/√N, "
            "not 1/N.": _recipe_with(
                lambda recipe, side, times: times * recipe.pixel / (3 * side**2)
            ),
            "The pixel term's own weight is missing: `recipe.pixel`, which need not be 1.": (
                _recipe_with(lambda recipe, side, times: times / np.sqrt(3 * side**2))
            ),
        },
        cases=[(1.0, 128, 6.0), (2.0, 64, 0.5)],
    ),
    "diagnosis": Exercise(
        solution=diagnosis,
        hint="In two of the runs the critic has no penalty: one kind of score can grow without "
        "end, the other cannot. One run learns its crops and nothing that helps elsewhere.",
        insight="No single curve names these. The held-out score, the pixel loss and the critic's "
        "difference, side by side, do.",
        mistakes={
            "The critics are exchanged. A sigmoid's score stays between 0 and 1, so a difference "
            "of two of them cannot leave -1 to 1.": lambda: swapped(2, 4),
            "Look at the pixel loss of A and D again: in which of the two does the network learn "
            "what it is shown, but nothing that helps elsewhere?": lambda: swapped(0, 3),
            "B and C are exchanged. Which of the two is wrong from its first epoch on, whatever "
            "its critic does?": lambda: swapped(1, 2),
            "B and D are exchanged. With wrong pairs the loss stays high but finite; too high a "
            "learning rate throws the weights away.": lambda: swapped(1, 3),
            "A and B are exchanged. Look at the size of the pixel loss.": lambda: swapped(0, 1),
        },
    ),
}
