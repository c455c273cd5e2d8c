import zipfile

import keras
import numpy as np
import pytest

from deblurgan_lib import course, models, restore
from deblurgan_lib.datasets.pairs import find_pairs
from deblurgan_lib.datasets.photos import read_photo
from deblurgan_lib.errors import CourseError
from deblurgan_lib.evaluation import psnr


def test_weights_are_found_by_run_name_and_by_path(runs):
    expected = runs / "same" / "generator.keras"
    assert restore.find_weights("same", runs) == expected
    assert restore.find_weights(expected, runs / "elsewhere") == expected


@pytest.mark.parametrize("size", [(50, 70), (1, 1), (2, 300)])
def test_a_photo_of_any_size_keeps_its_size_and_type(runs, size):
    photo = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    restored = restore.restore(restore.load("same", runs), photo)
    np.testing.assert_array_equal(restored, photo)
    assert restored.dtype == np.uint8


def test_unknown_names_list_the_finished_runs(runs):
    with pytest.raises(CourseError, match=r"second .*finished runs: same"):
        restore.load("second", runs)
    with pytest.raises(CourseError, match=r"no run has finished.*shipped \(sample\)"):
        restore.load("second", runs / "empty")
    with pytest.raises(CourseError, match=r"no file .*nowhere.keras"):
        restore.load("nowhere.keras", runs)
    with pytest.raises(CourseError, match="neither"):
        restore.load("../same", runs)


@pytest.mark.parametrize("damage", ["cut", "text", "empty"])
def test_a_broken_file_is_named(runs, tmp_path, damage):
    whole = (runs / "same" / "generator.keras").read_bytes()
    broken = {"cut": whole[: len(whole) // 2], "text": b"not a model", "empty": b""}[damage]
    path = tmp_path / "generator.keras"
    path.write_bytes(broken)
    with pytest.raises(CourseError, match=r"generator.keras could not be loaded"):
        restore.load(path, runs)


def test_another_architecture_is_refused(runs, tmp_path):
    critic = models.patch_critic(4)
    critic.save(tmp_path / "critic.keras")
    with pytest.raises(CourseError, match="'patch_critic', which is not a generator"):
        restore.load(tmp_path / "critic.keras", runs)
    layers = [keras.Input((8,)), keras.layers.Dense(2)]
    keras.Sequential(layers, name="classifier").save(tmp_path / "classifier.keras")
    with pytest.raises(CourseError, match="holds a Sequential, which is not a generator"):
        restore.load(tmp_path / "classifier.keras", runs)


def test_code_inside_a_file_is_not_run(runs, tmp_path):
    picture = keras.Input((None, None, 3))
    model = keras.Model(picture, keras.layers.Lambda(lambda x: x)(picture))
    model.save(tmp_path / "trap.keras")
    with pytest.raises(CourseError, match="could not be loaded"):
        restore.load(tmp_path / "trap.keras", runs)


def test_the_shipped_generator_sharpens_a_held_out_photograph(tmp_path):
    generator = restore.load("sample", tmp_path)
    pair = find_pairs(course.data_folder("sample") / "test")[4]
    blurred, sharp = read_photo(pair.blurred), read_photo(pair.sharp)
    gain = psnr(sharp, restore.restore(generator, blurred)) - psnr(sharp, blurred)
    assert 0.8 < gain < 2


def test_a_run_of_the_same_name_goes_before_the_shipped_one(runs, tmp_path):
    (tmp_path / "sample").mkdir()
    own = tmp_path / "sample" / "generator.keras"
    own.write_bytes((runs / "same" / "generator.keras").read_bytes())
    assert restore.find_weights("sample", tmp_path) == own
    assert restore.find_weights("sample", runs) == restore.SHIPPED / "sample.keras"


def test_a_saved_generator_names_no_initializer_that_versions_of_keras_differ_in(tmp_path):
    generator = models.resnet_generator(4, 1, norm="none", skip="residual", dropout=0, stem="fold")
    before = generator.get_weights()
    restore.save(generator, tmp_path / "generator.keras")
    again = restore.load(tmp_path / "generator.keras")
    for a, b in zip(before, again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for file in (tmp_path / "generator.keras", restore.SHIPPED / "sample.keras"):
        with zipfile.ZipFile(file) as archive:
            config = archive.read("config.json").decode()
        assert "VarianceScaling" not in config and "Zeros" in config
    assert [path.name for path in tmp_path.iterdir()] == ["generator.keras"]
