import json
import shutil
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

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

    def full_disk(self, target, kind, **options):
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full_disk)
    with pytest.raises(CourseError, match=r"photo.png .*No space left on device"):
        photos.write_photo(path, 255 - photo)
    assert list(tmp_path.iterdir()) == [path]
    np.testing.assert_array_equal(photos.read_photo(path), photo)


def exif_bytes():
    exif = Image.Exif()
    exif[0x0110], exif[0x0112] = "a camera", 6
    exif.get_ifd(0x8769)[0x9003] = "2020:02:02 20:20:20"
    return exif.tobytes()


@pytest.mark.parametrize(
    "suffix", [".jpg", ".png", ".webp", ".tif", ".bmp", ".heic", ".heif", ".hif", ".avif"]
)
def test_every_kind_is_read_and_written_with_what_its_file_holds(tmp_path, photo, suffix):
    path, result = tmp_path / f"p{suffix}", tmp_path / f"q{suffix}"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photos.write_photo(path, photo)  # Loads what writes this kind.
    meta = {} if suffix == ".bmp" else {"exif": exif_bytes(), "icc_profile": profile}
    Image.fromarray(photo).save(path, photos.FORMATS[suffix], quality=95, **meta)
    seen, metadata = photos.read_with_metadata(path)
    upright = photo if suffix == ".bmp" else np.rot90(photo, -1)
    assert np.abs(seen.astype(int) - upright).mean() < 3
    assert photos.photo_size(path) == seen.shape[1::-1]
    assert photos.read_mark(path) == ""
    photos.write_photo(result, seen, metadata, mark="made by a test")
    assert photos.read_mark(result) == "made by a test"
    again = photos.read_photo(result)
    assert np.abs(again.astype(int) - seen).mean() < 3
    with photos.open_photo(result) as image:
        assert image.format == photos.FORMATS[suffix]
        exif = image.getexif()
        assert exif.get(0x0112, 1) == 1
        if suffix != ".bmp":
            assert exif[0x0110] == "a camera" and image.info["icc_profile"] == profile
            assert exif.get_ifd(0x8769)[0x9003] == "2020:02:02 20:20:20"


def test_grey_and_opacity_of_what_phones_make(tmp_path, photo):
    alpha = photo[..., 0]
    for suffix in (".heic", ".avif"):
        path = tmp_path / f"p{suffix}"
        photos.write_photo(path, photo, photos.PhotoMetadata(False, alpha, {}))
        seen = photos.read_with_metadata(path)[1]
        assert not seen.grey and np.abs(seen.alpha.astype(int) - alpha).mean() < 3
        photos.write_photo(path, photo, photos.PhotoMetadata(True, None, {}))
        assert photos.read_with_metadata(path)[1].grey


def test_a_mark_has_room_beside_metadata_of_any_length(tmp_path, photo):
    exif = Image.Exif()
    exif[0x010E] = "a" * 64_900
    metadata = photos.PhotoMetadata(False, None, {"exif": exif.tobytes()})
    photos.write_photo(tmp_path / "p.jpg", photo, metadata, mark="made by a test")
    assert photos.read_mark(tmp_path / "p.jpg") == "made by a test"


def test_heic_is_loaded_only_where_there_is_one():
    code = "import sys; from deblurgan_lib import photos; sys.exit('pillow_heif' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# ------------------------------------------------------------ camera raw, and what is no photograph

SENSOR = {"photometric": 32803}  # A mosaic of red, green and blue pixels.


def nef(path, small, large):
    """As Nikon's cameras: a preview first, the sensor's pixels in a directory below it."""
    with tifffile.TiffWriter(path) as file:
        file.write(small, photometric="rgb", subfiletype=1, subifds=1)
        file.write(large[..., 0], **SENSOR)


def large_below(path, small, large):
    with tifffile.TiffWriter(path) as file:
        file.write(small, photometric="rgb", subifds=1)
        file.write(large, photometric="rgb")


def sensor_first(path, small, large):
    with tifffile.TiffWriter(path) as file:
        file.write(large[..., 0], **SENSOR)
        file.write(small, photometric="rgb", subfiletype=1)


def dng(path, small, large):
    version = (50706, "B", 4, (1, 4, 0, 0), True)
    tifffile.imwrite(path, small, photometric="rgb", extratags=[version])


def starts(content):
    return lambda path, *_: path.write_bytes(content + bytes(500))


