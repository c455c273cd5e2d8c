import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from deblurgan_lib import models
from deblurgan_lib.models.layers import (
    BatchNormalization,
    BilinearUpsampling,
    CheckerboardFree,
    DepthToSpace,
    GlobalSkip,
    InstanceNormalization,
    LowPass,
    PadToMultiple,
    ReflectionPadding2D,
    SoftThreshold,
    SpaceToDepth,
)

GENERATORS = {
    "tutorial": lambda: models.resnet_generator(
        4, 1, norm="batch", upsampling="transposed", skip="half_sum"
    ),
    "paper": lambda: models.resnet_generator(
        4, 1, norm="instance", upsampling="transposed", skip="clip"
    ),
    "course": lambda: models.space_to_depth_unet_generator(4, 4),
    "space-to-depth resnet": lambda: models.resnet_generator(
        4, 1, norm="none", upsampling="resize", skip="residual", dropout=0, stem="space_to_depth"
    ),
    "unet": lambda: models.unet_generator(4, depth=2),
}


def noise(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype("float32")


def stirred(model):
    """The same model with weights that no initialiser made zero."""
    random = np.random.default_rng(1)
    model.set_weights([w + random.normal(0, 0.05, w.shape) for w in model.get_weights()])
    return model


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("size", [(64, 64), (37, 50), (1, 1), (3, 90)])
def test_any_size_comes_back_in_its_own_size(name, size):
    picture = noise(2, *size, 3)
    restored = GENERATORS[name]()(picture)
    assert restored.shape == picture.shape
    assert np.isfinite(restored).all()


@pytest.mark.parametrize("name", [*GENERATORS, "critic"])
def test_no_two_convolutions_start_with_the_same_weights(name):
    """In Keras 3 they would if they shared an initializer."""
    networks = {**GENERATORS, "critic": lambda: models.patch_critic(4, norm="none")}
    kernels = [weight.tobytes() for weight in networks[name]().get_weights() if weight.ndim == 4]
    assert len(set(kernels)) == len(kernels)


@pytest.mark.parametrize("name", ["course", "space-to-depth resnet", "unet"])
def test_with_the_residual_skip_an_untrained_generator_returns_its_input(name):
    picture = noise(1, 45, 70, 3)
    np.testing.assert_array_equal(GENERATORS[name]()(picture), picture)


def test_the_tutorials_skip_halves_the_contrast_and_the_papers_does_not():
    picture = noise(1, 32, 32, 3)
    zero = np.zeros_like(picture)
    np.testing.assert_allclose(GlobalSkip("half_sum")([zero, picture]), picture / 2)
    np.testing.assert_allclose(GlobalSkip("clip")([zero, picture]), picture)
    np.testing.assert_allclose(GlobalSkip("clip")([zero + 9, picture]), np.minimum(picture + 1, 1))


def test_bilinear_upsampling_is_kerass_for_any_size():
    x = noise(2, 5, 7, 3)
    expected = keras.layers.UpSampling2D(2, interpolation="bilinear")(x)
    np.testing.assert_allclose(BilinearUpsampling()(x), expected, atol=1e-6)


def test_a_soft_threshold_takes_from_the_large_and_removes_the_small():
    values = np.array([-3.0, -1.0, -0.5, 0.0, 0.9, 1.5], "float32")
    expected = [-2.0, 0.0, 0.0, 0.0, 0.0, 0.5]
    np.testing.assert_allclose(SoftThreshold(1.0)(values), expected)


@pytest.mark.parametrize(("period", "kept"), [(None, 1.0), (8, 0.9969), (4, 0.875), (2, 0.0)])
@pytest.mark.parametrize("axis", [1, 2])
def test_the_low_pass_filter_takes_out_what_alternates(axis, period, kept):
    """1 - sin(pi / period)^6 of a wave remains, also at the border."""
    wave = np.cos(2 * np.pi * (np.arange(16) + 0.5) / period) if period else np.full(16, 0.7)
    wave = np.cos(np.pi * np.arange(16)) if period == 2 else wave
    x = np.ones((2, 16, 16, 3)) * np.moveaxis(wave[None, :, None, None], 1, axis)
    inside = np.s_[:, 3:-3, 3:-3] if period == 2 else np.s_[:]
    filtered = np.asarray(LowPass()(x.astype("float32")))
    np.testing.assert_allclose(filtered[inside], (kept * x)[inside], atol=1e-4)


def test_padding_reflects_and_then_repeats():
    row = np.arange(3.0, dtype="float32").reshape(1, 1, 3, 1)
    padded = PadToMultiple(4, minimum=8)(row)
    assert padded.shape == (1, 8, 8, 1)
    np.testing.assert_array_equal(padded[0, 0, :, 0], [0, 1, 2, 1, 0, 1, 2, 1])
    np.testing.assert_array_equal(padded[0, :, 1, 0], np.ones(8))


def test_a_padded_picture_is_restored_as_the_larger_one_would_be():
    """Padding and cropping back is not allowed to shift or scale anything."""
    generator = stirred(GENERATORS["space-to-depth resnet"]())
    picture = noise(1, 64, 64, 3)
    whole = generator(picture).numpy()
    part = generator(picture[:, :62, :63]).numpy()
    np.testing.assert_allclose(part[:, :30, :30], whole[:, :30, :30], atol=1e-5)


def test_space_to_depth_keeps_every_pixel():
    picture = noise(2, 8, 12, 3)
    np.testing.assert_array_equal(SpaceToDepth(4)(picture), tf.nn.space_to_depth(picture, 4))


def test_depth_to_space_puts_every_pixel_back():
    picture = noise(2, 8, 12, 3)
    np.testing.assert_array_equal(DepthToSpace(4)(SpaceToDepth(4)(picture)), picture)
    np.testing.assert_array_equal(
        DepthToSpace(2)(noise(1, 3, 5, 12)), tf.nn.depth_to_space(noise(1, 3, 5, 12), 2)
    )


def test_a_flat_picture_stays_flat_after_depth_to_space():
    even = CheckerboardFree(4)
    convolution = keras.layers.Conv2D(48, 3, padding="valid")
    flat = np.broadcast_to(noise(1, 1, 1, 7), (1, 6, 6, 7))
    convolution(flat)

    def grid():
        return np.ptp(DepthToSpace(4)(convolution(flat)), axis=(1, 2)).max()

    kernel, bias = noise(3, 3, 7, 48), noise(48)
    convolution.set_weights([kernel, bias])
    assert grid() > 0.1
    projected = [even(kernel), even(bias)]
    convolution.set_weights(projected)
    assert grid() < 1e-5
    # It is a projection: what is even already stays, and the nearest even kernel is taken.
    for before, after in zip((kernel, bias), projected, strict=True):
        np.testing.assert_allclose(even(after), after, atol=1e-6)
        assert abs(np.sum((before - after) * np.asarray(after))) < 1e-3


def test_the_depth_to_space_generator_trains_without_a_grid():
    """The constraint is applied by the optimiser, so that it holds after every update."""
    generator = stirred(GENERATORS["course"]())
    layer = generator.get_layer("to_rgb")
    optimizer = keras.optimizers.Adam(0.1)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(generator(noise(1, 64, 64, 3)) ** 2)
    optimizer.apply(
        tape.gradient(loss, generator.trainable_variables), generator.trainable_variables
    )
    sums = layer.kernel.numpy().sum(axis=(0, 1)).reshape(-1, 16, 3)
    assert np.ptp(sums, axis=1).max() < 1e-5
    assert np.ptp(layer.bias.numpy().reshape(16, 3), axis=0).max() < 1e-6


def test_reflection_padding_mirrors_without_repeating_the_border():
    row = np.arange(3.0).reshape(1, 1, 3, 1).repeat(3, axis=1)
    np.testing.assert_array_equal(ReflectionPadding2D(1)(row)[0, 0, :, 0], [1, 0, 1, 2, 1])


def receptive_field(critic, size=128):
    picture = tf.Variable(noise(1, size, size, 3))
    with tf.GradientTape() as tape:
        scores = critic(picture)
        middle = scores[0, scores.shape[1] // 2, scores.shape[2] // 2, 0]
    touched = np.abs(tape.gradient(middle, picture).numpy()[0]).sum(axis=(1, 2)) > 0
    return touched.sum()


def test_the_patch_critic_sees_70_pixels_and_is_unbounded():
    critic = models.patch_critic(4, norm="none")
    assert receptive_field(critic) == 70
    (kernel,) = critic.get_layer("score").get_weights()
    critic.get_layer("score").set_weights([100 * kernel])
    scores = critic(noise(1, 64, 64, 3)).numpy()
    assert scores.min() < -1 or scores.max() > 1


def test_the_tutorials_critic_says_one_number_between_0_and_1():
    scores = models.tutorial_critic(64, width=4)(noise(3, 64, 64, 3)).numpy()
    assert scores.shape == (3, 1)
    assert (scores > 0).all() and (scores < 1).all()


def test_the_papers_generator_has_the_papers_size():
    generator = models.resnet_generator(64, 9, norm="instance")
    # 7x7 stem and end, two strided and two transposed 3x3, nine blocks of two 3x3; the last one
    # alone has a bias, all others are followed by a norm.
    convolutions = [
        (3, 64, 7),
        (64, 128, 3),
        (128, 256, 3),
        (256, 128, 3),
        (128, 64, 3),
        (64, 3, 7),
    ]
    convolutions += [(256, 256, 3)] * 18
    assert generator.count_params() == sum(i * o * k * k for i, o, k in convolutions) + 3
    assert generator.count_params() == pytest.approx(11.4e6, rel=0.01)


@pytest.mark.parametrize(
    "wrong", [{"norm": "layer"}, {"upsampling": "bilinear"}, {"skip": "sum"}, {"stem": "patch"}]
)
def test_an_unknown_choice_is_named_with_the_known_ones(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong.values()))):
        models.resnet_generator(4, 1, **wrong)


