import keras
import tensorflow as tf


def table(points, centres):
    return ((points[:, None, :] - centres) ** 2).sum(-1) ** 0.5


def near_any(points, centres, radius, least):
    return sum(int((row < radius).sum() >= least) for row in table(points, centres).T)


def no_radius(points, centres, radius, least):
    nearest = table(points, centres).argmin(1)
    return sum(int((nearest == i).sum() >= least) for i in range(len(centres)))


def no_least(points, centres, radius, least):
    distances = table(points, centres)
    return len(set(distances.argmin(1)[distances.min(1) < radius]))


def good_points(points, centres, radius, least):
    return int((table(points, centres).min(1) < radius).sum())


bce = keras.losses.BinaryCrossentropy(from_logits=True)


def discriminator_step(loss, apply=True):
    def my_discriminator_step(discriminator, optimizer, real, fake):
        with tf.GradientTape() as tape:
            value = loss(discriminator(real), discriminator(fake))
        weights = discriminator.trainable_weights
        gradients = tape.gradient(value, weights)
        if apply:
            optimizer.apply_gradients(zip(gradients, weights, strict=True))
        return value

    return my_discriminator_step


def two_halves(real, fake, labels=(1, 0), factor=0.5):
    return factor * (bce(0 * real + labels[0], real) + bce(0 * fake + labels[1], fake))


def fakes_before_the_tape(generator, discriminator, optimizer, noise):
    fake = generator(noise)
    with tf.GradientTape() as tape:
        logits = discriminator(fake)
        loss = bce(tf.ones_like(logits), logits)
    weights = generator.trainable_variables
    optimizer.apply(tape.gradient(loss, weights), weights)
    return loss


def generator_step(label=1, sign=1, trained="generator"):
    def my_generator_step(generator, discriminator, optimizer, noise):
        with tf.GradientTape() as tape:
            logits = discriminator(generator(noise))
            loss = sign * bce(0 * logits + label, logits)
        weights = {
            "generator": generator.trainable_weights,
            "discriminator": discriminator.trainable_weights,
            "nobody": [],
        }[trained]
        if weights:
            optimizer.apply(tape.gradient(loss, weights), weights)
        return loss

    return my_generator_step


WRONG = {
    "discriminator_step": [
        (discriminator_step(lambda r, f: two_halves(r, f, (0, 1))), "swapped"),
        (discriminator_step(lambda r, f: bce(tf.ones_like(r), r)), "half of the fakes is missing"),
        (discriminator_step(lambda r, f: two_halves(r, f, factor=1)), "sum of the two halves"),
        (discriminator_step(two_halves, apply=False), "no weight moved"),
        (discriminator_step(lambda r, f: tf.reduce_mean(f) - tf.reduce_mean(r)), "is right"),
        (lambda d, optimizer, real, fake: d.no_such_thing, "no_such_thing`"),
    ],
    "generator_step": [
        (generator_step(label=0), "to be found out"),
        (generator_step(label=0, sign=-1), "minimax"),
        (generator_step(trained="discriminator"), "The discriminator moved"),
        (generator_step(trained="nobody"), "no weight moved"),
        (fakes_before_the_tape, "`optimizer.apply(tape.gradient(loss, weights), weights)`"),
    ],
    "modes_covered": [
        (good_points, "These are the good points"),
        (no_radius, "Use `radius`"),
        (no_least, "needs at least"),
        (lambda p, c, r, k: no_least(p, c, r, k) * 0 + near_any(p, c, r, k), "only to the nearest"),
        (lambda p, c, r, k: len(c), "is right"),
    ],
}
