"""A training step of a recipe at the sizes of the profile `full`, as the benchmarks time it."""

import dataclasses

import numpy as np

from deblurgan_lib.precision import dtype_policy
from deblurgan_lib.training import DeblurGAN, build_gan, profiles, recipes

SIZES = profiles.PROFILES["full"]


def build(recipe: str, policy: str) -> DeblurGAN:
    """A DeblurGAN that trains with all its terms as the recipe says, from random weights.

    VGG has random weights too, and is always VGG16, which is VGG19 up to the layer that is used.
    """
    chosen = dataclasses.replace(recipes.RECIPES[recipe], features="vgg16-random")
    with dtype_policy(policy):
        return build_gan(recipe=chosen, profile=SIZES)


def pictures(batch=1, size=SIZES.crop):
    """A blurred and a sharp batch; what is in them does not change how long a step takes."""
    sharp = np.random.default_rng(0).uniform(-1, 1, (batch, size, size, 3)).astype(np.float32)
    return (sharp + np.roll(sharp, 1, axis=2)) / 2, sharp
