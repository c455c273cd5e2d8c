import itertools
import json

import numpy as np
import pytest
from PIL import Image

from deblurgan_lib import blur
from deblurgan_lib.datasets import photos, pipeline, sample
from deblurgan_lib.datasets.pairs import find_pairs, spread
from deblurgan_lib.errors import CourseError

# ------------------------------------------------------------------------------------- photographs


def test_exif_orientation_is_applied(tmp_path, photo):
    exif = Image.Exif()
    exif[0x0112] = 6  # The camera was held upright.
    Image.fromarray(photo).save(tmp_path / "upright.png", exif=exif)
    np.testing.assert_array_equal(photos.read_photo(tmp_path / "upright.png"), np.rot90(photo, -1))


def test_grey_palette_alpha_and_16_bit_become_rgb(tmp_path, photo):
    grey = photo[..., 0]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(
        photos.read_photo(tmp_path / "grey.png"), np.repeat(grey[..., None], 3, axis=2)
    )
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(
        photos.read_photo(tmp_path / "deep.png"), np.repeat(grey[..., None], 3, axis=2)
    )
    alpha = np.dstack([photo, np.full(grey.shape, 255, np.uint8)])
    alpha[:10, :, 3] = 0
    Image.fromarray(alpha).save(tmp_path / "alpha.png")
    seen = photos.read_photo(tmp_path / "alpha.png")
    assert (seen[:10] == 255).all()
    np.testing.assert_array_equal(seen[10:], photo[10:])
    Image.fromarray(photo).convert("P").save(tmp_path / "palette.gif")
    assert photos.read_photo(tmp_path / "palette.gif").shape == photo.shape


@pytest.mark.parametrize("content", [b"", b"not an image", None])
def test_a_file_that_is_no_image_is_named(tmp_path, photo, content):
    path = tmp_path / "photo.png"
    if content is None:
        photos.write_photo(path, photo)
        content = path.read_bytes()[:5000]
    path.write_bytes(content)
    with pytest.raises(CourseError, match="photo.png"):
        photos.read_photo(path)


def test_a_photo_that_cannot_be_written_leaves_the_old_one(tmp_path, photo, monkeypatch):
    path = tmp_path / "photo.png"
    photos.write_photo(path, photo)

    def full_disk(self, target, **kwargs):
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full_disk)
    with pytest.raises(CourseError, match=r"photo.png .*No space left on device"):
        photos.write_photo(path, 255 - photo)
    assert list(tmp_path.iterdir()) == [path]
    np.testing.assert_array_equal(photos.read_photo(path), photo)


# ------------------------------------------------------------------------------------------- pairs


def test_pairs_are_found_by_stem(data_set):
    (data_set / "train" / "B" / "train_0.png").rename(data_set / "train" / "B" / "train_0.PNG")
    pairs = find_pairs(data_set / "train")
    assert [(a.stem, b.stem) for a, b in pairs] == [("train_0",) * 2, ("train_1",) * 2]


def test_what_does_not_match_is_listed(data_set):
    (data_set / "train" / "A" / "train_0.png").rename(data_set / "train" / "A" / "lost.png")
    with pytest.raises(CourseError, match="only in A: lost; only in B: train_0"):
        find_pairs(data_set / "train")


def test_missing_and_empty_folders_are_named(data_set, tmp_path):
    with pytest.raises(CourseError, match="nowhere"):
        find_pairs(tmp_path / "nowhere")
    for photo in (data_set / "test" / "A").iterdir():
        photo.unlink()
    with pytest.raises(CourseError, match="no photos in .*A"):
        find_pairs(data_set / "test")


def test_partners_of_different_size_are_refused(data_set, photo):
    photos.write_photo(data_set / "train" / "B" / "train_1.png", photo[:50, :60])
    with pytest.raises(CourseError, match=r"train_1.png is 128x96 .* 60x50"):
        find_pairs(data_set / "train")


