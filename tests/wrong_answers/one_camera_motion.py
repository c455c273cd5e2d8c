import numpy as np
from scipy import ndimage


def centre(psf):
    return ndimage.center_of_mass(psf)


def shifted(psf, by):
    return ndimage.shift(psf / psf.sum(), by, order=1)


def off(psf):
    return [len(psf) // 2 - place for place in centre(psf)]


def brightest(psf):
    place = np.argwhere(psf == psf.max())[0]
    return shifted(psf, len(psf) // 2 - place)


def box(psf):
    places = np.argwhere(psf > 0)
    return shifted(psf, len(psf) // 2 - (places.min(0) + places.max(0)) // 2)


WRONG = {
    "wiener_filter": [
        (lambda h, k: (h**-1, k**-0.5 / 2), "balance is missing"),
        (lambda h, k: (h / (abs(h) ** 2 + k), k**-0.5 / 2), "conjugate"),
        (lambda h, k: (1 / (h + k), k**-0.5 / 2), "only moves"),
        (lambda h, k: (h.conj() / (h * h + k), k**-0.5 / 2), "not |H|²"),
        (lambda h, k: (h.conj() / (abs(h) + k), k**-0.5 / 2), "to be squared"),
        (lambda h, k: (h, k**-0.5 / 2), "*waves that the blur let pass* is"),
        (lambda h, k: (abs(h) / (k + abs(h) ** 2), k**-0.5 / 2), "phase is lost"),
        (lambda h, k: ((abs(h) ** 2 + k).sum(), k**-0.5 / 2), "has the shape ()"),
        (lambda h, k: h.conj() / (abs(h) ** 2 + k), "One thing came back"),
        (lambda h, k: (h.conj() / (abs(h) ** 2 + k), k**-0.5), "twice the balance"),
        (lambda h, k: (h.conj() / (abs(h) ** 2 + k), k**-1), "wrong power"),
        (lambda h, k: (h.conj() / (abs(h) ** 2 + k), 0), "*the limit* is"),
    ],
    "centred_kernel": [
        (lambda psf: shifted(psf, np.round(off(psf))), "nearest whole pixel"),
        (brightest, "brightest"),
        (box, "box"),
        (lambda psf: shifted(psf, np.negative(off(psf))), "twice as far"),
        (lambda psf: shifted(psf, off(psf)[::-1]), "swapped"),
        (lambda psf: ndimage.shift(psf, off(psf), order=1), "sum is not 1"),
        (lambda psf: psf / psf.sum(), "*the row of its centre* is"),
        (lambda psf: psf[1:-1, 1:-1], "*its shape* is [13, 13]"),
    ],
}
