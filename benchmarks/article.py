"""The article's training step, as printed, on today's Keras: its networks and its loop.

Written with Keras' own layers, as in the article, and with its own reflection padding. Two things
differ from the article: VGG is built once instead of in each call of the loss, and the strided
convolutions are padded as in `deblurgan_lib`, so that both compute the same.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops


class Reflect(layers.Layer):
    """The article's ReflectionPadding2D."""

    def __init__(self, padding):
        super().__init__()
        self.padding = padding

    def call(self, x):
        sides = [self.padding] * 2
        return tf.pad(x, [[0, 0], sides, sides, [0, 0]], "REFLECT")


def generator(size, width=64, blocks=9):
    def conv(x, filters, kernel, stride=1):
        x = layers.Conv2D(filters, kernel, stride, use_bias=False)(Reflect(kernel // 2)(x))
        return layers.BatchNormalization()(x)

    x = blurred = keras.Input((size, size, 3))
    x = layers.Activation("relu")(conv(x, width, 7))
    for times in (2, 4):
        x = layers.Activation("relu")(conv(x, times * width, 3, 2))
    for _ in range(blocks):
        y = layers.Dropout(0.5)(layers.Activation("relu")(conv(x, 4 * width, 3)))
        x = layers.Add()([x, conv(y, 4 * width, 3)])
    for times in (2, 1):
        x = layers.Conv2DTranspose(times * width, 3, 2, "same", use_bias=False)(x)
        x = layers.Activation("relu")(layers.BatchNormalization()(x))
    x = layers.Conv2D(3, 7, activation="tanh")(Reflect(3)(x))
    x = layers.Lambda(lambda x: x / 2)(layers.Add()([x, blurred]))
    return keras.Model(blurred, x)


def critic(size, width=64):
    picture = keras.Input((size, size, 3))
    x = layers.LeakyReLU(0.2)(layers.Conv2D(width, 4, 2, "same")(picture))
    for times, stride in ((1, 2), (2, 2), (4, 2), (8, 1)):
        x = layers.Conv2D(times * width, 4, stride, "same", use_bias=False)(x)
        x = layers.LeakyReLU(0.2)(layers.BatchNormalization()(x))
    x = layers.Flatten()(layers.Conv2D(1, 4, padding="same")(x))
    score = layers.Dense(1, activation="sigmoid")(layers.Dense(1024, activation="tanh")(x))
    return keras.Model(picture, score)


def wasserstein(label, score):
    return ops.mean(label * score)


class Article:
    """The three compiled models of the article and its step.

    Args:
        size: height and width of the pictures.
        vgg: the network of the perceptual loss, see `deblurgan_lib.models.feature_network`.
    """

    def __init__(self, size, vgg):
        self.generator, self.critic = generator(size), critic(size)
        x = keras.Input((size, size, 3))
        restored = self.generator(x)
        self.chain = keras.Model(x, [restored, self.critic(restored)])

        def perceptual(sharp, restored):
            return ops.mean(ops.square(vgg(sharp) - vgg(restored)))

        self.critic.compile(keras.optimizers.Adam(1e-4), wasserstein)
        self.critic.trainable = False
        adam, loss = keras.optimizers.Adam(1e-4), [perceptual, wasserstein]
        self.chain.compile(adam, loss, loss_weights=[100, 1])
        self.critic.trainable = True

    def step(self, blurred, sharp):
        real = np.ones((len(sharp), 1), np.float32)
        fake = self.generator.predict(blurred, verbose=0)
        for _ in range(5):
            self.critic.train_on_batch(sharp, real)
            self.critic.train_on_batch(fake, -real)
        self.critic.trainable = False
        self.chain.train_on_batch(blurred, [sharp, real])
        self.critic.trainable = True
