"""Whole runs, at sizes that take seconds."""

import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from deblurgan_lib import profiles, recipes, runs, training
from deblurgan_lib.datasets.photos import write_photo
from deblurgan_lib.errors import CourseError

TINY = dataclasses.replace(
    profiles.PROFILES["smoke"], width=4, blocks=1, critic_width=4, epochs=3, steps_per_epoch=2
)


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setitem(profiles.PROFILES, "tiny", TINY)
    monkeypatch.setattr(training, "measure_precision", lambda: "float32")


@pytest.fixture
def train(data_set, tmp_path):
    def train(name="run", **options):
        options = {"profile": "tiny", "verbose": 0} | options
        return training.train(name, data_set, tmp_path / "runs", **options)

    return train


def weights(run):
    return run.generator().get_weights()


@pytest.mark.parametrize("recipe", recipes.RECIPES)
def test_every_recipe_trains_and_leaves_everything_worth_keeping(train, recipe):
    run = train(recipe=recipe)
    kept = {path.name for path in run.folder.iterdir()}
    assert kept == {
        "config.json", "metrics.csv", "logs", "checkpoints", "generator.keras", "report.json",
        "before_after.png",
    }  # fmt: skip
    assert list(run.folder.glob("logs/**/events*"))
    assert [path.name[:11] for path in run.checkpoints] == ["epoch-00002", "epoch-00003"]
    assert [row["epoch"] for row in run.metrics] == [0, 1, 2]
    assert all(math.isfinite(value) for row in run.metrics for value in row.values())
    needed = {"psnr_blurred", "psnr_restored", "ssim_blurred", "ssim_restored", "n_images"}
    assert needed | {"protocol"} <= run.report.keys()
    config = run.config
    assert (config["recipe"], config["seed"], config["epochs"]) == (recipe, 0, 3)
    assert config["versions"]["keras"] == keras.__version__
    assert config["recipe_values"] == dataclasses.asdict(recipes.RECIPES[recipe])


def test_the_course_warms_up_with_pixels_and_ends_with_the_whole_game(train):
    rows = train().metrics
    assert [row["adversarial"] != 0 for row in rows] == [False, False, True]
    assert [row["perceptual"] != 0 for row in rows] == [False, False, True]


def test_a_finished_run_is_returned_as_it_is(train):
    report = train().folder / "report.json"
    before = report.stat().st_mtime_ns
    train()
    assert report.stat().st_mtime_ns == before


