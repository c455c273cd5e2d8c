import math

import numpy as np


def brightest(psf):
    best = [int(axis[0]) for axis in np.where(psf == psf.max())]
    return best[1] - len(psf) // 2, best[0] - len(psf) // 2


def box_centre(psf):
    rows, columns = (np.flatnonzero(psf.any(axis=axis)) for axis in (1, 0))
    return (columns[[0, -1]].mean() - len(psf) // 2, rows[[0, -1]].mean() - len(psf) // 2)


def unweighted(psf):
    rows, columns = np.nonzero(psf)
    return columns.mean() - len(psf) // 2, rows.mean() - len(psf) // 2


def moment(psf):
    rows, columns = np.indices(psf.shape) - len(psf) // 2
    return (columns * psf).sum(), (rows * psf).sum()


def rows_first(psf):
    rows, columns = np.indices(psf.shape) - len(psf) // 2
    return np.average(rows, weights=psf), np.average(columns, weights=psf)


def corner(psf):
    rows, columns = np.indices(psf.shape)
    return np.average(columns, weights=psf), np.average(rows, weights=psf)


WRONG = {
    "streak_left": [
        (lambda v, t, w, new: v * t / 1e3, "before squashing"),
        (lambda v, t, w, new: v * t / 1e3 * w / new, "invert the ratio"),
        (lambda v, t, w, new: v * t * new / w, "divide by 1000"),
        (lambda v, t, w, new: v / (t / 1e3) * new / w, "longer exposure"),
        (lambda v, t, w, new: v * t / 1e3 * (new / w) ** 2, "it gives"),
        (lambda v, t, w, new: v * t / 1e3 / (w // new), "is right"),
    ],
    "centre_of_mass": [
        (box_centre, "bounding box"),
        (brightest, "brightest pixel"),
        (rows_first, "exchanged"),
        (moment, "divided by their sum"),
        (corner, "upper left corner"),
        (unweighted, "is right"),
    ],
    "half_sum_range": [
        (lambda x: [-1, 1], "range of tanh"),
        (lambda x: [x - math.tanh(99), x + math.tanh(99)], "divides the sum by two"),
        (lambda x: [x - 1 / 2, x + 1 / 2], "halves the input as well"),
        (lambda x: [0.5 * x, 0.5 * x + 0.5], "reaches down to -1"),
        (lambda x: [max(-1, x - 1), min(1, x + 1)], "clipped sum"),
        (lambda x: 1.0, "shape"),
        (0.5, "A function is asked for"),
    ],
    "overlaps": [
        (lambda k, s: [int(k / s)] * 2, "rest is missing"),
        (lambda k, s: [int(k / s), int(k / s) + 1], "stride divides the kernel"),
        (lambda k, s: [math.floor(k / s) ** 2, math.ceil(k / s) ** 2], "two dimensions"),
        (lambda k, s: [k - s] * 2, "neighbours overlap"),
        (lambda k, s: [math.ceil(k / s), k // s], "fewest come first"),
        (lambda k, s: [k / s, k / s], "it gives [1.5, 1.5]"),
    ],
}
