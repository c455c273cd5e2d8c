"""The networks: generators (`generator.py`), critics (`critic.py`), and their layers."""

from .critic import patch_critic, tutorial_critic
from .generator import resnet_generator, unet_generator

__all__ = ["patch_critic", "resnet_generator", "tutorial_critic", "unet_generator"]
