"""The folder of a run: what binds it, what damages it, who may write to it, how it goes on."""

import dataclasses
import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

from deblurgan_lib import paths, restoration, training
from deblurgan_lib.arguments import as_number, as_text, as_whole
from deblurgan_lib.data import find_data
from deblurgan_lib.errors import CourseError
from deblurgan_lib.files import locked
from deblurgan_lib.notebook import course
from deblurgan_lib.training.run import Run, checksum

pytestmark = pytest.mark.slow
TINY = dataclasses.replace(tiny.SIZES, epochs=2)
# With a constant learning rate it can go on.
PIXELS = dataclasses.replace(tiny.PIXELS, decay="constant", averaging=0.0)
QUIET = {"precision": "float32", "minutes": 60, "verbose": 0}


class SecondTraining(keras.callbacks.Callback):
    """Tries to train the run that is being trained."""

    said = ""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def on_train_begin(self, logs=None):
        try:
            with Run(self.folder).exclusive():
                pass
        except CourseError as error:
            self.said = str(error)


@pytest.fixture(scope="module")
def made(tmp_path_factory, make_data_set):
    """A folder with data and a finished run of two epochs; and what a second training was told."""
    folder = tmp_path_factory.mktemp("made")
    data, second = make_data_set(folder / "tiny"), SecondTraining(folder / "runs" / "run")
    training.train("run", data, folder / "runs", PIXELS, TINY, callbacks=(second,), **QUIET)
    return folder, second.said


@pytest.fixture
def run(made, tmp_path):
    """A copy of the finished run."""
    shutil.copytree(made[0], tmp_path, dirs_exist_ok=True)
    return Run(tmp_path / "runs" / "run")


@pytest.fixture
def train(run, tmp_path):
    def train(name="run", data=tmp_path / "tiny", **options):
        return training.train(name, data, tmp_path / "runs", verbose=0, **options)

    return train


def change(run, **values):
    """Change what the run was begun with."""
    config = json.loads((run.folder / "config.json").read_text(encoding="utf-8"))
    (run.folder / "config.json").write_text(json.dumps(config | values), encoding="utf-8")


# ------------------------------------------------------------------------------------ what is bound


def test_what_is_left_out_is_what_the_run_has(run, train):
    change(run, fresh_blur=0.25, seed=7)
    assert train().config["fresh_blur"] == 0.25


@pytest.mark.parametrize(
    "options, said",
    [
        ({"fresh_blur": 0.5}, "fresh_blur was 0.0 and is now 0.5"),
        ({"start_from": "fidelity"}, "start_from was '' and is now 'fidelity'"),
        ({"precision": "mixed_bfloat16"}, "precision was 'float32' and is now 'mixed_bfloat16'"),
        ({"seed": 1}, "seed was 0 and is now 1"),
        ({"epochs": 1}, "epochs was 2 and is now 1"),
        ({"profile": "smoke"}, "profile was 'own' and is now 'smoke'"),
        ({"recipe": dataclasses.replace(PIXELS, beta_1=0.5)}, "values of its recipe have changed"),
    ],
)
def test_another_value_is_refused(train, options, said):
    with pytest.raises(CourseError, match=said):
        train(**options)


def test_the_generator_to_start_from_is_known_by_its_content(run, train, tmp_path):
    first = tmp_path / "first.keras"
    shutil.copy(run.generator, first)
    change(run, start_from=str(first), start_checksum=checksum(first))
    shutil.copy(first, tmp_path / "renamed.keras")
    train(start_from=tmp_path / "renamed.keras")
    first.write_bytes(first.read_bytes() + b"\0")
    with pytest.raises(CourseError, match=r"weights of start_from='\S*first.keras' have changed"):
        train(start_from=first)
    first.unlink()
    train(start_from=first)  # The run has its weights already.
    with pytest.raises(CourseError, match="no file"):
        train(start_from=tmp_path / "other.keras")


def test_data_may_move_and_are_known_by_the_names_of_their_pairs(train, tmp_path):
    moved = (tmp_path / "tiny").rename(tmp_path / "renamed")
    train(data=moved)
    for side in "AB":
        (moved / "train" / side / "train_0.png").rename(moved / "train" / side / "other.png")
    with pytest.raises(CourseError, match="its pairs have other names"):
        train(data=moved)
    for side in "AB":
        (moved / "train" / side / "other.png").unlink()
    with pytest.raises(CourseError, match=r"pairs was \{'train': 2, .* now \{'train': 1,"):
        train(data=moved)


def test_the_commit_is_recorded(run):
    assert run.config["commit"] == paths.commit()


