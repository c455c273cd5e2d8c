import numpy as np
import pytest
from scipy.ndimage import convolve

from deblurgan_lib.data import blur
from deblurgan_lib.errors import CourseError


def centre_of_mass(psf):
    place = np.arange(len(psf)) - len(psf) // 2
    return (psf.sum(axis=0) @ place, psf.sum(axis=1) @ place)


def test_a_trajectory_has_constant_speed_and_the_asked_length():
    paths = blur.shake_trajectories(3, seed=0, steps=500, max_length=40)
    steps = np.linalg.norm(np.diff(paths, axis=1), axis=2)
    assert paths.shape == (3, 500, 2)
    np.testing.assert_allclose(paths[:, 0], 0)
    np.testing.assert_allclose(steps, 40 / 499)


def test_without_anything_that_disturbs_it_the_camera_moves_straight():
    path = blur.shake_trajectories(1, seed=3, impulsiveness=0)[0]
    assert np.linalg.norm(path[-1]) == pytest.approx(60)


def test_inertia_pulls_the_camera_back():
    free, held = (
        blur.shake_trajectories(50, seed=1, inertia=inertia, impulsiveness=0.01)
        for inertia in (0.0, 0.7)
    )
    spread = [np.linalg.norm(paths, axis=2).max(axis=1).mean() for paths in (free, held)]
    assert spread[1] < 0.9 * spread[0]


def test_big_shakes_turn_the_camera_round():
    def sharpest_turn(big_shake):
        path = blur.shake_trajectories(
            1, seed=4, impulsiveness=0.01, gaussian_shake=0, inertia=0, big_shake=big_shake
        )[0]
        step = np.diff(path, axis=0)
        cosine = (step[1:] * step[:-1]).sum(axis=1) / np.linalg.norm(step[0]) ** 2
        return cosine.min()

    assert sharpest_turn(0.0) > 0.999
    assert sharpest_turn(1.0) < -0.8


def test_a_seed_repeats_and_another_does_not():
    first, again, other = (blur.random_psfs(2, seed, 15, 20) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert np.isfinite(other).all() and not np.array_equal(first, other)


def test_point_spread_functions_are_light_distributions_centred_on_their_mass():
    for path in blur.shake_trajectories(20, seed=2):
        psf = blur.point_spread_function(path)
        assert psf.min() >= 0
        assert psf.sum() == pytest.approx(1)
        np.testing.assert_allclose(centre_of_mass(psf), 0, atol=1e-9)


def test_sub_pixel_positions_are_shared_between_pixels():
    quarter = np.array([[0.0, 0.0], [0.5, 0.0]])
    psf = blur.point_spread_function(quarter, size=3)
    np.testing.assert_allclose(psf[1], [0.125, 0.75, 0.125])
    np.testing.assert_allclose(psf[[0, 2]], 0)


def test_a_trajectory_that_does_not_fit_is_refused():
    straight = np.stack([np.linspace(0, 30, 100), np.zeros(100)], axis=1)
    assert blur.point_spread_function(straight).shape == (31, 31)
    with pytest.raises(CourseError, match="31x31"):
        blur.point_spread_function(straight, size=21)
    with pytest.raises(CourseError, match="odd"):
        blur.point_spread_function(straight, size=40)


def test_paths_that_never_fit_end_in_a_sentence():
    """Without a bound this test would not end. Few steps, since all of the draws are made."""
    with pytest.raises(CourseError, match="max_length=100 fit into size=1; take a larger size"):
        blur.random_psfs(1, 0, size=1, max_length=100, steps=20)


@pytest.mark.parametrize("linear_light", [False, True])
def test_a_constant_photograph_stays_constant(linear_light):
    psf = blur.random_psfs(1, 0, 15, 20)[0]
    grey = np.full((40, 50, 3), (0, 117, 255), np.uint8)
    np.testing.assert_array_equal(blur.blur(grey, psf, linear_light), grey)


def test_a_single_pixel_kernel_changes_nothing(photo):
    delta = np.zeros((5, 5))
    delta[2, 2] = 1
    np.testing.assert_array_equal(blur.blur(photo, delta), photo)
    np.testing.assert_array_equal(blur.blur(photo, delta, linear_light=True), photo)


def test_blur_is_the_convolution_that_scipy_computes(photo):
    psf = blur.random_psfs(1, 7, 15, 20)[0]
    theirs = np.stack(
        [convolve(photo[..., c] / 255.0, psf, mode="mirror") for c in range(3)], axis=-1
    )
    difference = blur.blur(photo, psf).astype(float) - 255 * theirs
    assert np.abs(difference).max() <= 0.51


def test_blur_keeps_the_brightness(photo):
    for psf in blur.random_psfs(3, 1, 15, 20):
        assert blur.blur(photo, psf).mean() == pytest.approx(photo.mean(), abs=1.0)


def test_in_linear_light_a_bright_point_leaves_a_brighter_streak():
    night = np.zeros((41, 41, 3), np.uint8)
    night[20, 20] = 255
    psf = np.zeros((9, 9))
    psf[4] = 1 / 9
    assert blur.blur(night, psf)[20, 20, 0] == round(255 / 9)
    assert blur.blur(night, psf, linear_light=True)[20, 20, 0] == round(255 * 9 ** (-1 / 2.2))


def test_averaging_frames_with_and_without_gamma():
    frames = np.stack([np.zeros((2, 2, 3)), np.full((2, 2, 3), 255)]).astype(np.uint8)
    assert np.unique(blur.average_frames(frames, gamma=False)) == [128]
    assert np.unique(blur.average_frames(frames, gamma=True)) == [round(255 * 0.5 ** (1 / 2.2))]


def test_averaging_equal_frames_gives_that_frame(photo):
    for gamma in (False, True):
        np.testing.assert_array_equal(blur.average_frames(np.stack([photo] * 7), gamma), photo)


def test_without_tremor_shakes_are_straight_lines():
    still = {"inertia": 0, "big_shake": 0, "gaussian_shake": 0}
    for psf in blur.random_psfs(20, 0, size=31, max_length=28.0, **still):
        points = np.argwhere(psf > 0) - 15
        spread = np.linalg.eigvalsh(np.cov(points.T, aweights=psf[psf > 0]))
        length = np.sqrt(12 * spread[1])  # Of a line whose points have this variance.
        assert spread[0] < 0.4 and 2 < length < 30


def test_mixed_shakes_hold_each_size_and_the_still_camera():
    psfs = blur.mixed_psfs(4, 0, (5, 11))
    assert psfs.shape == (9, 11, 11)  # One still, and four of each size.
    np.testing.assert_allclose(psfs.sum(axis=(1, 2)), 1.0, atol=1e-5)
    photo = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
    np.testing.assert_array_equal(blur.blur(photo, psfs[0]), photo)
    assert (psfs[1:5, :3].sum(), psfs[1:5, :, 8:].sum()) == (0, 0)  # 5x5, in the middle.
    np.testing.assert_array_equal(psfs, blur.mixed_psfs(4, 0, (5, 11)))
