"""The profiles: a table of sizes.

A profile gives sizes, a recipe (`recipes.py`) networks and losses. The networks of all
recipes take their width and depth from here, so that runs of one profile can be compared.
"""

import os
from dataclasses import dataclass

from ..arguments import as_text
from ..errors import CourseError


@dataclass(frozen=True)
class Profile:
    """Sizes of one run.

    Args:
        width: generator channels at full resolution; a ResNet's blocks have four times as many, the
            levels of the space-to-depth U-Net three, six and nine times.
        blocks: residual blocks of a ResNet; for the U-Net see its generator.
        critic_width: channels of the critic's first convolution.
        crop: height and width of a training crop, pixels of the original photograph.
        batch: crops in a step.
        epochs: number of epochs; validation, checkpoint and picture come after each.
        steps_per_epoch: training steps in an epoch.
        validation_photos: photographs scored after each epoch, spread evenly over the test set.
        offline: take the perceptual network from an installed package instead of downloading
            ImageNet weights.
    """

    width: int
    blocks: int
    critic_width: int
    crop: int
    batch: int
    epochs: int
    steps_per_epoch: int
    validation_photos: int
    offline: bool


PROFILES = {
    # For the course's own tests: every line of a run, seconds, no quality.
    "smoke": Profile(
        width=8, blocks=1, critic_width=8, crop=64, batch=2,
        epochs=4, steps_per_epoch=4, validation_photos=2, offline=True,
    ),
    # Two CPU cores, minutes.
    "sample": Profile(
        width=16, blocks=8, critic_width=32, crop=128, batch=8,
        epochs=16, steps_per_epoch=112, validation_photos=6, offline=True,
    ),
    # Two CPU cores, two hours: the generators that are shipped.
    "overnight": Profile(
        width=16, blocks=8, critic_width=32, crop=192, batch=8,
        epochs=80, steps_per_epoch=500, validation_photos=12, offline=True,
    ),
    # From a trained generator on (`start_from`): fewer and larger crops, for at a crop's border
    # less can be known than inside.
    "refine": Profile(
        width=16, blocks=8, critic_width=32, crop=288, batch=4,
        epochs=20, steps_per_epoch=500, validation_photos=12, offline=True,
    ),
    # One 16 GB GPU, hours.
    "colab": Profile(
        width=32, blocks=9, critic_width=64, crop=256, batch=8,
        epochs=100, steps_per_epoch=500, validation_photos=11, offline=False,
    ),
    # The paper's sizes and epochs: 300 times GOPRO's 2,103 training pairs, one at a time.
    "full": Profile(
        width=64, blocks=9, critic_width=64, crop=256, batch=1,
        epochs=300, steps_per_epoch=2103, validation_photos=33, offline=False,
    ),
}  # fmt: skip


def choose(profile: str | Profile, gpu: bool, few_photos: bool = False) -> Profile:
    """The profile of that name; one of your own is returned as it is.

    Args:
        profile: a profile, a key of `PROFILES`, or `"auto"`, which suits the machine: the
            environment variable `DEBLURGAN_PROFILE` if it is set, else `"colab"` with a GPU and
            `"sample"` without.
        gpu: whether a GPU is there.
        few_photos: whether the built-in photographs are used; `"auto"` is then `"sample"` with
            a GPU, too: hours of training would overfit to five photographs.

    Raises:
        CourseError: no such profile.
    """
    if isinstance(profile, Profile):
        return profile
    profile = as_text(profile, "profile") or "auto"
    if profile == "auto":
        profile = os.environ.get("DEBLURGAN_PROFILE") or (
            "colab" if gpu and not few_photos else "sample"
        )
    if profile not in PROFILES:
        known = ", ".join(["auto", *PROFILES])
        raise CourseError(f"There is no profile {profile!r}; choose one of {known}.")
    return PROFILES[profile]


def name_of(profile: Profile) -> str:
    """Its name in the table; `"own"` for one that is not there."""
    return next((name for name, known in PROFILES.items() if known == profile), "own")
