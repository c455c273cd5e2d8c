import json

import numpy as np
import pytest
from PIL import Image

from deblurgan_lib import photos
from deblurgan_lib.data import sample
from deblurgan_lib.data.pairs import find_pairs, spread
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