def test_sizes_are_compared_as_people_see_the_photos(data_set, photo):
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = Image.fromarray(np.rot90(photo[:96, :128]))
    lying.save(data_set / "train" / "A" / "train_0.jpg", exif=exif)
    (data_set / "train" / "A" / "train_0.png").unlink()
    assert len(find_pairs(data_set / "train")) == 2
    Image.fromarray(photo[:96, :128]).save(data_set / "train" / "A" / "train_0.jpg", exif=exif)
    with pytest.raises(CourseError, match="train_0.jpg is 96x128"):
        find_pairs(data_set / "train")


def test_every_kind_of_photo_reaches_the_network(data_set, photo):
    for suffix in ("tif", "webp", "jpg", "bmp"):
        for side in "AB":
            Image.fromarray(photo[:96, :128]).save(data_set / "train" / side / f"kind.{suffix}")
        pairs = [pair for pair in find_pairs(data_set / "train") if pair.sharp.stem == "kind"]
        ((blurred, _),) = batches(pairs, 1)
        assert np.isfinite(blurred).all()
        for side in "AB":
            (data_set / "train" / side / f"kind.{suffix}").unlink()


def test_two_files_with_one_stem_are_refused(data_set, photo):
    photos.write_photo(data_set / "train" / "A" / "train_1.jpg", photo[:96, :128])
    with pytest.raises(CourseError, match="share a stem"):
        find_pairs(data_set / "train")


def test_spread_takes_from_the_whole_list():
    assert spread(list(range(10)), 3) == [0, 3, 6]
    assert spread([1, 2], 5) == [1, 2]


# ---------------------------------------------------------------------------------- the sample set


@pytest.fixture(scope="module")
def sample_set(tmp_path_factory):
    return sample.make_sample(tmp_path_factory.mktemp("data") / "sample")


def test_the_sample_set_is_pairs_of_different_photographs(sample_set):
    train, test = find_pairs(sample_set / "train"), find_pairs(sample_set / "test")
    assert len(train) == 5 * 6
    assert len(test) == 2 * 6
    names = [{pair.sharp.stem.rsplit("_", 1)[0] for pair in pairs} for pairs in (train, test)]
    assert names[0].isdisjoint(names[1])
    for pair in test:
        a, b = photos.read_photo(pair.blurred), photos.read_photo(pair.sharp)
        assert 1 < np.abs(a.astype(int) - b).mean() < 40
        assert a.mean() == pytest.approx(b.mean(), abs=1.5)


def test_the_sample_set_is_made_once_and_again_only_when_incomplete(sample_set):
    one = sample_set / "test" / "A" / "coffee_0.png"
    before, made_at = one.read_bytes(), one.stat().st_mtime_ns
    sample.make_sample(sample_set)
    assert one.stat().st_mtime_ns == made_at
    one.unlink()
    sample.make_sample(sample_set)
    assert one.read_bytes() == before
    assert sorted(p.name for p in sample_set.parent.iterdir()) == ["sample"]


def test_a_sample_set_made_by_another_version_is_made_again(sample_set):
    marker = sample_set / "sample.json"
    marker.write_text(json.dumps({"photos": []}))
    assert not sample.is_complete(sample_set)
    sample.make_sample(sample_set)
    assert sample.is_complete(sample_set)


# ---------------------------------------------------------------------------------------- pipeline


def batches(pairs, n, **options):
    options = {"crop": 64, "batch": 3, "seed": 1} | options
    stream = pipeline.training_batches(pairs, **options).take(n)
    return [(a.numpy(), b.numpy()) for a, b in stream]


def test_8_bit_values_survive_the_way_to_the_network_and_back():
    values = np.arange(256, dtype=np.uint8)[:, None]
    np.testing.assert_array_equal(pipeline.to_uint8(pipeline.to_float(values)), values)
    assert pipeline.to_float(values).numpy().min() == -1
    assert pipeline.to_float(values).numpy().max() == 1


def test_values_outside_the_range_are_clipped_not_wrapped():
    np.testing.assert_array_equal(pipeline.to_uint8(np.array([-1.5, 1.02])), [0, 255])


