"""Exercises of lesson 06."""

import numpy as np

from .exercise import Exercise


def psnr(sharp, restored):
    # float first: the difference of two 8-bit numbers is an 8-bit number, and wraps around.
    error = np.mean((sharp.astype(np.float64) - restored) ** 2)
    return 10 * np.log10(255**2 / error)


def evaluation(methods, pairs, psnr):
    table = {}
    for name, method in {"doing nothing": lambda x: x, **methods}.items():
        before = np.array([psnr(sharp, blurred) for blurred, sharp in pairs])
        after = np.array([psnr(sharp, method(blurred)) for blurred, sharp in pairs])
        gains = after - before
        table[name] = after.mean(), gains.mean(), gains.min(), (gains < 0).sum()
    return table


def evaluate_as_the_lesson_does(answer, pairs):
    """The parts of a table: its rows, and each of their four numbers."""
    table = answer(METHODS, pairs, psnr)
    if table is ...:
        return {"rows": ...}
    if not isinstance(table, dict):
        raise TypeError(f"a dict is expected, not {type(table).__name__}")
    for name, numbers in table.items():
        if np.size(numbers) != 4:
            raise ValueError(f"{name!r} has not four numbers")
    columns = np.array(list(table.values()), float).T
    names = "mean PSNR", "mean gain", "smallest gain", "made worse"
    return {"rows": list(table), **dict(zip(names, columns, strict=True))}


def _with(change):
    """The solution with one thing done otherwise: a function of (before, after), lists of PSNR."""

    def mistaken(methods, pairs, psnr):
        table = {}
        for name, method in {"doing nothing": lambda x: x, **methods}.items():
            before = np.array([psnr(sharp, blurred) for blurred, sharp in pairs])
            after = np.array([psnr(sharp, method(blurred)) for blurred, sharp in pairs])
            table[name] = change(before, after)
        return table

    return mistaken


_random = np.random.default_rng(0)
SHARP = _random.integers(0, 256, (8, 9, 3), dtype=np.uint8)
NEAR = np.clip(SHARP.astype(int) + _random.integers(-40, 41, SHARP.shape), 0, 255).astype(np.uint8)
PAIRS = [(NEAR, SHARP), (NEAR[::-1] // 2, SHARP[::-1] // 2), (NEAR // 3 + 9, SHARP // 3)]
METHODS = {
    "darker": lambda x: x - x // 9,
    "smoother": lambda x: x // 2 + np.roll(x, 1, axis=1) // 2,
}

EXERCISES = {
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
    "evaluation": Exercise(
        solution=evaluation,
        hint='Begin with `{"doing nothing": lambda x: x, **methods}`. For each method, make two '
        "lists of PSNR, before and after, subtract photograph by photograph, and only then take "
        "the mean, the smallest, and the count of those below zero.",
        insight="A mean can rise while every other photograph is made worse. The smallest gain and "
        "the count say so, and the first row says what all others are compared with.",
        mistakes={
            "The row of doing nothing is missing; without it nobody can tell what a score is "
            "worth.": lambda methods, pairs, psnr: {
                name: row
                for name, row in evaluation(methods, pairs, psnr).items()
                if name != "doing nothing"
            },
            "These are losses: a gain is what the restored has more than the blurred.": _with(
                lambda before, after: (
                    after.mean(),
                    (before - after).mean(),
                    (before - after).min(),
                    (before < after).sum(),
                )
            ),
            "The smallest gain is not the difference of the smallest scores: they may belong to "
            "two photographs.": _with(
                lambda before, after: (
                    after.mean(),
                    (after - before).mean(),
                    after.min() - before.min(),
                    (after < before).sum(),
                )
            ),
            "This counts the photographs that got better; those that got worse are asked for.": (
                _with(
                    lambda before, after: (
                        after.mean(),
                        (after - before).mean(),
                        (after - before).min(),
                        (after > before).sum(),
                    )
                )
            ),
        },
        cases=[(PAIRS,), (PAIRS[::-1] + PAIRS[:1],)],
        trial=evaluate_as_the_lesson_does,
    ),
}
