"""The three recipes: a table of everything in which they differ.

In everything that this table lists, `tutorial` follows the Keras article of 2018 as printed, faults
included, but for its initial weights and the borders of its strided convolutions, which are as in
`paper`. That one follows the code of DeblurGAN's authors (Kupyn et al., CVPR 2018, arXiv
1711.07064), but for VGG's input, which is the right one here, and for the gradient penalty: theirs
takes the norm for each pixel, of the gradient of the sum of the score map, and one alpha a batch.
`course` is ours. Sizes are not here but in `profiles.py`.
"""

import ast
import dataclasses
from dataclasses import dataclass

from ..arguments import as_text
from ..errors import CourseError


@dataclass(frozen=True)
class Recipe:
    """Networks, losses and optimisers of a DeblurGAN.

    Args:
        generator: `"resnet"` or `"space_to_depth_unet"`, see `models`.
        stem, upsampling: of the ResNet, see `models.resnet_generator`; the space-to-depth U-Net
            has its own.
        norm, skip, dropout: of either.
        critic: `"patch"` or `"tutorial"`.
        critic_norm: normalisation inside the patch critic.
        critic_steps: critic updates before each generator update.
        gradient_penalty: weight of the penalty, 0 for none.
        fakes_from_inference: show the critic pictures from the generator in inference mode (batch
            statistics and dropout off), as the article does, and not those it is graded on.
        features: the network of the perceptual loss: `"vgg16"` or `"vgg19"`, whose weights depend
            on the profile, or exactly one of `models.features.FEATURES`.
        layer: the VGG layer whose output is compared.
        before_relu: compare the layer's output before its ReLU.
        preprocess: give VGG the range it was trained on (BGR, 0 to 255, mean subtracted).
        pixel, perceptual, adversarial: weights of the generator's three loss terms.
        pretraining: share of the epochs that train with the pixel term alone before the rest is on.
        optimizer: `"adam"`, or `"muon"` for the generator and Adam for the critic.
        learning_rate: of the generator, the highest of the schedule.
        critic_learning_rate: Adam's for the critic.
        beta_1: Adam's first-moment decay.
        decay: `"constant"`; `"linear"`: constant for half of the steps, then down to 0;
            `"cosine"`: up in the first 7 % of pretraining (the critic: of the rest), then a half
            cosine down to a tenth, which is held.
        averaging: momentum of the moving average of the generator's weights, 0 for none; the
            averaged weights are the ones that are scored and saved.
    """

    generator: str
    stem: str
    norm: str
    upsampling: str
    skip: str
    dropout: float
    critic: str
    critic_norm: str
    critic_steps: int
    gradient_penalty: float
    fakes_from_inference: bool
    features: str
    layer: str
    before_relu: bool
    preprocess: bool
    pixel: float
    perceptual: float
    adversarial: float
    pretraining: float
    optimizer: str
    learning_rate: float
    critic_learning_rate: float
    beta_1: float
    decay: str
    averaging: float


RECIPES = {
    "tutorial": Recipe(
        generator="resnet", stem="conv", norm="batch", upsampling="transposed",
        skip="half_sum", dropout=0.5,
        critic="tutorial", critic_norm="batch", critic_steps=5, gradient_penalty=0.0,
        fakes_from_inference=True,
        features="vgg16", layer="block3_conv3", before_relu=False, preprocess=False,
        pixel=0.0, perceptual=100.0, adversarial=1.0, pretraining=0.0,
        optimizer="adam", learning_rate=1e-4, critic_learning_rate=1e-4, beta_1=0.9,
        decay="constant", averaging=0.0,
    ),
    "paper": Recipe(
        generator="resnet", stem="conv", norm="instance", upsampling="transposed",
        skip="clip", dropout=0.5,
        critic="patch", critic_norm="instance", critic_steps=5, gradient_penalty=10.0,
        fakes_from_inference=False,
        features="vgg19", layer="block3_conv3", before_relu=True, preprocess=True,
        pixel=0.0, perceptual=100.0, adversarial=1.0, pretraining=0.0,
        optimizer="adam", learning_rate=1e-4, critic_learning_rate=1e-4, beta_1=0.5,
        decay="linear", averaging=0.0,
    ),
    "course": Recipe(
        generator="space_to_depth_unet", stem="space_to_depth", norm="none", upsampling="resize",
        skip="residual", dropout=0.0,
        critic="patch", critic_norm="none", critic_steps=1, gradient_penalty=10.0,
        fakes_from_inference=False,
        features="vgg16", layer="block3_conv3", before_relu=False, preprocess=True,
        pixel=1.0, perceptual=1.0, adversarial=1e-3, pretraining=0.9,
        optimizer="muon", learning_rate=1.2e-3, critic_learning_rate=1e-4, beta_1=0.9,
        decay="cosine", averaging=0.99,
    ),
}  # fmt: skip


def choose(recipe: str | Recipe) -> Recipe:
    """The recipe of that name, `course` without one; a recipe of your own is returned as it is.

    Raises:
        CourseError: no such recipe.
    """
    if isinstance(recipe, Recipe):
        return recipe
    recipe = as_text(recipe, "recipe") or "course"
    if recipe not in RECIPES:
        raise CourseError(f"There is no recipe {recipe!r}; choose one of {', '.join(RECIPES)}.")
    return RECIPES[recipe]


def changed(recipe: str | Recipe, changes: str) -> Recipe:
    """A recipe with other values, written as in a call, for whoever can only hand over a text.

    Args:
        recipe: as for `choose`.
        changes: fields with their values, as in `"adversarial=0.01, pretraining=0.5"`; empty for
            none. The way to do it in Python is `dataclasses.replace`.

    Raises:
        CourseError: there is no such field, or its value is of another kind.
    """
    recipe, changes = choose(recipe), as_text(changes, "changes")
    try:
        call = ast.parse(f"f({changes})", mode="eval").body
        values = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
        if call.args or None in values:
            raise ValueError
    except (SyntaxError, ValueError, AttributeError):
        raise CourseError(
            f"changes={changes!r} cannot be read; write it as 'adversarial=0.01, norm=\"none\"'."
        ) from None
    for name, value in values.items():
        before = getattr(recipe, name, None)
        if before is None:
            fields = ", ".join(field.name for field in dataclasses.fields(Recipe))
            raise CourseError(f"A recipe has no {name!r}; it has {fields}.")
        if type(before) is float and type(value) is int:
            value = values[name] = float(value)
        if type(value) is not type(before):
            kind = type(before).__name__
            raise CourseError(
                f"changes: {name}={value!r} is of another kind than {before!r} ({kind})."
            )
    return dataclasses.replace(recipe, **values)


def name_of(recipe: Recipe) -> str:
    """Its name in the table; `"own"` for one that is not there."""
    return next((name for name, known in RECIPES.items() if known == recipe), "own")
