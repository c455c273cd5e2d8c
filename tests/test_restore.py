import shutil
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from deblurgan_lib import models, paths, restoration
from deblurgan_lib.data import blur, find_data
from deblurgan_lib.data.pairs import find_pairs
from deblurgan_lib.errors import CourseError
from deblurgan_lib.evaluation import psnr, ssim
from deblurgan_lib.models.detail import detail_generator, first_estimate
from deblurgan_lib.models.receptive_field import ReceptiveField
from deblurgan_lib.photos import read_photo, to_float
from deblurgan_lib.restoration import inference, weights


def test_weights_are_found_by_run_name_and_by_path(runs):
    expected = runs / "same" / "generator.keras"
    assert restoration.find_weights("same", runs) == expected
    assert restoration.find_weights(expected, runs / "elsewhere") == expected


def test_the_generators_that_are_shipped_begin_with_the_default(monkeypatch, tmp_path):
    assert restoration.shipped()[0] == restoration.DEFAULT
    for name in ("best", "another", "third"):
        (tmp_path / f"{name}.keras").touch()
    (tmp_path / "best.md").touch()
    monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    monkeypatch.setattr(weights, "DEFAULT", "best")
    assert restoration.shipped() == ["best", "another", "third"]


@pytest.mark.parametrize("size", [(50, 70), (1, 1), (2, 300)])
def test_a_photo_of_any_size_keeps_its_size_and_type(runs, size):
    photo = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    restored = restoration.restore(restoration.load("same", runs), photo)
    np.testing.assert_array_equal(restored, photo)
    assert restored.dtype == np.uint8


@pytest.mark.parametrize("method", [restoration.deblur, restoration.deblur_ensemble])
def test_a_motion_is_searched_for_with_the_first_estimate(monkeypatch, method):
    generator = detail_generator(width=4, blocks=(1, 1, 1, 1, 1), half=4, full=4)
    rng, asked = np.random.default_rng(0), []
    for weight in generator.trainable_variables:
        weight.assign(rng.normal(scale=0.1, size=weight.shape))
    photo = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    alone = restoration.restore if method is restoration.deblur else restoration.self_ensemble
    answers = [alone(network, photo) for network in (generator, first_estimate(generator))]
    assert psnr(*answers) < 40

    def correct(blurred, estimate, bar, answer):
        asked.extend((estimate, answer))
        return blurred

    monkeypatch.setattr(inference.motion, "correct", correct)
    np.testing.assert_array_equal(method(generator, photo), photo)
    np.testing.assert_array_equal(asked, answers[::-1])


def test_unknown_names_list_the_finished_runs(runs):
    with pytest.raises(CourseError, match=r"second .*finished runs: same"):
        restoration.load("second", runs)
    with pytest.raises(CourseError, match=r"no run has finished.*shipped \(gan, fidelity\)"):
        restoration.load("second", runs / "empty")
    with pytest.raises(CourseError, match=r"no file .*nowhere.keras"):
        restoration.load("nowhere.keras", runs)
    with pytest.raises(CourseError, match="neither"):
        restoration.load("../same", runs)


