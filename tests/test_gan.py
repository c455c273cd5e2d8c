"""What one training step does to each network, for all three recipes."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from deblurgan_lib import training
from deblurgan_lib.evaluation import psnr
from deblurgan_lib.photos import to_uint8
from deblurgan_lib.precision import dtype_policy
from deblurgan_lib.training import profiles, recipes

pytestmark = pytest.mark.slow
SIZES = dataclasses.replace(profiles.PROFILES["smoke"], width=4, critic_width=4)


@pytest.fixture(scope="module")
def batch(photo):
    """Two crops, and the same two with each pixel the mean of four neighbours."""
    sharp = np.stack([photo[:64, :64], photo[100:164, 90:154]]).astype("float32") / 127.5 - 1
    return sum(np.roll(sharp, shift, axis=2) for shift in range(4)) / 4, sharp


def build(name, eager=False, **terms):
    """All three terms count as much, so that each can be seen; VGG's first layers are enough.

    For a step or two `eager` is quicker: nothing is traced.
    """
    recipe = dataclasses.replace(
        recipes.RECIPES[name],
        features="vgg16-random",
        layer="block1_conv2",
        **{"pixel": 1.0, "perceptual": 1.0, "adversarial": 1.0} | terms,
    )
    gan = training.build_gan(recipe=recipe, profile=SIZES, steps=100)
    gan.run_eagerly = eager
    return gan


def values(weights):
    return [weight.numpy() for weight in weights]


def changed(before, weights):
    """Which weights have moved. NaN is no move: it fails here."""
    after = values(weights)
    assert all(np.isfinite(weight).all() for weight in after)
    return [not np.array_equal(b, a) for b, a in zip(before, after, strict=True)]


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_every_weight_of_both_networks_is_trained(name, batch):
    gan = build(name, eager=True)
    generator, critic = gan.generator.trainable_variables, gan.critic.trainable_variables
    before = values(generator), values(critic)
    for _ in range(3):  # The course's last layer starts at zero and passes nothing on at first.
        gan.train_on_batch(*batch)
    for old, new in zip(before, (generator, critic), strict=True):
        moved = changed(old, new)
        assert not [weight.path for weight, m in zip(new, moved, strict=True) if not m]


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_the_critics_step_changes_the_critic_alone(name, batch):
    gan = build(name)
    generator, critic = values(gan.generator.weights), values(gan.critic.trainable_variables)
    blurred, sharp = batch
    gan.train_critic(sharp, blurred)
    assert any(changed(critic, gan.critic.trainable_variables))
    assert not any(changed(generator, gan.generator.weights))


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_the_generators_step_changes_the_generator_alone(name, batch):
    gan = build(name, eager=True)
    gan.critic_steps = 0
    generator, critic = values(gan.generator.trainable_variables), values(gan.critic.weights)
    gan.train_on_batch(*batch)
    assert any(changed(generator, gan.generator.trainable_variables))
    assert not any(changed(critic, gan.critic.weights))


def test_the_critic_learns_to_score_real_above_fake(batch):
    gan = build("course")
    blurred, sharp = batch
    gan.compile(keras.optimizers.Adam(), keras.optimizers.Adam(1e-3, beta_1=0.5))
    step = tf.function(lambda: gan.train_critic(sharp, blurred)[0], autograph=False)
    first = float(step())
    for _ in range(100):
        last = float(step())
    assert last < first - 0.05


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_scores_of_real_and_fake_do_not_depend_on_each_other(name, batch):
    gan = build(name)
    critic = keras.models.clone_model(gan.critic)
    critic.set_weights(gan.critic.get_weights())
    blurred, sharp = batch
    expected = critic(sharp, training=True), critic(blurred, training=True)
    for ours, alone in zip(gan.scores(sharp, blurred), expected, strict=True):
        np.testing.assert_allclose(ours, alone, atol=1e-5)


def test_with_the_pixel_term_alone_the_critic_rests(batch):
    gan = build("course", perceptual=0.0, adversarial=0.0, eager=True)
    critic = values(gan.critic.weights)
    logs = gan.train_on_batch(*batch, return_dict=True)
    assert not any(changed(critic, gan.critic.weights))
    assert logs["loss"] == pytest.approx(logs["pixel"])
    assert logs["adversarial"] == logs["perceptual"] == logs["critic"] == 0


def test_the_loss_is_the_weighted_sum_of_its_terms(batch):
    gan = build("course", pixel=2.0, adversarial=0.25, eager=True)
    logs = gan.train_on_batch(*batch, return_dict=True)
    expected = 2 * logs["pixel"] + logs["perceptual"] + 0.25 * logs["adversarial"]
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)


def test_one_batch_can_be_overfitted(batch):
    gan = build("course", perceptual=0.0, adversarial=0.0)
    gan.compile(keras.optimizers.Adam(3e-3), keras.optimizers.Adam())
    first = gan.train_on_batch(*batch, return_dict=True)["loss"]
    for _ in range(150):
        gan.reset_metrics()
        last = gan.train_on_batch(*batch, return_dict=True)["loss"]
    assert last < 0.5 * first


def test_it_trains_by_compile_and_fit_as_any_model(batch):
    gan = build("course")
    gan.compile(
        keras.optimizers.Adam(3e-3, use_ema=True), keras.optimizers.Adam(), adversarial=1e-3
    )
    batches = tf.data.Dataset.from_tensors(batch).repeat()
    average = keras.callbacks.SwapEMAWeights()
    fitted = gan.fit(
        batches,
        epochs=2,
        steps_per_epoch=10,
        validation_data=tf.data.Dataset.from_tensors(batch),
        callbacks=[average],
        shuffle=False,  # Which is what it would do with a data set, after a warning.
        verbose=0,
    ).history
    assert np.isfinite(list(fitted.values())).all()
    assert fitted["pixel"][1] < fitted["pixel"][0]
    assert fitted["val_psnr"][1] > fitted["val_psnr"][0]
    assert all(fitted["critic"])


def test_validation_is_psnr_on_8_bit_values(batch):
    gan = build("course", perceptual=0.0, adversarial=0.0)
    blurred, sharp = batch
    expected = np.mean(
        [psnr(a, b) for a, b in zip(to_uint8(sharp).numpy(), to_uint8(blurred).numpy())]
    )
    logs = gan.test_on_batch(blurred, sharp, return_dict=True)
    assert logs["psnr"] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_in_half_precision_losses_stay_float32_and_close(policy, batch):
    def one_step():
        gan = build("course", eager=True)
        gan.critic_steps = 0  # So that both are scored by the very same critic.
        return gan, gan.train_on_batch(*batch, return_dict=True)

    _, exact = one_step()
    with dtype_policy(policy):
        gan, rough = one_step()
    assert gan.generator(batch[0]).dtype == "float32"
    for name in ("pixel", "perceptual", "adversarial"):
        assert rough[name] == pytest.approx(exact[name], rel=0.03, abs=0.01)


def test_an_optimiser_with_a_loss_scale_is_built_once(batch):
    with dtype_policy("mixed_float16"):
        gan = build("course", perceptual=0.0)
        before = len(gan.optimizer.variables)
        gan.compile(gan.optimizer, gan.critic_optimizer)
    assert len(gan.optimizer.variables) == before


def test_in_half_precision_the_generator_and_the_critic_still_learn(batch):
    with dtype_policy("mixed_float16"):
        gan = build("course", perceptual=0.0)
        before = values(gan.generator.trainable_variables), values(gan.critic.trainable_variables)
        for _ in range(25):  # The first ones may be left out until the loss scale fits.
            gan.train_on_batch(*batch)
    assert all(changed(before[0], gan.generator.trainable_variables))
    assert all(changed(before[1], gan.critic.trainable_variables))
