"""A search for one camera motion from coarse to fine, to take the place of `restoration.motion`.

On 32 real camera shakes an earlier state of it gained 1.9 dB where the library's search gains 0.2;
on shakes of 5 pixels it gains less. The library keeps its own until both are right:
docs/training-log.md, "From coarse to fine". `experiments/motion.py` measures either.

Where the camera moved and nothing else did, the photograph is a sharp one convolved with one
point-spread function. A generator's estimate of the sharp photograph gives the search its start, is
the prior of the deconvolution, and is what remains where no motion explains the photograph.
"""

import itertools
from typing import NamedTuple

import numpy as np
from scipy import fft, ndimage

from deblurgan_lib.data.blur import to_linear, to_pixels
from deblurgan_lib.progress import progress

SIZE = 51  # Height and width of the largest kernel, pixels.
PART = 448  # Height and width of the part of a photograph from which the kernel comes, pixels.
COARSEST = 9  # Height and width of the kernel at the coarsest scale, pixels.
SCALE = 0.7071  # From one scale to the next coarser one.
ROUNDS, LAST_ROUNDS = 5, 3  # At each scale, and at the finest one.
SPARSITY = 2e-3  # Weight of each pixel with a gradient, against the squared error.
EDGES = 0.15  # Share of pixels whose gradients determine the kernel.
RIDGE = 3e-3  # Weight of the squared kernel, as a share of the photograph's gradient energy.
GREY = np.array([0.299, 0.587, 0.114], np.float32)
CONTRARY = 0.25  # Cosine, see `Evidence`, below which the search ends.
SOFTNESS = 1.25  # Rms radius of kernels, pixels, below which a photograph may well be a sharp one.
HIDDEN = 3.2  # Root of the mean squared change that a sharp photograph hides, grey levels: 38 dB.
WEAK, APART = 0.05, 0.1  # Shares of the largest value and of the sum; see `_cleaned`.
WEIGHT, NOISE_WEIGHT = 5e-4, 10  # Of the variation: without noise, and by the noise's variance.
NEARNESS = 5e-3  # Weight of the squared distance from the estimate.
TILE = 1024  # Pixels; larger photographs are deconvolved in parts of this height and width.


def correct(blurred: np.ndarray, estimate: np.ndarray, bar: bool = False) -> np.ndarray:
    """Deconvolve a photograph, or return the estimate where no single motion explains it.

    Things that move by themselves, and near ones that move more than far ones, have kernels of
    their own; then the kernel that is found for all of them fails the test of `Evidence.believed`.
    Pixel values are tried, as GOPRO and the course's own blur add them up, and amounts of light, as
    a camera does; the change that is more like the generator's is the right one of the two. Of the
    kernels from two starts, that is taken which leaves the sparser gradients.

    Args:
        blurred: uint8 (H, W, 3).
        estimate: uint8 (H, W, 3), a generator's restoration of it.
        bar: show a progress bar.

    Returns:
        uint8 (H, W, 3).
    """
    part = _middle(blurred.shape)
    photo, picture = blurred[part], estimate[part]
    found = []
    with progress("searching for a motion", 2, unit=" models", hidden=not bar) as shown:
        for linear_light in (False, True):
            psf = estimate_psf(photo, picture, linear_light)
            if psf is None:  # What a coarse scale rules out for pixel values, it does for light.
                break
            evidence = weigh(photo, picture, psf, linear_light)
            found.append((evidence, psf, linear_light))
            shown.update()
            if evidence.cosine < CONTRARY:
                break
    found = [one for one in found if one[0].believed]
    if not found:
        return estimate
    evidence, psf, linear_light = max(found, key=lambda one: one[0].cosine)
    other = refine_psf(photo, picture, linear_light)
    other_evidence = weigh(photo, picture, other, linear_light)
    if other_evidence.believed and other_evidence.sparsity < evidence.sparsity:
        evidence, psf = other_evidence, other
    if not _moved_everywhere(blurred, estimate, psf, linear_light):
        return estimate
    corrected = deconvolve(blurred, estimate, psf, linear_light)
    return corrected if evidence.radius >= SOFTNESS else _limited(blurred, corrected)


