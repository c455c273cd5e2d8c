"""The networks: generators (`generator.py`), critics (`critic.py`), and their layers."""

from .critic import patch_critic, tutorial_critic
from .generator import folded_unet_generator, resnet_generator, unet_generator
from .receptive_field import receptive_field

__all__ = [
    "folded_unet_generator",
    "patch_critic",
    "receptive_field",
    "resnet_generator",
    "tutorial_critic",
    "unet_generator",
]
