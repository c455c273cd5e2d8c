"""A training step of a recipe at the sizes of the profile `full`, as the benchmarks time it."""

import numpy as np

from deblurgan_lib import losses, profiles, recipes, training
from deblurgan_lib.gan import DeblurGAN
from deblurgan_lib.precision import precision

SIZES = profiles.PROFILES["full"]


def build(recipe: str, policy: str) -> DeblurGAN:
    """A DeblurGAN that is ready to train as the recipe says, from random weights.

    VGG has random weights too, and is always VGG16, which is VGG19 up to the layer that is used.
    """
    what = recipes.RECIPES[recipe]
    with precision(policy):
        perceptual = losses.PerceptualLoss(
            "vgg16-random", what.layer, what.before_relu, what.preprocess
        )
        gan = DeblurGAN(
            training.build_generator(what, SIZES), training.build_critic(what, SIZES), perceptual
        )
        gan.compile(
            training.build_optimizer(what, what.learning_rate, 1000),
            training.build_optimizer(what, what.critic_learning_rate, 1000),
            pixel=what.pixel,
            perceptual=what.perceptual,
            adversarial=what.adversarial,
            critic_steps=what.critic_steps,
            gradient_penalty=what.gradient_penalty,
            fakes_from_inference=what.fakes_from_inference,
        )
    return gan


def pictures(batch=1, size=SIZES.crop):
    """A blurred and a sharp batch; what is in them does not change how long a step takes."""
    sharp = np.random.default_rng(0).uniform(-1, 1, (batch, size, size, 3)).astype(np.float32)
    return (sharp + np.roll(sharp, 1, axis=2)) / 2, sharp