def test_the_commit_is_that_of_the_course_and_of_no_other_project(monkeypatch, tmp_path):
    """Installed from a wheel, into an environment inside another project's checkout."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(paths, "__file__", str(tmp_path / "packages/deblurgan_lib/paths.py"))
    monkeypatch.setattr(paths.subprocess, "run", lambda *a, **k: pytest.fail("git was asked"))
    assert paths.commit() == ""


# ----------------------------------------------------------------------------------- what is damage


class Loads:
    """Stands for a network; loading a checkpoint into it does what a test wants."""

    def __init__(self, loading):
        self.load_weights = loading


@pytest.fixture
def kept(tmp_path):
    """A run with one whole checkpoint, of step 3."""
    run = Run(tmp_path / "kept")
    (run.folder / "checkpoints").mkdir(parents=True)
    written = run.folder / "checkpoints" / "written"
    written.write_bytes(b"weights")
    written.rename(written.with_name(f"step-00000003-{checksum(written)}.weights.h5"))
    return run


def raises(error):
    def load(path):
        raise error

    return load


def test_a_warning_is_no_damage(kept, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gan = Loads(lambda path: warnings.warn("an old function", DeprecationWarning, stacklevel=1))
        assert kept.resume(gan) == 3
    assert "damaged" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "error",
    [
        tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"),
        tf.errors.ResourceExhaustedError(None, None, "failed to allocate memory"),
        tf.errors.InternalError(None, None, "Dst tensor is not initialized."),
        tf.errors.InternalError(None, None, "CUDA_ERROR_OUT_OF_MEMORY: out of memory"),
        MemoryError(),
    ],
)
def test_too_little_memory_is_no_damage(kept, capsys, error):
    with pytest.raises(CourseError, match="not enough memory") as caught, kept.explained():
        kept.resume(Loads(raises(error)))
    assert "delete" not in str(caught.value) + capsys.readouterr().out


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(5, "Input/output error")])
def test_nor_is_an_interruption_or_a_disk_that_fails(kept, capsys, error):
    with pytest.raises(type(error)):
        kept.resume(Loads(raises(error)))
    assert capsys.readouterr().out == ""


def test_weights_that_do_not_fit_are_not_called_damaged(kept, capsys):
    with pytest.raises(CourseError, match="No checkpoint") as caught:
        kept.resume(Loads(raises(ValueError("Shape mismatch"))))
    said = capsys.readouterr().out
    assert "does not fit this run and is left out (Shape mismatch)" in said
    assert "delete" not in str(caught.value) and "damaged" not in said
    assert len(kept.checkpoints) == 1


def test_a_row_that_was_cut_short_is_left_out(kept):
    table = "epoch,loss,pixel\n0,0.5,0.25\n1,0.4"
    (kept.folder / "metrics.csv").write_text(table, encoding="utf-8")
    assert kept.metrics == [{"epoch": 0.0, "loss": 0.5, "pixel": 0.25}]


# ------------------------------------------------------------------------------- one at a time


def test_a_run_is_locked_while_it_trains_and_leaves_no_lock(made):
    folder, said = made
    assert "The run run is being trained by another process" in said
    assert not (folder / "runs" / "run" / ".lock").exists()


def test_a_killed_process_leaves_no_lock(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from deblurgan_lib.files import locked\n"
        "with locked(Path(sys.argv[1])): print('locked', flush=True); time.sleep(600)"
    )
    run = Run(tmp_path)
    command = [sys.executable, "-c", code, tmp_path / ".lock"]
    other = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(CourseError, match="by another process"), run.exclusive():
            pytest.fail("both have it")
    finally:
        other.kill()
        other.communicate()
    with run.exclusive():
        pass


def test_a_lock_whose_holder_ends_between_opening_and_locking_is_taken_anew(tmp_path, monkeypatch):
    fcntl, path = pytest.importorskip("fcntl"), tmp_path / "lock"
    flock = fcntl.flock

    def end_first(*arguments):  # The holder removes its file; what we have opened is no more.
        monkeypatch.setattr(fcntl, "flock", flock)
        path.unlink()
        flock(*arguments)

    monkeypatch.setattr(fcntl, "flock", end_first)
    with locked(path) as ours, locked(path) as others:
        assert ours and not others


def test_where_there_are_no_locks_training_goes_on_without(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with locked(tmp_path / "lock") as ours:
        assert ours


# ------------------------------------------------------------------------- reports, and more epochs


@pytest.mark.parametrize("content", ["", "{", None])
@pytest.mark.parametrize("checkpoints", [True, False])
def test_a_broken_report_is_written_again_from_the_generator(run, train, content, checkpoints):
    before, generator = run.report, run.generator.read_bytes()
    path = run.folder / "report.json"
    path.unlink()
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(CourseError, match="start the run run again") as caught:
        run.report  # noqa: B018
    assert "delete" not in str(caught.value)
    if not checkpoints:
        shutil.rmtree(run.folder / "checkpoints")
    elif content is None:
        return  # Then the training ends once more, as after any interruption.
    assert train().report == before
    assert run.generator.read_bytes() == generator


def test_a_run_with_a_constant_rate_goes_on_to_more_epochs(run, train, made):
    longer = train(epochs=3)
    assert (len(longer.metrics), longer.config["epochs"]) == (3, 3)
    folder, data = run.folder.parent, made[0] / "tiny"
    whole = training.train("whole", data, folder, PIXELS, TINY, epochs=3, **QUIET)
    for a, b in zip(longer.metrics, whole.metrics, strict=True):
        assert a == pytest.approx(b, rel=1e-4, abs=1e-6)
    weights = [restoration.load(each.generator).get_weights() for each in (longer, whole)]
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("values", [{"decay": "cosine"}, {"pretraining": 0.5}])
def test_any_other_run_names_the_way_on(run, train, values):
    change(run, recipe_values=dataclasses.asdict(dataclasses.replace(PIXELS, **values)))
    with pytest.raises(CourseError, match=r"its 2 epochs; .* \(--start-from run\)"):
        train(epochs=3)
    assert run.is_finished and run.config["epochs"] == 2


def test_without_checkpoints_it_does_not_begin_anew(run, train):
    shutil.rmtree(run.folder / "checkpoints")
    with pytest.raises(CourseError, match="--start-from run"):
        train(epochs=3)
    assert run.is_finished


# ------------------------------------------------------------------------------ names and arguments


@pytest.mark.parametrize("name", ["gan", "fidelity", "GAN", "x.keras"])
def test_names_that_mean_something_else_are_refused(train, name):
    with pytest.raises(CourseError, match="run name"):
        train(name)


def test_an_older_run_does_not_take_the_place_of_a_shipped_generator(run, capsys):
    run.folder.rename(run.folder.with_name("gan"))
    found = restoration.find_weights("gan", run.folder.parent)
    assert found.parent == restoration.SHIPPED
    assert str(run.folder.with_name("gan")) in capsys.readouterr().out


def test_a_name_that_is_too_long_is_one_sentence(train):
    with pytest.raises(CourseError, match="choose a shorter name"):
        train("x" * 300)


def test_arguments_of_papermill_are_taken_where_they_are_plain(run, train):
    run.folder.rename(run.folder.with_name("2024"))
    assert train(2024, epochs=2.0, seed="0", fresh_blur="0").folder.name == "2024"


@pytest.mark.parametrize(
    "options",
    [
        {"name": True}, {"name": 1e5}, {"name": float("nan")},
        {"epochs": 2.5}, {"epochs": True}, {"epochs": float("nan")}, {"epochs": "many"},
        {"seed": "x"}, {"seed": float("inf")}, {"seed": [1]}, {"fresh_blur": float("nan")},
        {"precision": 16.0}, {"profile": 1.5}, {"recipe": False}, {"minutes": "soon"},
    ],
)  # fmt: skip
def test_arguments_that_mean_nothing_are_named_at_once(tmp_path, options):
    name = {"name": "run_name"}.get(next(iter(options)), next(iter(options)))
    options = {"run_name": options.pop("name", "run"), **options}
    with pytest.raises(CourseError, match=f"^{name}=.* is no "):
        training.train(data=tmp_path, runs=tmp_path, **options)


@pytest.mark.parametrize(
    "take, value, expected",
    [
        (as_text, None, ""), (as_text, np.int64(7), "7"), (as_text, Path("a"), "a"),
        (as_whole, "3", 3), (as_whole, np.float32(2), 2), (as_whole, None, None),
        (as_whole, " ", None), (as_number, "0.5", 0.5), (as_number, 1, 1.0),
    ],
)  # fmt: skip
def test_what_is_plain(take, value, expected):
    taken = take(value, "x")
    assert (taken, type(taken)) == (expected, type(expected))


def test_a_lesson_says_at_once_what_it_cannot_take(data_set, monkeypatch):
    for wrong in (True, 2.5):
        with pytest.raises(CourseError, match=f"profile={wrong} is no text"):
            course.start(wrong)
        with pytest.raises(CourseError, match=f"data={wrong} is no text"):
            find_data(wrong)
    monkeypatch.chdir(data_set.parent)
    data_set.rename("2024")
    assert find_data(2024) == Path("2024")
