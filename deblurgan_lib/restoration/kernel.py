"""The kernel of a camera motion, from a photograph and an estimate of what was there."""

import itertools
from collections.abc import Callable

import numpy as np
from scipy import fft, ndimage

from . import planes
from .deconvolution import with_small_variation

SIZE = 51  # Height and width of the largest kernel, pixels.
COARSEST = 9  # Height and width of the kernel at the coarsest scale, pixels.
SCALE = 0.7071  # From one scale to the next coarser one.
ROUNDS, LAST_ROUNDS, FINAL_ROUNDS = 5, 3, 4  # At each scale, at the finest one, of `refine_psf`.
SPARSITY, FINAL_SPARSITY = 2e-3, 1e-3  # Weight of a pixel's gradient against the squared error.
EDGES = 0.15  # Share of pixels whose gradients determine the kernel.
RIDGE = 3e-3  # Weight of the squared kernel, as a share of the photograph's gradient energy.
WEAK, APART = 0.05, 0.1  # Shares of the largest value and of the sum; see `_cleaned`.
CONTRARY = 0.25  # Cosine, see `cosine`, from which on a motion may be the right one.


def estimate_psf(
    blurred: np.ndarray,
    estimate: np.ndarray,
    linear_light: bool = False,
    watch: Callable[[np.ndarray], None] | None = None,
) -> np.ndarray | None:
    """The point-spread function that turns a sharp photograph into the blurred one.

    At each scale, from coarse to fine, by turns: the kernel from the strongest gradients of the
    picture (Cho and Lee 2009), and the picture from the kernel, as the one that explains the
    photograph with the fewest gradients (Xu, Zheng and Jia 2013). The estimate is the picture of
    the first turn.

    Args:
        blurred: uint8 (H, W, 3); `deconvolution.PART` pixels of a photograph are enough.
        estimate: uint8 (H, W, 3), a generator's restoration of it.
        linear_light: see `deconvolution.deconvolve`.
        watch: is called with the kernel of each scale.

    Returns:
        float32 (S, S), non-negative, sum 1, centre of mass in the middle; S is odd, a quarter of
        the shorter side but at most `SIZE`. None where a coarse scale shows that no kernel fits.
    """
    size = _largest_size(blurred.shape)
    if size < COARSEST:
        return None
    pair = [planes.values(x, linear_light) @ planes.GREY for x in (blurred, estimate)]
    count = 1 + int(np.log(COARSEST / size) / np.log(SCALE))
    psf, scale_before = None, 1.0
    for scale in SCALE ** np.arange(count - 1, -1, -1):
        size_here = max(COARSEST, 2 * round(size * scale / 2 - 0.5) + 1) if scale < 1 else size
        photo, picture = (_resized(plane, scale) for plane in pair)
        problem = _Problem(photo, size_here)
        if psf is not None:
            psf = _resized_kernel(psf, size_here, scale / scale_before)
        sparsity = SPARSITY
        for _ in range(ROUNDS if scale < 1 else LAST_ROUNDS):
            sharp = (
                planes.extended(picture, size_here)
                if psf is None
                else problem.picture(psf, sparsity)
            )
            psf = _cleaned(problem.kernel(sharp, size_here))
            sparsity /= 1.1
        if watch is not None:
            watch(psf)
        if 0.4 < scale < 0.8:
            sharp = with_small_variation(photo, picture, psf)
            if cosine(photo, picture, sharp) < 0.8 * CONTRARY:
                return None
        scale_before = scale
    return psf


def refine_psf(
    blurred: np.ndarray,
    estimate: np.ndarray,
    psf: np.ndarray | None = None,
    linear_light: bool = False,
) -> np.ndarray:
    """A kernel without the false arms that a ridge leaves, by turns with a picture of more detail.

    Args:
        blurred, estimate, linear_light: see `estimate_psf`.
        psf: the kernel to start from, of `estimate_psf`; None: the one that the estimate explains.

    Returns:
        See `estimate_psf`; never None.
    """
    photo, picture = (planes.values(x, linear_light) @ planes.GREY for x in (blurred, estimate))
    size = _largest_size(blurred.shape)
    problem = _Problem(photo, size)
    if psf is None:
        psf = _cleaned(problem.kernel_non_negative(planes.extended(picture, size), size))
    sparsity = FINAL_SPARSITY
    for _ in range(FINAL_ROUNDS):
        sharp = problem.picture(psf, sparsity, strictest=20, factor=2.83)
        psf = _cleaned(problem.kernel_non_negative(sharp, size))
        sparsity /= 1.1
    return psf


