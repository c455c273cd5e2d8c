"""Runs that end too early and go on, and what a checkpoint is worth."""

import dataclasses
import tempfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
from tiny import Interrupt, steps, weights

from deblurgan_lib import training
from deblurgan_lib.errors import CourseError
from deblurgan_lib.training import build, callbacks

pytestmark = pytest.mark.slow
unbroken = tiny.finished_run(tiny.GAN)


@pytest.fixture(scope="module", autouse=True)
def without_graphs():
    """To trace a step takes longer than these few. A run that is killed traces its own, below."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def interrupted(train, tmp_path):
    """A run that ended before the given step."""

    def interrupted(step, **options):
        with pytest.raises(KeyboardInterrupt):
            train(callbacks=(Interrupt(step),), minutes=0, **options)
        return training.Run(tmp_path / "runs" / "run")

    return interrupted


@pytest.mark.parametrize("step", [1, 2, 4, 5])
def test_an_interrupted_run_ends_where_an_unbroken_one_ends(train, interrupted, unbroken, step):
    """In the middle of an epoch, between two, at the border of the phases, after it."""
    assert steps(interrupted(step, recipe=tiny.GAN))[-1] == step
    assert_alike(unbroken, train(recipe=tiny.GAN))


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
    run = train(recipe=WITH_MUON)
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


WITH_MUON = dataclasses.replace(tiny.GAN, optimizer="muon")


def small_gan(width=4, seed=0):
    sizes = dataclasses.replace(tiny.SIZES, width=width)
    return training.build_gan(
        recipe=WITH_MUON, profile=sizes, pretraining_steps=4, steps=6, seed=seed
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
    newest = interrupted(4, recipe=tiny.GAN).checkpoints[-1]
    newest.write_bytes(newest.read_bytes()[:3000])
    resumed = train(recipe=tiny.GAN)
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


def test_a_process_that_is_killed_again_and_again_resumes(data_set, tmp_path, monkeypatch):
    """`make interruptions` does more of it, with the recipe that the lessons train."""
    monkeypatch.syspath_prepend(Path(__file__).parent.parent / "experiments")
    import interruptions

    rows, weights, metrics = interruptions.compare(data_set, tmp_path, 4, 2, 0, tiny.GAN)
    assert [row["checkpoints_whole"] for row in rows] == [True, True]
    assert max(weights, metrics) < 1e-5


def assert_alike(run, other):
    """Equal but for the last bits of sums."""
    for a, b in zip(weights(run), weights(other), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    for a, b in zip(run.metrics, other.metrics, strict=True):
        assert a == pytest.approx(b, rel=1e-4, abs=1e-6)


def test_one_seed_gives_one_run(train, unbroken):
    same, other = (train(f"seed-{i}", recipe=tiny.GAN, seed=i) for i in (0, 1))
    assert_alike(unbroken, same)
    pairs = zip(weights(same), weights(other), strict=True)
    assert sum(np.abs(a - b).max() for a, b in pairs) > 1e-6


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_a_short_run_in_half_precision_ends_near_the_one_in_float32(train, unbroken, policy):
    """Pixel and perceptual loss within 2 %, and the score within 0.02 dB; losses are float32."""
    run = train(recipe=tiny.GAN, precision=policy)
    assert run.config["precision"] == policy and unbroken.config["precision"] == "float32"
    for exact, rough in zip(unbroken.metrics, run.metrics, strict=True):
        for loss in ("pixel", "perceptual"):
            assert rough[loss] == pytest.approx(exact[loss], rel=0.02)
        assert rough["val_psnr"] == pytest.approx(exact["val_psnr"], abs=0.02)
        assert rough != exact
    assert all(weight.dtype == "float32" for weight in weights(run))
