"""Whole runs, at sizes that take seconds."""

import collections
import dataclasses
import json
import math
import os
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
from tiny import Interrupt, steps, weights

from deblurgan_lib import restoration, training
from deblurgan_lib.errors import CourseError
from deblurgan_lib.photos import write_photo
from deblurgan_lib.precision import dtype_policy, measure_precision, quicker_precision
from deblurgan_lib.restoration import inference
from deblurgan_lib.training import callbacks, loop, optimizers, recipes
from deblurgan_lib.training.optimizers import Muon

pytestmark = pytest.mark.slow

course = tiny.finished_run("course")


def again(run, **options):
    """The same command once more, but for these options."""
    data, runs = run.folder.parent / "tiny", run.folder.parent
    return training.train(
        run.folder.name, data, runs, **tiny.OPTIONS | {"recipe": "course"} | options
    )


@pytest.mark.parametrize("recipe", recipes.RECIPES)
def test_every_recipe_trains_and_leaves_everything_worth_keeping(train, course, recipe):
    values = recipes.RECIPES[recipe]
    if values.critic_steps > 2:  # Each is a graph of its own, and the third is as the second.
        values = dataclasses.replace(values, critic_steps=2)
    run = course if recipe == "course" else train(recipe=values)
    kept = {path.name for path in run.folder.iterdir()}
    assert kept == {
        "config.json", "metrics.csv", "logs", "checkpoints", "generator.keras", "report.json",
        "before_after.png", *(["pixel_only.keras"] if values.pretraining else []),
    }  # fmt: skip
    assert list(run.folder.glob("logs/**/events*"))
    assert steps(run) == [6]
    assert [row["epoch"] for row in run.metrics] == [0, 1, 2]
    assert all(math.isfinite(value) for row in run.metrics for value in row.values())
    needed = {"psnr_blurred", "psnr_restored", "ssim_blurred", "ssim_restored", "n_images"}
    assert needed | {"protocol"} <= run.report.keys()
    config = run.config
    assert (config["seed"], config["epochs"]) == (0, 3)
    assert config["versions"]["keras"] == keras.__version__
    assert config["recipe_values"] == dataclasses.asdict(values)


def test_the_course_pretrains_with_pixels_and_ends_with_the_whole_gan(course):
    rows = course.metrics
    assert [row["adversarial"] != 0 for row in rows] == [False, False, True]
    assert [row["perceptual"] != 0 for row in rows] == [False, False, True]


def test_photographs_of_all_sizes_are_validated_and_scored_in_three_graphs_and_in_tiles(
    train, data_set, photo, monkeypatch
):
    sizes = [np.tile(photo[:, :90], (4, 1, 1)), photo[:70, :90], photo[:71, :89]]
    for i, pixels in enumerate(sizes):
        for half in "AB":
            write_photo(data_set / "test" / half / f"size_{i}.png", pixels)
    monkeypatch.setattr(inference, "TILE", 128)
    graphs, shapes, predict_step = collections.Counter(), set(), keras.Model.predict_step
    predict_on_batch = keras.Model.predict_on_batch

    def predict(model, x):
        shapes.add(tuple(x.shape))
        return predict_on_batch(model, x)

    monkeypatch.setattr(
        keras.Model,
        "predict_step",
        lambda model, x: graphs.update([id(model)]) or predict_step(model, x),
    )
    monkeypatch.setattr(keras.Model, "predict_on_batch", predict)
    assert len(train(profile=dataclasses.replace(tiny.SIZES, validation_photos=5)).metrics) == 3
    assert len(graphs) == 2  # What is trained, and what is saved in the end.
    assert max(graphs.values()) <= 3  # The first size, any height, any size.
    assert {(1, 70, 90, 3), (1, 71, 89, 3), (1, 96, 128, 3)} < shapes
    assert max(shape[1] for shape in shapes) < 400


def test_a_finished_run_is_returned_as_it_is(course):
    report = course.folder / "report.json"
    before = report.stat().st_mtime_ns
    again(course)
    assert report.stat().st_mtime_ns == before