def _largest_size(shape):
    size = min(SIZE, min(shape[:2]) // 4)
    return size - (1 - size % 2)


def rms_radius(psf: np.ndarray) -> float:
    """How far a point is spread: root of the mean squared distance from the middle, pixels."""
    y, x = planes.places(len(psf))
    return float(np.sqrt((psf * (x**2 + y**2)).sum()))


def cosine(photo: np.ndarray, picture: np.ndarray, sharp: np.ndarray) -> float:
    """Of the angle between two changes of a photograph: by the generator, and by deconvolution.

    The place of a kernel's middle is uncertain, so that of the deconvolved one may move.

    Args:
        photo, picture, sharp: float (H, W): blurred, as the generator restores it, deconvolved.

    Returns:
        1 for changes in the same direction, 0 for changes that have nothing in common.
    """
    inner = np.s_[8:-8, 8:-8]
    shifts = itertools.product(range(-2, 3), repeat=2)
    moved = (np.roll(sharp, shift, (0, 1))[inner] for shift in shifts)
    sharp = min(moved, key=lambda x: np.mean((x - picture[inner]) ** 2))
    one, other = picture[inner] - photo[inner], sharp - photo[inner]
    return float((one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum() + 1e-9))


class _Problem:
    """A blurred plane at one scale, and the spectra that all rounds share."""

    def __init__(self, photo, size):
        self.photo = planes.extended(photo, size)
        gradients = planes.gradients(self.photo)
        self.spectrum = planes.spectrum(self.photo)
        self.laplacian = planes.laplacian(self.photo.shape)
        self.of_gradients = [planes.spectrum(gradient) for gradient in gradients]
        self.energy = float((gradients**2).sum()) or 1.0  # Zero where nothing changes.

    def picture(self, psf, sparsity, strictest=5, factor=4):
        """The picture of least squared error that pays for each pixel with a gradient.

        By half-quadratic splitting: small gradients are set to zero, the picture is fitted to what
        is left and to the photograph, and the fit to the gradients becomes ever stricter.
        """
        transfer, picture = planes.transfer(psf, self.photo.shape), self.photo
        back, power = np.conj(transfer) * self.spectrum, planes.energy(transfer)
        strictness = 2 * sparsity
        while strictness < strictest:
            edges = planes.gradients(picture)
            edges *= edges[0] ** 2 + edges[1] ** 2 >= sparsity / strictness
            fit = planes.spectrum(planes.divergence_of(edges))
            fit *= np.float32(strictness)
            fit += back
            fit /= power + np.float32(strictness) * self.laplacian
            picture = planes.plane(fit, self.photo.shape)
            strictness *= factor
        return picture

    def kernel(self, picture, size):
        """The kernel from the strongest gradients, by least squares and a ridge."""
        edges = self._strongest(picture)
        product = sum(np.conj(e) * p for e, p in zip(edges, self.of_gradients))
        power = sum(map(planes.energy, edges)) + np.float32(RIDGE * self.energy)
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
        own = self._around(sum(map(planes.energy, edges)), size - 1)
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
        edges = planes.gradients(picture)
        strength = edges[0] ** 2 + edges[1] ** 2
        edges *= strength >= np.quantile(strength, 1 - EDGES)
        return [planes.spectrum(edge) for edge in edges]

    def _around(self, product, reach):
        plane = fft.fftshift(planes.plane(product, self.photo.shape))
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
    for axis, place in enumerate(planes.places(len(psf))):
        off = float((psf * place).sum())
        whole = int(np.floor(off))
        near, far = (np.roll(psf, -whole - extra, axis) for extra in (0, 1))
        psf = (1 - (off - whole)) * near + (off - whole) * far
    return psf.astype(np.float32)


def _resized_kernel(psf, size, factor):
    places = np.float32(planes.places(size) / factor + len(psf) // 2)
    return _centred(np.maximum(ndimage.map_coordinates(psf, places, order=1), 0))


def _resized(plane, scale):
    if scale == 1:
        return plane
    smooth = ndimage.gaussian_filter(plane, 0.3 / scale)
    return ndimage.zoom(smooth, scale, order=1, grid_mode=True, mode="nearest")