@pytest.mark.parametrize("name", GENERATORS)
def test_saved_and_loaded_it_draws_the_same_picture(name, tmp_path):
    generator = stirred(GENERATORS[name]())
    generator.save(tmp_path / "generator.keras")
    again = keras.saving.load_model(tmp_path / "generator.keras", safe_mode=True)
    picture = noise(1, 40, 51, 3)
    np.testing.assert_array_equal(generator(picture), again(picture))


@pytest.mark.slow
@pytest.mark.parametrize("imports", ["deblurgan_lib, keras", "keras, deblurgan_lib"])
def test_it_loads_in_a_new_process_with_nothing_but_the_import(imports, tmp_path):
    GENERATORS["course"]().save(tmp_path / "generator.keras")
    code = f"import {imports}; keras.saving.load_model('generator.keras', safe_mode=True)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def value_and_gradient(function, x):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
        loss = tf.reduce_sum(y * noise(*y.shape, seed=9))
    return y.numpy(), tape.gradient(loss, x).numpy()


def assert_same(function, plain, x, atol=1e-5):
    for ours, theirs in zip(
        value_and_gradient(function, x), value_and_gradient(plain, x), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=atol)


@pytest.mark.parametrize("training", [True, False])
def test_the_fused_batch_norm_is_kerass(training):
    random = np.random.default_rng(3)
    ours, theirs = BatchNormalization(), keras.layers.BatchNormalization()
    for layer in (ours, theirs):
        layer.build((None, None, None, 5))
    start = [random.uniform(0.5, 2, w.shape) for w in theirs.weights]
    ours.set_weights(start)
    theirs.set_weights(start)
    x = 3 * noise(2, 3, 4, 5) + 1
    assert_same(lambda x: ours(x, training=training), lambda x: theirs(x, training=training), x)
    for name in ("moving_mean", "moving_variance"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-5)


