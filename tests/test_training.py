"""Whole runs, at sizes that take seconds."""

import dataclasses
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from deblurgan_lib import restoration, training
from deblurgan_lib.errors import CourseError
from deblurgan_lib.photos import write_photo
from deblurgan_lib.precision import dtype_policy, measure_precision
from deblurgan_lib.training import build, callbacks, loop, optimizers, profiles, recipes
from deblurgan_lib.training.optimizers import Muon

TINY = dataclasses.replace(
    profiles.PROFILES["smoke"], width=4, blocks=1, critic_width=4, epochs=3, steps_per_epoch=2
)

OPTIONS = {"profile": TINY, "precision": "float32", "minutes": 0, "verbose": 0}


@pytest.fixture
def train(data_set, tmp_path):
    def train(name="run", **options):
        options = OPTIONS | options
        return training.train(name, data_set, tmp_path / "runs", **options)

    return train


def weights(run):
    return restoration.load(run.generator).get_weights()


def steps(run):
    return [int(path.name.split("-")[1]) for path in run.checkpoints]


@pytest.mark.parametrize("recipe", recipes.RECIPES)
def test_every_recipe_trains_and_leaves_everything_worth_keeping(train, recipe):
    run = train(recipe=recipe)
    kept = {path.name for path in run.folder.iterdir()}
    assert kept == {
        "config.json", "metrics.csv", "logs", "checkpoints", "generator.keras", "report.json",
        "before_after.png", *(["pixel_only.keras"] if recipes.RECIPES[recipe].pretraining else []),
    }  # fmt: skip
    assert list(run.folder.glob("logs/**/events*"))
    assert steps(run) == [5, 6]
    assert [row["epoch"] for row in run.metrics] == [0, 1, 2]
    assert all(math.isfinite(value) for row in run.metrics for value in row.values())
    needed = {"psnr_blurred", "psnr_restored", "ssim_blurred", "ssim_restored", "n_images"}
    assert needed | {"protocol"} <= run.report.keys()
    config = run.config
    assert (config["recipe"], config["seed"], config["epochs"]) == (recipe, 0, 3)
    assert config["versions"]["keras"] == keras.__version__
    assert config["recipe_values"] == dataclasses.asdict(recipes.RECIPES[recipe])


def test_the_course_pretrains_with_pixels_and_ends_with_the_whole_gan(train):
    rows = train().metrics
    assert [row["adversarial"] != 0 for row in rows] == [False, False, True]
    assert [row["perceptual"] != 0 for row in rows] == [False, False, True]


def test_the_test_of_photographs_of_all_sizes_is_traced_once_a_run(
    train, data_set, photo, monkeypatch
):
    for half in "AB":
        write_photo(sorted((data_set / "test" / half).iterdir())[0], photo[:70, :90])
    traces, test_step = [], training.DeblurGAN.test_step
    monkeypatch.setattr(
        training.DeblurGAN,
        "test_step",
        lambda gan, pair: traces.append(pair) or test_step(gan, pair),
    )
    assert len(train().metrics) == 3
    assert len(traces) == 1


def test_a_finished_run_is_returned_as_it_is(train):
    report = train().folder / "report.json"
    before = report.stat().st_mtime_ns
    train()
    assert report.stat().st_mtime_ns == before


def test_one_seed_gives_one_run(train, unbroken):
    again, other = train("again"), train("other", seed=1)
    assert_alike(unbroken, again)
    pairs = zip(weights(again), weights(other), strict=True)
    assert any(not np.allclose(a, b) for a, b in pairs)


