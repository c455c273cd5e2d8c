"""The generator with a path at full size, its critic and its losses."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from deblurgan_lib import models
from deblurgan_lib.models.critics import pair_critic
from deblurgan_lib.models.detail import detail_generator, first_estimate, grow
from deblurgan_lib.models.layers import LowPass, SpectralNorm
from deblurgan_lib.training import losses

SMALL = {"width": 4, "blocks": (1, 2, 2, 1, 2), "half": 8, "full": 8}


def shaken(model, seed=0, scale=0.1):
    """Give every weight a random value, and obey the constraints as an optimiser would."""
    rng = np.random.default_rng(seed)
    for weight in model.trainable_variables:
        weight.assign(rng.normal(scale=scale, size=weight.shape))
        if weight.constraint is not None:
            weight.assign(weight.constraint(weight))
    return model


def picture(height=96, width=80, seed=1):
    return np.random.default_rng(seed).uniform(-1, 1, (1, height, width, 3)).astype(np.float32)


def test_an_untrained_generator_returns_its_input_at_any_size():
    blurred = picture(71, 50)
    np.testing.assert_array_equal(detail_generator(**SMALL)(blurred), blurred)


def test_a_grown_generator_starts_with_the_trained_one_s_answers_and_learns_from_there():
    trained = shaken(models.space_to_depth_unet_generator(width=4, blocks=4))
    grown = detail_generator(**SMALL)
    grow(trained, grown, SMALL["blocks"])
    blurred = picture()
    assert np.abs(trained(blurred) - blurred).max() > 0.01
    np.testing.assert_allclose(grown(blurred), trained(blurred), atol=1e-6)
    # Neither a new block nor the last convolution would start to move without a gradient.
    grown.compile(keras.optimizers.SGD(1.0), "mae")
    before = grown.get_weights()
    grown.fit(blurred, -blurred, epochs=3, verbose=0)
    moved = [not np.array_equal(a, b) for a, b in zip(before, grown.get_weights())]
    assert np.mean(moved) > 0.95


def test_the_first_estimate_is_that_of_the_network_it_was_grown_from():
    trained = shaken(models.space_to_depth_unet_generator(width=4, blocks=4))
    grown = shaken(detail_generator(**SMALL), seed=3)
    grow(trained, grown, SMALL["blocks"])
    blurred = picture(71, 50)
    assert np.abs(grown(blurred) - trained(blurred)).max() > 0.01
    np.testing.assert_allclose(first_estimate(grown)(blurred), trained(blurred), atol=1e-6)
    assert first_estimate(trained) is trained


def test_what_is_added_at_full_size_is_thresholded():
    """And then filtered, so that no rows or columns alternate in it."""
    held = shaken(detail_generator(**SMALL | {"threshold": 0.5}))
    detail = keras.Model(held.input, held.get_layer("to_detail").output)
    blurred = picture()
    added = np.asarray(detail(blurred))
    assert 0.1 < np.mean(np.abs(added) < 0.5) < 0.9
    added = np.sign(added) * np.maximum(np.abs(added) - 0.5, 0)
    expected = first_estimate(held)(blurred) + LowPass()(added)
    np.testing.assert_allclose(held(blurred), expected, atol=1e-5)


def test_a_flat_picture_gets_no_grid():
    answer = shaken(detail_generator(**SMALL))(np.full((1, 512, 512, 3), 0.3, np.float32))
    middle = np.asarray(answer)[0, 224:288, 224:288]
    assert np.ptp(middle, axis=(0, 1)) == pytest.approx([0, 0, 0], abs=1e-5)
    assert np.abs(middle - 0.3).max() > 0.01


def test_the_weights_fit_in_16_mb_of_float16():
    assert detail_generator().count_params() * 2 <= 16e6


def test_spectral_norm_brings_a_kernel_back_to_one_and_leaves_a_smaller_one():
    rng = np.random.default_rng(2)
    kernel = rng.normal(size=(4, 4, 6, 16)).astype(np.float32)
    kept = np.asarray(SpectralNorm()(keras.ops.convert_to_tensor(kernel)))
    assert np.linalg.svd(kept.reshape(-1, 16))[1].max() == pytest.approx(1, abs=0.05)
    small = kernel / 100
    np.testing.assert_array_equal(SpectralNorm()(keras.ops.convert_to_tensor(small)), small)


def test_the_critic_sees_both_pictures():
    critic = shaken(pair_critic(width=4))
    a, b = picture(64, 64, 1), picture(64, 64, 2)
    scores = [np.asarray(critic([x, y])) for x, y in ((a, b), (b, b), (a, a))]
    assert scores[0].shape == (1, 8, 8, 1)
    assert np.abs(scores[0] - scores[1]).max() > 0 and np.abs(scores[0] - scores[2]).max() > 0


def test_the_frequency_loss_is_that_of_numpy():
    sharp, restored = picture(), picture(seed=4)
    wrong = np.fft.fft2(restored - sharp, axes=(1, 2), norm="ortho")
    wanted = np.mean(np.abs(wrong.real) + np.abs(wrong.imag))
    assert float(losses.frequency_loss(sharp, restored)) == pytest.approx(wanted, rel=1e-4)
    assert float(losses.frequency_loss(sharp, sharp)) == 0


def test_the_relativistic_loss_counts_distances_to_the_other_s_mean():
    better, worse = np.array([2.0, 0.0]), np.array([-1.0, 1.0])  # Means 1 and 0.
    wanted = ((2 - 1) ** 2 + (0 - 1) ** 2) / 2 + ((-2 + 1) ** 2 + (0 + 1) ** 2) / 2
    assert float(losses.relativistic_loss(better, worse)) == pytest.approx(wanted / 2)
    far = better + 0.5, worse - 0.5
    assert float(losses.relativistic_loss(*far)) != pytest.approx(wanted / 2)


def test_features_are_zero_apart_for_equal_pictures_and_seen_before_the_relu():
    loss = losses.FeatureLoss("vgg16-random", ("block1_conv2", "block2_conv2"))
    a, b = picture(32, 32, 1), picture(32, 32, 2)
    assert float(loss(a, a)) == 0
    assert 0.05 < float(loss(a, b)) < 3
    assert all(np.min(depth) < 0 for depth in loss.network(a))


OTHER_BACKEND = """
import sys, numpy as np, tests.test_detail as t
with np.load(sys.argv[1]) as file:
    answers = [t.shaken(t.detail_generator(**t.SMALL))(file["a"]),
               t.shaken(t.pair_critic(width=4))([file["a"], file["b"]])]
    np.savez(sys.argv[2], *[np.asarray(x) for x in answers])
"""


def test_networks_answer_alike_under_jax(tmp_path):
    pytest.importorskip("jax")
    a, b = picture(64, 64, 1), picture(64, 64, 2)
    np.savez(tmp_path / "in.npz", a=a, b=b)
    subprocess.run(
        [sys.executable, "-c", OTHER_BACKEND, tmp_path / "in.npz", tmp_path / "out.npz"],
        env=os.environ | {"KERAS_BACKEND": "jax"}, cwd=Path(__file__).parents[1], check=True,
    )  # fmt: skip
    with np.load(tmp_path / "out.npz") as answers:
        generator, critic = answers["arr_0"], answers["arr_1"]
    np.testing.assert_allclose(shaken(detail_generator(**SMALL))(a), generator, atol=1e-4)
    np.testing.assert_allclose(shaken(pair_critic(width=4))([a, b]), critic, atol=1e-4)
