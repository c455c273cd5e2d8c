"""Exercises of lesson 07."""

import numpy as np

from .exercise import Exercise


def streak_left(speed, milliseconds, width, new_width):
    return speed * milliseconds / 1000 * new_width / width


def centre_of_mass(psf):
    place = np.arange(len(psf)) - len(psf) // 2
    share = psf / psf.sum()
    # Columns count to the right, so it is the sum over rows (axis 0) that is left for them.
    return share.sum(axis=0) @ place, share.sum(axis=1) @ place


def _box_centre(psf):
    down, right = np.nonzero(psf)
    middle = len(psf) // 2
    return (right.min() + right.max()) / 2 - middle, (down.min() + down.max()) / 2 - middle


def _peak(psf):
    down, right = np.unravel_index(psf.argmax(), psf.shape)
    return right - len(psf) // 2, down - len(psf) // 2


def _not_divided(psf):
    place = np.arange(len(psf)) - len(psf) // 2
    return psf.sum(axis=0) @ place, psf.sum(axis=1) @ place


def _from_the_corner(psf):
    right, down = centre_of_mass(psf)
    return right + len(psf) // 2, down + len(psf) // 2


PSF = np.zeros((5, 5))
PSF[1, 0], PSF[1, 1], PSF[3, 4] = 1.0, 4.0, 3.0


def half_sum_range(x):
    # tanh lies between -1 and 1, and the halving comes after the sum.
    return (x - 1) / 2, (x + 1) / 2


def overlaps(kernel, stride):
    # Output i is reached by the kernel's columns i, i + stride, i + 2 stride, ...
    counts = [len(range(first, kernel, stride)) for first in range(stride)]
    return min(counts), max(counts)


EXERCISES = {
    "streak_left": Exercise(
        solution=streak_left,
        hint="Speed times time is the length before. Mind the milliseconds. Then everything "
        "horizontal shrinks like the width.",
        insight="With eleven frames at 240 a second and 400 pixels a second, an 18-pixel streak "
        "is left with less than 4 after squashing. The network would train for another task.",
        mistakes={
            "This is the streak before squashing. The frame became narrower, and the streak "
            "with it.": lambda speed, milliseconds, width, new: speed * milliseconds / 1000,
            "This makes the streak longer. A narrower frame has a shorter streak; invert "
            "the ratio.": (
                lambda speed, milliseconds, width, new: speed * milliseconds / 1000 * width / new
            ),
            "The speed is in pixels a second and the time in thousandths of one; divide by "
            "1000.": lambda speed, milliseconds, width, new: speed * milliseconds * new / width,
            "You divided by the time. A longer exposure makes a longer streak.": (
                lambda speed, milliseconds, width, new: speed / milliseconds * 1000 * new / width
            ),
        },
        cases=[
            (400.0, 45.0, 1280, 256),
            (1000.0, 10.0, 640, 128),
            (90.0, 33.0, 1280, 1280),
            (400.0, 45.0, 1280, 720),
        ],
    ),
    "centre_of_mass": Exercise(
        solution=centre_of_mass,
        hint="It is a mean of places, each weighted with its share of the light. A share is a "
        "value divided by the sum of all; places count from the middle, `len(psf) // 2`.",
        insight="A PSF is centred where this is (0, 0); the library moves each path so that it "
        "is, before it fills the pixels.",
        mistakes={
            "This is the middle of the bounding box. A pixel where the light stayed long must "
            "count more than one that it only crossed.": _box_centre,
            "This is the brightest pixel. The others pull too; take the weighted mean.": _peak,
            "Right and down are exchanged: the first axis of an array counts rows, downwards.": (
                lambda psf: centre_of_mass(psf)[::-1]
            ),
            "The values were not divided by their sum, so a longer path would seem to be further "
            "off. Weights of a mean must sum to 1.": _not_divided,
            "This counts from the upper left corner. The middle of the array is the zero.": (
                _from_the_corner
            ),
        },
        cases=[(PSF,), (PSF.T[::-1] * 2,), (np.diag(np.arange(1.0, 8.0)),)],
    ),
    "half_sum_range": Exercise(
        solution=half_sum_range,
        hint="What are the smallest and the largest value of tanh? Put each into "
        "(x + tanh(c)) / 2.",
        insight="The interval is 1 wide, half of the range that pixels have. A black pixel (-1) "
        "cannot become brighter than middle grey (0), and a white one cannot become darker.",
        mistakes={
            "This is the range of tanh. The input x is added before the sum is halved.": (
                lambda x: (-1.0, 1.0)
            ),
            "This is x + tanh. The article then divides the sum by two.": lambda x: (x - 1, x + 1),
            "Only tanh was halved here; the article halves the input as well.": (
                lambda x: (x - 0.5, x + 0.5)
            ),
            "The lower end takes tanh to be 0 there, but tanh reaches down to -1.": (
                lambda x: (x / 2, (x + 1) / 2)
            ),
            "This is the paper's clipped sum, not the article's half sum.": (
                lambda x: (max(x - 1, -1.0), min(x + 1, 1.0))
            ),
        },
        cases=[(0.0,), (0.6,), (-1.0,), (1.0,)],
    ),
    "overlaps": Exercise(
        solution=overlaps,
        hint="Draw the outputs as a row of boxes. Input 0 paints boxes 0 to kernel - 1, input 1 "
        "begins stride boxes later. How many paint the same box, far from the ends?",
        insight="Only a kernel that is a multiple of the stride paints every box equally often. "
        "4x4 with stride 2 does, 3x3 does not; unequal weights can still draw a grid with both.",
        mistakes={
            "The rest is missing: where the stride does not divide the kernel, some outputs are "
            "reached once more than others.": lambda kernel, stride: (
                kernel // stride,
                kernel // stride,
            ),
            "Where the stride divides the kernel, all outputs are reached equally often.": (
                lambda kernel, stride: (kernel // stride, kernel // stride + 1)
            ),
            "These are the counts in two dimensions. A row is asked for; the square is taken when "
            "rows and columns come together.": lambda kernel, stride: tuple(
                count**2 for count in overlaps(kernel, stride)
            ),
            "kernel - stride is how far two neighbours overlap, not how many meet in one output.": (
                lambda kernel, stride: (kernel - stride, kernel - stride)
            ),
            "The fewest come first, then the most.": lambda kernel, stride: overlaps(
                kernel, stride
            )[::-1],
        },
        cases=[(3, 2), (4, 2), (7, 3), (6, 3), (5, 1), (5, 3), (2, 3)],
    ),
}
