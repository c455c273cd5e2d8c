"""Exercises of lesson 06."""

import numpy as np

from .exercise import Exercise


def metric_test(metric):
    black, white, dark = (np.full((8, 8, 3), level, np.uint8) for level in (0, 255, 1))
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    known = [
        (black, white, 0.0),  # The largest error: 255² / 255² = 1.
        (white, black, 0.0),
        (black, dark, 20 * np.log10(255)),  # An error of one level in each number.
        (black, red, 10 * np.log10(3)),  # The largest error in a third of the numbers.
    ]
    return all(abs(metric(a, b) - decibels) < 0.01 for a, b, decibels in known)


def evaluation(methods, pairs, psnr):
    table = {}
    for name, method in {"doing nothing": lambda x: x, **methods}.items():
        before = np.array([psnr(sharp, blurred) for blurred, sharp in pairs])
        after = np.array([psnr(sharp, method(blurred)) for blurred, sharp in pairs])
        gains = after - before
        table[name] = after.mean(), gains.mean(), gains.min(), (gains < 0).sum()
    return table


def psnr(sharp, restored):
    # float first: the difference of two 8-bit numbers is an 8-bit number, and wraps around.
    error = np.mean((sharp.astype(np.float64) - restored) ** 2)
    return 10 * np.log10(255**2 / error)


def _in_float32(sharp, restored):
    return np.float32(psnr(sharp, restored)) + np.float32(1e-6)


def _in_8_bits(sharp, restored):
    return 10 * np.log10(255**2 / np.mean((sharp - restored) ** 2))


def _in_16_bits(sharp, restored):
    difference = sharp.astype(np.int16) - restored.astype(np.int16)
    return 10 * np.log10(255**2 / np.mean(difference**2))


def _own_peak(sharp, restored):
    return psnr(sharp, restored) + 20 * np.log10(sharp.max() / 255)


def _natural(sharp, restored):
    return psnr(sharp, restored) * np.log(10)


def _grey(sharp, restored):
    return psnr(sharp.mean(axis=2), restored.mean(axis=2))


# What the test of a metric is tried on; the first two are right.
METRICS = {
    "lets a right PSNR pass": psnr,
    "lets a right PSNR in float32 pass": _in_float32,
    "finds 8-bit arithmetic": _in_8_bits,
    "finds 16-bit arithmetic": _in_16_bits,
    "finds the brightest pixel of the picture instead of 255": _own_peak,
    "finds the natural logarithm": _natural,
    "finds that colours are averaged first": _grey,
}


def try_on_metrics(answer, metrics):
    """Whether an answer is right about each metric: 1 or 0."""
    parts = {}
    for name, metric in metrics.items():
        said = answer(metric)
        if said is None or said is ...:
            return {name: said}
        if not isinstance(said, bool | np.bool_):
            raise TypeError(f"True or False is expected, not {type(said).__name__}")
        parts[name] = float(bool(said) == name.startswith("lets"))
    return parts


def _grey_levels(*levels):
    """Grey pictures of these levels, 8-bit."""
    return [np.full((8, 8, 3), level, np.uint8) for level in levels]


def _white_and_black(metric):
    return abs(metric(*_grey_levels(255, 0))) < 0.01


def _both_ways(metric):
    return _white_and_black(metric) and abs(metric(*_grey_levels(0, 255))) < 0.01


def _grey_only(metric):
    return _both_ways(metric) and abs(metric(*_grey_levels(0, 1)) - 20 * np.log10(255)) < 0.01


def _with_floats(metric):
    return metric_test(lambda a, b: metric(a.astype(float), b.astype(float)))


def _exactly(metric):
    return metric_test(metric) and metric(*_grey_levels(0, 255)) == 0


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
    "metric_test": Exercise(
        solution=metric_test,
        trial=try_on_metrics,
        hint="Black against white, in both orders: 0 dB. Black against a picture of ones: what is "
        "its mean squared error, and so its PSNR? And one where only the red is wrong. Compare "
        "with `abs(metric(a, b) - decibels) < 0.01`.",
        insight="Four pairs whose score is known on paper find five faults, and none of the faults "
        "would have stopped a program.",
        mistakes={
            "Everything passes this test. Equal pictures, for instance, are infinite for each of "
            "the faulty ones, too.": lambda metric: True,
            "Nothing passes this test, not even the right metric.": lambda metric: False,
            "It is the other way round: True is for the right metric.": (
                lambda metric: not metric_test(metric)
            ),
            "White against black alone leaves three faults. What changes if the dark one of the "
            "two comes first?": _white_and_black,
            "Black against white has 0 dB, and 0 has the same logarithm on any scale. Add a small "
            "difference, and one in a single colour.": _both_ways,
            "In grey pictures all colours have the same error. Add one in which they differ.": (
                _grey_only
            ),
            "Your pictures are floats, and the fault is in 8-bit arithmetic: make them with "
            "`np.uint8`.": _with_floats,
            "A right metric in float32 is right to seven digits. Allow for a small difference.": (
                _exactly
            ),
        },
        cases=[(METRICS,)],
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