RAW = {
    "nef": nef,
    "large below": large_below,
    "pef": sensor_first,
    "dng": dng,
    "cr2": starts(b"II*\0\x10\0\0\0CR\2\0"),
    "cr3": starts(b"\0\0\0\x18ftypcrx "),
    "raf": starts(b"FUJIFILMCCD-RAW 0201"),
    "orf": starts(b"IIRO\x08\0\0\0"),
    "rw2": starts(b"IIU\0\x18\0\0\0"),
}


@pytest.mark.parametrize("kind", RAW)
@pytest.mark.parametrize("name", ["DSC_0001.NEF", "DSC_0001.tif", "DSC_0001.jpg", "DSC_0001"])
def test_no_preview_is_taken_for_the_photo_of_a_raw_file(tmp_path, photo, kind, name):
    RAW[kind](tmp_path / name, photo[:60, :80], photo)
    for read in (photos.read_photo, photos.photo_size, photos.read_with_metadata):
        with pytest.raises(CourseError, match=f"{name} is a camera raw file.*developed first"):
            read(tmp_path / name)


def test_a_raw_suffix_is_believed_and_a_preview_alone_is_no_photo(tmp_path, photo):
    photos.write_photo(tmp_path / "p.jpg", photo)
    (tmp_path / "p.jpg").rename(tmp_path / "p.Arw")
    with pytest.raises(CourseError, match="raw file"):
        photos.read_photo(tmp_path / "p.Arw")
    tifffile.imwrite(tmp_path / "p.tif", photo, photometric="rgb", subfiletype=1)
    with pytest.raises(CourseError, match="only a preview"):
        photos.read_photo(tmp_path / "p.tif")


def test_the_page_that_is_no_preview_is_the_photo(tmp_path, photo):
    with tifffile.TiffWriter(tmp_path / "first.tif") as file:
        file.write(photo[:60, :80], photometric="rgb", subfiletype=1)
        file.write(photo, photometric="rgb")
    with tifffile.TiffWriter(tmp_path / "pyramid.tif") as file:
        file.write(photo, photometric="rgb", subifds=1)
        file.write(photo[::2, ::2], photometric="rgb", subfiletype=1)
    for name in ("first.tif", "pyramid.tif"):
        seen, metadata = photos.read_with_metadata(tmp_path / name)
        np.testing.assert_array_equal(seen, photo)
        assert metadata.left_out == "" and photos.photo_size(tmp_path / name) == (240, 200)


def test_further_pictures_are_counted_and_previews_are_not(tmp_path, photo):
    def save(name, kind, *others, **options):
        others = [Image.fromarray(other) for other in others]
        Image.fromarray(photo).save(
            tmp_path / name, kind, save_all=True, append_images=others, **options
        )

    photos.write_photo(tmp_path / "load.heic", photo)  # Loads what writes it.
    for name, kind in (
        ("pages.tif", "TIFF"), ("moving.png", "PNG"), ("moving.webp", "WEBP"),
        ("moving.gif", "GIF"), ("two.jpg", "MPO"), ("burst.heic", "HEIF"), ("moving.avif", "AVIF"),
    ):  # fmt: skip
        save(name, kind, 255 - photo, photo[::-1])
    gain_map = photo[::4, ::4, 0]
    save("gain_map.jpg", "MPO", gain_map)
    with tifffile.TiffWriter(tmp_path / "preview.tif") as file:
        file.write(photo, photometric="rgb")
        file.write(photo[::4, ::4], photometric="rgb", subfiletype=1)
    xmp = b'<x:xmpmeta><rdf:Description GCamera:MotionPhoto="1"/></x:xmpmeta>'
    Image.fromarray(photo).save(tmp_path / "film.jpg", xmp=xmp)
    (tmp_path / "load.heic").unlink()
    found = {}
    for path in tmp_path.iterdir():
        seen, metadata = photos.read_with_metadata(path)
        found[path.name] = metadata.left_out
        assert np.abs(seen.astype(int) - photo).mean() < 12, path  # The first; GIF has 256 colours.
    none = {"gain_map.jpg": "", "preview.tif": "", "film.jpg": "a film"}
    assert found == dict.fromkeys(found, "2 more pictures") | none


