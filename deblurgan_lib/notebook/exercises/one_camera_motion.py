"""Exercises of lesson 09."""

import numpy as np

from .exercise import Exercise


def wiener_filter(kernel_spectrum, balance):
    factor = np.conj(kernel_spectrum) / (np.abs(kernel_spectrum) ** 2 + balance)
    return factor, 1 / (2 * np.sqrt(balance))  # The largest a / (a² + balance), at a² = balance.


def centred_kernel(psf):
    psf = psf / psf.sum()
    rows, columns = np.mgrid[: len(psf), : len(psf)] - len(psf) // 2
    for axis, places in enumerate((rows, columns)):
        off = (psf * places).sum()
        whole = int(np.floor(off))
        fraction = off - whole
        near, far = np.roll(psf, -whole, axis), np.roll(psf, -whole - 1, axis)
        psf = (1 - fraction) * near + fraction * far
    return psf


# Waves that a kernel lets pass, moves, and destroys.
SPECTRUM = np.array([1.0, 0.5 + 0.5j, -0.2j, -0.6, 0.01, 0.0])
KINDS = {
    "waves that the blur let pass": (SPECTRUM.imag == 0) & (np.abs(SPECTRUM) > 0.5),
    "waves that it moved": SPECTRUM.imag != 0,
    "waves that it destroyed": np.abs(SPECTRUM) < 0.1,
}


LIMIT = "the limit"


def _try_filter(answer, spectrum, balance):
    result = answer(spectrum, balance)
    if result is None or result is ...:
        return dict.fromkeys((*KINDS, LIMIT), result)
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        return dict.fromkeys((*KINDS, LIMIT), "not two things")
    factor, limit = result
    if np.shape(factor) != spectrum.shape:
        return {**dict.fromkeys(KINDS, factor), LIMIT: limit}
    factor = np.ravel(factor)
    return {**{name: factor[kind] for name, kind in KINDS.items()}, LIMIT: limit}


PARTS = ("its sum", "the row of its centre", "the column of its centre", "its values")


def _try_centred(answer, psf):
    result = answer(psf)
    if result is None or result is ...:
        return {"its shape": result}
    if np.shape(result) != psf.shape:
        return {"its shape": np.shape(result), **dict.fromkeys(PARTS, result)}
    result = np.asarray(result)
    rows, columns = np.mgrid[: len(psf), : len(psf)] - len(psf) // 2
    centre = [(result * place).sum() / result.sum() for place in (rows, columns)]
    return {
        "its shape": result.shape,
        **dict(zip(PARTS, (result.sum(), *np.round(centre, 9), result))),
    }


def _moved(psf, by):
    """A kernel of sum 1, moved by whole pixels towards the top and left: (rows, columns)."""
    return np.roll(psf / psf.sum(), [-offset for offset in by], (0, 1))


def _centre(psf):
    places = np.mgrid[: len(psf), : len(psf)] - len(psf) // 2
    return [(psf * place).sum() / psf.sum() for place in places]


def _to_nearest_pixel(psf):
    return _moved(psf, [round(offset) for offset in _centre(psf)])


