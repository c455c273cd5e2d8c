"""Planes of numbers and their Fourier transforms, with which kernels are found and undone.

A plane is float32 (H, W), a kernel float32 (S, S) with an odd S. Convolutions are products of
spectra, which takes planes for periodic; so a photograph is extended first.
"""

import numpy as np
from scipy import fft

from ..data.blur import to_linear

GREY = np.array([0.299, 0.587, 0.114], np.float32)


def values(photo, linear_light):
    """Pixel values from 0 to 1, or amounts of light."""
    values = photo.astype(np.float32) / 255
    return to_linear(values) if linear_light else values


def spectrum(plane):
    """Fourier transform of a real plane: complex64 (H, W // 2 + 1)."""
    return fft.rfft2(plane, workers=-1)


def plane(spectrum, shape):
    """From a spectrum back to its plane."""
    return fft.irfft2(spectrum, shape, workers=-1)


def extended(plane, margin):
    """A plane with a reflected margin that fades into its mean, so that opposite sides meet.

    Its sides have small factors, which Fourier transforms like.
    """
    sides = [fft.next_fast_len(side + 2 * margin, real=True) for side in plane.shape]
    margins = [((new - old) // 2, (new - old + 1) // 2) for new, old in zip(sides, plane.shape)]
    weight = np.ones((1, 1), np.float32)
    for axis, (before, after) in enumerate(margins):
        rise = [0.5 - 0.5 * np.cos(np.pi * (np.arange(n) + 0.5) / n) for n in (before, after)]
        ramp = np.concatenate([rise[0], np.ones(plane.shape[axis]), rise[1][::-1]])
        weight = weight * np.expand_dims(ramp.astype(np.float32), 1 - axis)
    mean = plane.mean()
    return mean + weight * (np.pad(plane, margins, mode="reflect") - mean)


def inside(shape, extended):
    """Where a plane lies in the extended one, from their two shapes."""
    return tuple(slice((b - a) // 2, (b - a) // 2 + a) for a, b in zip(shape, extended))


def transfer(psf, shape):
    """The Fourier transform of a point-spread function whose middle is at the origin."""
    plane = np.zeros(shape, np.float32)
    plane[: len(psf), : len(psf)] = psf
    return spectrum(np.roll(plane, [-(len(psf) // 2)] * 2, (0, 1)))


def gradients(plane):
    """Differences to the pixel below and to the right: (2, H, W)."""
    edges = np.empty((2, *plane.shape), plane.dtype)
    # As np.roll would do it, without its copies: most of a search's time goes by here.
    for axis, edge in enumerate(edges):
        rows, edge = (np.moveaxis(x, axis, 0) for x in (plane, edge))
        np.subtract(rows[1:], rows[:-1], out=edge[:-1])
        np.subtract(rows[0], rows[-1], out=edge[-1])
    return edges


def divergence_of(edges):
    """The transpose of `gradients`."""
    divergence = -(edges[0] + edges[1])
    for axis, edge in enumerate(edges):
        rows, edge = (np.moveaxis(x, axis, 0) for x in (divergence, edge))
        rows[1:] += edge[:-1]
        rows[0] += edge[-1]
    return divergence


def energy(spectrum):
    """The squared absolute values of a spectrum; without the roots that `np.abs` takes."""
    return spectrum.real**2 + spectrum.imag**2


def laplacian(shape):
    """The squared gradients of a plane, as a factor of its squared spectrum."""
    corner = np.zeros(shape, np.float32)
    corner[0, 0] = 1
    return sum(energy(spectrum(gradient)) for gradient in gradients(corner))


def places(size):
    """Rows and columns of a kernel, counted from its middle: (2, S, S)."""
    return np.mgrid[:size, :size] - size // 2
