import json
import math
import tracemalloc

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from deblurgan_lib import evaluation, restoration
from deblurgan_lib.data import blur
from deblurgan_lib.data.pairs import find_pairs
from deblurgan_lib.errors import CourseError
from deblurgan_lib.photos import read_photo, write_photo


def test_psnr_of_known_cases():
    black = np.zeros((20, 20, 3), np.uint8)
    assert evaluation.psnr(black, black + 255) == pytest.approx(0)
    assert evaluation.psnr(black, black + 1) == pytest.approx(20 * math.log10(255))
    one_of_three = black.copy()
    one_of_three[..., 0] = 30
    assert evaluation.psnr(black, one_of_three) == pytest.approx(10 * math.log10(255**2 / 300))
    assert evaluation.psnr(black, black) == math.inf


def test_differences_do_not_wrap_around():
    """The 8-bit difference of 0 and 255 is 1; a metric that forgets this scores noise at 28 dB."""
    random = np.random.default_rng(0)
    a, b = (random.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(2))
    assert evaluation.psnr(a, b) == pytest.approx(7.8, abs=0.2)


@pytest.mark.parametrize("rows", [1, 7, 95, 189, 190])
def test_scores_do_not_depend_on_the_strips_and_memory_not_on_the_photograph(
    photo, monkeypatch, rows
):
    other = np.roll(photo, 2, axis=1)
    whole = evaluation.psnr(photo, other), evaluation.ssim(photo, other)
    monkeypatch.setattr(evaluation, "STRIP", rows)
    tracemalloc.start()
    strips = evaluation.psnr(photo, other), evaluation.ssim(photo, other)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert strips == pytest.approx(whole, rel=1e-9)
    # Bytes for each pixel of the strip with its borders: SSIM has many float64 copies of them.
    assert peak < 200_000 + 150 * (rows + 10) * photo.shape[1]


def test_both_metrics_agree_with_scikit_image(photo):
    other = np.roll(photo, 2, axis=1)
    assert evaluation.psnr(photo, other) == pytest.approx(peak_signal_noise_ratio(photo, other))
    channels = [
        structural_similarity(
            photo[..., c], other[..., c], gaussian_weights=True, use_sample_covariance=False
        )
        for c in range(3)
    ]
    assert evaluation.ssim(photo, other) == pytest.approx(np.mean(channels))
    assert evaluation.ssim(photo, photo) == pytest.approx(1)


def test_ssim_of_a_photo_below_its_window_is_refused():
    with pytest.raises(CourseError, match="5x10"):
        evaluation.ssim(np.zeros((10, 5, 3), np.uint8), np.zeros((10, 5, 3), np.uint8))


def test_the_report_puts_doing_nothing_beside_the_restoration(data_set):
    pairs = find_pairs(data_set / "test")
    report = evaluation.evaluate(lambda photo: photo, pairs)
    assert report["n_images"] == 2
    assert report["psnr_restored"] == report["psnr_blurred"]
    assert report["ssim_restored"] == report["ssim_blurred"]
    photos = [row["psnr_blurred"] for row in report["photos"]]
    assert report["psnr_blurred"] == pytest.approx(np.mean(photos))
    assert "11x11, sigma 1.5" in report["protocol"]


def test_a_report_is_valid_json_even_for_a_perfect_restoration(data_set):
    pairs = find_pairs(data_set / "test")
    sharp = iter([read_photo(pair.sharp) for pair in pairs])
    report = evaluation.evaluate(lambda photo: next(sharp), pairs)
    assert report["psnr_restored"] is None
    assert report["ssim_restored"] == pytest.approx(1)
    json.dumps(report, allow_nan=False)