def test_what_a_folder_holds_is_a_photo_or_left_out_with_a_reason(tmp_path, photo):
    for folder in ("@eaDir", ".thumbnails", "__MACOSX", "Previews.lrdata", "beach"):
        (tmp_path / folder).mkdir()
        photos.write_photo(tmp_path / folder / "p.jpg", photo[:9, :9])
    for name in ("a.NEF", "b.mov", "c.psd", "Thumbs.db", "desktop.ini", ".d.jpg", "._e.jpg"):
        (tmp_path / name).write_bytes(b"something")
    (tmp_path / "elsewhere").symlink_to(tmp_path / "beach")
    found, left_out = photos.look_through(tmp_path, recursive=True)
    assert found == [tmp_path / "beach" / "p.jpg"]
    assert {why: [path.name for path in paths] for why, paths in left_out.items()} == {
        photos.IS_RAW: ["a.NEF"], photos.IS_FILM: ["b.mov"], photos.IS_OTHER: ["c.psd"],
        photos.LINK: ["elsewhere"],
    }  # fmt: skip


def test_a_name_as_long_as_names_can_be(tmp_path, photo):
    path = tmp_path / ("照" * 83 + ".jpg")
    photos.write_photo(path, photo)
    assert photos.photo_size(path) == (240, 200)


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
    with pytest.raises(CourseError, match=r"train_1.jpg and train_1.png in .* have the same name"):
        find_pairs(data_set / "train")


@pytest.mark.parametrize(
    "a, b", [("blur", "sharp"), ("input", "target"), ("Blurred", "GT"), ("input", "B")]
)
def test_folders_may_have_the_names_that_people_give_them(data_set, a, b):
    (data_set / "train" / "A").rename(data_set / "train" / a)
    (data_set / "train" / "B").rename(data_set / "train" / b)
    (data_set / "train" / b / "train_0.png").rename(data_set / "train" / b / "train_0.PNG")
    pairs = find_pairs(data_set / "train")
    assert [(x.parent.name, y.parent.name) for x, y in pairs] == [(a, b)] * 2
    (data_set / "train" / "lq").mkdir()
    with pytest.raises(CourseError, match=f"has {a}, lq, and only one"):
        find_pairs(data_set / "train")


def test_names_that_differ_only_in_their_unicode_form_are_pairs(data_set):
    train = data_set / "train"
    (train / "A" / "train_0.png").rename(train / "A" / unicodedata.normalize("NFC", "été.png"))
    (train / "B" / "train_0.png").rename(train / "B" / unicodedata.normalize("NFD", "été.png"))
    assert len(find_pairs(train)) == 2
    nfc = train / "B" / unicodedata.normalize("NFC", "été.png")
    shutil.copy(train / "B" / "train_1.png", nfc)
    with pytest.raises(CourseError, match=r"'e\\u0301t.*' and '\\xe9t\\xe9.png'"):
        find_pairs(train)


@pytest.mark.parametrize("a, b", [("photo", "ph\u043eto"), ("photo", "photo "), ("a", "a\u200b")])
def test_names_that_look_alike_are_shown_as_they_differ(data_set, a, b):
    (data_set / "train" / "A" / "train_0.png").rename(data_set / "train" / "A" / f"{a}.png")
    (data_set / "train" / "B" / "train_0.png").rename(data_set / "train" / "B" / f"{b}.png")
    with pytest.raises(CourseError) as error:
        find_pairs(data_set / "train")
    assert f"only in A: {a!a}; only in B: {b!a}" in str(error.value)


def test_photos_in_nested_folders_and_raw_files_are_named(data_set):
    a = data_set / "train" / "A"
    (a / "DSC_1.ARW").write_bytes(b"raw")
    with pytest.raises(CourseError, match=r"A holds camera raw files, .*: DSC_1.ARW"):
        find_pairs(data_set / "train")
    (a / "DSC_1.ARW").unlink()
    (a / "scene").mkdir()
    for photo in a.glob("*.png"):
        photo.rename(a / "scene" / photo.name)
    with pytest.raises(CourseError, match=r"no photos in .*A itself.*\(scene\).*move"):
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


@pytest.mark.slow
def test_the_sample_set_is_made_again_only_when_incomplete_or_of_another_version(
    sample_set,
):
    one, marker = sample_set / "test" / "A" / "coffee_0.png", sample_set / "sample.json"
    before, made_at = one.read_bytes(), one.stat().st_mtime_ns
    sample.make_sample(sample_set)
    assert one.stat().st_mtime_ns == made_at
    one.unlink()
    assert not sample.is_complete(sample_set)
    one.write_bytes(before)
    assert sample.is_complete(sample_set)
    marker.write_text(json.dumps({"photos": []}))
    assert not sample.is_complete(sample_set)
    one.unlink()
    sample.make_sample(sample_set)
    assert one.read_bytes() == before
    assert sample.is_complete(sample_set)
    assert sorted(p.name for p in sample_set.parent.iterdir()) == ["sample"]
