"""Blur by a moving camera: what is known exactly about it."""

import numpy as np
import pytest

from deblurgan_lib.data import blur, camera


@pytest.fixture
def photo():
    rng = np.random.default_rng(3)
    coarse = rng.integers(20, 230, (20, 24, 3)).astype(np.uint8)
    return np.repeat(np.repeat(coarse, 6, axis=0), 6, axis=1)


def shifts(path):
    views = np.tile(np.eye(3), (len(path), 1, 1))
    views[:, :2, 2] = path
    return views


def test_a_path_has_its_length_and_its_mean_at_the_start():
    path = camera.hand_path(200, 30.0, np.random.default_rng(0))
    assert np.hypot(*np.diff(path[:, :2], axis=0).T).sum() == pytest.approx(30)
    assert path.mean(axis=0) == pytest.approx([0, 0, 0], abs=1e-9)


def test_a_still_camera_blurs_nothing(photo):
    moving, still = camera.moving_scene(
        photo, shifts(np.zeros((3, 2))), 64, np.random.default_rng()
    )
    assert camera.developed(moving) == pytest.approx(camera.developed(still))
    margin = (len(photo) - 64) // 2
    np.testing.assert_array_equal(
        camera.developed(still), photo[margin:-margin, margin : margin + 64]
    )


def test_a_camera_that_only_shifts_convolves_light(photo):
    path = np.array([[x, 0.5 * x] for x in range(-4, 5)], float)
    square = photo[:, :120]
    moving, _ = camera.moving_scene(square, shifts(path), 64, np.random.default_rng())
    # A view from further right shows what lies there: the picture itself moves to the left.
    kernel = blur.point_spread_function(-path, 11)
    convolved = blur.blur(square, kernel, linear_light=True)[28:-28, 28:-28]
    assert np.abs(camera.developed(moving).astype(int) - convolved.astype(int)).max() <= 1


def test_turning_about_the_axis_leaves_the_middle_and_moves_the_corners():
    path = np.zeros((5, 3))
    path[:, 2] = np.linspace(-6, 6, 5)
    views = camera.rotated_views(path, 200, 300)

    def moves(x, y):
        place = views @ np.array([x, y, 1])
        return np.ptp(place[:, :2] / place[:, 2:], axis=0).max()

    assert moves(150, 100) == pytest.approx(0, abs=1e-9)
    assert moves(300, 100) == pytest.approx(12)  # Half the longer side from the middle.


def test_panning_moves_the_middle_by_the_path():
    views = camera.rotated_views(np.array([[7.0, -3.0, 0.0]]), 200, 300)
    place = views[0] @ np.array([150, 100, 1])
    assert place[:2] / place[2] == pytest.approx([157, 97])


def test_what_is_in_front_covers_what_is_behind_and_moves_by_itself():
    behind, front = (np.full((80, 80, 3), value, np.uint8) for value in (90, 200))
    rng = np.random.default_rng(5)
    moving, still = camera.moving_scene(behind, shifts(np.zeros((9, 2))), 64, rng, front, 20.0)
    assert set(np.unique(camera.developed(still))) >= {90, 200}
    # Light is neither lost nor made, but for what moves across the border.
    assert moving.mean() == pytest.approx(still.mean(), rel=0.2)
    assert np.abs(moving - still).max() > 0.2
    # Nothing shines through: every place shows a mixture of both.
    assert camera.LIGHT[90] - 1e-6 <= moving.min() and moving.max() <= camera.LIGHT[200] + 1e-6


def test_the_camera_clips_and_its_noise_grows_with_the_light():
    rng = np.random.default_rng(1)
    assert camera.developed(np.full((4, 4, 3), 3.0)).max() == 255
    grey = np.full((64, 64, 3), 0.5)
    noisy = camera.developed(grey, rng, noise=5.0).astype(float)
    in_light = (noisy / 255) ** blur.GAMMA
    assert in_light.std() == pytest.approx(5 / 255 * np.sqrt(0.625), rel=0.1)
    rough = grey * rng.random((64, 64, 1))
    assert (
        np.abs(camera.developed(rough, quality=50) - camera.developed(rough).astype(int)).max() > 5
    )


def test_pairs_are_squares_and_the_same_for_the_same_seed(photo):
    made = [
        camera.camera_pair(photo, 64, np.random.default_rng(9), front=photo[::-1]) for _ in range(2)
    ]
    assert made[0][0].shape == made[0][1].shape == (64, 64, 3)
    np.testing.assert_array_equal(made[0], made[1])


def test_high_speed_frames_are_averaged_around_the_sharp_one():
    frames = np.arange(40, dtype=np.uint8)[:, None, None, None] * np.ones((1, 16, 16, 3), np.uint8)
    rng = np.random.default_rng(0)
    for _ in range(20):
        blurred, sharp = camera.high_speed_pair(frames, 8, rng)
        # The mean of light is brighter than that of pixel values, which is the middle frame here.
        assert 0 <= int(blurred[0, 0, 0]) - int(sharp[0, 0, 0]) <= 4
