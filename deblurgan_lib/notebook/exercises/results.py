"""Exercises of lesson 06."""

import numpy as np

from .exercise import Exercise


def psnr(sharp, restored):
    # float first: the difference of two 8-bit numbers is an 8-bit number, and wraps around.
    error = np.mean((sharp.astype(np.float64) - restored) ** 2)
    return 10 * np.log10(255**2 / error)


def table_of_gains(blurred, restored):
    gains = np.asarray(restored) - np.asarray(blurred)
    return gains.mean(), gains.min(), (gains < 0).sum()


_random = np.random.default_rng(0)
SHARP = _random.integers(0, 256, (8, 9, 3), dtype=np.uint8)
NEAR = np.clip(SHARP.astype(int) + _random.integers(-40, 41, SHARP.shape), 0, 255).astype(np.uint8)
BLURRED, RESTORED = [25.0, 30.0, 22.0, 28.0], [26.0, 29.5, 25.0, 28.9]

EXERCISES = {
    "table_of_gains": Exercise(
        solution=table_of_gains,
        hint="Subtract photograph by photograph first; then take the mean, the smallest, and count "
        "those below zero.",
        insight="A mean can rise while every other photograph is made worse. The worst case and "
        "the count say so.",
        mistakes={
            "These are losses: a gain is what restored has more than blurred.": (
                lambda blurred, restored: (
                    np.mean(blurred) - np.mean(restored),
                    np.min(np.subtract(blurred, restored)),
                    np.sum(np.subtract(blurred, restored) < 0),
                )
            ),
            "The smallest gain is not the difference of the smallest scores: they may belong to "
            "two photographs.": lambda blurred, restored: (
                np.mean(restored) - np.mean(blurred),
                np.min(restored) - np.min(blurred),
                np.sum(np.subtract(restored, blurred) < 0),
            ),
            "This counts the photographs that got better; those that got worse are asked for.": (
                lambda blurred, restored: (
                    np.mean(restored) - np.mean(blurred),
                    np.min(np.subtract(restored, blurred)),
                    np.sum(np.subtract(restored, blurred) > 0),
                )
            ),
        },
        cases=[(BLURRED, RESTORED), ([20.0, 21.0, 22.0, 23.0], [19.0, 23.0, 23.0, 23.0])],
    ),
    "psnr": Exercise(
        solution=psnr,
        hint="Three steps: the mean squared error of all pixels and channels, 255² divided by it, "
        "10 times the logarithm to 10. Before the first step, mind the type of the pixels.",
        insight="It agrees with `evaluation.psnr`, and pure noise no longer looks like a success.",
        mistakes={
            "Large errors count as small ones: the pixels are 8-bit numbers, and so is what you "
            "subtract and square. Convert to float first.": (
                lambda sharp, restored: (
                    10 * np.log10(255**2 / np.mean((sharp - restored) ** 2, dtype=np.float64))
                )
            ),
            "You converted to float after the subtraction; the wrap had happened already.": (
                lambda sharp, restored: (
                    10 * np.log10(255**2 / np.mean((sharp - restored).astype(float) ** 2))
                )
            ),
            "16 bits are too few as well: the square of 255 does not fit. Convert to float.": (
                lambda sharp, restored: (
                    10
                    * np.log10(
                        255**2 / np.mean((sharp.astype(np.int16) - restored.astype(np.int16)) ** 2)
                    )
                )
            ),
            "The peak of 8-bit pixels is 255, not the largest pixel of this photograph.": (
                lambda sharp, restored: (
                    10
                    * np.log10(
                        float(sharp.max()) ** 2 / np.mean((sharp.astype(float) - restored) ** 2)
                    )
                )
            ),
            "The peak of 8-bit pixels is 255, not 1.": (
                lambda sharp, restored: (
                    10 * np.log10(1 / np.mean((sharp.astype(float) - restored) ** 2))
                )
            ),
            "This is negative where it should be positive: the error stands below the line.": (
                lambda sharp, restored: (
                    10 * np.log10(np.mean((sharp.astype(float) - restored) ** 2) / 255**2)
                )
            ),
            "With 20 in front of the logarithm take 255 and the root of the error, or 10 and both "
            "squared.": lambda sharp, restored: (
                20 * np.log10(255**2 / np.mean((sharp.astype(float) - restored) ** 2))
            ),
            "The natural logarithm makes another unit; decibels take the logarithm to 10.": (
                lambda sharp, restored: (
                    10 * np.log(255**2 / np.mean((sharp.astype(float) - restored) ** 2))
                )
            ),
        },
        cases=[(SHARP, NEAR), (SHARP, SHARP[::-1].copy()), (SHARP // 2, NEAR // 2)],
    ),
}
