import hashlib
import itertools

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, PngImagePlugin

from deblurgan_lib import photos
from deblurgan_lib.data import blur, pipeline
from deblurgan_lib.data.pairs import find_pairs
from deblurgan_lib.data.sample import PSF
from deblurgan_lib.errors import CourseError


def batches(pairs, n, **options):
    options = {"crop": 64, "batch": 3, "seed": 1} | options
    stream = pipeline.training_batches(pairs, **options).take(n)
    return [(a.numpy(), b.numpy()) for a, b in stream]


# ---------------------------------------------------------------------------------------- decoding


def odd_files(photo):
    """PNG files of many kinds: name, image, and what it is saved with."""
    exif = Image.Exif()
    exif[0x0112] = 6
    note, rotated = PngImagePlugin.PngInfo(), PngImagePlugin.PngInfo()
    note.add_text("Software", "none")
    xmp = '<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6"/>'
    rotated.add_itxt("XML:com.adobe.xmp", xmp)
    rgb = Image.fromarray(photo)
    alpha = np.dstack([photo, photo[..., 0]])
    return {
        "exif": (rgb, {"exif": exif}),
        "text": (rgb, {"pnginfo": note}),
        "xmp": (rgb, {"pnginfo": rotated}),
        "one transparent colour": (rgb, {"transparency": tuple(photo[0, 0].tolist())}),
        "alpha": (Image.fromarray(alpha), {}),
        "grey": (Image.fromarray(photo[..., 0]), {}),
        "palette": (rgb.convert("P"), {}),
        "16 bit": (Image.fromarray(photo[..., 0].astype(np.uint16) * 257), {}),
        "animated": (rgb, {"save_all": True, "append_images": [Image.fromarray(255 - photo)]}),
    }


def test_photos_of_every_kind_are_decoded_as_they_are_elsewhere(tmp_path, photo):
    path = tmp_path / "photo.png"
    for kind, (image, options) in odd_files(photo).items():
        image.save(path, **options)
        decoded = pipeline._decode(path)
        np.testing.assert_array_equal(decoded, photos.read_photo(path), kind)
        assert photos.photo_size(path) == decoded.shape[1::-1], kind
        assert not pipeline._is_plain_png(path.read_bytes()), kind


def test_a_plain_png_takes_the_quick_way(tmp_path, photo, monkeypatch):
    monkeypatch.setattr(pipeline, "read_photo", None)
    colours = {
        "nothing else": {},
        "colours": {"icc_profile": b"profile", "dpi": (72, 72)},
    }
    for options in colours.values():
        Image.fromarray(photo).save(tmp_path / "photo.png", **options)
        np.testing.assert_array_equal(pipeline._decode(tmp_path / "photo.png"), photo)
    gamma = PngImagePlugin.PngInfo()
    gamma.add(b"gAMA", (20000).to_bytes(4))
    Image.fromarray(photo).save(tmp_path / "photo.png", pnginfo=gamma)
    np.testing.assert_array_equal(pipeline._decode(tmp_path / "photo.png"), photo)


def test_a_damaged_png_ends_as_it_does_elsewhere(tmp_path, photo):
    path = tmp_path / "photo.png"
    photos.write_photo(path, photo)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for damage in range(120):
        file = bytearray(whole)
        if damage % 3 == 0:
            file = file[: rng.integers(len(file))]
        else:
            file[rng.integers(len(file) if damage % 3 == 1 else 60)] ^= 1 << rng.integers(8)
        path.write_bytes(file)
        outcomes = []
        for decode in (pipeline._decode, photos.read_photo):
            try:
                outcomes.append(decode(path).tobytes())
            except CourseError as error:
                outcomes.append(str(error))
        assert outcomes[0] == outcomes[1], damage


def test_a_photo_that_became_another_is_named(data_set, photo):
    pairs = find_pairs(data_set / "train")
    stream = pipeline.training_batches(pairs, crop=64, batch=3, seed=1)
    photos.write_photo(pairs[1].blurred, photo[:70, :70])
    with pytest.raises(tf.errors.OpError, match="CourseError: .*train_1.png .* has another size"):
        list(stream.take(9))


# ------------------------------------------------------------------------------------------- crops


def test_8_bit_values_survive_the_way_to_the_network_and_back():
    values = np.arange(256, dtype=np.uint8)[:, None]
    np.testing.assert_array_equal(photos.to_uint8(photos.to_float(values)), values)
    assert photos.to_float(values).numpy().min() == -1
    assert photos.to_float(values).numpy().max() == 1


def test_values_outside_the_range_are_clipped_not_wrapped():
    np.testing.assert_array_equal(photos.to_uint8(np.array([-1.5, 1.02])), [0, 255])


