"""The networks and their layers, the VGGs, and what a network costs and sees."""

from . import cost, layers
from .critics import patch_critic, tutorial_critic
from .features import feature_network, vgg_input
from .generators import resnet_generator, space_to_depth_unet_generator, unet_generator
from .receptive_field import receptive_field

__all__ = [
    "cost",
    "feature_network",
    "layers",
    "patch_critic",
    "receptive_field",
    "resnet_generator",
    "space_to_depth_unet_generator",
    "tutorial_critic",
    "unet_generator",
    "vgg_input",
]
