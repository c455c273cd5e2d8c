"""The motion of a camera from a photograph and an estimate of what was there, and deconvolution."""

import numpy as np
import pytest

from deblurgan_lib import evaluation, restoration
from deblurgan_lib.data import blur, find_data
from deblurgan_lib.photos import read_photo
from deblurgan_lib.restoration import motion


@pytest.fixture(scope="module")
def sharp():
    folder = find_data("sample") / "test" / "B"
    return read_photo(folder / "astronaut_0.png")[:320, 60:380]


@pytest.fixture(scope="module")
def psf():
    path = blur.shake_trajectories(1, 1012, max_length=20.0)[0]
    return blur.point_spread_function(path)


@pytest.fixture(scope="module")
def blurred(sharp, psf):
    return blur.blur(sharp, psf)


def same_size(psf, size):
    margin = (size - len(psf)) // 2
    return np.pad(psf, margin)


def test_the_kernel_is_found_from_a_photograph_and_what_was_there(sharp, psf, blurred):
    found = motion.estimate_psf(blurred, sharp)
    size = max(len(found), len(psf))
    apart = np.abs(same_size(found, size) - same_size(psf, size)).sum()
    still = np.zeros_like(psf)
    still[len(psf) // 2, len(psf) // 2] = 1
    assert apart < 0.7 < 1.5 < np.abs(still - psf).sum()
    assert motion.rms_radius(found) == pytest.approx(motion.rms_radius(psf), rel=0.3)


def test_a_found_kernel_keeps_brightness_and_place(sharp, blurred):
    found = motion.estimate_psf(blurred, sharp)
    assert found.shape == (51, 51) and found.min() >= 0
    assert found.sum() == pytest.approx(1, abs=1e-5)
    y, x = np.mgrid[:51, :51] - 25
    assert (found * y).sum() == pytest.approx(0, abs=1e-3)
    assert (found * x).sum() == pytest.approx(0, abs=1e-3)


def test_where_nothing_moved_the_kernel_is_a_point(sharp):
    assert motion.rms_radius(motion.estimate_psf(sharp, sharp)) < 0.2


def test_an_estimate_that_explains_the_photograph_stays(sharp, psf, blurred):
    after = motion.deconvolve(blurred, sharp, psf).astype(int)
    assert np.abs(after - sharp)[40:-40, 40:-40].max() <= 3


def test_what_the_photograph_shows_is_taken_from_it(sharp, psf, blurred):
    """From a estimate that is no estimate at all, the photograph itself, with the true kernel."""
    after = motion.deconvolve(blurred, blurred, psf)
    assert evaluation.psnr(sharp, after) > evaluation.psnr(sharp, blurred) + 4


def test_what_the_blur_has_destroyed_is_taken_from_the_estimate():
    """A kernel of 1/4, 1/2, 1/4 leaves nothing of stripes one pixel wide."""
    psf = np.zeros((3, 3))
    psf[1] = 0.25, 0.5, 0.25
    grey = np.full((64, 64, 3), 128, np.uint8)
    stripes = grey + np.where(np.arange(64) % 2, 20, 0).astype(np.uint8)[None, :, None]
    after = motion.deconvolve(grey, stripes, psf)
    inside = (slice(8, -8), slice(8, -8))
    assert after[inside].std() == pytest.approx(stripes[inside].std(), rel=0.05)
    assert after[inside].mean() == pytest.approx(128, abs=1)  # The mean is the photograph's.


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 5), (16, 40), (33, 600)])
def test_photographs_of_any_size(shape):
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    psf = motion.estimate_psf(photo, photo)
    assert psf.sum() == pytest.approx(1, abs=1e-5) and len(psf) % 2 == 1
    assert motion.deconvolve(photo, photo, psf).shape == photo.shape


def test_a_plain_photograph_has_no_motion():
    photo = np.full((80, 80, 3), 77, np.uint8)
    psf = motion.estimate_psf(photo, photo)
    assert motion.rms_radius(psf) == 0
    np.testing.assert_array_equal(motion.deconvolve(photo, photo, psf), photo)


