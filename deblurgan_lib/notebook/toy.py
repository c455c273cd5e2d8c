"""The toy GANs of lessons 01, 07 and 08: points on a ring, and handwritten digits of 8x8 pixels.

They are small enough to train in seconds on a processor, and to be looked at while they train. The
digits also fill the page from which a generator learns in lesson 00.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from scipy import ndimage

from .. import figures
from .display import show

BATCH = 128
SPREAD = 0.05
"""Standard deviation of the real points around their centre, in each direction."""
CENTRES = np.stack(
    [np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)], axis=1
).astype("float32")
"""The eight modes of the ring, (8, 2)."""


def ring(count: int) -> tf.Tensor:
    """Real points, float32 (count, 2): each near one of the eight centres."""
    which = tf.random.uniform((count,), 0, 8, tf.int32)
    return tf.gather(CENTRES, which) + SPREAD * tf.random.normal((count, 2))


@functools.cache
def handwriting() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """scikit-learn's handwritten digits: 1,500 for training, their labels, and 297 held out.

    Digits are float32 (N, 64) in [-1, 1].
    """
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    pixels = (pixels / 8 - 1).astype("float32")
    order = np.random.default_rng(0).permutation(len(pixels))
    return pixels[order[:1500]], labels[order[:1500]], pixels[order[1500:]]


def digits(count: int) -> tf.Tensor:
    """Real digits of the 1,500 for training, float32 (count, 64) in [-1, 1]."""
    pixels = handwriting()[0]
    return tf.gather(pixels, tf.random.uniform((count,), 0, len(pixels), tf.int32))


def page(digits: np.ndarray, columns: int) -> np.ndarray:
    """Handwritten digits as dark ink on a page, each 16x16 pixels with 2 more on each side.

    Args:
        digits: (N, 64) in [-1, 1], see `handwriting`.
        columns: digits in a line; those that fill no line are left out.

    Returns:
        uint8 (20 * lines, 20 * columns, 3).
    """
    lines = len(digits) // columns
    digits = digits[: lines * columns].reshape(-1, 8, 8)
    ink = ndimage.zoom(digits, (1, 2, 2), order=3, mode="nearest", grid_mode=True)
    ink = np.pad(ink.clip(-1, 1), ((0, 0), (2, 2), (2, 2)), constant_values=-1)
    sheet = ink.reshape(lines, columns, 20, 20).swapaxes(1, 2).reshape(20 * lines, 20 * columns)
    return np.rint(130 - 105 * sheet).astype(np.uint8)[..., None].repeat(3, axis=2)


def network(inputs: int, outputs: int, width=64, activation="relu", last=None) -> keras.Model:
    """Two hidden layers, (batch, inputs) to (batch, outputs)."""
    layers = [keras.layers.Dense(width, activation) for _ in range(2)]
    return keras.Sequential([keras.Input((inputs,)), *layers, keras.layers.Dense(outputs, last)])


def digit_networks(seed: int) -> tuple[keras.Model, keras.Model]:
    """A new generator and a new discriminator for digits; one seed gives one pair of them."""
    keras.utils.set_random_seed(seed)
    return network(16, 64, 128, last="tanh"), network(64, 1, 128, "leaky_relu")


cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)


def cross_entropy_loss(discriminator, real, fake):
    """Mean of the two halves: real things have the label 1, fakes the label 0."""
    real_logits, fake_logits = discriminator(real), discriminator(fake)
    real_half = cross_entropy(tf.ones_like(real_logits), real_logits)
    fake_half = cross_entropy(tf.zeros_like(fake_logits), fake_logits)
    return (real_half + fake_half) / 2


def non_saturating_loss(fake_logits):
    """The generator's loss (Goodfellow et al. 2014): small where its fakes are called real."""
    return cross_entropy(tf.ones_like(fake_logits), fake_logits)