def test_crops_have_native_resolution_and_stay_aligned(data_set):
    """Every crop, rotated back, is in its photograph, and its partner at the same place."""
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
        for a, b in zip(photos.to_uint8(blurred).numpy(), photos.to_uint8(sharp).numpy()):
            found = set()
            for rotations, flip in symmetries:
                back = [np.rot90(x, rotations) for x in (a, b)]
                back = [x[:, ::-1] for x in back] if flip else back
                for left, right in whole:
                    if stands_in(back[0], left) & stands_in(back[1], right):
                        found.add((rotations, flip))
            assert len(found) == 1
            seen |= found
    assert len(seen) >= 4  # Several of the eight symmetries came up in twelve crops.


def test_one_seed_gives_one_stream_and_another_another(data_set):
    pairs = find_pairs(data_set / "train")
    first, again, other = (
        batches(pairs, 3, seed=seed, fresh_blur=0.5)[-1][0] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.isfinite(other).all() and not np.array_equal(first, other)


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
    differences = [np.abs(a - b).max() for a, b in zip(all_fresh[0], stored[0], strict=True)]
    assert min(differences) > 0
    assert abs(all_fresh[0].mean() - all_fresh[1].mean()) < 0.02


def test_a_photo_smaller_than_a_crop_is_named(data_set):
    with pytest.raises(CourseError, match="train_0.png is 128x96"):
        pipeline.training_batches(find_pairs(data_set / "train"), crop=100, batch=1, seed=0)


def test_a_one_pixel_photo_is_named(data_set, photo):
    for side in "AB":
        photos.write_photo(data_set / "train" / side / "dot.png", photo[:1, :1])
    with pytest.raises(CourseError, match="dot.png is 1x1"):
        pipeline.training_batches(find_pairs(data_set / "train"), crop=64, batch=1, seed=0)


def test_a_window_beyond_a_photo_is_padded_by_reflection(photo):
    padded = np.pad(photo[:40, :50], ((9, 9), (9, 9), (0, 0)), mode="reflect")
    for top, left in itertools.product((-9, -3, 0, 5, 17), (-9, 0, 4, 27)):
        expected = padded[top + 9 :, left + 9 :][:32, :32]
        window = pipeline._window(photo[:40, :50], top, left, 32)
        np.testing.assert_array_equal(window, expected)


def test_the_draws_stay_what_they_are(data_set):
    """Stored lessons and the weights that come with the course were made with these crops."""
    seen = hashlib.sha256()
    for _, sharp in batches(find_pairs(data_set / "train"), 20, fresh_blur=0.5):
        seen.update(photos.to_uint8(sharp).numpy().tobytes())
    assert seen.hexdigest()[:16] == "37c7a747f517c198"


@pytest.mark.parametrize("start", [0, 11])
def test_the_parts_of_several_workers_are_the_batch_of_one(data_set, start):
    pairs = find_pairs(data_set / "train")
    psfs = blur.random_psfs(8, 0, 15, 20)
    options = {"batch": 6, "fresh_blur": 0.5, "psfs": psfs, "start_step": start}
    whole = batches(pairs, 10, **options)
    parts = [batches(pairs, 10, **options, worker=i, workers=3) for i in range(3)]
    for step, batch in enumerate(whole):
        for half in (0, 1):
            together = np.concatenate([part[step][half] for part in parts])
            np.testing.assert_array_equal(together, batch[half])


@pytest.mark.parametrize("worker, workers", [(0, 4), (3, 3), (-1, 3)])
def test_a_batch_that_cannot_be_shared_is_refused(data_set, worker, workers):
    with pytest.raises(CourseError, match=f"Worker {worker} of {workers} .* batch of 6"):
        batches(find_pairs(data_set / "train"), 1, batch=6, worker=worker, workers=workers)


def test_fresh_blur_takes_the_shakes_it_is_given(data_set):
    pairs = find_pairs(data_set / "train")
    still = np.zeros((1, 31, 31), np.float32)
    still[0, 15, 15] = 1
    ((blurred, sharp),) = batches(pairs, 1, fresh_blur=1.0, psfs=still)
    np.testing.assert_array_equal(blurred, sharp)
    long = blur.random_psfs(64, 0, 31, 60.0)
    blurred, same = batches(pairs, 1, fresh_blur=1.0, psfs=long)[0]
    np.testing.assert_array_equal(same, sharp)
    assert np.abs(blurred - sharp).mean() > 0.02


def test_without_shakes_of_its_own_fresh_blur_takes_the_sample_sets(data_set):
    pairs = find_pairs(data_set / "train")
    psfs = blur.random_psfs(512, 1, **PSF)
    given, default = (batches(pairs, 2, fresh_blur=0.5, psfs=x)[1] for x in (psfs, None))
    np.testing.assert_array_equal(given, default)


def test_every_kind_of_photo_reaches_the_network(data_set, photo):
    for suffix in ("tif", "webp", "jpg", "bmp"):
        for side in "AB":
            Image.fromarray(photo[:96, :128]).save(data_set / "train" / side / f"kind.{suffix}")
        pairs = [pair for pair in find_pairs(data_set / "train") if pair.sharp.stem == "kind"]
        ((blurred, _),) = batches(pairs, 1)
        assert np.isfinite(blurred).all()
        for side in "AB":
            (data_set / "train" / side / f"kind.{suffix}").unlink()
