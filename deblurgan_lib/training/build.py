"""Networks and a compiled GAN from a recipe and a profile."""

import keras

from .. import models
from ..models.features import FEATURES
from .gan import DeblurGAN
from .losses import PerceptualLoss
from .optimizers import build_optimizer
from .profiles import Profile
from .recipes import Recipe


def build_generator(recipe: Recipe, profile: Profile) -> keras.Model:
    """A recipe's generator in the size of a profile, see `models`, with random weights.

    It makes (B, H, W, 3) of the same, both in [-1, 1].
    """
    sizes = {"width": profile.width, "blocks": profile.blocks}
    shared = {"norm": recipe.norm, "skip": recipe.skip, "dropout": recipe.dropout}
    if recipe.generator == "space_to_depth_unet":
        return models.space_to_depth_unet_generator(**sizes, **shared)
    return models.resnet_generator(
        **sizes, **shared, upsampling=recipe.upsampling, stem=recipe.stem
    )


def build_critic(recipe: Recipe, profile: Profile) -> keras.Model:
    """A recipe's critic in the size of a profile, see `models`, with random weights.

    It makes a score, or a map of scores, of (B, crop, crop, 3).
    """
    if recipe.critic == "tutorial":
        return models.tutorial_critic(profile.crop, profile.critic_width)
    return models.patch_critic(profile.critic_width, norm=recipe.critic_norm)


def feature_network_name(recipe: Recipe, profile: Profile) -> str:
    """The VGG of the perceptual loss; with an offline profile always the installed VGG16."""
    if recipe.features in FEATURES:
        return recipe.features
    return "vgg16-hed" if profile.offline else f"{recipe.features}-imagenet"


def loss_weights(recipe: Recipe) -> dict[str, dict]:
    """Arguments of `DeblurGAN.compile` in each phase: pixel pretraining, adversarial training."""
    return {
        "pretraining": {"pixel": 1.0},
        "adversarial": {
            "pixel": recipe.pixel,
            "perceptual": recipe.perceptual,
            "adversarial": recipe.adversarial,
            "critic_steps": recipe.critic_steps,
            "gradient_penalty": recipe.gradient_penalty,
            "fakes_from_inference": recipe.fakes_from_inference,
        },
    }


def build_gan(
    *,
    recipe: Recipe,
    profile: Profile,
    pretraining_steps: int = 0,
    steps: int = 1000,
    learning_rate_scale: float = 1.0,
    seed: int = 0,
) -> DeblurGAN:
    """The DeblurGAN of a recipe, compiled for its first phase, with random weights.

    It computes in Keras' current dtype policy.

    Args:
        recipe: networks, losses and optimisers, see `recipes`.
        profile: sizes, see `profiles`.
        pretraining_steps: generator updates with the pixel loss alone; with 0 the GAN is compiled
            for all terms at once.
        steps: generator updates in all.
        learning_rate_scale: of the generator, smaller than 1 for fine-tuning.
        seed: of the weights and of the points at which the gradient penalty is taken.
    """
    keras.utils.set_random_seed(seed)
    gan = DeblurGAN(
        build_generator(recipe, profile),
        build_critic(recipe, profile),
        PerceptualLoss(
            feature_network_name(recipe, profile),
            recipe.layer,
            recipe.before_relu,
            recipe.preprocess,
        ),
        seed,
    )
    # The cosine belongs to pretraining where there is one; its final rate is kept for the rest.
    optimizer = build_optimizer(
        recipe,
        recipe.learning_rate * learning_rate_scale,
        pretraining_steps or steps,
        recipe.optimizer == "muon",
        recipe.averaging,
    )
    critic_updates = (steps - pretraining_steps) * recipe.critic_steps
    critic_optimizer = build_optimizer(recipe, recipe.critic_learning_rate, critic_updates)
    phase = "pretraining" if pretraining_steps else "adversarial"
    gan.compile(optimizer, critic_optimizer, **loss_weights(recipe)[phase])
    return gan
