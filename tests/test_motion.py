"""The motion of a camera from a photograph and an estimate of what was there, and deconvolution."""

import numpy as np
import pytest

from deblurgan_lib import evaluation, restoration
from deblurgan_lib.data import blur, find_data
from deblurgan_lib.photos import read_photo
from deblurgan_lib.restoration import deconvolution, kernel, motion


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
    found = kernel.estimate_psf(blurred, sharp)
    size = max(len(found), len(psf))
    apart = np.abs(same_size(found, size) - same_size(psf, size)).sum()
    still = np.zeros_like(psf)
    still[len(psf) // 2, len(psf) // 2] = 1
    assert apart < 0.7 < 1.5 < np.abs(still - psf).sum()
    assert kernel.rms_radius(found) == pytest.approx(kernel.rms_radius(psf), rel=0.3)


def test_a_found_kernel_grows_with_the_scale_and_keeps_brightness_and_place(sharp, blurred):
    seen = []
    found = kernel.estimate_psf(blurred, sharp, watch=seen.append)
    assert [len(psf) for psf in seen] == [9, 13, 19, 25, 37, 51] and seen[-1] is found
    assert found.shape == (51, 51) and found.min() >= 0
    assert found.sum() == pytest.approx(1, abs=1e-5)
    y, x = np.mgrid[:51, :51] - 25
    assert (found * y).sum() == pytest.approx(0, abs=1e-3)
    assert (found * x).sum() == pytest.approx(0, abs=1e-3)


def test_from_coarse_to_fine_a_long_motion_is_found_that_the_estimate_hardly_shows(sharp):
    path = blur.shake_trajectories(1, 1044, max_length=40.0)[0]
    psf = blur.point_spread_function(path)
    blurred = blur.blur(sharp, psf)
    estimate = ((blurred.astype(int) * 9 + sharp) // 10).astype(np.uint8)
    coarse_to_fine = kernel.estimate_psf(blurred, estimate)
    at_one_scale = kernel.refine_psf(blurred, estimate)
    apart = [
        np.abs(same_size(x, 51) - same_size(psf, 51)).sum() for x in (coarse_to_fine, at_one_scale)
    ]
    assert apart[0] < 0.7 and apart[0] < apart[1]


def test_refining_brings_a_kernel_nearer_to_the_true_one(sharp, psf, blurred):
    first = kernel.estimate_psf(blurred, sharp)
    second = kernel.refine_psf(blurred, sharp, first)
    apart = [np.abs(same_size(x, 51) - same_size(psf, 51)).sum() for x in (first, second)]
    assert apart[1] < apart[0]


def test_where_nothing_moved_no_kernel_is_found(sharp):
    assert kernel.estimate_psf(sharp, sharp) is None
    assert kernel.rms_radius(kernel.refine_psf(sharp, sharp)) < 0.2
    assert motion.search(sharp, sharp) is None


def test_a_right_estimate_and_a_right_kernel_change_little(sharp, psf, blurred):
    after = deconvolution.deconvolve(blurred, sharp, psf)
    inside = np.s_[40:-40, 40:-40]
    assert evaluation.psnr(sharp[inside], after[inside]) > 34


def test_what_the_photograph_shows_is_taken_from_it(sharp, psf, blurred):
    """From a estimate that is no estimate at all, the photograph itself, with the true kernel."""
    after = deconvolution.deconvolve(blurred, blurred, psf)
    assert evaluation.psnr(sharp, after) > evaluation.psnr(sharp, blurred) + 4


def test_what_the_blur_has_destroyed_is_taken_from_the_estimate():
    """A kernel of 1/4, 1/2, 1/4 leaves nothing of stripes one pixel wide."""
    psf = np.zeros((3, 3))
    psf[1] = 0.25, 0.5, 0.25
    grey = np.full((64, 64, 3), 128, np.uint8)
    stripes = grey + np.where(np.arange(64) % 2, 100, 0).astype(np.uint8)[None, :, None]
    after = deconvolution.deconvolve(grey, stripes, psf)
    inside = np.s_[8:-8, 8:-8]
    assert after[inside].mean() == pytest.approx(128, abs=1)  # The mean is the photograph's.
    assert deconvolution.deconvolve(grey, grey, psf)[inside].std() < 1 < after[inside].std()


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 5), (16, 40), (33, 600)])
def test_photographs_of_any_size(shape):
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    other = np.roll(photo, 1)
    assert motion.correct(photo, other).shape == photo.shape
    psf = np.zeros((5, 5), np.float32)
    psf[2] = 0.2
    assert deconvolution.deconvolve(photo, other, psf).shape == photo.shape


def test_a_plain_photograph_has_no_motion():
    photo = np.full((80, 80, 3), 77, np.uint8)
    np.testing.assert_array_equal(motion.correct(photo, photo), photo)


def test_light_that_was_blurred_is_put_right_as_light(sharp, psf):
    blurred = blur.blur(sharp, psf, linear_light=True)
    as_pixels, as_light = (
        evaluation.psnr(sharp, deconvolution.deconvolve(blurred, blurred, psf, linear_light=light))
        for light in (False, True)
    )
    assert as_light > as_pixels + 0.5
    found = {
        light: kernel.estimate_psf(blurred, sharp, linear_light=light) for light in (False, True)
    }
    size = max(len(psf), *map(len, found.values()))
    apart = {k: np.abs(same_size(x, size) - same_size(psf, size)).sum() for k, x in found.items()}
    assert apart[True] < apart[False]


@pytest.mark.parametrize("level", [0, 2, 5])
def test_noise_is_measured_whatever_is_in_the_photograph(blurred, level):
    noisy = blurred + np.random.default_rng(1).normal(0, level, blurred.shape)
    assert deconvolution.noise(noisy[..., 1]) == pytest.approx(level, abs=0.6)