@pytest.mark.parametrize("batch", [1, 3])
def test_the_fused_instance_norm_is_a_group_norm_of_single_channels(batch):
    plain = keras.layers.GroupNormalization(groups=-1, center=False, scale=False)
    assert_same(InstanceNormalization(), plain, 3 * noise(batch, 6, 7, 5) + 1)


@pytest.mark.parametrize("padding", [1, 3])
def test_padding_and_its_gradient_are_tensorflows(padding):
    sides = [padding, padding]
    assert_same(
        ReflectionPadding2D(padding),
        lambda x: tf.pad(x, [[0, 0], sides, sides, [0, 0]], "REFLECT"),
        noise(2, 5, 4, 3),
    )


def test_the_instance_norm_has_the_right_second_derivative():
    """Which the gradient penalty needs, and which Keras' group norm of single channels has not."""
    norm = InstanceNormalization()

    def along(x, direction):
        x = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = norm(x)
                loss = tf.reduce_sum(y * noise(*y.shape, seed=9))
            total = tf.reduce_sum(inner.gradient(loss, x) * direction)
        return tape.gradient(total, x).numpy()

    x, direction = noise(2, 6, 5, 4), noise(2, 6, 5, 4, seed=1)
    step = np.float32(3e-3)
    ends = [value_and_gradient(norm, x + sign * step * direction)[1] for sign in (1, -1)]
    expected = (ends[0] - ends[1]) / (2 * step)
    np.testing.assert_allclose(along(x, direction), expected, atol=1e-3 * abs(expected).max())