class Poison(keras.callbacks.Callback):
    """Makes one weight not a number at the given epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            self.spoil(self.model)

    @staticmethod
    def spoil(model):
        weight = model.generator.trainable_variables[-1]
        weight.assign(np.full(weight.shape, np.nan))


def test_training_that_diverges_stops_and_keeps_the_last_good_checkpoint(train):
    with pytest.raises(CourseError, match=r"diverged: loss, pixel .*step-00000002-\w+.weights.h5"):
        train(callbacks=(Poison(1),), minutes=0)
    assert len(train().metrics) == 3  # And from that checkpoint the run can go on.


def test_losses_are_read_now_and_then_and_before_anything_is_saved(train, monkeypatch):
    """To read them the host waits for the device."""
    monkeypatch.setattr(loop, "LOSSES_EVERY", 3)
    sizes = dataclasses.replace(tiny.SIZES, epochs=1, steps_per_epoch=8)

    class Watch(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == poisoned:
                Poison.spoil(self.model)

        def on_train_batch_end(self, batch, logs=None):
            seen.append(logs)

    seen, poisoned = [], None
    train(profile=sizes, minutes=9, callbacks=(Watch(),))
    changes = [i for i in range(1, 8) if seen[i] != seen[i - 1]]
    assert not seen[0] and changes == [2, 5, 7]
    for minutes, kept, watched in ((9, "none", 5), (0, "step-00000003", 4)):
        seen, poisoned = [], 3
        with pytest.raises(CourseError, match=f"diverged: loss, pixel .*{kept}"):
            train(f"after-{minutes}", profile=sizes, minutes=minutes, callbacks=(Watch(),))
        assert len(seen) == watched


def test_a_full_disk_keeps_the_last_good_checkpoint(train, monkeypatch, tmp_path):
    save = training.DeblurGAN.save_weights

    def fill(self, path, **kwargs):
        if self.optimizer.iterations.numpy() > 2:
            path.write_bytes(b"half a checkpoint")
            raise OSError(28, "No space left on device")
        save(self, path, **kwargs)

    monkeypatch.setattr(training.DeblurGAN, "save_weights", fill)
    with pytest.raises(CourseError, match=r"step 3 .*No space left on device"):
        train(minutes=0)
    run = training.Run(tmp_path / "runs" / "run")
    assert steps(run) == [1, 2]
    assert len(list((run.folder / "checkpoints").iterdir())) == 2
    monkeypatch.undo()


@pytest.mark.parametrize("name", ["../up", "a/b", " ", ".hidden", "/root"])
def test_a_run_name_with_a_path_in_it_is_refused(train, name, tmp_path):
    with pytest.raises(CourseError, match="run name"):
        train(name)
    assert not (tmp_path / "runs").exists()


def test_nothing_is_binding_before_the_first_checkpoint(train, data_set, photo):
    with pytest.raises(CourseError, match="smaller than a training crop"):
        train(profile="sample")
    assert train().is_finished


def test_a_seed_out_of_range_is_refused(train):
    with pytest.raises(CourseError, match="seed=-1"):
        train(seed=-1)


def test_a_photo_that_breaks_off_in_the_middle_is_named(train, data_set):
    path = data_set / "train" / "B" / "train_1.png"
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(CourseError, match=r"^\S+train_1.png is a broken image"):
        train()


def test_a_test_photo_too_small_to_score_is_named_before_the_training(train, data_set, photo):
    for side in "AB":
        write_photo(data_set / "test" / side / "dot.png", photo[:5, :9])
    with pytest.raises(CourseError, match="dot.png is 9x5"):
        train()


def test_a_test_photo_that_is_not_blurred_ends_in_a_report(train, data_set, photo):
    for side in "AB":
        write_photo(data_set / "test" / side / "a_sharp.png", photo[:64, :64])
    report = train().report
    assert (report["n_images"], report["n_equal"]) == (3, 1)
    assert report["psnr_restored"] > 0


def test_the_pull_of_each_term_is_watched_crop_by_crop(train, photo):
    """A pixel loss is a mean of absolute differences: its gradient is 1/n in each of n numbers."""
    sharp = np.stack([photo[:64, :64], photo[64:128, :64]]).astype("float32") / 127.5 - 1
    watch = callbacks.WatchGradients(0.9 * sharp + 0.01, sharp)
    train(callbacks=(watch,), recipe=dataclasses.replace(tiny.GAN, pretraining=0.9))
    assert [row["epoch"] for row in watch.rows] == [0, 1, 2]
    assert [len(row) for row in watch.rows] == [2, 2, 4]  # The last epoch has all terms.
    n = sharp[0].size
    for row in watch.rows:
        np.testing.assert_allclose(row["pixel"], n**-0.5, rtol=0.01)
    last = watch.rows[-1]
    assert all(last[name].shape == (2,) for name in ("perceptual", "adversarial"))
    assert (last["adversarial"] > 0).all()


def test_weights_that_are_no_numbers_are_not_kept(train, tmp_path):
    class PoisonLast(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                Poison.spoil(self.model)

    with pytest.raises(CourseError, match=r"a weight became .*step-00000003-\w+.weights.h5"):
        train(callbacks=(PoisonLast(),), minutes=0)
    assert steps(training.Run(tmp_path / "runs" / "run")) == [2, 3]


def test_no_room_for_a_checkpoint_is_said_before_it_is_written(train, monkeypatch, tmp_path):
    usage = callbacks.shutil.disk_usage
    monkeypatch.setattr(
        callbacks.shutil, "disk_usage", lambda path: usage(path)._replace(free=1000)
    )
    with pytest.raises(CourseError, match=r"step 1 .*No space left on device, \d+ MB are needed"):
        train(minutes=0)
    assert not list((tmp_path / "runs" / "run" / "checkpoints").iterdir())


def test_a_disk_that_fills_while_the_log_is_written_ends_in_one_sentence(train, monkeypatch):
    def full(self, epoch, logs=None):
        raise OSError(28, "No space left on device", "metrics.csv")

    monkeypatch.setattr(callbacks.WriteMetrics, "on_epoch_end", full)
    with pytest.raises(CourseError, match=r"had to stop \(No space .* metrics.csv\)"):
        train()


DAMAGED_TABLES = {
    "header": (lambda whole: whole[:9], []),
    "row": (lambda whole: whole + b"1,0.5", [0]),
    "bytes": (lambda whole: b"\xff\xfe", []),
}


@pytest.mark.parametrize("damage", DAMAGED_TABLES)
def test_of_a_damaged_table_of_metrics_the_whole_rows_are_kept(course, tmp_path, damage):
    path, (spoil, kept) = tmp_path / "metrics.csv", DAMAGED_TABLES[damage]
    path.write_bytes(
        spoil(b"".join((course.folder / "metrics.csv").read_bytes().splitlines(1)[:2]))
    )
    run = training.Run(tmp_path)
    run.truncate_metrics(2)
    assert [row["epoch"] for row in run.metrics] == kept


def test_a_run_goes_on_with_a_damaged_table_of_metrics(train, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(callbacks=(Interrupt(2),), minutes=0)
    (tmp_path / "runs" / "run" / "metrics.csv").write_bytes(b"epoch,lo")
    assert [row["epoch"] for row in train().metrics][-2:] == [1, 2]


def test_a_negative_number_of_epochs_is_refused(train):
    with pytest.raises(CourseError, match="epochs=-1"):
        train(epochs=-1)


def test_an_unknown_recipe_or_profile_is_named_with_the_known_ones(train):
    with pytest.raises(CourseError, match="'cours'.* tutorial, paper, course"):
        train(recipe="cours")
    with pytest.raises(
        CourseError, match="'huge'.* auto, smoke, sample, overnight, refine, colab, full"
    ):
        train(profile="huge")


def test_a_recipe_is_changed_by_a_text():
    changed = recipes.changed("course", "adversarial=1, norm='batch', critic_steps=2")
    values = {"adversarial": 1.0, "norm": "batch", "critic_steps": 2}
    assert changed == dataclasses.replace(recipes.RECIPES["course"], **values)
    assert type(changed.adversarial) is float
    assert recipes.changed("paper", "") == recipes.RECIPES["paper"]
    assert recipes.name_of(changed) == "own"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ("adversarial", "cannot be read"),
        ("adversarial=", "cannot be read"),
        ("adversarial=0.1)+f(", "cannot be read"),
        ("adversarial=print", "cannot be read"),
        ("**{}", "cannot be read"),
        ("adverserial=0.1", "has no 'adverserial'; it has generator, stem"),
        ("adversarial='much'", "another kind than 0.001"),
        ("critic_steps=1.5", "another kind than 1"),
        ("preprocess=1", "another kind than True"),
    ],
)
def test_a_change_that_is_none_is_said_in_one_sentence(changes, said):
    with pytest.raises(CourseError, match=said):
        recipes.changed("course", changes)


def test_another_run_under_the_same_name_is_refused(course):
    config = course.folder / "config.json"
    before = config.read_text()
    with pytest.raises(CourseError, match="seed was 0 and is now 1"):
        again(course, seed=1)
    with pytest.raises(CourseError, match="recipe was 'course' and is now 'paper'"):
        again(course, recipe="paper")
    assert config.read_text() == before


def test_the_papers_schedule_is_constant_and_then_falls_to_zero():
    schedule = optimizers.ConstantThenLinear(1e-4, 200)
    rates = [float(schedule(step)) for step in (0, 99, 100, 150, 200)]
    assert rates == pytest.approx([1e-4, 1e-4, 1e-4, 5e-5, 0])


def test_pretraining_never_takes_the_whole_run():
    course = recipes.RECIPES["course"]
    assert [loop.pretraining_epochs(course, epochs) for epochs in (1, 2)] == [0, 1]
    assert loop.pretraining_epochs(course, 100) == round(100 * course.pretraining)


def test_measured_precision_is_one_that_keras_knows():
    policy = measure_precision()
    assert policy in ("float32", "mixed_bfloat16", "mixed_float16")
    with dtype_policy(policy):
        assert keras.config.dtype_policy().name == policy
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize(
    "slow_type, slow_part, policy",
    [
        ("bfloat16", "gradient", "float32"),
        ("bfloat16", "output", "float32"),
        ("float32", "gradient", "mixed_bfloat16"),
        ("float32", "output", "mixed_bfloat16"),
    ],
)
def test_the_measured_precision_is_the_quicker_one_there_and_back(
    monkeypatch, slow_type, slow_part, policy
):
    """A processor without bfloat16 is quick at convolving in it, and very slow at the gradients."""

    def late(x, part):
        def sleep(value):
            time.sleep(0.05)
            return value

        if (x.dtype, part) != (slow_type, slow_part):
            return tf.identity(x)
        return tf.ensure_shape(tf.py_function(sleep, [x], x.dtype), x.shape)

    @tf.custom_gradient
    def convolve(x, kernel):
        def gradient(upstream):
            return late(upstream, "gradient"), tf.zeros_like(kernel)

        return late(x, "output"), gradient

    monkeypatch.setattr(tf.nn, "conv2d", lambda x, kernel, *_: convolve(x, kernel))
    assert quicker_precision() == policy


def test_config_is_json_that_repeats_the_run(course):
    config = json.loads((course.folder / "config.json").read_text())
    assert config["profile_values"] == dataclasses.asdict(tiny.SIZES)
    assert config["pairs"] == {"train": 2, "test": 2}
    assert str(os.sep) not in config["data"]


def test_the_recipe_chooses_the_optimiser_of_the_generator():
    kernel = keras.Variable(np.zeros((3, 3, 4, 8), "float32"), name="kernel")
    gradient = np.random.default_rng(0).normal(size=kernel.shape).astype("f")
    recipe = recipes.RECIPES["course"]
    for muon, kind in ((True, Muon), (False, keras.optimizers.Adam)):
        optimizer = training.build_optimizer(recipe, 1e-3, 10, muon, averaging=0.9)
        optimizer.build([kernel])
        assert isinstance(optimizer, kind)
        assert optimizer.use_ema
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [kernel])
    assert recipe.optimizer == "muon"


def test_the_pretrained_generator_is_kept_beside_the_final_one(course):
    """It is what the run had learned from the pixels alone."""
    before = restoration.load(course.folder / "pixel_only.keras").get_weights()
    after = weights(course)
    assert any(np.abs(a - b).max() > 0 for a, b in zip(before, after, strict=True))


def test_a_run_can_start_from_a_trained_generator(train):
    first = train("first")
    with pytest.raises(CourseError, match="generator of other sizes"):
        train("other", start_from="fidelity")
    seen, rates = [], []

    class Begin(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            rates.append(float(self.model.optimizer.learning_rate))

        def on_train_batch_begin(self, batch, logs=None):
            if not seen:
                seen.extend(self.model.generator.get_weights())

    train("second", start_from="first", callbacks=(Begin(),))
    for weight, expected in zip(seen, weights(first), strict=True):
        np.testing.assert_array_equal(weight, expected)
    train("from-nothing", callbacks=(Begin(),))
    assert rates[0] == pytest.approx(loop.FINE_TUNING_SCALE * rates[1])


def test_fresh_blur_of_real_frames_has_shakes_of_its_own(train):
    run = train(fresh_blur=1.0)
    config = json.loads((run.folder / "config.json").read_text())
    assert config["fresh_blur"] == 1.0
    assert tuple(config["shakes"]) == loop.FRAME_SHAKES
    with pytest.raises(CourseError, match="share between 0 and 1"):
        train("other", fresh_blur=1.5)
