"""Exercises of lesson 10."""

import numpy as np

from .exercise import Exercise


def conv_cost(kernel, channels_in, channels_out, height, width, stride):
    products = kernel * kernel * channels_in * channels_out
    places = (height // stride) * (width // stride)
    return products + channels_out, products * places


def shift(blurred, sharp):
    correlation = np.fft.ifft2(np.fft.fft2(blurred) * np.conj(np.fft.fft2(sharp))).real
    down, right = np.unravel_index(correlation.argmax(), correlation.shape)
    height, width = correlation.shape
    return (right + width // 2) % width - width // 2, (down + height // 2) % height - height // 2


def run_cost(operations, steps, rate, used, price):
    seconds = operations * steps / (rate * used)
    return seconds / 3600 * price


def _parts(*names):
    """A trial for answers that return several numbers, each with its name."""

    def trial(answer, *case):
        result = answer(*case)
        missing = result is None or result is ... or np.shape(result) != (len(names),)
        return dict.fromkeys(names, result) if missing else dict(zip(names, result))

    return trial


def _place(correlation):
    """(right, down) of the largest value, counted from 0."""
    return np.unravel_index(correlation.argmax(), correlation.shape)[::-1]


def _around_zero(place, shape):
    return tuple((x + size // 2) % size - size // 2 for x, size in zip(place, shape[::-1]))


def _convolved(blurred, sharp):
    product = np.fft.ifft2(np.fft.fft2(blurred) * np.fft.fft2(sharp)).real
    return _around_zero(_place(product), product.shape)


def _not_around_zero(blurred, sharp):
    return _place(np.fft.ifft2(np.fft.fft2(blurred) * np.conj(np.fft.fft2(sharp))).real)


def _pair(right, down):
    """Two photographs of 24x32 pixels, grey: the second moved and blurred, and the second."""
    sharp = np.random.default_rng(0).normal(size=(24, 32))
    moved = np.roll(sharp, (down, right), (0, 1))
    return (moved + np.roll(moved, 1, 1) + np.roll(moved, -1, 1)) / 3, sharp


EXERCISES = {
    "conv_cost": Exercise(
        solution=conv_cost,
        hint="One number of the output is a sum over a window of all input channels. How many "
        "products is that? How many numbers does the output have?",
        insight="Weights do not depend on the picture's size, multiply-adds do; and both grow with "
        "the square of the number of channels.",
        mistakes={
            "The bias is missing: one weight for each output channel.": (
                lambda k, i, o, h, w, s: (k * k * i * o, k * k * i * o * (h // s) * (w // s))
            ),
            "The input channels are missing: each output channel looks at all of them, with a "
            "kernel of its own for each.": (
                lambda k, i, o, h, w, s: (k * k * o + o, k * k * o * (h // s) * (w // s))
            ),
            "The multiply-adds are counted at every input pixel; with a stride the kernel stops at "
            "fewer places.": lambda k, i, o, h, w, s: (k * k * i * o + o, k * k * i * o * h * w),
            "The kernel has two dimensions: kernel * kernel places, not kernel.": (
                lambda k, i, o, h, w, s: (k * i * o + o, k * i * o * (h // s) * (w // s))
            ),
            "The stride shortens height and width both, so there are stride squared times fewer "
            "places.": lambda k, i, o, h, w, s: (k * k * i * o + o, k * k * i * o * (h * w // s)),
            "Weights first, then multiply-adds.": lambda *sizes: conv_cost(*sizes)[::-1],
            "Adding the bias is no multiplication; leave it out of the multiply-adds.": (
                lambda k, i, o, h, w, s: (
                    k * k * i * o + o,
                    (k * k * i * o + o) * (h // s) * (w // s),
                )
            ),
        },
        cases=[(7, 3, 64, 256, 256, 1), (3, 64, 128, 256, 192, 2), (1, 5, 2, 12, 8, 4)],
        trial=_parts("weights", "multiply-adds"),
    ),
    "shift": Exercise(
        solution=shift,
        hint="The place of the largest value of an array: `np.unravel_index(x.argmax(), x.shape)`, "
        "row first. A row or column beyond the middle stands for a negative shift: subtract the "
        "height or the width.",
        insight="One product of two spectra compares the pictures at every shift. Divided by its "
        "absolute value, it would be what is called phase correlation.",
        mistakes={
            "The order asked for is right, then down; `np.unravel_index` gives the row first.": (
                lambda blurred, sharp: shift(blurred, sharp)[::-1]
            ),
            "A shift to the left or upwards comes out as a large positive one: the far half of "
            "the rows and columns stands for negative shifts.": _not_around_zero,
            "This is how far the blurred one must move to lie on the sharp one: the other "
            "direction.": lambda blurred, sharp: shift(sharp, blurred),
            "Without the conjugate one of the two is rotated by 180 degrees before they are "
            "compared.": _convolved,
        },
        cases=[_pair(5, -3), _pair(-7, 2)],
        trial=_parts("pixels to the right", "pixels down"),
    ),
    "run_cost": Exercise(
        solution=run_cost,
        hint="How many operations in all? How many of them does the device really do in a second?",
        insight="This is an estimate. The share that is used is the number to be suspicious of: "
        "measure it for a hundred steps before you pay for a hundred thousand.",
        mistakes={
            "This pays for every second as if it were an hour; one hour has 3600 seconds.": (
                lambda ops, steps, rate, used, price: ops * steps / (rate * used) * price
            ),
            "This takes the device at its full rate. Only a share is used, so it takes longer.": (
                lambda ops, steps, rate, used, price: ops * steps / rate / 3600 * price
            ),
            "A device of which less is used should take longer, and here it takes less time.": (
                lambda ops, steps, rate, used, price: ops * steps * used / rate / 3600 * price
            ),
            "These are hours. What do they cost?": (
                lambda ops, steps, rate, used, price: ops * steps / (rate * used) / 3600
            ),
        },
        cases=[(1e12, 50_000, 65e12, 0.3, 0.5), (4e12, 630_900, 312e12, 0.25, 2.0)],
    ),
}
