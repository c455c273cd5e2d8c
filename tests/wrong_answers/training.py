import dataclasses

import tensorflow as tf


def critic(weights_of, sign=1.0, factor=10.0, mean=tf.reduce_mean, applied=True):
    def my_critic_update(gan, blurred, sharp, penalty):
        restored = gan.generator(blurred)
        with tf.GradientTape() as tape:
            scores = [mean(gan.critic(x)) for x in (restored, sharp)]
            loss = sign * (scores[0] - scores[1]) + factor * penalty(sharp, restored)
        weights = weights_of(gan)
        gradients = tape.gradient(loss, weights)
        if applied:
            gan.critic_optimizer.apply(gradients, weights)
        return loss

    return my_critic_update


def of_critic(gan):
    return gan.critic.trainable_variables


def all_of_them(gan, blurred, sharp, penalty):
    with tf.GradientTape() as tape:
        restored = gan.generator(blurred)
        loss = tf.reduce_mean(gan.critic(restored)) - tf.reduce_mean(gan.critic(sharp))
        loss = loss + 10 * penalty(sharp, restored)
    weights = gan.critic.trainable_variables + gan.generator.trainable_variables
    gan.critic_optimizer.apply(tape.gradient(loss, weights), weights)
    return loss


def outside_the_tape(gan, blurred, sharp, penalty):
    restored = gan.generator(blurred)
    scores = gan.critic(restored), gan.critic(sharp)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(scores[0]) - tf.reduce_mean(scores[1])
    weights = gan.critic.trainable_variables
    gan.critic_optimizer.apply(tape.gradient(loss, weights), weights)
    return loss


def in_numpy(gan, blurred, sharp, penalty):
    return critic(of_critic)(gan, blurred, sharp, penalty).numpy()


def nothing(gan, blurred, sharp, penalty):
    critic(of_critic)(gan, blurred, sharp, penalty)


def loss(sign=-1.0, pixel=tf.abs, perceptual=True, weighted=True, fixed=False):
    def my_generator_loss(gan, sharp, restored):
        if fixed:
            restored = tf.constant(restored.numpy())
        weight = gan.term_weights if weighted else dict.fromkeys(gan.term_weights, 1)
        total = weight["pixel"] * tf.reduce_mean(pixel(restored - sharp))
        if perceptual:
            total += weight["perceptual"] * gan.perceptual(sharp, restored)
        return total + sign * weight["adversarial"] * tf.reduce_mean(gan.critic(restored))

    return my_generator_loss


def with_update(gan, sharp, restored):
    right = loss()(gan, sharp, restored)
    with tf.GradientTape() as tape:
        wrong = tf.reduce_mean(gan.critic(restored)) - tf.reduce_mean(gan.critic(sharp))
    weights = gan.critic.trainable_variables
    gan.critic_optimizer.apply(tape.gradient(wrong, weights), weights)
    return right


def recipe(pull=lambda given, side: given.pixel / (3 * side * side) ** 0.5, **changes):
    """A recipe whose critic pulls `times` as hard as this, with other changes."""

    def my_recipe(given, side, times):
        changed = {"pretraining": 0.0, "adversarial": times * pull(given, side)} | changes
        return dataclasses.replace(given, **changed)

    return my_recipe


WRONG = {
    "critic_update": [
        (critic(of_critic, sign=-1.0), "score restored crops high"),
        (critic(of_critic, factor=0.0), "penalty is missing"),
        (critic(of_critic, factor=1.0), "10 times"),
        (critic(of_critic, mean=tf.reduce_sum), "take means"),
        (critic(of_critic, applied=False), "no weight moved"),
        (all_of_them, "generator moved as well"),
        (outside_the_tape, "line "),
        (in_numpy, "numpy"),
        (nothing, "returns nothing"),
    ],
    "generator_loss": [
        (loss(sign=1.0), "wrong sign"),
        (loss(sign=0.0), "critic's term is missing"),
        (loss(pixel=tf.square), "absolute difference"),
        (loss(perceptual=False), "perceptual loss is missing"),
        (loss(weighted=False), "not weighted"),
        (loss(fixed=True), "numpy"),
        (with_update, "*the change of the critic's weights*"),
    ],
    "own_recipe": [
        (recipe(pretraining=0.9), "must be 0"),
        (recipe(pretraining=1.0), "all pretraining"),
        (recipe(lambda given, side: 1.0), "`times` itself"),
        (recipe(lambda given, side: given.adversarial), "that the recipe has"),
        (recipe(lambda given, side: given.pixel / side), "three colours"),
        (recipe(lambda given, side: given.pixel / (side * side * 3)), "not 1/N"),
        (recipe(lambda given, side: 1 / (3 * side * side) ** 0.5), "own weight is missing"),
        (recipe(perceptual=0.0), "other values"),
        (lambda given, side, times: dataclasses.replace(given, weight=times), "TypeError"),
        (lambda given, side, times: {"pretraining": 0.0}, "dataclass"),
    ],
    "diagnosis": [
        (["photographs", "learning rate", "sigmoid", "pairs", "penalty"], "cannot leave"),
        (["pairs", "learning rate", "penalty", "photographs", "sigmoid"], "A and D"),
        (["photographs", "penalty", "learning rate", "pairs", "sigmoid"], "B and C"),
        (["photographs", "pairs", "penalty", "learning rate", "sigmoid"], "B and D"),
        (["pairs", "photographs", "sigmoid", "penalty", "learning rate"], "hint may help"),
        (["photographs", "learning rate", "penalty", "pairs"], "5 parts"),
    ],
}
