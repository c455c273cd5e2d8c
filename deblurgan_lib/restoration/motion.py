"""One camera motion for a whole photograph: estimate its kernel, and deconvolve with it.

A generator estimates what was there and then forgets the photograph. But where the camera moved
and nothing else, the photograph is a sharp one convolved with one point-spread function. The
estimate gives the search for that function its start, is the prior of the deconvolution, and is
what remains where no motion explains the photograph. Lesson 09 shows it.
"""

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from ..data.blur import to_pixels
from ..progress import progress
from . import planes
from .deconvolution import PART, deconvolve, middle_part, noise, with_small_variation
from .kernel import CONTRARY, cosine, estimate_psf, refine_psf, rms_radius

DENSE = 0.915  # Sparsity, see `Evidence`, from which on no kernel is believed.
SHORT = 2.1  # Rms radius of kernels, pixels, below which rings are too narrow to be seen.
SOFTNESS = 1.25  # Rms radius of kernels, pixels, below which a photograph may well be a sharp one.
HIDDEN = 3.2  # Root of the mean squared change that a sharp photograph hides, grey levels: 38 dB.


def correct(
    blurred: np.ndarray, estimate: np.ndarray, bar: bool = False, answer: np.ndarray | None = None
) -> np.ndarray:
    """Deconvolve a photograph, or return the answer where no single motion explains it.

    Where the evidence for the motion is weak, the result lies between the two: see `Evidence`.

    Args:
        blurred: uint8 (H, W, 3).
        estimate: uint8 (H, W, 3), a generator's restoration of it, close to the truth in each
            pixel: search and deconvolution are told that this was there.
        bar: show a progress bar.
        answer: uint8 (H, W, 3), another restoration, where another is to be corrected.

    Returns:
        uint8 (H, W, 3).
    """
    answer = estimate if answer is None else answer
    part = middle_part(blurred.shape)
    found = search(blurred[part], estimate[part], bar)
    if found is None or not _moved_everywhere(blurred, estimate, found):
        return answer
    corrected = deconvolve(blurred, estimate, found.psf, found.linear_light)
    share = np.float32(found.evidence.share)
    for before, after in zip(answer, corrected):  # Row by row: floats need much memory.
        after[:] = np.rint(before + share * (after.astype(np.float32) - before))
    return corrected


def search(blurred: np.ndarray, estimate: np.ndarray, bar: bool = False) -> "Motion | None":
    """Look for the one motion that explains a photograph.

    Pixel values are tried, as GOPRO and the course's own blur add them up, and amounts of light, as
    a camera does. The likelier kernel is refined, once from where it is and once from the one that
    the estimate explains; of the two results, that is taken which leaves the sparser gradients.

    Args:
        blurred, estimate, bar: see `correct`; `deconvolution.PART` pixels of them are enough.

    Returns:
        None where no motion is believed.
    """
    found = []
    with progress("searching for a motion", 4, unit=" kernels", hidden=not bar) as shown:

        def weighed(psf, linear_light):
            shown.update()
            return Motion(psf, linear_light, weigh(blurred, estimate, psf, linear_light))

        def refined(start, linear_light):
            return weighed(refine_psf(blurred, estimate, start, linear_light), linear_light)

        for linear_light in (False, True):
            psf = estimate_psf(blurred, estimate, linear_light)
            if psf is None:  # What a coarse scale rules out for pixel values, it does for light.
                break
            found.append(weighed(psf, linear_light))
            if not found[-1].evidence.possible:
                break
        found = [one for one in found if one.evidence.possible]
        found.sort(key=lambda one: 1.5 * one.evidence.sparsity - one.evidence.cosine)
        # Softness passes for a short motion in one of the two soon enough.
        for one in found[:1] + [one for one in found[1:] if one.evidence.radius >= SHORT]:
            with ThreadPoolExecutor() as threads:
                both = threads.map(refined, (one.psf, None), 2 * [one.linear_light])
                believed = [each for each in both if each.believed]
            if believed:
                return min(believed, key=lambda one: one.evidence.sparsity)
    return None


class Motion(NamedTuple):
    """A motion that was found."""

    psf: np.ndarray
    """The point-spread function, see `estimate_psf`."""
    linear_light: bool
    """Whether amounts of light were blurred, and not pixel values; see `blur.blur`."""
    evidence: "Evidence"
    """What speaks for it."""

    @property
    def believed(self) -> bool:
        """Whether it changes anything. Of light, what is shorter than softness never was a motion:
        the curve of light makes a soft edge look like one."""
        short = self.evidence.radius < SOFTNESS
        return self.evidence.share > 0 and not (self.linear_light and short)


