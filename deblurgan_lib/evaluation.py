"""PSNR, SSIM and a perceptual distance of restorations, beside those of the blurred input."""

import math
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from skimage.metrics import structural_similarity

from .data.pairs import Pair
from .errors import CourseError
from .models.features import feature_network, vgg_input
from .photos import read_photo

SSIM_WINDOW = 11
STRIP = 256
"""Rows of a photograph that are scored at once, so that memory does not grow with its size."""
PROTOCOL = (
    "whole photographs at their own size, 8-bit RGB after rounding; mean over photographs of "
    "PSNR (dB, peak 255, all channels together) and SSIM (Gaussian window 11x11, sigma 1.5, "
    "each channel by itself, then their mean)"
)


def psnr(sharp: np.ndarray, photo: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of two uint8 (H, W, 3); infinite if they are equal."""
    squares = 0
    for begin in range(0, len(sharp), STRIP):
        rows = slice(begin, begin + STRIP)
        squares += int(np.sum((sharp[rows].astype(np.int32) - photo[rows]) ** 2))
    return 10 * math.log10(255**2 * sharp.size / squares) if squares else math.inf


def ssim(sharp: np.ndarray, photo: np.ndarray) -> float:
    """Structural similarity (Wang et al. 2004) of two uint8 (H, W, 3), at most 1.

    Raises:
        CourseError: the photographs are smaller than the 11x11 window.
    """
    if min(sharp.shape[:2]) < SSIM_WINDOW:
        height, width = sharp.shape[:2]
        raise CourseError(f"SSIM needs at least 11x11 pixels; this photo has {width}x{height}.")
    border = SSIM_WINDOW // 2  # Its pixels have no score, for they have no whole window.
    total, end = 0.0, len(sharp) - border
    for begin in range(border, end, STRIP):
        scored = min(STRIP, end - begin)
        rows = slice(begin - border, begin + scored + border)
        total += scored * structural_similarity(
            sharp[rows],
            photo[rows],
            data_range=255,
            channel_axis=2,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    return float(total / (end - border))


class PerceptualDistance:
    """How differently a trained network sees two photographs (Zhang et al. 2018, LPIPS).

    Features of five depths of VGG16 are normalised to length 1 at each position; the squared
    differences are summed over channels, then averaged over positions and over depths. LPIPS
    also learns a weight for each channel, and uses other networks, so values do not compare with
    published LPIPS, only with each other.

    Args:
        name: see `models.feature_network`.

    Calling it takes two uint8 (H, W, 3) and returns 0 for equal ones and at most 2.
    """

    LAYERS = ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3")

    def __init__(self, name: str = "vgg16-hed"):
        network = feature_network(name, self.LAYERS[-1])
        outputs = [network.get_layer(layer).output for layer in self.LAYERS]
        self.network = keras.Model(network.input, outputs)

    def features(self, photo: np.ndarray) -> list:
        """Normalised features of a uint8 (H, W, 3), five tensors (1, H', W', C)."""
        seen = vgg_input(photo[None].astype(np.float32) / 127.5 - 1.0)
        return [
            keras.ops.normalize(keras.ops.cast(x, "float32"))
            for x in self.network(seen, training=False)
        ]

    def to(self, sharp: np.ndarray) -> Callable[[np.ndarray], float]:
        """The distance of any photograph to this one, whose features are computed once."""
        wanted = self.features(sharp)

        def distance(photo):
            pairs = zip(wanted, self.features(photo), strict=True)
            depths = [keras.ops.mean(keras.ops.sum((a - b) ** 2, axis=-1)) for a, b in pairs]
            return float(np.mean(depths))

        return distance

    def __call__(self, sharp: np.ndarray, photo: np.ndarray) -> float:
        return self.to(sharp)(photo)


def evaluate(restore: Callable[[np.ndarray], np.ndarray], pairs: list[Pair]) -> dict:
    """Score a restoration method.

    Args:
        restore: uint8 (H, W, 3) blurred to uint8 (H, W, 3) restored.
        pairs: what to score it on.

    Returns:
        Means `psnr_blurred`, `psnr_restored`, `ssim_blurred`, `ssim_restored`; `n_images`,
        `n_equal`, `protocol`, and `photos` with the scores of each. Where a photograph equals its
        sharp partner exactly, before or after restoring, its PSNR is infinite (None in `photos`);
        both of its PSNRs are left out of the means, so that these still compare. `n_equal` is the
        number of such photographs; if there are no others, the means of PSNR are None.
    """
    photos = []
    for pair in pairs:
        blurred, sharp = read_photo(pair.blurred), read_photo(pair.sharp)
        height, width = sharp.shape[:2]
        if min(height, width) < SSIM_WINDOW:
            raise CourseError(
                f"{pair.sharp} has {width}x{height} pixels, and SSIM needs at least "
                f"{SSIM_WINDOW}x{SSIM_WINDOW}; take it and its partner out."
            )
        restored = restore(blurred)
        photos.append(
            {
                "photo": Path(pair.blurred).stem,
                "psnr_blurred": psnr(sharp, blurred),
                "psnr_restored": psnr(sharp, restored),
                "ssim_blurred": ssim(sharp, blurred),
                "ssim_restored": ssim(sharp, restored),
            }
        )
    finite = [row for row in photos if math.isfinite(row["psnr_blurred"] + row["psnr_restored"])]
    means = {}
    for x in ("blurred", "restored"):
        means[f"psnr_{x}"] = mean_psnr([row[f"psnr_{x}"] for row in finite])
        means[f"ssim_{x}"] = float(np.mean([row[f"ssim_{x}"] for row in photos]))
    counts = {"n_images": len(photos), "n_equal": len(photos) - len(finite)}
    return _without_infinity({**means, **counts, "protocol": PROTOCOL, "photos": photos})


def mean_psnr(values: list[float]) -> float:
    """The mean in dB of those that are finite: equal photographs are left out.

    Infinite if there are no others.
    """
    finite = [value for value in values if math.isfinite(value)]
    return float(np.mean(finite)) if finite else math.inf


def decibels(value: float | None) -> str:
    """A PSNR as text; infinity, which is None in a report, stands for equal photographs."""
    return f"{value:.2f} dB" if value is not None and math.isfinite(value) else "equal"


def psnr_of_input(pairs: list[Pair]) -> float:
    """Mean PSNR in dB of the blurred photographs themselves, the baseline of every restoration."""
    return mean_psnr([psnr(read_photo(pair.sharp), read_photo(pair.blurred)) for pair in pairs])


def _without_infinity(value):
    """JSON has no infinity; None says that there is no finite number."""
    if isinstance(value, dict):
        return {key: _without_infinity(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_infinity(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