class Interrupt(keras.callbacks.Callback):
    """Before the given step, counted from 0."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_epoch_begin(self, epoch, logs=None):
        self.before = epoch * self.params["steps"]

    def on_train_batch_begin(self, batch, logs=None):
        if self.before + batch == self.step:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, make_data_set):
    folder = tmp_path_factory.mktemp("unbroken")
    return training.train("run", make_data_set(folder / "tiny"), folder, **OPTIONS)


@pytest.fixture
def interrupted(train, tmp_path):
    """A run that ended before the given step."""

    def interrupted(step):
        with pytest.raises(KeyboardInterrupt):
            train(callbacks=(Interrupt(step),))
        return training.Run(tmp_path / "runs" / "run")

    return interrupted


def assert_alike(run, other):
    """Equal but for the last bits of sums."""
    for a, b in zip(weights(run), weights(other), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    for a, b in zip(run.metrics, other.metrics, strict=True):
        assert a == pytest.approx(b, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("step", [1, 2, 4, 5])
def test_an_interrupted_run_ends_where_an_unbroken_one_ends(train, interrupted, unbroken, step):
    """In the middle of an epoch, between two, at the border of the phases, after it."""
    assert steps(interrupted(step))[-1] == step
    assert_alike(unbroken, train())


def test_checkpoints_are_made_when_their_time_has_come_and_at_the_end(train, monkeypatch):
    seconds = iter(range(0, 1000, 25))  # Each look at the clock is 25 seconds after the last one.
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: next(seconds))
    saved = []
    save = callbacks.SaveCheckpoint.save
    monkeypatch.setattr(
        callbacks.SaveCheckpoint, "save", lambda s, n: saved.append(n) or save(s, n)
    )
    train(minutes=1)
    assert saved == [3, 6]


def test_a_checkpoint_holds_both_networks_both_optimisers_and_the_average(train, monkeypatch):
    models = []
    monkeypatch.setattr(build, "DeblurGAN", lambda *a: models.append(Kept(*a)) or models[-1])
    run = train()
    trained = models[0]
    monkeypatch.undo()
    fresh = small_gan(seed=9)
    assert run.resume(fresh) == 6
    for a, b in zip(trained.saved, Kept.everything(fresh), strict=True):
        np.testing.assert_array_equal(a, b)


class Kept(training.DeblurGAN):
    """Remembers everything a checkpoint must hold at the moment it is written."""

    @staticmethod
    def everything(gan):
        variables = [
            *gan.generator.variables,
            *gan.critic.variables,
            *gan.optimizer.variables,
            *gan.critic_optimizer.variables,
            gan.sums,
        ]
        return [np.array(variable) for variable in variables]

    def save_weights(self, path, **kwargs):
        self.saved = self.everything(self)
        super().save_weights(path, **kwargs)


MEMORY = Path("/dev/shm")


@pytest.fixture(scope="module")
def two_checkpoints():
    """A network and a run with its checkpoints of steps 1 and 2, on another disk if there is one.

    That is how Colab's Drive lies: nothing can be renamed from the temporary folder to there.
    """
    gan = small_gan()
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        run = training.Run(Path(folder))
        saver = callbacks.SaveCheckpoint(run, 0)
        saver.set_model(gan)
        for step in (1, 2):
            gan.sums.assign(np.full(gan.sums.shape, step))
            saver.save(step)
        yield gan, run


def small_gan(width=4, seed=0):
    sizes = dataclasses.replace(TINY, width=width)
    return training.build_gan(
        recipe=recipes.RECIPES["course"], profile=sizes, pretraining_steps=4, steps=6, seed=seed
    )


def cut_at(share):
    return lambda content: content[: int(share * len(content))]


def flip_at(share):
    def flip(content):
        place = int(share * (len(content) - 1))
        return content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]

    return flip


PLACES = np.random.default_rng(0).random(10)
DAMAGES = {
    "cut": [cut_at(share) for share in (0, 1e-5, 0.5, 0.99, 0.99999, *PLACES)],
    "flipped": [flip_at(share) for share in (0, 1, *PLACES)],
    "longer": [lambda content: content + b"\0"],
    "other": [lambda content: b"PK\3\4" + bytes(len(content))],
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(two_checkpoints, kind, capsys):
    gan, run = two_checkpoints
    newest = run.checkpoints[-1]
    whole = newest.read_bytes()
    for damage in DAMAGES[kind]:
        newest.write_bytes(damage(whole))
        assert run.resume(gan) == 1
        assert (gan.sums.numpy() == 1).all()
        assert f"{newest} is damaged and is left out (its content" in capsys.readouterr().out
    newest.write_bytes(whole)
    assert run.resume(gan) == 2
    assert (gan.sums.numpy() == 2).all()


def test_what_hdf5_reports_in_its_own_words_is_understood(two_checkpoints, monkeypatch):
    gan, run = two_checkpoints
    saver = callbacks.SaveCheckpoint(run, 0)
    saver.set_model(gan)

    def refuse(error):
        def save_weights(*_, **__):
            raise error

        monkeypatch.setattr(training.DeblurGAN, "save_weights", save_weights)

    refuse(RuntimeError("Can't write (errno = 30, error message = 'Read-only file system')"))
    with pytest.raises(CourseError, match=r"Read-only.*on a disk that can be written and start"):
        saver.save(3)
    refuse(RuntimeError("a fault of ours"))
    with pytest.raises(RuntimeError, match="a fault of ours"):
        saver.save(3)
    assert [path.name[:13] for path in run.checkpoints] == ["step-00000001", "step-00000002"]


@pytest.mark.parametrize("part", ["generator", "optimizer"])
def test_a_checkpoint_of_other_networks_is_left_out(two_checkpoints, part, capsys):
    _, run = two_checkpoints
    other = small_gan(width=8 if part == "generator" else 4)
    if part == "optimizer":
        other.optimizer = keras.optimizers.SGD()
        other.optimizer.build(other.generator.trainable_variables)
    with pytest.raises(CourseError, match="No checkpoint"):
        run.resume(other)
    assert capsys.readouterr().out.count("is left out") == 2


def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one(
    train, interrupted, unbroken, capsys
):
    newest = interrupted(4).checkpoints[-1]
    newest.write_bytes(newest.read_bytes()[:3000])
    resumed = train()
    assert "step-00000004" in capsys.readouterr().out
    assert_alike(unbroken, resumed)


def test_a_run_whose_every_record_is_damaged_says_so_and_stays(train, interrupted):
    run = interrupted(4)
    for checkpoint in run.checkpoints:
        checkpoint.write_bytes(b"damaged")
    with pytest.raises(CourseError, match="No checkpoint in .*run/checkpoints can be used"):
        train()
    assert len(run.checkpoints) == 2
    (run.folder / "config.json").write_text("{")
    with pytest.raises(CourseError, match="config.json is damaged"):
        train()


def test_a_process_that_is_killed_again_and_again_resumes(tmp_path):
    """The script says whether its run ended as an unbroken one; `make interruptions` has more."""
    script = Path(__file__).parent.parent / "experiments" / "interruptions.py"
    command = [sys.executable, script, "--count", "3", "--epochs", "8", "--to", tmp_path / "table"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len((tmp_path / "table").read_text().splitlines()) == 4


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
        train(callbacks=(Poison(1),))
    assert len(train().metrics) == 3  # And from that checkpoint the run can go on.


def test_a_full_disk_keeps_the_last_good_checkpoint(train, monkeypatch, tmp_path):
    save = training.DeblurGAN.save_weights

    def fill(self, path, **kwargs):
        if self.optimizer.iterations.numpy() > 2:
            path.write_bytes(b"half a checkpoint")
            raise OSError(28, "No space left on device")
        save(self, path, **kwargs)

    monkeypatch.setattr(training.DeblurGAN, "save_weights", fill)
    with pytest.raises(CourseError, match=r"step 3 .*No space left on device"):
        train()
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


def test_weights_that_are_no_numbers_are_not_kept(train, tmp_path):
    class PoisonLast(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                Poison.spoil(self.model)

    with pytest.raises(CourseError, match=r"a weight became .*step-00000003-\w+.weights.h5"):
        train(callbacks=(PoisonLast(),))
    assert steps(training.Run(tmp_path / "runs" / "run")) == [2, 3]


def test_no_room_for_a_checkpoint_is_said_before_it_is_written(train, monkeypatch, tmp_path):
    usage = callbacks.shutil.disk_usage
    monkeypatch.setattr(
        callbacks.shutil, "disk_usage", lambda path: usage(path)._replace(free=1000)
    )
    with pytest.raises(CourseError, match=r"step 1 .*No space left on device, \d+ MB are needed"):
        train()
    assert not list((tmp_path / "runs" / "run" / "checkpoints").iterdir())


def test_a_disk_that_fills_while_the_log_is_written_ends_in_one_sentence(train, monkeypatch):
    def full(self, epoch, logs=None):
        raise OSError(28, "No space left on device", "metrics.csv")

    monkeypatch.setattr(callbacks.WriteMetrics, "on_epoch_end", full)
    with pytest.raises(CourseError, match=r"had to stop \(No space .* metrics.csv\)"):
        train()


@pytest.mark.parametrize("damage", ["header", "row", "bytes"])
def test_a_damaged_table_of_metrics_is_mended(train, tmp_path, damage):
    with pytest.raises(KeyboardInterrupt):
        train(callbacks=(Interrupt(2),))
    run = training.Run(tmp_path / "runs" / "run")
    path = run.folder / "metrics.csv"
    whole = path.read_bytes()
    path.write_bytes({"header": whole[:9], "row": whole + b"1,0.5", "bytes": b"\xff\xfe"}[damage])
    train()
    assert [row["epoch"] for row in run.metrics][-2:] == [1, 2]


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


def test_another_run_under_the_same_name_is_refused(train):
    config = train().folder / "config.json"
    before = config.read_text()
    with pytest.raises(CourseError, match="seed was 0 and is now 1"):
        train(seed=1)
    with pytest.raises(CourseError, match="recipe was 'course' and is now 'paper'"):
        train(recipe="paper")
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
    assert measure_precision() == policy


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_a_short_run_in_half_precision_ends_near_the_one_in_float32(train, unbroken, policy):
    """Pixel and perceptual loss within 2 %, and the score within 0.02 dB; losses are float32."""
    run = train(precision=policy)
    assert run.config["precision"] == policy and unbroken.config["precision"] == "float32"
    for exact, rough in zip(unbroken.metrics, run.metrics, strict=True):
        for loss in ("pixel", "perceptual"):
            assert rough[loss] == pytest.approx(exact[loss], rel=0.02)
        assert rough["val_psnr"] == pytest.approx(exact["val_psnr"], abs=0.02)
        assert rough != exact
    assert all(weight.dtype == "float32" for weight in weights(run))


def test_config_is_json_that_repeats_the_run(train):
    run = train()
    config = json.loads((run.folder / "config.json").read_text())
    assert config["profile_values"] == dataclasses.asdict(TINY)
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


def test_the_pretrained_generator_is_kept_beside_the_final_one(train):
    """It is what the run had learned from the pixels alone."""
    run = train()
    before = restoration.load(run.folder / "pixel_only.keras").get_weights()
    after = restoration.load(run.generator).get_weights()
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