def discriminator_step(discriminator, optimizer, real, fake, loss_of=cross_entropy_loss):
    """One update of the discriminator. Returns its loss."""
    with tf.GradientTape() as tape:
        loss = loss_of(discriminator, real, fake)
    weights = discriminator.trainable_variables
    optimizer.apply(tape.gradient(loss, weights), weights)
    return loss


def generator_step(generator, discriminator, optimizer, noise, loss_of=non_saturating_loss):
    """One update of the generator, through the discriminator. Returns its loss."""
    with tf.GradientTape() as tape:
        loss = loss_of(discriminator(generator(noise)))
    weights = generator.trainable_variables
    optimizer.apply(tape.gradient(loss, weights), weights)
    return loss


class GAN:
    """Two networks, an optimiser for each, and their updates in turn.

    Args:
        generator, discriminator: see `network`.
        real: from a number to so many real things.
        steps: one update of the discriminator, and one of the generator.
        updates: how many of each make one step of training, the discriminator's first.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        real: Callable,
        steps=(discriminator_step, generator_step),
        updates=(1, 1),
    ):
        self.generator, self.discriminator, self.real = generator, discriminator, real
        self.discriminator_step, self.generator_step = steps
        self.discriminator_updates, self.generator_updates = updates
        self.discriminator_optimizer = keras.optimizers.Adam(1e-3, beta_1=0.5)
        self.generator_optimizer = keras.optimizers.Adam(1e-3, beta_1=0.5)
        self.discriminator_optimizer.build(discriminator.trainable_variables)
        self.generator_optimizer.build(generator.trainable_variables)
        self.train = tf.function(self.train_both)  # Compiled once, at its first call.

    def noise(self, count: int = BATCH) -> tf.Tensor:
        """Random numbers for so many fakes."""
        return tf.random.normal((count, self.generator.input_shape[-1]))

    def fakes(self, count: int = BATCH) -> tf.Tensor:
        """So many fakes."""
        return self.generator(self.noise(count))

    def update_discriminator(self):
        """One update; returns the loss."""
        real, fake = self.real(BATCH), self.fakes()
        return self.discriminator_step(self.discriminator, self.discriminator_optimizer, real, fake)

    def update_generator(self):
        """One update; returns the loss."""
        return self.generator_step(
            self.generator, self.discriminator, self.generator_optimizer, self.noise()
        )

    def train_both(self, steps: int):
        """So many steps of training. Returns the last losses, the discriminator's first."""
        d_loss = g_loss = 0.0
        for _ in tf.range(steps):
            for _ in range(self.discriminator_updates):
                d_loss = self.update_discriminator()
            for _ in range(self.generator_updates):
                g_loss = self.update_generator()
        return d_loss, g_loss


SIDE = np.linspace(-1.7, 1.7, 60, dtype="float32")
PLANE = np.stack(np.meshgrid(SIDE, SIDE), axis=-1).reshape(-1, 2)


@dataclass(frozen=True)
class Moment:
    """A GAN on the plane at one step: 1,000 fakes, and the discriminator's answers on a grid."""

    step: int
    fakes: np.ndarray
    answers: np.ndarray


def watch(gan: GAN, steps: int, every: int, live: bool = False) -> tuple[list[Moment], np.ndarray]:
    """Train a GAN on the plane and keep moments of it.

    Args:
        gan: its points are in the plane.
        steps: of training, a multiple of `every`.
        every: steps from one moment to the next.
        live: draw each moment in the notebook, in one place.

    Returns:
        The moments, from before the first step to after the last, and the losses after each
        `every` steps, (steps / every, 2), the discriminator's first.
    """
    moments, losses, handle = [], [], None
    for step in range(0, steps + 1, every):
        answers = tf.sigmoid(gan.discriminator(PLANE)).numpy().reshape(len(SIDE), len(SIDE))
        moments.append(Moment(step, gan.fakes(1000).numpy(), answers))
        if live:
            alt = f"Fakes, the eight modes and the discriminator's answers at step {step}."
            handle = show(draw_moments(moments[-1:]), alt, handle=handle)
        if step < steps:
            losses.append([float(loss) for loss in gan.train(tf.constant(every))])
    return moments, np.array(losses)


