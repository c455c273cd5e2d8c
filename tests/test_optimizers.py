import keras
import numpy as np
import pytest
import tensorflow as tf

from deblurgan_lib.precision import POLICIES, dtype_policy
from deblurgan_lib.training.optimizers import Muon


def updated(kernel, gradient, name="kernel", **options):
    variable = keras.Variable(kernel, name=name)
    optimizer = Muon(0.1, weight_decay=None, **options)
    optimizer.build([variable])
    optimizer.apply([tf.constant(gradient)], [variable])
    return variable.numpy() - kernel


@pytest.mark.parametrize("shape", [(3, 3, 8, 16), (1, 1, 6, 4), (20, 7)])
def test_the_update_of_a_kernel_has_singular_values_near_one(shape):
    random = np.random.default_rng(0)
    rows, columns = np.prod(shape[:-1]), shape[-1]
    # A gradient with one direction a thousand times as strong as the weakest.
    u, _ = np.linalg.qr(random.normal(size=(rows, min(rows, columns))))
    v, _ = np.linalg.qr(random.normal(size=(columns, min(rows, columns))))
    gradient = u * np.geomspace(1, 1e-1, min(rows, columns)) @ v.T
    update = updated(np.zeros(shape, "f"), gradient.reshape(shape).astype("f"))
    expected = 0.1 * 0.2 * np.sqrt(max(rows, columns))  # Rate, and the size of Adam's updates.
    values = np.linalg.svd(update.reshape(rows, columns), compute_uv=False) / expected
    # Five steps of the iteration bring the values between about 0.7 and 1.2.
    assert values.min() > 0.6
    assert values.max() < 1.3
    # It points down the gradient, in each of its directions.
    along = np.einsum("ik,ij,jk->k", u, update.reshape(rows, columns), v)
    assert (along < 0).all()


@pytest.mark.parametrize("policy", POLICIES)
def test_how_small_a_gradient_is_does_not_change_its_update(policy):
    """Down to the smallest numbers, and in half precision nearly as in float32."""
    gradient = np.random.default_rng(0).normal(size=(3, 3, 48, 48)).astype("f")
    gradient[0] *= 1e-3  # Of two sizes, so that the small ones are tiny beside the length of all.
    expected = updated(np.zeros_like(gradient), gradient)
    tolerance = {"float32": 1e-4, "mixed_float16": 0.02, "mixed_bfloat16": 0.1}[policy]
    with dtype_policy(policy):
        for size in (1e20, 1.0, 5e-5, 1e-6, 1e-20, 1e-30):
            update = updated(np.zeros_like(gradient), (size * gradient).astype("f"))
            difference = np.linalg.norm(update - expected) / np.linalg.norm(expected)
            assert difference < tolerance
        assert (updated(np.ones_like(gradient), 0 * gradient) == 0).all()


def test_biases_and_the_last_layer_are_updated_by_adam():
    gradient = np.random.default_rng(0).normal(size=(3, 3, 4, 6)).astype("f")
    # Adam's first update is the rate times the sign.
    bias = updated(np.zeros(6, "f"), gradient[0, 0, 0])
    np.testing.assert_allclose(bias, -0.1 * np.sign(gradient[0, 0, 0]), rtol=1e-3)
    last = updated(np.zeros_like(gradient), gradient, name="to_rgb_kernel")
    np.testing.assert_allclose(last, -0.1 * np.sign(gradient), rtol=1e-3)


def test_it_is_saved_and_made_again_with_its_options():
    optimizer = Muon(0.02, momentum=0.9)
    again = Muon.from_config(optimizer.get_config())
    assert again.momentum == 0.9
    assert float(again.learning_rate) == pytest.approx(0.02)
