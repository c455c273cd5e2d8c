"""Classical methods: the unsharp mask, and deconvolutions, which need the kernel.

The last of them needs an estimate of the sharp photograph, too: `motion` has both.
"""

import numpy as np
from skimage import filters, restoration

from ..data.blur import to_pixels
from ..photos import quantize
from . import planes

PART = 448  # Height and width of the part of a photograph that stands for it, pixels.
WEIGHT, NOISE_WEIGHT = 5e-4, 10  # Of the variation: without noise, and by the noise's variance.
NEARNESS = 5e-3  # Weight of the squared distance from the estimate.
TILE = 1024  # Pixels; larger photographs are deconvolved in parts of this height and width.


def unsharp_mask(photo: np.ndarray, radius: float = 2.0, amount: float = 0.3) -> np.ndarray:
    """Add `amount` of what a Gaussian blur of `radius` pixels would take away.

    Args:
        photo: uint8 (H, W, 3). The defaults scored best on the sample set's training photographs.

    Returns:
        uint8 (H, W, 3).
    """
    return quantize(filters.unsharp_mask(photo / 255.0, radius, amount, channel_axis=2))


def wiener(photo: np.ndarray, psf: np.ndarray, balance: float = 2e-3) -> np.ndarray:
    """Deconvolve with a known kernel by Wiener's filter (Wiener 1949).

    Each frequency is multiplied with conj(H) / (|H|^2 + balance), where H is the kernel's.

    Args:
        photo: uint8 (H, W, 3).
        psf: the blur, (size, size) with an odd size and sum 1.
        balance: noise power relative to that of the photograph; too small a value turns noise and
            errors of the kernel into stripes. The default did well on the sample set's training
            photographs, where rounding is the only noise.

    Returns:
        uint8 (H, W, 3).
    """
    identity = np.zeros_like(psf)  # Else the library weighs the balance with a Laplacian.
    identity[len(psf) // 2, len(psf) // 2] = 1
    options = {"reg": identity, "clip": False}
    return _deconvolved(photo, psf, lambda x: restoration.wiener(x, psf, balance, **options))


def richardson_lucy(photo: np.ndarray, psf: np.ndarray, iterations: int = 30) -> np.ndarray:
    """Deconvolve with a known kernel iteratively, staying positive (Richardson 1972, Lucy 1974).

    Args:
        photo: uint8 (H, W, 3).
        psf: the blur, (size, size) with an odd size and sum 1.
        iterations: more are sharper, and noisier.

    Returns:
        uint8 (H, W, 3).
    """
    return _deconvolved(photo, psf, lambda x: restoration.richardson_lucy(x, psf, iterations))


def _deconvolved(photo, psf, deconvolve):
    # Both methods treat the picture as periodic. A margin of symmetric padding keeps the resulting
    # artefacts out of the photograph.
    margin = 3 * psf.shape[0]
    padded = np.pad(photo / 255.0, ((margin, margin), (margin, margin), (0, 0)), mode="symmetric")
    channels = [deconvolve(padded[..., c])[margin:-margin, margin:-margin] for c in range(3)]
    return quantize(np.stack(channels, axis=-1))


def deconvolve(
    blurred: np.ndarray, estimate: np.ndarray, psf: np.ndarray, linear_light: bool = False
) -> np.ndarray:
    """The picture of small total variation that explains the photograph, near the estimate.

    Minimizes ||psf * x - blurred||^2 + NEARNESS ||x - estimate||^2 + weight |gradient of x| by
    half-quadratic splitting (Wang, Yang, Yin and Zhang 2008). Frequencies that the blur has
    destroyed are the estimate's. The weight grows with the photograph's noise.

    Args:
        blurred, estimate: uint8 (H, W, 3).
        psf: (S, S), S odd, sum 1.
        linear_light: amounts of light were blurred, and not pixel values; see `blur.blur`.

    Returns:
        uint8 (H, W, 3).
    """
    sigma = noise(planes.values(blurred[middle_part(blurred.shape)][..., 1], linear_light))
    corrected = np.empty_like(blurred)
    margin = 2 * len(psf)
    for top in range(0, blurred.shape[0], TILE):
        for left in range(0, blurred.shape[1], TILE):
            above, before = max(top - margin, 0), max(left - margin, 0)
            window = np.s_[above : top + TILE + margin, before : left + TILE + margin]
            inside = np.s_[top - above :, left - before :]
            for channel in range(3):
                photo, prior = (
                    planes.values(x[window][..., channel], linear_light)
                    for x in (blurred, estimate)
                )
                sharp = with_small_variation(photo, prior, psf, sigma)[inside][:TILE, :TILE]
                sharp = to_pixels(sharp) if linear_light else sharp
                corrected[top : top + TILE, left : left + TILE, channel] = np.clip(
                    np.rint(sharp * 255), 0, 255
                )
    return corrected


def with_small_variation(
    photo: np.ndarray, estimate: np.ndarray, psf: np.ndarray, sigma: float = 0.0
) -> np.ndarray:
    """`deconvolve` for one plane.

    Args:
        photo, estimate: float32 (H, W).
        psf: see `deconvolve`.
        sigma: standard deviation of the noise, see `noise`.

    Returns:
        float32 (H, W).
    """
    weight = WEIGHT + NOISE_WEIGHT * sigma**2
    prior = planes.extended(estimate, len(psf))
    transfer = planes.transfer(psf, prior.shape)
    power, laplacian = planes.energy(transfer), planes.laplacian(prior.shape)
    inside = planes.inside(photo.shape, prior.shape)
    error = np.zeros_like(prior)  # Zero beyond the border, where nobody knows the photograph.
    of_prior = planes.spectrum(prior)
    spectrum = of_prior.copy()

    def unexplained():
        error[inside] = photo - planes.plane(transfer * spectrum, prior.shape)[inside]
        return planes.spectrum(error)

    for _ in range(2):
        spectrum += np.conj(transfer) / (power + np.float32(0.02)) * unexplained()
    for strictness in (8, 64):
        edges = planes.gradients(planes.plane(spectrum, prior.shape))
        edges = np.sign(edges) * np.maximum(np.abs(edges) - 1 / strictness, 0)
        coupling = np.float32(strictness * weight)
        fit = np.conj(transfer) * (transfer * spectrum + unexplained()) + NEARNESS * of_prior
        fit += coupling * planes.spectrum(planes.divergence_of(edges))
        spectrum = fit / (power + np.float32(NEARNESS) + coupling * laplacian)
    return planes.plane(spectrum, prior.shape)[inside]


def noise(plane: np.ndarray) -> float:
    """Standard deviation of the noise (Immerkaer 1996, with the median for a mean).

    A blurred photograph has nothing else that changes from one pixel to the next.

    Args:
        plane: float (H, W), one channel of a photograph.

    Returns:
        In the plane's own unit; 0 for one of fewer than 3x3 pixels.
    """
    changes = np.diff(np.diff(plane, 2, axis=0), 2, axis=1)
    return float(np.median(np.abs(changes))) / 0.6745 / 6 if changes.size else 0.0


def middle_part(shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The middle `PART` pixels of a photograph, from its shape."""
    tops = [max(0, (side - PART) // 2) for side in shape[:2]]
    return tuple(slice(top, top + PART) for top in tops)
