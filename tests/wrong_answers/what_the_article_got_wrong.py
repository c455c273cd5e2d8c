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
}
