"""Exercises of lesson 00."""

import numpy as np

from .exercise import Exercise


def error_left(decibels):
    return 10 ** (-decibels / 10)


def to_unit_range(pixels):
    # The conversion to float comes first: 8-bit arithmetic would wrap around.
    return pixels.astype(np.float32) / 127.5 - 1


PIXELS = np.array([[0, 64, 128], [192, 254, 255]], np.uint8)

EXERCISES = {
    "error_left": Exercise(
        solution=error_left,
        hint="PSNR is 10 log10(255² / MSE). Write it down for two errors and subtract.",
        insight="Three decibels halve the error, ten leave a tenth of it; a gain of 0.65 dB, "
        "about what you get in lesson 05, takes away 14 percent.",
        mistakes={
            "This grows with the gain. A higher PSNR means a smaller error; look at the sign.": (
                lambda decibels: 10 ** (decibels / 10)
            ),
            "This is the share of the error that is gone; the share that is left is asked for.": (
                lambda decibels: 1 - 10 ** (-decibels / 10)
            ),
            "With 20 you get the ratio of amplitudes. The MSE is a square, so divide by 10.": (
                lambda decibels: 10 ** (-decibels / 20)
            ),
            "This is the natural exponential; decibels are defined with the logarithm to 10.": (
                lambda decibels: np.exp(-decibels / 10)
            ),
        },
        cases=[(0.0,), (0.65,), (3.0,), (10.0,), (-2.0,)],
    ),
    "to_unit_range": Exercise(
        solution=to_unit_range,
        hint="Which factor makes 255 units as long as 2 units? Then move the result, and mind "
        "what 8-bit numbers do when they are multiplied.",
        insight="This is how the library feeds its networks (`photos.to_float`).",
        mistakes={
            "This is [0, 1]. Black must become -1, not 0.": lambda pixels: pixels / 255,
            "This is [-0.5, 0.5]; the range must be twice as wide.": (
                lambda pixels: pixels / 255 - 0.5
            ),
            "White must become exactly 1: there are 255 steps between black and white, not 256.": (
                lambda pixels: pixels / 128 - 1
            ),
            "8-bit numbers have wrapped around: 0 - 128 is 128 there. Convert to float first.": (
                lambda pixels: (pixels - np.uint8(128)) / 128
            ),
            "Twice an 8-bit number does not fit into 8 bits. Convert to float first.": (
                lambda pixels: np.uint8(2) * pixels / 255 - 1
            ),
            "The subtraction was made in 8 bits, where 0 - 127 is 129. Convert to float first.": (
                lambda pixels: (pixels - np.uint8(127)) / 127.5
            ),
        },
        cases=[(PIXELS,)],
    ),
}