def test_crops_have_native_resolution_and_stay_aligned(data_set):
    """Every crop, turned back, stands in its photograph, and its partner at the same place."""
    pairs = find_pairs(data_set / "train")
    whole = [[photos.read_photo(path) for path in pair] for pair in pairs]

    def stands_in(crop, photo):
        first_rows = np.lib.stride_tricks.sliding_window_view(photo, (1, 64, 3))[:-63, :, 0, 0]
        places = np.argwhere((first_rows == crop[0]).all(axis=(2, 3)))
        return {(y, x) for y, x in places if np.array_equal(photo[y:, x:][:64, :64], crop)}

    symmetries = list(itertools.product(range(4), (False, True)))
    seen = set()
    for blurred, sharp in batches(pairs, 4):
        assert blurred.shape == sharp.shape == (3, 64, 64, 3)
        for a, b in zip(pipeline.to_uint8(blurred).numpy(), pipeline.to_uint8(sharp).numpy()):
            found = set()
            for turns, mirror in symmetries:
                back = [np.rot90(x, turns) for x in (a, b)]
                back = [x[:, ::-1] for x in back] if mirror else back
                for left, right in whole:
                    if stands_in(back[0], left) & stands_in(back[1], right):
                        found.add((turns, mirror))
            assert len(found) == 1
            seen |= found
    assert len(seen) >= 4  # Several of the eight symmetries came up in twelve crops.


def test_one_seed_gives_one_stream_and_another_another(data_set):
    pairs = find_pairs(data_set / "train")
    first, again, other = (
        batches(pairs, 3, seed=seed, fresh_blur=0.5)[-1][0] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("start", [3, 8, 13])
def test_a_resumed_stream_continues_an_unbroken_one(data_set, start):
    pairs = find_pairs(data_set / "train")
    unbroken = batches(pairs, start + 2, fresh_blur=0.5)[start:]
    resumed = batches(pairs, 2, fresh_blur=0.5, start_step=start)
    np.testing.assert_array_equal(unbroken, resumed)


def test_fresh_blur_is_the_blur_of_blur_py(photo):
    psfs = blur.random_psfs(2, 3, 15, 20)
    ours = pipeline._blur_batch(np.stack([photo, photo[::-1]]).astype(np.float32), psfs).numpy()
    inner = slice(7, -7)
    for result, sharp, psf in zip(ours, (photo, photo[::-1]), psfs, strict=True):
        expected = blur.blur(sharp, psf)[inner, inner]
        assert np.abs(result - expected).max() < 0.51


def test_fresh_blur_makes_new_inputs_and_keeps_the_targets(data_set):
    pairs = find_pairs(data_set / "train")
    all_fresh, half_fresh, stored = (batches(pairs, 1, fresh_blur=p)[0] for p in (1.0, 0.5, 1e-9))
    np.testing.assert_array_equal(all_fresh[1], half_fresh[1])
    is_fresh = [not np.array_equal(a, b) for a, b in zip(all_fresh[0], stored[0], strict=True)]
    assert all(is_fresh)
    assert abs(all_fresh[0].mean() - all_fresh[1].mean()) < 0.02


def test_a_photo_smaller_than_a_crop_is_named(data_set):
    with pytest.raises(CourseError, match="train_0.png is 128x96"):
        pipeline.training_batches(find_pairs(data_set / "train"), crop=100, batch=1, seed=0)


def test_a_one_pixel_photo_is_named(data_set, photo):
    for side in "AB":
        photos.write_photo(data_set / "train" / side / "dot.png", photo[:1, :1])
    with pytest.raises(CourseError, match="dot.png is 1x1"):
        pipeline.training_batches(find_pairs(data_set / "train"), crop=64, batch=1, seed=0)


def test_whole_photos_come_once_each_and_uncropped(data_set):
    seen = list(pipeline.whole_photos(find_pairs(data_set / "test")))
    assert [tuple(a.shape) for a, _ in seen] == [(1, 96, 128, 3)] * 2
