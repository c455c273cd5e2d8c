from pathlib import Path

import numpy as np
from scipy import ndimage, signal


def by_scipy(mode):
    def blur(photo, kernel):
        return np.stack([ndimage.convolve(photo[..., i], kernel, mode=mode) for i in range(3)], -1)

    return blur


def correlated(photo, kernel):
    return np.stack([ndimage.correlate(photo[..., i], kernel, mode="mirror") for i in range(3)], -1)


def only_where_it_fits(photo, kernel):
    return np.stack([signal.convolve2d(photo[..., i], kernel, "valid") for i in range(3)], -1)


def rolled(photo, kernel):
    middle = len(kernel) // 2
    return sum(
        kernel[y, x] * np.roll(photo, (y - middle, x - middle), axis=(0, 1))
        for y in range(len(kernel))
        for x in range(len(kernel))
    )


def columns_first(photo, kernel):
    return np.stack([by_scipy("mirror")(photo, kernel.T)[..., i] for i in range(3)], -1)


def plain_mean(photo, kernel):
    return by_scipy("mirror")(photo, (kernel > 0) / (kernel > 0).sum())


def from_the_corner(photo, kernel):
    return sum(
        kernel[y, x]
        * np.pad(photo, ((y, 0), (x, 0), (0, 0)), "reflect")[: len(photo), : len(photo[0])]
        for y, x in np.argwhere(kernel)
    )


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
    "blur_by_kernel": [
        (correlated, "rotated by 180 degrees"),
        (columns_first, "exchanged"),
        (by_scipy("constant"), "zeros move in"),
        (rolled, "comes back at the other"),
        (by_scipy("reflect"), "outermost pixel is repeated"),
        (by_scipy("nearest"), "goes on beyond the border"),
        (plain_mean, "same weight"),
        (only_where_it_fits, "has the shape (5, 7, 3)"),
        (from_the_corner, "The part *a point of light* differs"),
    ],
    "average_light": [
        (lambda frames: sum(frames) / len(frames), "It is light that adds up"),
        (lambda frames: (frames**2.2).sum(axis=0) / len(frames), "go back at the end"),
        (lambda frames: ((frames ** (1 / 2.2)).mean(axis=0)) ** 2.2, "exponents are exchanged"),
        (lambda frames: (frames**2.2).sum(axis=0) ** (1 / 2.2), "number of frames"),
        (lambda frames: ((frames**2.2).mean()) ** (1 / 2.2), "shape ()"),
        (lambda frames: np.median(frames, axis=0), "is right"),
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
}