def estimate_psf(
    blurred: np.ndarray, estimate: np.ndarray, linear_light: bool = False
) -> np.ndarray | None:
    """The point-spread function that turns a sharp photograph into the blurred one.

    At each scale, from coarse to fine, by turns: the kernel from the strongest gradients of the
    picture (Cho and Lee 2009), and the picture from the kernel, as the one that explains the
    photograph with the fewest gradients (Xu, Zheng and Jia 2013). The estimate is the picture of
    the first turn.

    Args:
        blurred, estimate: see `correct`; `PART` pixels of them are enough.
        linear_light: amounts of light were blurred, and not pixel values; see `blur.blur`.

    Returns:
        float32 (S, S), non-negative, sum 1, centre of mass in the middle; S is odd, a quarter of
        the shorter side but at most `SIZE`. None where a coarse scale shows that no kernel fits.
    """
    size = _largest_size(blurred.shape)
    if size < COARSEST:
        return None
    planes = [_values(x, linear_light) @ GREY for x in (blurred, estimate)]
    count = 1 + int(np.log(COARSEST / size) / np.log(SCALE))
    psf, scale_before = None, 1.0
    for scale in SCALE ** np.arange(count - 1, -1, -1):
        size_here = max(COARSEST, 2 * round(size * scale / 2 - 0.5) + 1) if scale < 1 else size
        photo, picture = (_resized(plane, scale) for plane in planes)
        problem = _Problem.of(photo, size_here)
        if psf is not None:
            psf = _resized_kernel(psf, size_here, scale / scale_before)
        sparsity = SPARSITY
        for _ in range(ROUNDS if scale < 1 else LAST_ROUNDS):
            sharp = _extended(picture, size_here) if psf is None else problem.picture(psf, sparsity)
            psf = _cleaned(problem.kernel(sharp, size_here))
            sparsity /= 1.1
        if (
            0.4 < scale < 0.8
            and _cosine(photo, picture, _wiener(photo, picture, psf)) < 0.8 * CONTRARY
        ):
            return None
        scale_before = scale
    return _refined(problem, psf, 3)


def refine_psf(blurred: np.ndarray, estimate: np.ndarray, linear_light: bool = False) -> np.ndarray:
    """The same without coarse scales: better where the generator sees the motion, else worse.

    Args, returns:
        See `estimate_psf`; never None.
    """
    photo, picture = (_values(x, linear_light) @ GREY for x in (blurred, estimate))
    size = _largest_size(blurred.shape)
    problem = _Problem.of(photo, size)
    start = problem.kernel_non_negative(_extended(picture, size), size)
    return _refined(problem, _cleaned(start), 6)


def _refined(problem, psf, rounds):
    """Over non-negative kernels, without the false arms that a ridge leaves."""
    sparsity = SPARSITY
    for _ in range(rounds):
        sharp = problem.picture(psf, sparsity, strictest=80)
        psf = _cleaned(problem.kernel_non_negative(sharp, len(psf)))
        sparsity /= 1.1
    return psf