@pytest.mark.parametrize("level", [2, 5])
def test_the_variation_weighs_more_in_a_noisy_photograph(sharp, psf, blurred, level, monkeypatch):
    noisy = blurred + np.random.default_rng(1).normal(0, level, blurred.shape)
    noisy = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    after = evaluation.psnr(sharp, deconvolution.deconvolve(noisy, noisy, psf))
    monkeypatch.setattr(deconvolution, "NOISE_WEIGHT", 0)
    without = evaluation.psnr(sharp, deconvolution.deconvolve(noisy, noisy, psf))
    assert after > evaluation.psnr(sharp, noisy) + 1
    assert after > without + 0.2


def test_a_photograph_in_parts_is_corrected_as_in_one(sharp, psf, blurred, monkeypatch):
    whole = deconvolution.deconvolve(blurred, blurred, psf).astype(int)
    monkeypatch.setattr(deconvolution, "TILE", 160)
    parts = deconvolution.deconvolve(blurred, blurred, psf)
    assert np.abs(parts - whole).max() <= 10 and np.abs(parts - whole).mean() < 0.15


def test_the_right_kernel_leaves_the_sparser_gradients(sharp, psf, blurred):
    wrong = np.rot90(psf)
    evidence = [motion.weigh(blurred, sharp, k.astype(np.float32)) for k in (psf, wrong)]
    assert evidence[0].sparsity < 0.85 < evidence[1].sparsity
    assert evidence[0].cosine > 0.9 > evidence[1].cosine
    assert evidence[0].share == 1 > evidence[1].share


def test_rings_in_one_part_are_seen_though_the_others_have_none(sharp, psf, blurred):
    still = blurred.copy()
    still[105:215, :110] = sharp[105:215, :110]
    everywhere, partly = (motion.weigh(x, sharp, psf.astype(np.float32)) for x in (blurred, still))
    assert partly.worst > everywhere.worst + 0.1
    assert partly.worst > 1 > 0.8 > partly.sparsity


LONG = motion.Evidence(0.7, 0.9, 0.8, 0.85, 1.5, 3.0, 10.0, 0.5)
BRIEF = motion.Evidence(0.5, 1.2, 0.85, 0.9, 1.3, 1.0, 3.0, 0.5)


@pytest.mark.parametrize(
    "good, doubtful",
    [
        (LONG, {"cosine": 0.2}),
        (LONG, {"cosine": 0.4}),  # The generator sees motions of this length.
        (LONG._replace(radius=8.0), {"cosine": 0.2}),  # It sees less of long ones.
        (LONG, {"sparsity": 0.92}),
        (LONG, {"worst": 1.0}),
        (LONG, {"variation": 1.9}),
        (BRIEF, {"cosine": 0.28}),
        (BRIEF, {"projection": 0.7}),
        (BRIEF, {"projection": 4.0}),  # A sharp photograph, which a generator hardly changes.
        (BRIEF, {"sparsity": 0.92}),
        (BRIEF, {"variation": 1.7}),
    ],
)
def test_each_kind_of_doubt_suffices(good, doubtful):
    assert good.share == 1
    assert good._replace(**doubtful).share == 0


def test_a_short_motion_changes_a_photograph_by_what_a_sharp_one_hides():
    assert BRIEF._replace(change=6.4).share == pytest.approx(0.5)
    assert BRIEF._replace(change=6.4, radius=1.5).share == 1


@pytest.mark.parametrize("radius, linear_light, believed", [(1, 0, 1), (1, 1, 0), (3, 1, 1)])
def test_what_is_shorter_than_softness_is_no_motion_of_light(psf, radius, linear_light, believed):
    """Two real crops lost 1.6 and 0.4 dB by such a motion, and nothing gained by one."""
    evidence = (BRIEF if radius < 2 else LONG)._replace(radius=radius)
    assert evidence.share == 1
    assert motion.Motion(psf, bool(linear_light), evidence).believed == bool(believed)


def test_noise_takes_from_the_belief():
    assert [LONG._replace(noise=noise).share for noise in (2, 5, 9)] == pytest.approx([1, 0.5, 0.5])


def test_a_weak_belief_takes_a_part_of_the_correction(sharp, psf, blurred, monkeypatch):
    estimate = ((blurred.astype(int) + sharp) // 2).astype(np.uint8)
    results = {}
    for sparsity in (0.8, 0.8925, 0.92):
        evidence = LONG._replace(sparsity=sparsity)
        found = motion.Motion(psf.astype(np.float32), False, evidence) if evidence.share else None
        monkeypatch.setattr(motion, "search", lambda *_, found=found: found)
        results[sparsity] = motion.correct(blurred, estimate).astype(int)
    np.testing.assert_array_equal(results[0.92], estimate)
    half = (results[0.8] + estimate) / 2
    assert np.abs(results[0.8] - estimate).max() > 20
    assert np.abs(results[0.8925] - half).max() <= 1
    # Of another answer it takes as much, and corrects it just as far.
    np.testing.assert_array_equal(motion.correct(blurred, estimate, answer=sharp), sharp)
    evidence = LONG._replace(sparsity=0.8925)
    found = motion.Motion(psf.astype(np.float32), False, evidence)
    monkeypatch.setattr(motion, "search", lambda *_: found)
    half = (results[0.8] + sharp) / 2
    assert np.abs(motion.correct(blurred, estimate, answer=sharp) - half).max() <= 1


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
    monkeypatch.setattr(deconvolution, "PART", 160)
    monkeypatch.setattr(motion, "PART", 160)
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