def tally(points: np.ndarray) -> list[int]:
    """Good points at each of the eight centres, and last the number of those that are not good.

    A point belongs to its nearest centre, and is good within three spreads of it.
    """
    distances = np.linalg.norm(points[:, None] - CENTRES, axis=2)
    good = distances.min(axis=1) < 3 * SPREAD
    counts = np.bincount(distances.argmin(axis=1)[good], minlength=8)
    return [*counts, len(points) - good.sum()]


ANSWERS = LinearSegmentedColormap.from_list("", [figures.ORANGE, "white", figures.BLUE])


def draw_moments(moments: list[Moment]) -> Figure:
    """Fakes as dots, the modes as crosses, and behind them the discriminator's answers."""
    columns = min(3, len(moments))
    rows = math.ceil(len(moments) / columns)
    fig = Figure((2.2 * columns + 1.2, 2.25 * rows + 0.1), layout="constrained")
    axes = fig.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for ax, moment in zip(axes.flat, moments, strict=True):
        levels = np.linspace(0, 1, 11)
        image = ax.contourf(SIDE, SIDE, moment.answers, levels, cmap=ANSWERS)
        ax.plot(*CENTRES.T, "x", color=figures.RED, markersize=9)
        ax.plot(*moment.fakes[:500].T, ".", color="black", markersize=1.5)
        ax.set(xlim=SIDE[[0, -1]], ylim=SIDE[[0, -1]], xticks=(-1, 0, 1), yticks=(-1, 0, 1))
        ax.set_title(f"step {moment.step}", fontsize=10)
        ax.set_aspect("equal")
    fig.colorbar(image, ax=axes, ticks=(0, 0.5, 1), label="D: probability of real")
    return fig


STYLES = ((figures.BLUE, ""), (figures.ORANGE, "//"), (figures.GREEN, ".."))


def draw_tally(clouds: dict[str, np.ndarray]) -> Figure:
    """Points at each mode, and the share that is at none on an axis of its own.

    Args:
        clouds: at most three, from a title to points (N, 2).
    """
    fig = Figure((7.2, 2.6), layout="constrained")
    left, right = fig.subplots(1, 2, width_ratios=(4, 1))
    for i, ((name, points), (colour, hatch)) in enumerate(zip(clouds.items(), STYLES)):
        *counts, bad = tally(points)
        style = {"width": 0.27, "color": colour, "hatch": hatch, "label": name}
        left.bar(np.arange(1, 9) + 0.27 * i - 0.27, counts, **style)
        bar = right.bar(0.27 * i - 0.27, 100 * bad / len(points), **style)
        right.bar_label(bar, fmt="%.1f", fontsize=8)
    left.set(xlabel="mode", ylabel="good points", xticks=range(1, 9))
    right.set(xlabel="at no mode", ylabel="percent of points", xticks=[])
    right.margins(y=0.15)
    fig.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=9)
    return fig


def draw_digits(rows: dict[str, np.ndarray]) -> Figure:
    """Rows of digits, from a title to float (N, 64) in [-1, 1]."""
    fig = Figure((7.6, 0.42 * len(rows) + 0.1), layout="constrained")
    for ax, (name, row) in zip(fig.subplots(len(rows), 1, squeeze=False).flat, rows.items()):
        framed = np.pad(row.reshape(-1, 8, 8), ((0, 0), (0, 0), (0, 1)), constant_values=-1)
        ax.imshow(np.concatenate(framed, axis=1), "gray_r", vmin=-1, vmax=1)
        ax.set(xticks=[], yticks=[])
        ax.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=10)
    return fig