@pytest.mark.parametrize("damage", ["cut", "text", "empty"])
def test_a_broken_file_is_named(runs, tmp_path, damage):
    whole = (runs / "same" / "generator.keras").read_bytes()
    broken = {"cut": whole[: len(whole) // 2], "text": b"not a model", "empty": b""}[damage]
    path = tmp_path / "generator.keras"
    path.write_bytes(broken)
    with pytest.raises(CourseError, match=r"generator.keras could not be loaded"):
        restoration.load(path, runs)


def test_another_architecture_is_refused(runs, tmp_path):
    critic = models.patch_critic(4)
    critic.save(tmp_path / "critic.keras")
    with pytest.raises(CourseError, match="'patch_critic', which is not a generator"):
        restoration.load(tmp_path / "critic.keras", runs)
    layers = [keras.Input((8,)), keras.layers.Dense(2)]
    keras.Sequential(layers, name="classifier").save(tmp_path / "classifier.keras")
    with pytest.raises(CourseError, match="holds a Sequential, which is not a generator"):
        restoration.load(tmp_path / "classifier.keras", runs)


def test_code_inside_a_file_is_not_run(runs, tmp_path):
    picture = keras.Input((None, None, 3))
    model = keras.Model(picture, keras.layers.Lambda(lambda x: x)(picture))
    model.save(tmp_path / "trap.keras")
    with pytest.raises(CourseError, match="could not be loaded"):
        restoration.load(tmp_path / "trap.keras", runs)


@pytest.mark.parametrize("name", restoration.shipped())
def test_a_shipped_generator_sharpens_what_is_blurred_and_leaves_what_is_sharp(name):
    generator = restoration.load(name)
    pair = find_pairs(find_data("sample") / "test")[4]
    blurred, sharp = read_photo(pair.blurred), read_photo(pair.sharp)
    gain = psnr(sharp, restoration.restore(generator, blurred)) - psnr(sharp, blurred)
    assert 1 < gain < 3
    assert psnr(sharp, restoration.restore(generator, sharp)) > 35


def test_a_shipped_file_that_has_changed_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "SHIPPED", tmp_path / "weights")
    shutil.copytree(restoration.SHIPPED, weights.SHIPPED)
    restoration.load(restoration.DEFAULT)
    file = weights.SHIPPED / f"{restoration.DEFAULT}.keras"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(CourseError, match="not the file that is shipped.*install"):
        restoration.load(restoration.DEFAULT)
    own = tmp_path / "own.keras"
    own.write_bytes(content)
    assert restoration.find_weights(own, tmp_path) == own  # Whose sum nobody knows.


def test_every_shipped_generator_is_small_and_has_a_card_and_a_sum():
    files = sorted(restoration.SHIPPED.glob("*.keras"))
    named = [
        line.split()[1] for line in (restoration.SHIPPED / "SHA256SUMS").read_text().splitlines()
    ]
    assert [file.name for file in files] == sorted(named)
    assert f"{restoration.DEFAULT}.keras" in named
    for file in files:
        assert file.stat().st_size < 8_000_000
        assert file.with_suffix(".md").read_text().startswith(f"# `{file.stem}`")


@pytest.mark.parametrize("name", restoration.shipped())
def test_a_shipped_generator_leaves_no_grid(name):
    """No spike in the spectrum of what it makes, where a stride would leave one."""
    generator = restoration.load(name)
    for pair in find_pairs(find_data("sample") / "test")[::6]:
        photo = read_photo(pair.blurred)
        side = min(photo.shape[:2]) // 16 * 16
        photo = photo[:side, :side]
        power = spectrum(generator(to_float(photo[None])).numpy()[0].mean(axis=-1))
        for place in grids(len(power)):
            assert spike(power, *place) < 10, place


@pytest.mark.parametrize("name", restoration.shipped())
def test_a_shipped_generator_adds_no_grid_to_a_real_frame(name):
    """Frames of a video have spikes themselves, so those of the blurred one are allowed for."""
    generator = restoration.load(name)
    for pair in find_pairs(paths.home() / "tests" / "real_crops"):
        photo = read_photo(pair.blurred)
        side = min(photo.shape[:2]) // 16 * 16
        photo = photo[:side, :side]
        answer = generator(to_float(photo[None])).numpy()[0].mean(axis=-1) * 127.5
        before, after = spectrum(photo.mean(axis=-1)), spectrum(answer)
        for place in grids(side):
            assert spike(after, *place) < max(15, 1.5 * spike(before, *place)), place


def test_the_first_estimate_of_gan_is_closer_to_the_truth():
    """It hardly differs from `fidelity`; what follows it sharpens, and costs PSNR."""
    pair = find_pairs(paths.home() / "tests" / "real_crops")[1]
    blurred, sharp = read_photo(pair.blurred), read_photo(pair.sharp)
    gan, fidelity = map(restoration.load, ("gan", "fidelity"))
    first, whole, other = (
        restoration.restore(x, blurred) for x in (first_estimate(gan), gan, fidelity)
    )
    assert psnr(first, other) > psnr(first, whole) + 3
    assert psnr(sharp, first) > psnr(sharp, whole) + 0.1 > psnr(sharp, blurred) + 0.3


def grids(side):
    """The frequencies of a grid whose period is that of a stride."""
    for stride in (2, 4, 8, 16):
        for y, x in np.ndindex(stride, stride):
            if (y, x) != (0, 0):
                yield y * side // stride, x * side // stride


def spectrum(plane):
    window = np.hanning(len(plane))
    return np.abs(np.fft.fft2((plane - plane.mean()) * np.outer(window, window))) ** 2


def spike(power, y, x):
    """How far a frequency stands out of its neighbourhood."""
    near = np.roll(power, (12 - y, 12 - x), axis=(0, 1))[:25, :25]
    peak = near[11:14, 11:14].mean()
    near[8:17, 8:17] = np.nan
    return peak / np.nanmedian(near)


def test_a_grid_would_be_seen():
    """0.6 grey levels more in one column of four."""
    photo = read_photo(find_pairs(find_data("sample") / "test")[0].blurred)
    plane = photo[:400, :400].mean(axis=2)
    grid = 0.6 * np.tile([[1, 0, 0, 0]], (400, 100))
    place = 0, len(plane) // 4
    assert spike(spectrum(plane), *place) < 10 < spike(spectrum(plane + grid), *place)


def test_a_saved_generator_names_no_initializer_that_versions_of_keras_differ_in(tmp_path):
    generator = models.resnet_generator(
        4, 1, norm="none", skip="residual", dropout=0, stem="space_to_depth"
    )
    before = generator.get_weights()
    restoration.save(generator, tmp_path / "generator.keras")
    again = restoration.load(tmp_path / "generator.keras")
    for a, b in zip(before, again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for file in (tmp_path / "generator.keras", restoration.SHIPPED / "gan.keras"):
        with zipfile.ZipFile(file) as archive:
            config = archive.read("config.json").decode()
        assert "VarianceScaling" not in config and "Zeros" in config
    assert [path.name for path in tmp_path.iterdir()] == ["generator.keras"]


def generators():
    """From a name to a small generator that changes every pixel of what it is given."""
    small = {"dropout": 0.5, "width": 4, "blocks": 1}
    return {
        "course": lambda: models.resnet_generator(
            **small, norm="none", upsampling="resize", skip="clip", stem="space_to_depth"
        ),
        "batch": lambda: models.resnet_generator(**small, norm="batch", skip="half_sum"),
        "U-Net": lambda: models.unet_generator(4, 3, skip="clip"),
        "deep U-Net": lambda: models.unet_generator(2, 4, upsampling="transposed", skip="clip"),
        "detail": a_detail_generator,
    }


def a_detail_generator():
    generator = detail_generator(width=2, blocks=(1, 1, 1, 1, 1), half=4, full=4)
    for name in ("to_rgb", "to_detail"):  # They start at zero.
        kernel = generator.get_layer(name).kernel
        start = np.random.default_rng(0).normal(scale=0.1, size=kernel.shape)
        kernel.assign(kernel.constraint(start.astype("float32")) if kernel.constraint else start)
    return generator


def build(name, seed=0):
    keras.utils.set_random_seed(seed)
    generator = generators()[name]()
    generator.compile(jit_compile=False)
    return generator


@pytest.mark.slow
@pytest.mark.parametrize("name", generators())
def test_the_receptive_field_is_what_gradients_find(name):
    """No gradient comes from beyond it; it is a bound, but not a wide one."""
    generator = build(name)
    field = models.receptive_field(generator)
    size = 400
    middle, grid = size // 2, int(field.coarsest)
    picture = tf.Variable(
        np.random.default_rng(0).uniform(-1, 1, (1, size, 32, 3)), dtype="float32"
    )
    before, after = [], []
    for pixel in (middle, middle + grid - 1):
        with tf.GradientTape() as tape:
            # Along columns the whole width is summed: only the distance along rows is looked at.
            value = tf.reduce_sum(generator(picture, training=False)[:, pixel])
        gradient = tf.reduce_max(tf.abs(tape.gradient(value, picture)), axis=(0, 2, 3)).numpy()
        seen = np.flatnonzero(gradient)
        before.append(pixel - seen.min())
        after.append(seen.max() - pixel)
    assert max(before) <= field.before and max(after) <= field.after
    least = 0.4 if name == "detail" else 0.6  # It pads with zeros, where a kernel counts in full.
    assert max(before) > least * field.before and max(after) > least * field.after
    assert field.step == 1 and field.finest == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", generators())
@pytest.mark.parametrize("size", [(300, 257), (5, 701)])
def test_a_photo_in_tiles_is_the_photo_in_one_piece(name, size, monkeypatch):
    generator = build(name)
    photo = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    whole = restoration.restore(generator, photo).astype(int)
    assert np.abs(whole - photo).mean() > 0.5
    shapes = set()
    monkeypatch.setattr(inference, "TILE", 400 if name in ("deep U-Net", "detail") else 160)
    predict = generator.predict_on_batch
    monkeypatch.setattr(
        generator, "predict_on_batch", lambda x: (shapes.add(tuple(x.shape[1:])), predict(x))[1]
    )
    tiled = restoration.restore(generator, photo, bar=False)
    # One rounding error of float32 in a million can fall on the other side of a half.
    assert np.abs(tiled - whole).max() <= 1
    assert len(shapes) == 1 and (shapes != {photo.shape} or photo.size < 3 * inference.TILE**2)


def test_no_photo_is_compiled_for_its_size_alone(monkeypatch):
    """On a GPU Keras compiles with XLA unless it is told not to, which takes seconds for each."""
    gpu = tf.config.PhysicalDevice("/physical_device:GPU:0", "GPU")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [gpu])
    assert generators()["course"]().jit_compile
    generator = generators()["course"]()
    restoration.restore(generator, np.zeros((16, 16, 3), np.uint8))
    assert not generator.jit_compile


def test_tiles_cover_a_photo_once_and_look_as_far_as_they_must(monkeypatch):
    monkeypatch.setattr(inference, "TILE", 100)
    for before, after, grid in ((0, 0, 1), (7, 3, 4), (20, 20, 8), (60, 60, 4)):
        field = ReceptiveField(before, after, 1, 1, grid)
        for size in [*range(1, 400), 5000]:
            length, tiles = inference._tiles(size, field)
            assert [tile.first for tile in tiles] == [0, *(tile.end for tile in tiles[:-1])]
            assert tiles[-1].end == size
            for i, tile in enumerate(tiles):
                assert tile.start % grid == 0
                assert i == 0 or tile.first - tile.start >= before
                assert i == len(tiles) - 1 or tile.start + length - tile.end >= after
            assert length <= max(100, 2 * (before + after)) + grid


@pytest.mark.slow
def test_an_instance_norm_in_tiles_measures_once_and_leaves_no_seam(photo, monkeypatch):
    generator = models.resnet_generator(8, 2, norm="instance", upsampling="resize")
    generator.compile(jit_compile=False)
    assert np.isinf(models.receptive_field(generator).after)
    photo = np.tile(photo, (2, 2, 1))
    whole = restoration.restore(generator, photo)
    monkeypatch.setattr(inference, "TILE", 320)
    tiled = restoration.restore(generator, photo, bar=False)
    fixed = inference._with_fixed_statistics(generator, photo)
    one_piece = inference._restore_whole(fixed, photo)
    assert np.abs(tiled.astype(int) - one_piece).max() <= 1
    # Untrained, and sampled in crops of 80 pixels; a trained one in real tiles reaches 51 dB.
    assert psnr(whole, tiled) > psnr(whole, photo) + 3


@pytest.mark.slow
def test_the_devices_precision_changes_a_photo_by_three_grey_levels_at_most(photo):
    exact = restoration.restore(restoration.load("gan"), photo)
    fast = restoration.load("gan", precision="mixed_bfloat16")
    policies = {layer.dtype_policy.name for layer in fast.layers if layer.name != "restored"}
    assert policies == {"mixed_bfloat16"}
    assert fast.get_layer("restored").dtype_policy.name == "float32"
    difference = np.abs(restoration.restore(fast, photo).astype(int) - exact)
    assert 1 <= difference.max() <= 3 and difference.mean() < 0.1
    automatic = restoration.load("gan", precision="auto")
    assert automatic.layers[3].dtype_policy.name in ("float32", "mixed_bfloat16", "mixed_float16")


@pytest.mark.slow
def test_the_ensemble_treats_all_eight_views_alike_and_is_better_than_their_mean(photo):
    generator = restoration.load("fidelity")
    path = blur.shake_trajectories(1, 3, max_length=15.0)[0]
    blurred = blur.blur(photo, blur.point_spread_function(path))
    together = restoration.self_ensemble(generator, blurred, bar=False)
    rotated = np.rot90(blurred)[:, ::-1]
    again = restoration.self_ensemble(generator, rotated, bar=False)
    np.testing.assert_array_equal(np.rot90(again[:, ::-1], -1), together)
    errors = []
    for rotations in range(4):
        for flip in (1, -1):
            view = restoration.restore(generator, np.rot90(blurred, rotations)[:, ::flip])
            view = np.rot90(view[:, ::flip], -rotations)
            errors.append(np.mean((view / 255 - photo / 255) ** 2))
    assert np.mean((together / 255 - photo / 255) ** 2) < np.mean(errors)


def test_a_network_that_makes_pictures_larger_is_refused(tmp_path):
    blurred = keras.Input((None, None, 3))
    x = keras.layers.UpSampling2D(2)(keras.layers.Conv2D(3, 3, padding="same")(blurred))
    keras.Model(blurred, x, name="enlarger").save(tmp_path / "enlarger.keras")
    with pytest.raises(CourseError, match="'enlarger', which is not a generator"):
        restoration.load(tmp_path / "enlarger.keras")


REAL = paths.home().parent / "shared" / "real_pairs" / "GOPRO_Large" / "test"


@pytest.mark.slow
@pytest.mark.skipif(not REAL.exists(), reason="the real frames are not beside the project")
@pytest.mark.parametrize("name", restoration.shipped())
def test_a_shipped_generator_helps_real_frames(name):
    generator = restoration.load(name, precision="auto")
    for blurred in REAL.glob("*/blur/*.png"):
        sharp = read_photo(blurred.parent.parent / "sharp" / blurred.name)
        x = read_photo(blurred)
        restored = restoration.restore(generator, x)
        assert psnr(sharp, restored) > psnr(sharp, x)
        if name == "fidelity":
            assert ssim(sharp, restored) > ssim(sharp, x)