def _largest_size(shape):
    size = min(SIZE, min(shape[:2]) // 4)
    return size - (1 - size % 2)


class Evidence(NamedTuple):
    """What tells the right kernel from the wrong one, each measured on a deconvolved photograph.

    A wrong kernel leaves ringing, which has gradients everywhere; the right one makes edges steep
    and few (Krishnan, Tay and Fergus 2011 use this ratio as a prior). It also changes the
    photograph in the direction in which the generator has changed it.
    """

    cosine: float
    """Of the angle between the changes of the generator and of the deconvolution; at most 1."""
    sparsity: float
    """Mean gradient over root mean squared gradient; as a share of the blurred photograph's."""
    variation: float
    """Mean gradient, as a multiple of the blurred photograph's."""
    radius: float
    """Rms radius of the kernel, pixels."""

    @property
    def believed(self) -> bool:
        """The limits lie between shakes and real frames that were looked at: see the training log.

        Where the generator does not see the motion either, the gradients must be the sparser; a
        longer motion has hidden more of the variation.
        """
        return (
            self.cosine >= CONTRARY
            and self.sparsity <= 0.88 + 0.2 * max(0, self.cosine - 0.4)
            and self.variation <= min(1.55 + 0.08 * self.radius, 2.2)
        )


def weigh(
    blurred: np.ndarray, estimate: np.ndarray, psf: np.ndarray, linear_light: bool = False
) -> Evidence:
    """Deconvolve a photograph, and compare what comes out with the estimate.

    Args:
        blurred, estimate, psf, linear_light: see `deconvolve`.
    """
    photo, picture = (_values(x, False) @ GREY for x in (blurred, estimate))
    sharp = _values(deconvolve(blurred, estimate, psf, linear_light), False) @ GREY
    before, after = (np.abs(_gradients(x))[:, 8:-8, 8:-8] for x in (photo, sharp))
    variation = after.mean() / max(before.mean(), 1e-6)
    contrast = np.sqrt(np.mean(after**2) / max(np.mean(before**2), 1e-12))
    cosine = _cosine(photo, picture, sharp)
    return Evidence(cosine, variation / max(contrast, 1e-6), variation, rms_radius(psf))


def _cosine(photo, picture, sharp):
    """See `Evidence`; the place of a kernel's middle is uncertain, so that of `sharp` may move."""
    inner = np.s_[8:-8, 8:-8]
    shifts = itertools.product(range(-2, 3), repeat=2)
    moved = (np.roll(sharp, shift, (0, 1))[inner] for shift in shifts)
    sharp = min(moved, key=lambda x: np.mean((x - picture[inner]) ** 2))
    one, other = picture[inner] - photo[inner], sharp - photo[inner]
    return float((one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum() + 1e-9))


def _moved_everywhere(blurred, estimate, psf, linear_light):
    """Whether other parts of a large photograph moved about as far as its middle.

    What stands still behind a thing that moves in the middle would be spoiled. Parts without much
    to see say nothing.
    """
    height, width = blurred.shape[:2]
    if max(height, width) <= 1.5 * PART:
        return True
    contrast, half = _contrast(blurred[_middle(blurred.shape)]), PART // 4
    for y, x in itertools.product(
        (height // 4, height - height // 4), (width // 4, width * 3 // 4)
    ):
        part = np.s_[max(0, y - half) : y + half, max(0, x - half) : x + half]
        if _contrast(blurred[part]) > contrast / 4:
            here = estimate_psf(blurred[part], estimate[part], linear_light)
            if here is None or rms_radius(here) < rms_radius(psf) / 2:
                return False
    return True


def _contrast(photo):
    return np.mean(np.diff(photo.astype(np.float32), axis=1) ** 2)


def _limited(photo, corrected):
    """Between `photo` and `corrected`, where they differ by at most `HIDDEN`."""
    total = sum(
        np.sum((corrected[row].astype(np.float32) - photo[row]) ** 2) for row in range(len(photo))
    )
    share = np.float32(HIDDEN / max(HIDDEN, np.sqrt(total / photo.size)))
    limited = np.empty_like(photo)
    for row in range(len(photo)):  # Whole photographs as floats would need much memory.
        before = photo[row].astype(np.float32)
        limited[row] = np.rint(before + share * (corrected[row] - before))
    return limited


def deconvolve(
    blurred: np.ndarray, estimate: np.ndarray, psf: np.ndarray, linear_light: bool = False
) -> np.ndarray:
    """The picture of small total variation that explains the photograph, near the estimate.

    Minimizes ||psf * x - blurred||^2 + NEARNESS ||x - estimate||^2 + weight |gradient of x| by
    half-quadratic splitting (Wang, Yang, Yin and Zhang 2008). Frequencies that the blur has
    destroyed are the estimate's. The weight grows with the photograph's noise.

    Args:
        blurred, estimate: uint8 (H, W, 3).
        psf, linear_light: see `estimate_psf`.

    Returns:
        uint8 (H, W, 3).
    """
    sigma = noise(_values(blurred[_middle(blurred.shape)], linear_light))
    weight = WEIGHT + NOISE_WEIGHT * sigma**2
    corrected = np.empty_like(blurred)
    margin = 2 * len(psf)
    for top in range(0, blurred.shape[0], TILE):
        for left in range(0, blurred.shape[1], TILE):
            above, before = max(top - margin, 0), max(left - margin, 0)
            window = np.s_[above : top + TILE + margin, before : left + TILE + margin]
            inside = np.s_[top - above :, left - before :]
            for channel in range(3):
                photo, prior = (
                    _values(x[window][..., channel], linear_light) for x in (blurred, estimate)
                )
                sharp = _with_small_variation(photo, prior, psf, weight)[inside][:TILE, :TILE]
                sharp = to_pixels(sharp) if linear_light else sharp
                corrected[top : top + TILE, left : left + TILE, channel] = np.clip(
                    np.rint(sharp * 255), 0, 255
                )
    return corrected


def _with_small_variation(photo, prior, psf, weight):
    prior = _extended(prior, len(psf))
    transfer = _transfer(psf, prior.shape)
    power, laplacian = np.abs(transfer) ** 2, _laplacian(prior.shape)
    inside = _inside(photo.shape, prior.shape)
    error = np.zeros_like(prior)  # Zero beyond the border, where nobody knows the photograph.
    of_prior = _spectrum(prior)
    spectrum = of_prior.copy()

    def unexplained():
        error[inside] = photo - _plane(transfer * spectrum, prior.shape)[inside]
        return _spectrum(error)

    for _ in range(2):
        spectrum += np.conj(transfer) / (power + np.float32(0.02)) * unexplained()
    for strictness in (8, 64):
        edges = _gradients(_plane(spectrum, prior.shape))
        edges = np.sign(edges) * np.maximum(np.abs(edges) - 1 / strictness, 0)
        coupling = np.float32(strictness * weight)
        fit = np.conj(transfer) * (transfer * spectrum + unexplained()) + NEARNESS * of_prior
        fit += coupling * _spectrum(_divergence(edges))
        spectrum = fit / (power + np.float32(NEARNESS) + coupling * laplacian)
    return _plane(spectrum, prior.shape)[inside]


def _wiener(photo, picture, psf):
    """Wiener's filter around a picture: what it does not explain is deconvolved, and added."""
    extended = _extended(picture, len(psf))
    transfer = _transfer(psf, extended.shape)
    error = _spectrum(_extended(photo, len(psf))) - transfer * _spectrum(extended)
    change = np.conj(transfer) / (np.abs(transfer) ** 2 + np.float32(0.02)) * error
    return picture + _plane(change, extended.shape)[_inside(picture.shape, extended.shape)]


def noise(photo: np.ndarray) -> float:
    """Standard deviation of a photograph's noise (Immerkaer 1996, with the median for a mean).

    A blurred photograph has nothing else that changes from one pixel to the next.

    Args:
        photo: float (H, W, 3).

    Returns:
        In the photograph's own unit; 0 for one of fewer than 3x3 pixels.
    """
    changes = np.diff(np.diff(photo[..., 1], 2, axis=0), 2, axis=1)
    return float(np.median(np.abs(changes))) / 0.6745 / 6 if changes.size else 0.0


def rms_radius(psf: np.ndarray) -> float:
    """How far a point is spread: root of the mean squared distance from the middle, pixels."""
    y, x = _places(len(psf))
    return float(np.sqrt((psf * (x**2 + y**2)).sum()))


class _Problem(NamedTuple):
    """A blurred plane at one scale, and the spectra that all rounds share."""

    photo: np.ndarray
    spectrum: np.ndarray
    laplacian: np.ndarray
    of_gradients: list[np.ndarray]
    energy: float

    @classmethod
    def of(cls, photo, size):
        photo = _extended(photo, size)
        gradients = _gradients(photo)
        spectra = [_spectrum(gradient) for gradient in gradients]
        energy = float((gradients**2).sum())
        return cls(photo, _spectrum(photo), _laplacian(photo.shape), spectra, energy)

    def picture(self, psf, sparsity, strictest=5):
        """The picture of least squared error that pays for each pixel with a gradient.

        By half-quadratic splitting: small gradients are set to zero, the picture is fitted to what
        is left and to the photograph, and the fit to the gradients becomes ever stricter.
        """
        transfer, picture = _transfer(psf, self.photo.shape), self.photo
        back, power = np.conj(transfer) * self.spectrum, np.abs(transfer) ** 2
        strictness = 2 * sparsity
        while strictness < strictest:
            edges = _gradients(picture)
            edges = edges * ((edges**2).sum(0) >= sparsity / strictness)
            fit = back + np.float32(strictness) * _spectrum(_divergence(edges))
            fit /= power + np.float32(strictness) * self.laplacian
            picture = _plane(fit, self.photo.shape)
            strictness *= 4
        return picture

    def kernel(self, picture, size):
        """The kernel from the strongest gradients, by least squares and a ridge."""
        edges = self._strongest(picture)
        product = sum(np.conj(e) * p for e, p in zip(edges, self.of_gradients))
        power = sum(np.abs(e) ** 2 for e in edges) + np.float32(RIDGE * self.energy)
        return self._around(product / power, size // 2)

    def kernel_non_negative(self, picture, size):
        """The same without a ridge, and over non-negative kernels.

        All pairs of pixels enter through two correlations, from which the error's gradient is a
        convolution; projected gradient steps with Nesterov's momentum.
        """
        edges = self._strongest(picture)
        cross = self._around(
            sum(np.conj(e) * p for e, p in zip(edges, self.of_gradients)), size // 2
        )
        own = self._around(sum(np.abs(e) ** 2 for e in edges), size - 1)
        scale = own.max() or 1.0  # Zero where there are no edges at all.
        shape = (fft.next_fast_len(3 * size, real=True),) * 2
        cross, own = cross / scale, fft.rfft2(own / scale, shape)
        step = 1 / (np.abs(own).max() + 1e-3)
        psf = ahead = np.maximum(cross, 0) / (np.maximum(cross, 0).sum() + 1e-12)
        momentum = 1.0
        for _ in range(40):
            product = fft.irfft2(own * fft.rfft2(ahead, shape), shape)
            gradient = product[size - 1 : 2 * size - 1, size - 1 : 2 * size - 1] - cross
            new = np.maximum(ahead - step * gradient, 0)
            faster = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
            ahead = new + (momentum - 1) / faster * (new - psf)
            psf, momentum = new, faster
        return psf

    def _strongest(self, picture):
        edges = _gradients(picture)
        strength = (edges**2).sum(0)
        return [_spectrum(edge * (strength >= np.quantile(strength, 1 - EDGES))) for edge in edges]

    def _around(self, product, reach):
        plane = fft.fftshift(_plane(product, self.photo.shape))
        middle = (side // 2 for side in self.photo.shape)
        return plane[tuple(slice(m - reach, m + reach + 1) for m in middle)]


def _cleaned(psf):
    """Without what is weak, and without what lies apart from the path and has little weight."""
    psf = np.where(psf < WEAK * psf.max(), 0, psf) if psf.max() > 0 else np.zeros_like(psf)
    islands, count = ndimage.label(psf > 0, np.ones((3, 3)))
    if count > 1:
        mass = ndimage.sum_labels(psf, islands, range(count + 1))
        psf = np.where((mass >= APART * psf.sum())[islands], psf, 0)
    return _centred(psf)


def _centred(psf):
    """Moved so that its centre of mass is the middle pixel, and with sum 1.

    A fraction of a pixel is shared between neighbours; kernels off their middle shift a picture.
    """
    if not psf.any():
        psf[len(psf) // 2, len(psf) // 2] = 1
    psf = psf / psf.sum()
    for axis, place in enumerate(_places(len(psf))):
        off = float((psf * place).sum())
        whole = int(np.floor(off))
        near, far = (np.roll(psf, -whole - extra, axis) for extra in (0, 1))
        psf = (1 - (off - whole)) * near + (off - whole) * far
    return psf.astype(np.float32)


def _resized_kernel(psf, size, factor):
    places = np.float32(_places(size) / factor + len(psf) // 2)
    return _centred(np.maximum(ndimage.map_coordinates(psf, places, order=1), 0))


def _resized(plane, scale):
    if scale == 1:
        return plane
    smooth = ndimage.gaussian_filter(plane, 0.3 / scale)
    return ndimage.zoom(smooth, scale, order=1, grid_mode=True, mode="nearest")


def _spectrum(plane):
    return fft.rfft2(plane, workers=-1)


def _plane(spectrum, shape):
    return fft.irfft2(spectrum, shape, workers=-1)


def _middle(shape):
    tops = [max(0, (side - PART) // 2) for side in shape[:2]]
    return tuple(slice(top, top + PART) for top in tops)


def _values(photo, linear_light):
    values = photo.astype(np.float32) / 255
    return to_linear(values) if linear_light else values


def _extended(plane, margin):
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


def _inside(shape, extended):
    return tuple(slice((b - a) // 2, (b - a) // 2 + a) for a, b in zip(shape, extended))


def _transfer(psf, shape):
    """The Fourier transform of a point-spread function whose middle is at the origin."""
    plane = np.zeros(shape, np.float32)
    plane[: len(psf), : len(psf)] = psf
    return _spectrum(np.roll(plane, [-(len(psf) // 2)] * 2, (0, 1)))


def _gradients(plane):
    return np.stack([np.roll(plane, -1, axis) - plane for axis in (0, 1)])


def _divergence(edges):
    return sum(np.roll(edge, 1, axis) - edge for axis, edge in enumerate(edges))


def _laplacian(shape):
    corner = np.zeros(shape, np.float32)
    corner[0, 0] = 1
    return sum(np.abs(_spectrum(gradient)) ** 2 for gradient in _gradients(corner))


def _places(size):
    return np.mgrid[:size, :size] - size // 2
