"""Classical methods: the unsharp mask, and two deconvolutions that need the kernel."""

import numpy as np
from skimage import filters, restoration

from ..photos import quantize


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
