"""From a photograph to its restoration: generators on disk, inference, and deconvolution."""

from .deconvolution import richardson_lucy, unsharp_mask, wiener
from .inference import METHODS, deblur, deblur_ensemble, restore, restore_file, self_ensemble
from .weights import DEFAULT, SHIPPED, find_weights, load, save, shipped

__all__ = [
    "DEFAULT",
    "METHODS",
    "SHIPPED",
    "deblur",
    "deblur_ensemble",
    "find_weights",
    "load",
    "restore",
    "restore_file",
    "richardson_lucy",
    "save",
    "self_ensemble",
    "shipped",
    "unsharp_mask",
    "wiener",
]