def test_one_seed_gives_one_run(train):
    first, again, other = train("first"), train("again"), train("other", seed=1)
    for a, b in zip(weights(first), weights(again), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert any(not np.allclose(a, b) for a, b in zip(weights(first), weights(other), strict=True))


class Interrupt(keras.callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KeyboardInterrupt


@pytest.mark.parametrize("epoch", [1, 2])
def test_an_interrupted_run_ends_where_an_unbroken_one_ends(train, epoch):
    """In the warm-up and at the border of the phases; equal but for the last bits of sums."""
    unbroken = train("unbroken")
    with pytest.raises(KeyboardInterrupt):
        train("broken", callbacks=(Interrupt(epoch),))
    resumed = train("broken")
    for a, b in zip(weights(unbroken), weights(resumed), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    for a, b in zip(unbroken.metrics, resumed.metrics, strict=True):
        assert a == pytest.approx(b, rel=1e-4, abs=1e-6)


def test_a_checkpoint_holds_both_networks_both_optimisers_and_the_average(train, monkeypatch):
    models = []
    monkeypatch.setattr(training, "DeblurGAN", lambda *a: models.append(Kept(*a)) or models[-1])
    run = train()
    trained = models[0]
    recipe = recipes.RECIPES["course"]
    monkeypatch.undo()
    keras.utils.set_random_seed(9)
    fresh = training.DeblurGAN(
        training.build_generator(recipe, TINY), training.build_critic(recipe, TINY)
    )
    optimizers = (
        training.build_optimizer(recipe, 1e-3, 6, recipe.averaging),
        training.build_optimizer(recipe, 1e-3, 2),
    )
    fresh.compile(*optimizers)
    assert run.resume(fresh) == 3
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
        ]
        return [np.array(variable) for variable in variables]

    def save_weights(self, path, **kwargs):
        self.saved = self.everything(self)
        super().save_weights(path, **kwargs)


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(train, capsys):
    unbroken = train("unbroken")
    with pytest.raises(KeyboardInterrupt):
        train("broken", callbacks=(Interrupt(2),))
    newest = training.Run(unbroken.folder.parent / "broken").checkpoints[-1]
    newest.write_bytes(newest.read_bytes()[:3000])
    resumed = train("broken")
    assert "epoch-00002.weights.h5 is damaged" in capsys.readouterr().out
    for a, b in zip(weights(unbroken), weights(resumed), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert [row["epoch"] for row in resumed.metrics] == [0, 1, 2]


def test_a_run_whose_every_record_is_damaged_says_so_and_stays(train):
    with pytest.raises(KeyboardInterrupt):
        train(callbacks=(Interrupt(2),))
    run = training.Run(train("other").folder.parent / "run")
    for checkpoint in run.checkpoints:
        checkpoint.write_bytes(b"damaged")
    with pytest.raises(CourseError, match="No checkpoint in .*run/checkpoints can be read"):
        train()
    assert len(run.checkpoints) == 2
    (run.folder / "config.json").write_text("{")
    with pytest.raises(CourseError, match="config.json is damaged"):
        train()


def test_a_killed_process_resumes(data_set, tmp_path):
    code = (
        "import dataclasses, sys, pathlib\n"
        "from deblurgan_lib import profiles, training\n"
        "sizes = dataclasses.replace(profiles.PROFILES['smoke'], width=4, blocks=1, "
        "critic_width=4, epochs=40, steps_per_epoch=4)\n"
        "profiles.PROFILES['tiny'] = sizes\n"
        "training.train('killed', pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), "
        "profile='tiny', verbose=0)\n"
    )
    command = [sys.executable, "-c", code, str(data_set), str(tmp_path / "runs")]
    run = training.Run(tmp_path / "runs" / "killed")
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not run.checkpoints and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert run.checkpoints
    assert not (run.folder / "report.json").exists()
    done = len(run.metrics)
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    assert [row["epoch"] for row in run.metrics] == list(range(40))
    assert done < 40
    assert run.report["n_images"] == 2


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
    with pytest.raises(CourseError, match=r"diverged: loss, pixel .*epoch-00001.weights.h5"):
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
    with pytest.raises(CourseError, match=r"epoch 2 .*No space left on device"):
        train()
    run = training.Run(tmp_path / "runs" / "run")
    assert [path.name for path in (run.folder / "checkpoints").iterdir()] == [
        "epoch-00001.weights.h5"
    ]
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
    assert train().report["psnr_blurred"] is None


def test_weights_that_are_no_numbers_are_not_kept(train, tmp_path):
    class PoisonLast(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                Poison.spoil(self.model)

    with pytest.raises(CourseError, match=r"a weight became .*epoch-00001.weights.h5"):
        train(callbacks=(PoisonLast(),))
    assert [p.name[:11] for p in training.Run(tmp_path / "runs" / "run").checkpoints] == [
        "epoch-00001"
    ]


def test_no_room_for_a_checkpoint_is_said_before_it_is_written(train, monkeypatch, tmp_path):
    usage = runs.shutil.disk_usage
    monkeypatch.setattr(runs.shutil, "disk_usage", lambda path: usage(path)._replace(free=1000))
    with pytest.raises(CourseError, match=r"epoch 1 .*No space left on device, \d+ MB are needed"):
        train()
    assert not list((tmp_path / "runs" / "run" / "checkpoints").iterdir())


def test_a_disk_that_fills_while_the_log_is_written_ends_in_one_sentence(train, monkeypatch):
    def full(self, epoch, logs=None):
        raise OSError(28, "No space left on device", "metrics.csv")

    monkeypatch.setattr(keras.callbacks.CSVLogger, "on_epoch_end", full)
    with pytest.raises(CourseError, match=r"could not be saved \(No space .* metrics.csv\)"):
        train()


@pytest.mark.parametrize("damage", ["header", "row", "bytes"])
def test_a_damaged_table_of_metrics_is_mended(train, tmp_path, damage):
    with pytest.raises(KeyboardInterrupt):
        train(callbacks=(Interrupt(1),))
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
    with pytest.raises(CourseError, match="'huge'.* auto, smoke, sample, colab, full"):
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
    schedule = training.ConstantThenLinear(1e-4, 200)
    rates = [float(schedule(step)) for step in (0, 99, 100, 150, 200)]
    assert rates == pytest.approx([1e-4, 1e-4, 1e-4, 5e-5, 0])


def test_the_warm_up_never_swallows_the_run():
    course = recipes.RECIPES["course"]
    assert [training.warmup_epochs(course, epochs) for epochs in (1, 2)] == [0, 1]
    assert training.warmup_epochs(course, 100) == round(100 * course.warmup)


def test_measured_precision_is_one_that_keras_knows(monkeypatch):
    monkeypatch.undo()
    policy = training.measure_precision()
    assert policy in ("float32", "mixed_bfloat16", "mixed_float16")
    with training.precision(policy):
        assert keras.config.dtype_policy().name == policy
    assert keras.config.dtype_policy().name == "float32"


def test_config_is_json_that_repeats_the_run(train):
    run = train()
    config = json.loads((run.folder / "config.json").read_text())
    assert config["profile_values"] == dataclasses.asdict(TINY)
    assert config["pairs"] == {"train": 2, "test": 2}
    assert str(os.sep) not in config["data"]


def test_a_long_gradient_is_shortened_and_a_short_one_is_not():
    recipe = recipes.RECIPES["course"]
    for length, used in ((1000.0, 1.0), (0.5, 0.5)):
        weight = keras.Variable(np.zeros(4, "float32"))
        adam = training.build_optimizer(recipe, 1e-3, 10, clip=1.0)
        adam.build([weight])
        adam.apply([keras.ops.full((4,), length / 2)], [weight])
        momentum = next(v for v in adam.variables if "momentum" in v.path)
        expected = (1 - recipe.beta_1) * used / 2
        np.testing.assert_allclose(momentum, np.full(4, expected), rtol=1e-4)
