from pathlib import Path

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


def zipped(blurred, sharp):
    return [b for _, b in zip(sorted(blurred), sorted(sharp), strict=True)]


def as_listed(blurred, sharp):
    return [b for _, b in sorted(zip(blurred, sharp, strict=True))]


def same_name(blurred, sharp):
    known = set(sharp)
    return ["none" if name not in known else name for name in sorted(blurred)]


def same_number(blurred, sharp):
    def number(name):
        return Path(name).stem.rpartition("_")[2]

    return [
        next((b for b in reversed(sharp) if number(b) == number(a)), "none")
        for a in sorted(blurred)
    ]


def only_those_with_partner(blurred, sharp):
    stems = {Path(name).stem: name for name in sharp}
    return [stems[Path(a).stem] for a in sorted(blurred) if Path(a).stem in stems]


def in_the_given_order(blurred, sharp):
    stems = {Path(name).stem: name for name in sharp}
    return [stems.get(Path(a).stem, "none") for a in blurred]


def starts_with(blurred, sharp):
    return [next((b for b in sharp if b.startswith(Path(a).stem)), "none") for a in sorted(blurred)]


def none_as_none(blurred, sharp):
    stems = {Path(name).stem: name for name in sharp}
    return [stems.get(Path(a).stem) for a in sorted(blurred)]


WRONG = {
    "average_light": [
        (lambda frames: sum(frames) / len(frames), "It is light that adds up"),
        (lambda frames: (frames**2.2).sum(axis=0) / len(frames), "go back at the end"),
        (lambda frames: ((frames ** (1 / 2.2)).mean(axis=0)) ** 2.2, "exponents are exchanged"),
        (lambda frames: (frames**2.2).sum(axis=0) ** (1 / 2.2), "number of frames"),
        (lambda frames: ((frames**2.2).mean()) ** (1 / 2.2), "shape ()"),
        (lambda frames: np.median(frames, axis=0), "is right"),
    ],
    "centre_of_mass": [
        (box_centre, "bounding box"),
        (brightest, "brightest pixel"),
        (rows_first, "exchanged"),
        (moment, "divided by their sum"),
        (corner, "upper left corner"),
        (unweighted, "is right"),
    ],
    "partners": [
        (zipped, "sorted lists"),
        (as_listed, "Their order means nothing"),
        (same_name, "compare their stems"),
        (same_number, "repeat from scene to scene"),
        (only_those_with_partner, "shape"),
        (in_the_given_order, "sorted blurred names"),
        (starts_with, "is right"),
        (none_as_none, "NoneType, str in it"),
        (lambda blurred, sharp: sorted(blurred), "blurred file's own name"),
    ],
    "streak_left": [
        (lambda v, t, w, new: v * t / 1e3, "before squashing"),
        (lambda v, t, w, new: v * t / 1e3 * w / new, "invert the ratio"),
        (lambda v, t, w, new: v * t * new / w, "divide by 1000"),
        (lambda v, t, w, new: v / (t / 1e3) * new / w, "longer exposure"),
        (lambda v, t, w, new: v * t / 1e3 * (new / w) ** 2, "it gives"),
        (lambda v, t, w, new: v * t / 1e3 / (w // new), "is right"),
    ],
}