def test_light_that_was_blurred_is_put_right_as_light(sharp, psf):
    blurred = blur.blur(sharp, psf, linear_light=True)
    as_pixels, as_light = (
        evaluation.psnr(sharp, motion.deconvolve(blurred, blurred, psf, linear_light=light))
        for light in (False, True)
    )
    assert as_light > as_pixels + 0.5
    found = {
        light: motion.estimate_psf(blurred, sharp, linear_light=light) for light in (False, True)
    }
    size = max(len(psf), *map(len, found.values()))
    apart = {k: np.abs(same_size(x, size) - same_size(psf, size)).sum() for k, x in found.items()}
    assert apart[True] < apart[False]


@pytest.mark.parametrize("level", [0, 2, 5])
def test_noise_is_measured_whatever_is_in_the_photograph(blurred, level):
    noisy = blurred + np.random.default_rng(1).normal(0, level, blurred.shape)
    assert motion.noise(noisy) == pytest.approx(level, abs=0.6)


def test_the_noisier_the_photograph_the_less_it_changes_the_estimate(sharp, psf, blurred):
    changes = []
    for level in (0, 2, 5):
        noisy = blurred + np.random.default_rng(1).normal(0, level, blurred.shape)
        noisy = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
        changes.append(np.abs(motion.deconvolve(noisy, noisy, psf).astype(int) - noisy).mean())
        assert evaluation.psnr(sharp, motion.deconvolve(noisy, noisy, psf)) > evaluation.psnr(
            sharp, noisy
        )
    assert changes == sorted(changes, reverse=True)


def test_a_photograph_in_parts_is_corrected_as_in_one(sharp, psf, blurred, monkeypatch):
    whole = motion.deconvolve(blurred, blurred, psf).astype(int)
    monkeypatch.setattr(motion, "TILE", 160)
    parts = motion.deconvolve(blurred, blurred, psf)
    assert np.abs(parts - whole).max() <= 2 and np.abs(parts - whole).mean() < 0.1


def test_projection_is_one_for_a_change_as_large_as_the_estimates():
    start, estimate = np.full((2, 4, 4, 3), 100, np.uint8)
    estimate[1:3] += 10
    half = ((start.astype(int) + estimate) // 2).astype(np.uint8)
    further = (estimate + (estimate - start)).astype(np.uint8)
    pictures = {"photograph": start, "half": half, "estimate": estimate, "further": further}
    values = [motion.projection(start, estimate, picture) for picture in pictures.values()]
    assert values == pytest.approx([0, 0.5, 1, 2])
    assert motion.projection(start, start, further) == 0


@pytest.fixture(scope="module")
def generator():
    return restoration.load("fidelity")


def both(generator, photo):
    """The generator's answer, and the one that is corrected."""
    return [
        method(generator, photo, bar=False) for method in (restoration.restore, restoration.deblur)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("linear_light", [False, True])
def test_with_the_motion_the_generators_estimate_becomes_much_better(
    generator, sharp, psf, linear_light
):
    blurred = blur.blur(sharp, psf, linear_light)
    estimate, corrected = (evaluation.psnr(sharp, x) for x in both(generator, blurred))
    assert estimate > evaluation.psnr(sharp, blurred) + 0.5
    assert corrected > estimate + 1.5


@pytest.mark.slow
def test_where_a_part_moved_by_itself_the_generators_answer_stays(generator, sharp, blurred):
    half = np.where(np.arange(sharp.shape[1])[None, :, None] < 160, blurred, sharp)
    estimate, corrected = both(generator, half)
    np.testing.assert_array_equal(corrected, estimate)


@pytest.mark.slow
def test_what_stands_still_around_the_middle_is_not_spoiled(generator, sharp, blurred, monkeypatch):
    """In a large photograph, whose kernel is found in the middle alone."""
    monkeypatch.setattr(motion, "LARGEST", 160)
    monkeypatch.setattr(motion, "PART", 128)
    middle = np.zeros((320, 320, 1), bool)
    middle[70:250, 70:250] = True
    results = {}
    for name, photo in {"all": blurred, "middle": np.where(middle, blurred, sharp)}.items():
        estimate, corrected = both(generator, photo)
        results[name] = np.array_equal(estimate, corrected)
    assert results == {"all": False, "middle": True}


@pytest.mark.slow
def test_a_sharp_photograph_keeps_the_generators_answer(generator, sharp):
    estimate, corrected = both(generator, sharp)
    np.testing.assert_array_equal(corrected, estimate)
