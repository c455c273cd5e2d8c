import numpy as np
import tensorflow as tf

MEAN = tf.constant([103.939, 116.779, 123.68])


def bgr(photo):
    return tf.reverse(photo, [-1])


def perceptual(prepare, compare=tf.square):
    def my_perceptual_loss(network, sharp, restored):
        maps = network(tf.concat([prepare(sharp), prepare(restored)], 0)) / 58.0
        a, b = tf.split(maps, 2)
        return tf.reduce_mean(compare(a - b))

    return my_perceptual_loss


def right(photo):
    return 127.5 * bgr(photo) + 127.5 - MEAN


def no_gradient(network, sharp, restored):
    maps = [network(right(photo)).numpy() / 58 for photo in (sharp, restored)]
    return np.mean((maps[0] - maps[1]) ** 2)


def penalty(at=None, axes=(1, 2, 3), constant=1e-10, count=tf.square, mean=tf.reduce_mean):
    def my_gradient_penalty(critic, real, fake, alpha):
        x = alpha * real + (1 - alpha) * fake if at is None else at(real, fake, alpha)
        with tf.GradientTape() as tape:
            tape.watch(x)
            score = mean(critic(x), axis=[1, 2, 3])
        squares = tf.reduce_sum(tape.gradient(score, x) ** 2, axis=axes)
        return tf.reduce_mean(count(tf.sqrt(squares + constant) - 1))

    return my_gradient_penalty


def outside_the_tape(critic, real, fake, alpha):
    x = alpha * real + (1 - alpha) * fake
    score = critic(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
    return tf.reduce_mean((tf.norm(tape.gradient(score, x), axis=-1) - 1) ** 2)


WRONG = {
    "perceptual_loss": [
        (perceptual(lambda x: x), "as they are"),
        (perceptual(lambda x: 127.5 * x + 127.5 - MEAN), "still red, green, blue"),
        (perceptual(lambda x: 0.5 * bgr(x) + 0.5 - MEAN), "0 to 255"),
        (perceptual(lambda x: 127.5 * bgr(x) + 127.5), "not subtracted"),
        (perceptual(lambda x: bgr(127.5 * x + 127.5 - MEAN)), "wrong colours"),
        (perceptual(lambda x: 255 * bgr(x) - MEAN), "add 1 first"),
        (perceptual(right, tf.abs), "mean absolute difference"),
        (perceptual(right, lambda x: (58 * x) ** 2), "3364 times"),
        (no_gradient, "numpy"),
        (lambda network, sharp, restored: tf.square(network(right(sharp))), "what the network is"),
    ],
    "gradient_penalty": [
        (penalty(lambda real, fake, alpha: fake), "at the fake pictures"),
        (penalty(lambda real, fake, alpha: alpha * fake + (1 - alpha) * real), "not mind"),
        (penalty(axes=3), "colours only"),
        (penalty(axes=None), "whole batch"),
        (penalty(constant=0.0), "not a number"),
        (penalty(count=tf.abs), "absolute difference"),
        (penalty(count=lambda x: tf.square(tf.nn.relu(x))), "one-sided"),
        (penalty(mean=tf.reduce_sum), "sum of the map"),
        (outside_the_tape, "line "),
    ],
}
