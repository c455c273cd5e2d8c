"""The shipped generators on two crops of real frames, which no camera shake of ours has blurred."""

from pathlib import Path

import pytest

from deblurgan_lib import restoration
from deblurgan_lib.data.pairs import find_pairs
from deblurgan_lib.evaluation import psnr, ssim
from deblurgan_lib.photos import read_photo

pytestmark = pytest.mark.slow
CROPS = Path(__file__).with_name("real_crops")


@pytest.fixture(scope="module", params=restoration.shipped())
def generator(request):
    return restoration.load(request.param)


@pytest.fixture(params=find_pairs(CROPS), ids=lambda pair: pair.sharp.stem)
def pair(request):
    return [read_photo(path) for path in request.param]


def test_both_halves_of_a_pair_show_the_same_and_one_of_them_is_blurred(pair):
    blurred, sharp = pair
    assert blurred.shape == sharp.shape == (200, 272, 3)
    assert 20 < psnr(sharp, blurred) < 28
    assert 0.7 < ssim(sharp, blurred) < 0.8


def test_a_shipped_generator_helps_a_real_frame(generator, pair):
    """Measured gains: 0.4 to 2.2 dB and 0.02 to 0.07 in SSIM."""
    blurred, sharp = pair
    restored = restoration.restore(generator, blurred)
    assert psnr(sharp, restored) > psnr(sharp, blurred) + 0.3
    assert ssim(sharp, restored) > ssim(sharp, blurred) + 0.01


def test_the_search_for_a_motion_leaves_a_real_frame_as_good_as_it_was(generator, pair):
    """One of them moved as one, and gains 0.04 in SSIM; the flowers moved each by itself."""
    blurred, sharp = pair
    restored, corrected = (
        method(generator, blurred, bar=False)
        for method in (restoration.restore, restoration.deblur)
    )
    assert ssim(sharp, corrected) >= ssim(sharp, restored)
    assert psnr(sharp, corrected) > psnr(sharp, restored) - 0.2


def test_a_sharp_real_frame_stays_nearly_as_it_is(generator, pair):
    _, sharp = pair
    restored, corrected = (
        method(generator, sharp, bar=False) for method in (restoration.restore, restoration.deblur)
    )
    assert psnr(sharp, restored) > 33
    assert psnr(sharp, corrected) > 33
