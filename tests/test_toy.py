"""The toy GANs of the lessons: their data, losses, updates and drawings."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from deblurgan_lib.notebook import toy


def ring_gan(**options):
    keras.utils.set_random_seed(0)
    return toy.GAN(toy.network(2, 2, 8), toy.network(2, 1, 8), toy.ring, **options)


def test_real_points_are_spread_evenly_and_lie_near_their_centres():
    points = toy.ring(8000).numpy()
    *counts, bad = toy.tally(points)
    assert min(counts) > 850
    assert 0.005 < bad / 8000 < 0.02  # 1.1 percent lie beyond three standard deviations.
    nearest = np.linalg.norm(points[:, None] - toy.CENTRES, axis=2).argmin(axis=1)
    assert np.allclose((points - toy.CENTRES[nearest]).std(), toy.SPREAD, rtol=0.05)


def test_held_out_digits_are_not_among_those_for_training():
    shown, labels, held_out = toy.handwriting()
    assert shown.shape == (1500, 64) and labels.shape == (1500,) and held_out.shape == (297, 64)
    assert shown.min() == -1 and shown.max() == 1
    assert not {digit.tobytes() for digit in shown} & {digit.tobytes() for digit in held_out}
    drawn = toy.digits(50).numpy()
    assert {digit.tobytes() for digit in drawn} <= {digit.tobytes() for digit in shown}


def test_a_page_shows_its_digits_line_by_line():
    digits = toy.handwriting()[0][:7]
    page = toy.page(digits, columns=3)
    assert page.shape == (40, 60, 3) and page.dtype == np.uint8
    cells = page.reshape(2, 20, 3, 20, 3).swapaxes(1, 2).reshape(6, 20, 20, 3)
    assert (cells[:, :2] == 235).all() and (cells[:, :, -2:] == 235).all()  # Paper around each.
    small = cells[:, 2:18, 2:18, 0].reshape(6, 8, 2, 8, 2).mean(axis=(2, 4)).reshape(6, 64)
    for digit, shown in zip(digits, small, strict=False):
        assert np.corrcoef(digit, shown)[0, 1] < -0.95  # Ink is dark.


def test_an_undecided_discriminator_has_a_loss_of_log_2():
    def undecided(points):
        return 0 * points[:, :1]

    real, fake = toy.ring(10), toy.ring(10)
    assert np.allclose(toy.cross_entropy_loss(undecided, real, fake), np.log(2))
    assert np.allclose(toy.non_saturating_loss(undecided(fake)), np.log(2))


def test_the_losses_by_hand():
    def first(points):
        return points[:, :1]

    real, fake = tf.constant([[2.0, 0.0]]), tf.constant([[-1.0, 0.0]])
    expected = (np.logaddexp(0, -2.0) + np.logaddexp(0, -1.0)) / 2
    assert np.allclose(toy.cross_entropy_loss(first, real, fake), expected)
    assert np.allclose(toy.non_saturating_loss(first(fake)), np.logaddexp(0, 1.0))


@pytest.mark.parametrize("updates", [(1, 0), (0, 1), (1, 1)])
def test_each_update_moves_its_own_network(updates):
    gan = ring_gan(updates=updates)
    networks = (gan.discriminator, gan.generator)
    before = [network.get_weights() for network in networks]
    gan.train(tf.constant(2))
    for network, old, moves in zip(networks, before, updates):
        changed = [not np.array_equal(a, b) for a, b in zip(network.get_weights(), old)]
        assert all(changed) if moves else not any(changed)


def test_updates_are_counted_and_the_steps_that_are_given_are_run():
    def no_step(*arguments):
        return 7.0

    gan = ring_gan(updates=(2, 3))
    gan.train(tf.constant(4))
    assert gan.discriminator_optimizer.iterations == 8
    assert gan.generator_optimizer.iterations == 12
    gan = ring_gan(steps=(no_step, toy.generator_step))
    assert gan.train(tf.constant(1))[0] == 7.0
    assert gan.discriminator_optimizer.iterations == 0


def test_what_is_watched_comes_back(monkeypatch):
    shown = []
    monkeypatch.setattr(toy, "show", lambda fig, alt, handle=None: shown.append(handle) or "place")
    moments, losses = toy.watch(ring_gan(), steps=20, every=10, live=True)
    assert [moment.step for moment in moments] == [0, 10, 20]
    assert shown == [None, "place", "place"]
    assert losses.shape == (2, 2) and np.isfinite(losses).all()
    assert moments[0].fakes.shape == (1000, 2)
    assert ((moments[-1].answers > 0) & (moments[-1].answers < 1)).all()
    assert not np.array_equal(moments[0].fakes, moments[-1].fakes)
    assert len(toy.draw_moments(moments).axes) == 4  # One of them is the scale of colours.


def test_points_at_no_mode_have_an_axis_of_their_own():
    """However many they are, the modes beside them stay readable."""
    clouds = {"real": toy.ring(8000).numpy(), "lost": np.zeros((8000, 2))}
    modes, none = toy.draw_tally(clouds).axes
    assert modes.get_ylim()[1] < 1500
    assert [round(bar.get_height()) for bar in none.patches] == [1, 100]


def test_digits_are_drawn_in_rows():
    shown = toy.handwriting()[0]
    fig = toy.draw_digits({"one": shown[:16], "two": shown[16:32]})
    assert [ax.get_ylabel() for ax in fig.axes] == ["one", "two"]
    assert np.array_equal(fig.axes[1].images[0].get_array()[:, :8], shown[16].reshape(8, 8))