class Evidence(NamedTuple):
    """What tells the right kernel from a wrong one, each measured on a deconvolved photograph.

    A wrong kernel leaves ringing, which has gradients everywhere; the right one makes edges steep
    and few (Krishnan, Tay and Fergus 2011 use this ratio as a prior). It also changes the
    photograph in the direction in which the generator has changed it.
    """

    cosine: float
    """Of the angle between the changes of the generator and of the deconvolution; at most 1."""
    projection: float
    """How far the deconvolution goes in the generator's direction: 1 for as far."""
    sparsity: float
    """Mean gradient over root mean squared gradient; as a share of the blurred photograph's."""
    worst: float
    """The same in the part of nine where it is largest."""
    variation: float
    """Mean gradient, as a multiple of the blurred photograph's."""
    radius: float
    """Rms radius of the kernel, pixels."""
    change: float
    """Root of the mean squared change of the photograph, grey levels."""
    noise: float
    """Standard deviation of the photograph's noise, grey levels."""

    @property
    def possible(self) -> bool:
        """Whether a kernel is worth being refined."""
        return self.cosine >= CONTRARY and self.sparsity < DENSE

    @property
    def share(self) -> float:
        """How much of the deconvolution's change of the estimate to believe, from 0 to 1.

        The limits lie between shakes and real frames that were looked at: see the training log. A
        long motion has hidden more of the variation, leaves rings where it is wrong, and the
        generator may have seen little of it. A short one is hard to tell from the softness of a
        lens or a video: with it the photograph must go as far as the generator, not many times as
        far, and a sharp one must hide the change.
        """
        if not self.possible:
            return 0.0
        if self.radius >= SHORT:
            seen = 0.6 - 0.06 * self.radius
            share = np.interp(self.cosine, [seen, seen + 0.1], [0, 1])
            share *= np.interp(self.sparsity, [0.87, DENSE], [1, 0])
            share *= np.interp(self.worst, [0.94, 0.97], [1, 0])
        else:
            share = np.interp(self.projection, [0.75, 0.85], [0, 1])
            share *= np.interp(self.cosine, [0.29, 0.31], [0, 1])
            share *= np.interp(self.projection / self.cosine, [5.7, 6.5], [1, 0])
            share *= np.interp(self.sparsity, [0.89, 0.91], [1, 0])
            share *= np.interp(self.worst, [1.0, 1.04], [1, 0])
        hidden = min(1.55 + 0.08 * self.radius, 2.2)
        share *= np.interp(self.variation, [hidden - 0.15, hidden], [1, 0])
        if self.radius < SOFTNESS:
            share = min(share, HIDDEN / max(self.change, HIDDEN))
        return float(share * np.interp(self.noise, [2, 5], [1, 0.5]))


def weigh(
    blurred: np.ndarray, estimate: np.ndarray, psf: np.ndarray, linear_light: bool = False
) -> Evidence:
    """Deconvolve a photograph in grey, and compare what comes out with the estimate.

    Args:
        blurred, estimate, psf, linear_light: see `deconvolve`.
    """
    photo, picture = (planes.values(x, linear_light) @ planes.GREY for x in (blurred, estimate))
    level = noise(planes.values(blurred[..., 1], False))
    sharp = with_small_variation(photo, picture, psf, noise(photo))
    if linear_light:
        photo, picture, sharp = (to_pixels(x) for x in (photo, picture, sharp))
    sizes = [np.abs(planes.gradients(x))[:, 8:-8, 8:-8] for x in (photo, sharp)]
    contrast = np.mean(sizes[0] ** 2)
    parts = [
        _sparsity(*part)
        for part in zip(*map(_ninths, sizes))
        if np.mean(part[0] ** 2) > contrast / 8
    ]
    alike = cosine(photo, picture, sharp)
    theirs, change = (255 * float(np.sqrt(np.mean((x - photo) ** 2))) for x in (picture, sharp))
    return Evidence(
        alike,
        alike * change / max(theirs, 1e-6),
        _sparsity(*sizes),
        max(parts, default=1.0),
        float(sizes[1].mean() / max(sizes[0].mean(), 1e-6)),
        rms_radius(psf),
        change,
        255 * level,
    )


def _sparsity(before, after):
    ratios = [x.mean() / max(np.sqrt(np.mean(x**2)), 1e-6) for x in (before, after)]
    return float(ratios[1] / max(ratios[0], 1e-6))


def _ninths(gradients):
    rows = np.array_split(gradients, 3, axis=1)
    return [part for row in rows for part in np.array_split(row, 3, axis=2)]


def _moved_everywhere(blurred, estimate, found):
    """Whether other parts of a large photograph moved about as far as its middle.

    What stands still behind a thing that moves in the middle would be spoiled. Parts without much
    to see say nothing.
    """
    height, width = blurred.shape[:2]
    if max(height, width) <= 1.5 * PART:
        return True
    contrast, half = _contrast(blurred[middle_part(blurred.shape)]), PART // 4
    middles = [(side // 4, side - side // 4) for side in (height, width)]
    parts = [
        np.s_[max(0, y - half) : y + half, max(0, x - half) : x + half]
        for y, x in itertools.product(*middles)
    ]

    def moved(part):
        here = estimate_psf(blurred[part], estimate[part], found.linear_light)
        return here is not None and rms_radius(here) >= found.evidence.radius / 2

    with ThreadPoolExecutor() as threads:
        return all(threads.map(moved, (p for p in parts if _contrast(blurred[p]) > contrast / 4)))


def _contrast(photo):
    return np.mean(np.diff(photo.astype(np.float32), axis=1) ** 2)