def _brightest_in_the_middle(psf):
    place = np.unravel_index(psf.argmax(), psf.shape)
    return _moved(psf, [index - len(psf) // 2 for index in place])


def _box_in_the_middle(psf):
    ends = [(index.min() + index.max()) // 2 for index in np.nonzero(psf)]
    return _moved(psf, [index - len(psf) // 2 for index in ends])


def _away(psf):
    psf = psf / psf.sum()
    for axis, off in enumerate(_centre(psf)):
        whole = int(np.floor(off))
        fraction = off - whole
        near, far = np.roll(psf, whole, axis), np.roll(psf, whole + 1, axis)
        psf = (1 - fraction) * near + fraction * far
    return psf


def _axes_swapped(psf):
    psf = psf / psf.sum()
    for axis, off in zip((1, 0), _centre(psf)):
        whole = int(np.floor(off))
        near, far = np.roll(psf, -whole, axis), np.roll(psf, -whole - 1, axis)
        psf = (1 - (off - whole)) * near + (off - whole) * far
    return psf


def _kernel(corner, values):
    """A kernel of 15x15 pixels whose path lies off the middle."""
    psf, (top, left) = np.zeros((15, 15)), corner
    psf[top : top + len(values), left : left + len(values[0])] = values
    return psf


KERNELS = (
    _kernel((4, 7), [[4.0, 1.0, 0.0], [0.0, 2.0, 3.0]]),
    _kernel((8, 5), [[1.0, 0.0], [3.0, 1.0], [0.0, 5.0]]),
)

EXERCISES = {
    "wiener_filter": Exercise(
        solution=wiener_filter,
        hint="Without the balance it should be 1 / H. Multiply above and below with the conjugate "
        "of H, and the place for the balance is below. For the limit write a for |H|: where is "
        "a / (a² + balance) largest? Set its derivative to 0.",
        insight="Where the kernel let a frequency pass, this is 1 / H; where it let nothing pass, "
        "it is 0 instead of infinity. How much a wave can grow at most, the balance alone decides.",
        mistakes={
            "The balance is missing: this is 1 / H, infinite where the blur let nothing pass.": (
                lambda h, k: (1 / h, wiener_filter(h, k)[1])
            ),
            "Without the conjugate the phase is rotated in the wrong direction, and everything is "
            "moved twice as far instead of back.": (
                lambda h, k: (h / (np.abs(h) ** 2 + k), wiener_filter(h, k)[1])
            ),
            "This is 1 / (H + balance): it only moves the place where it becomes infinite. The "
            "balance belongs beside |H|².": lambda h, k: (1 / (h + k), wiener_filter(h, k)[1]),
            "H squared is not |H|²: of a complex number take the absolute value first.": (
                lambda h, k: (np.conj(h) / (h**2 + k), wiener_filter(h, k)[1])
            ),
            "The phase is lost: above stands the conjugate, not the absolute value.": (
                lambda h, k: (np.abs(h) / (np.abs(h) ** 2 + k), wiener_filter(h, k)[1])
            ),
            "The absolute value in the denominator has to be squared.": (
                lambda h, k: (np.conj(h) / (np.abs(h) + k), wiener_filter(h, k)[1])
            ),
            "The limit is the largest factor of the waves at hand. Asked is what it can be for any "
            "wave: a function of the balance alone.": (
                lambda h, k: (wiener_filter(h, k)[0], np.abs(wiener_filter(h, k)[0]).max())
            ),
            "1 / balance has the wrong power: where |H|² = balance, the denominator is 2 |H|², and "
            "above stands |H|.": (lambda h, k: (wiener_filter(h, k)[0], 1 / k)),
            "Where |H|² equals the balance, the denominator is twice the balance, not once.": (
                lambda h, k: (wiener_filter(h, k)[0], 1 / np.sqrt(k))
            ),
            "One thing came back. Return two, as `return filter, limit`.": (
                lambda h, k: wiener_filter(h, k)[0]
            ),
        },
        cases=[(SPECTRUM, 0.01), (SPECTRUM.reshape(2, 3), 1.0)],
        trial=_try_filter,
    ),
    "centred_kernel": Exercise(
        solution=centred_kernel,
        hint="`rows, columns = np.mgrid[:size, :size] - size // 2` has each pixel's place. Where "
        "is the mean place, weighted with the kernel? `np.roll(psf, -n, axis=0)` moves everything "
        "up by n pixels.",
        insight="Bilinear interpolation: the path is a little wider where a fraction was moved.",
        mistakes={
            "Moved to the nearest whole pixel: a fraction of a pixel is left. Share it between the "
            "two neighbouring moves.": _to_nearest_pixel,
            "The brightest pixel is now in the middle. The centre of mass is asked for.": (
                _brightest_in_the_middle
            ),
            "The middle of the box around the path is now in the middle, not the centre of mass: "
            "the camera stayed longer at one end.": _box_in_the_middle,
            "Moved in the wrong direction: the kernel is now twice as far from the middle.": _away,
            "Rows and columns are swapped: axis 0 goes down, from row to row.": _axes_swapped,
            "The centre is right, and the sum is not 1: the photograph would change its "
            "brightness.": lambda psf: centred_kernel(psf) * psf.sum(),
        },
        cases=[(psf,) for psf in KERNELS],
        trial=_try_centred,
    ),
}
