"""Every recipe trains in every precision, through the schedules and phases of a real run."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from deblurgan_lib import training
from deblurgan_lib.precision import POLICIES, dtype_policy
from deblurgan_lib.training import build, profiles, recipes

pytestmark = pytest.mark.slow

STEPS = 60
SIZES = dataclasses.replace(
    profiles.PROFILES["smoke"], width=4, blocks=1, critic_width=4, crop=16, batch=2
)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", recipes.RECIPES)
def test_every_recipe_trains_in_every_precision(name, policy, photo):
    # The critic's updates are alike; one a step is enough, and is traced sooner than five.
    recipe = dataclasses.replace(
        recipes.RECIPES[name], features="vgg16-hed", layer="block2_conv2", critic_steps=1
    )
    sharp = np.stack([photo[60:76, 90:106], photo[100:116, 110:126]]).astype("f") / 127.5 - 1
    batch = sum(np.roll(sharp, shift, axis=2) for shift in range(4)) / 4, sharp
    pretraining = round(recipe.pretraining * STEPS)
    seen = []
    with dtype_policy(policy):
        gan = training.build_gan(
            recipe=recipe, profile=SIZES, pretraining_steps=pretraining, steps=STEPS
        )
        for phase, end in (("pretraining", pretraining), ("adversarial", STEPS)):
            gan.compile(gan.optimizer, gan.critic_optimizer, **build.loss_weights(recipe)[phase])
            step = tf.function(gan.train_step, autograph=False)
            while len(seen) < end:
                seen.append({key: float(value) for key, value in step(batch).items()})
    assert np.isfinite([list(values.values()) for values in seen]).all()
    assert all(np.isfinite(weight).all() for weight in gan.get_weights())
    term = "pixel" if pretraining else "perceptual"
    first, last = ([values[term] for values in part] for part in (seen[:10], seen[-10:]))
    assert np.mean(last) < 0.8 * np.mean(first)
