"""How close a step comes to what the machine can compute, and how its time grows.

    python benchmarks/rate.py             # the arithmetic rate, both recipes, both precisions
    python benchmarks/rate.py --growth    # seconds by pixels and by batch

The operations of a step are counted from the networks' layers (`deblurgan_lib.models.cost`,
shown and counted by hand in lesson 10). Norms, activations, padding and Adam are not counted,
although their time is. The rate is compared with one 3x3 convolution of 256 channels on
64x64 pixels, the one that most of the generator consists of, forward and both ways back.
"""

import argparse
import functools

import keras
import numpy as np
import table
import tensorflow as tf
from steps import SIZES, build, pictures

from deblurgan_lib.models import cost
from deblurgan_lib.precision import measure_precision


def convolution(dtype):
    """Operations, and a function that does them: one convolution, forward and back."""
    x = tf.cast(tf.random.normal((1, 64, 64, 256)), dtype)
    kernel = tf.cast(tf.random.normal((3, 3, 256, 256)), dtype)
    gradient = tf.cast(tf.random.normal((1, 64, 64, 256)), dtype)
    how = {"strides": [1, 1, 1, 1], "padding": "SAME"}

    @tf.function
    def work():
        return (
            tf.nn.conv2d(x, kernel, **how),
            tf.raw_ops.Conv2DBackpropInput(
                input_sizes=tf.shape(x), filter=kernel, out_backprop=gradient, **how
            ),
            tf.raw_ops.Conv2DBackpropFilter(
                input=x, filter_sizes=tf.shape(kernel), out_backprop=gradient, **how
            ),
        )

    def repeated(times):
        for _ in range(times):
            [part.numpy() for part in work()]

    return 3 * 2 * 64 * 64 * 9 * 256 * 256, repeated


def rates(rounds):
    for policy in dict.fromkeys(("float32", measure_precision())):
        each, convolve = convolution(keras.DTypePolicy(policy).compute_dtype)
        for recipe in ("tutorial", "paper"):
            gan, batch = build(recipe, policy), pictures()
            total = sum(cost.step_operations(gan, SIZES.crop, SIZES.batch).values())
            sides = {
                "step": functools.partial(gan.train_on_batch, *batch),
                "convolution": functools.partial(convolve, 10),
            }
            seconds = table.alternate(sides, rounds)
            step = total / np.median(seconds["step"]) / 1e9
            alone = 10 * each / np.median(seconds["convolution"]) / 1e9
            table.record(
                f"arithmetic rate of a `{recipe}` step, {policy}",
                f"{step:,.0f} G operations/s: {total / 1e12:.2f} T in "
                f"{table.shown(seconds['step'])}",
                f"one convolution: {alone:,.0f} G operations/s",
                f"{step / alone:.0%}",
                "70%",
                step / alone >= 0.7,
                table.machine("tensorflow", "keras"),
            )


def growth(rounds):
    """Seconds of a `paper` step at 1, 2, 4 and 8 times the work: more pixels, or a larger batch."""
    policy = measure_precision()
    gan = build("paper", policy)
    for name, shapes in (
        ("pixels", [(1, 128), (1, 184), (1, 256), (1, 360)]),
        ("batch", [(1, 128), (2, 128), (4, 128), (8, 128)]),
    ):
        sides = {
            shape: functools.partial(gan.train_on_batch, *pictures(*shape)) for shape in shapes
        }
        seconds = table.alternate(sides, rounds)
        work = np.array([batch * size**2 / 1e6 for batch, size in shapes])
        times = np.array([np.median(seconds[shape]) for shape in shapes])
        per_pixel, start = np.polyfit(work, times, 1)
        off = float(np.max(np.abs(start + per_pixel * work - times) / times))
        table.record(
            f"growth of a `paper` step with {name}, {policy}",
            ", ".join(f"{b}x{s}x{s}: {t:.2f} s" for (b, s), t in zip(shapes, times)),
            f"a straight line: {start:.2f} s + {per_pixel:.1f} s a million pixels",
            f"{off:.0%} off at most",
            "10%",
            off <= 0.1,
            table.machine("tensorflow", "keras"),
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    (growth if args.growth else rates)(args.rounds)


if __name__ == "__main__":
    main()