def test_one_equal_pair_does_not_erase_the_mean_of_the_others(data_set):
    pairs = find_pairs(data_set / "test")
    alone = evaluation.evaluate(lambda photo: photo, pairs[1:])
    write_photo(pairs[0].blurred, read_photo(pairs[0].sharp))
    report = evaluation.evaluate(lambda photo: photo, pairs)
    assert (report["n_images"], report["n_equal"], alone["n_equal"]) == (2, 1, 0)
    assert report["psnr_blurred"] == report["psnr_restored"] == alone["psnr_blurred"]
    assert report["photos"][0]["psnr_blurred"] is None
    assert evaluation.psnr_of_input(pairs) == pytest.approx(alone["psnr_blurred"])


def test_a_photograph_left_out_of_one_mean_is_left_out_of_the_other(data_set):
    """Else the gain would be the difference of two different sets."""
    pairs = find_pairs(data_set / "test")
    write_photo(pairs[0].blurred, read_photo(pairs[0].sharp))
    report = evaluation.evaluate(lambda photo: photo // 2, pairs)
    assert report["psnr_restored"] == report["photos"][1]["psnr_restored"]


@pytest.fixture(scope="module")
def shaken(photo):
    psf = blur.random_psfs(1, seed=7, size=15, max_length=20.0)[0]
    return psf, blur.blur(photo, psf)


@pytest.mark.parametrize("deconvolve", [restoration.wiener, restoration.richardson_lucy])
def test_a_known_blur_is_deconvolved_and_a_wrong_one_makes_it_worse(photo, shaken, deconvolve):
    psf, blurred = shaken
    psnr_blurred = evaluation.psnr(photo, blurred)
    assert evaluation.psnr(photo, deconvolve(blurred, psf)) > psnr_blurred + 4
    assert evaluation.psnr(photo, deconvolve(blurred, np.rot90(psf))) < psnr_blurred


@pytest.mark.parametrize("deconvolve", [restoration.wiener, restoration.richardson_lucy])
def test_no_blur_is_hardly_changed(photo, deconvolve):
    point = np.zeros((15, 15))
    point[7, 7] = 1
    assert evaluation.psnr(photo, deconvolve(photo, point)) > 55


def test_the_unsharp_mask_raises_edges_and_leaves_flat_areas():
    photo = np.full((20, 40, 3), 100, np.uint8)
    photo[:, 20:] = 150
    sharper = restoration.unsharp_mask(photo).astype(int)
    assert (sharper[:, [0, 39]] == photo[:, [0, 39]]).all()
    assert (sharper[:, 19] < 100).all() and (sharper[:, 20] > 150).all()


@pytest.mark.slow
def test_the_perceptual_distance_grows_with_blur_and_noise_and_not_with_brightness(photo):
    distance = evaluation.PerceptualDistance()
    little, more = (
        blur.blur(photo, psf)
        for psf in (blur.random_psfs(1, 0, 15, 8.0)[0], blur.random_psfs(1, 0, 31, 40.0)[0])
    )
    assert distance(photo, photo) == 0
    assert 0 < distance(photo, little) < distance(photo, more) < 2
    assert distance(photo, little) == pytest.approx(distance(little, photo), rel=1e-5)
    error = np.random.default_rng(0).normal(0, 12, photo.shape)
    noisy = np.clip(np.rint(photo + error), 0, 255).astype(np.uint8)
    brighter = np.clip(photo.astype(int) + 12, 0, 255).astype(np.uint8)
    assert evaluation.psnr(photo, noisy) == pytest.approx(evaluation.psnr(photo, brighter), abs=0.5)
    assert distance(photo, noisy) > 3 * distance(photo, brighter)


def test_the_perceptual_distance_is_the_mean_over_depths_of_unit_features(photo):
    other = np.roll(photo, 3, axis=0)
    distance = evaluation.PerceptualDistance("vgg16-random")
    means = []
    for a, b in zip(distance.features(photo), distance.features(other), strict=True):
        a, b = np.asarray(a)[0], np.asarray(b)[0]
        lengths = np.linalg.norm(a, axis=-1)
        np.testing.assert_allclose(lengths[lengths > 0.5], 1.0, atol=1e-4)
        means.append(((a - b) ** 2).sum(-1).mean())
    assert len(means) == 5
    assert distance(photo, other) == pytest.approx(np.mean(means), rel=1e-4)
