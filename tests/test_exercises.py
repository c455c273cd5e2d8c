"""Every solution passes, every stub is "not attempted", every wrong answer hears what is wrong."""

import ast
import importlib
import itertools
from pathlib import Path

import nbformat
import numpy as np
import pytest

from deblurgan_lib.notebook import exercises, toy
from deblurgan_lib.notebook.exercises.exercise import Exercise, judge

ROOT = Path(__file__).resolve().parent.parent
NAMES = [name for lesson in exercises.LESSONS.values() for name in lesson]
WRONG = {}
for path in sorted((ROOT / "tests" / "wrong_answers").glob("[a-z]*.py")):
    WRONG |= importlib.import_module(f"wrong_answers.{path.stem}").WRONG


def answer_of(exercise):
    """The solution as a learner would hand it in: a function, or the value itself."""
    return exercise.solution if exercise.cases != [()] else exercise.solution()


def find(name):
    return next(lesson[name] for lesson in exercises.LESSONS.values() if name in lesson)


def test_names_are_unique_and_every_lesson_has_two_to_four():
    assert len(set(NAMES)) == len(NAMES)
    assert set(WRONG) == set(NAMES)
    for number, lesson in exercises.LESSONS.items():
        assert 2 <= len(lesson) <= 4, number


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_passes(name):
    assert exercises.verdict(name, answer_of(find(name))).kind == "Correct"


@pytest.mark.parametrize("name", NAMES)
def test_the_untouched_stub_is_not_attempted(name):
    assert exercises.verdict(name, ...).kind == "Not attempted"
    assert exercises.verdict(name, lambda *arguments: ...).kind == "Not attempted"


@pytest.mark.parametrize("name", NAMES)
def test_wrong_answers_are_rejected_each_with_its_own_message(name):
    messages = []
    for answer, part in WRONG[name]:
        kind, message, _ = exercises.verdict(name, answer)
        assert kind == "Not yet", (message, part)
        assert part in message, (message, part)
        messages.append(message)
    assert len(set(messages)) == len(messages) >= 3


@pytest.mark.parametrize("name", NAMES)
def test_each_known_mistake_is_told_from_the_solution_and_from_the_others(name):
    exercise = find(name)
    assert len(exercise.mistakes) >= 3
    for message, mistake in exercise.mistakes.items():
        answer = mistake if exercise.cases != [()] else mistake()
        assert exercises.verdict(name, answer)[:2] == ("Not yet", message)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_an_answer_does_raises(name, capsys):
    def broken(*arguments):
        raise ValueError("my own bug")

    for answer in (broken, None, "text", object(), [1, [2, 3]], lambda: 1, lambda *a: exit(), 1j):
        exercises.check(name, answer)
        assert exercises.verdict(name, answer).kind == "Not yet", answer
    exercises.hint(name)
    exercises.solution(name)
    assert "def " in capsys.readouterr().out


def test_an_unknown_name_is_said_and_does_not_raise(capsys):
    exercises.check("no_such", 1)
    exercises.hint("no_such")
    exercises.solution("no_such")
    assert exercises.use("no_such", 1) == 1
    assert capsys.readouterr().out.count("There is no exercise 'no_such'") == 4


def double(x):
    return 2 * x


DOUBLE = Exercise(double, "hint", "insight", {}, cases=[(np.array([1.0, 2.0]),)])


@pytest.mark.parametrize("kind", [np.float32, np.float16, int])
def test_any_type_of_number_is_accepted(kind):
    assert judge(DOUBLE, lambda x: (2 * x).astype(kind)).kind == "Correct"


def test_tensors_and_lists_are_accepted():
    import keras

    assert judge(DOUBLE, lambda x: keras.ops.convert_to_tensor(x) * 2).kind == "Correct"
    assert judge(DOUBLE, lambda x: [2 * v for v in x]).kind == "Correct"


def test_an_answer_cannot_change_the_cases():
    def in_place(x):
        x *= 2
        return x

    assert judge(DOUBLE, in_place).kind == "Correct"
    assert judge(DOUBLE, in_place).kind == "Correct"


def test_a_wrong_shape_is_named():
    assert "shape (1, 2)" in judge(DOUBLE, lambda x: 2 * x[None]).message
    assert "it gives [1, 2]; [2, 4] is right" in judge(DOUBLE, lambda x: x).message


def test_nan_is_not_a_right_answer():
    assert judge(DOUBLE, lambda x: x * np.nan).kind == "Not yet"


def nested(x):
    return double(x) / 2 + undefined(x)  # noqa: F821


def test_the_line_that_raised_is_shown():
    message = judge(DOUBLE, nested).message
    assert "NameError" in message
    assert "`return double(x) / 2 + undefined(x)  # noqa: F821`" in message
    assert f"line {nested.__code__.co_firstlineno + 1}:" in message


LARGE = Exercise(double, "hint", "insight", {}, cases=[(np.arange(20.0).reshape(4, 5),)])


def test_a_large_array_is_said_to_differ_where_it_does():
    def one_wrong(x):
        return double(x) + 3.0 * (x == 7)

    assert judge(LARGE, one_wrong).message == (
        "The result differs in 1 of 20 values, most at [1, 2]: 17 where 14 is right."
    )
    assert "differs in 19 of 20" in judge(LARGE, lambda x: 3 * x).message
    assert "All of it is 1.5 times what is right" in judge(LARGE, lambda x: 3 * x).message
    assert "most at [0, 1]: nan" in judge(LARGE, lambda x: np.where(x == 1, np.nan, 2 * x)).message


def test_parts_are_judged_one_by_one(capsys):
    parts = exercises.verdict("generator_step", WRONG["generator_step"][2][0]).parts
    assert list(parts.values()) == [True, False, False]
    exercises.check("generator_step", WRONG["generator_step"][3][0])
    assert "- the change of the generator's weights: not yet" in capsys.readouterr().out


def test_a_step_that_cannot_be_compiled_is_not_right():
    """The lesson compiles it; what only runs line by line would stop there."""

    def with_numpy(discriminator, optimizer, real, fake):
        return toy.discriminator_step(discriminator, optimizer, real, fake).numpy()

    kind, message, _ = exercises.verdict("discriminator_step", with_numpy)
    assert kind == "Not yet" and "numpy" in message


def test_the_lesson_goes_on_with_a_right_answer_and_with_the_librarys_otherwise(capsys):
    def right(a, b):
        return np.mean(abs(np.sort(a) - np.sort(b)))

    assert exercises.use("wasserstein_1d", right) is right
    assert "runs your answer" in capsys.readouterr().out
    for answer in (..., lambda a, b: 0, lambda a, b: a[99]):
        assert exercises.use("wasserstein_1d", answer) is find("wasserstein_1d").solution
        assert "The lesson runs the library's" in capsys.readouterr().out


def test_progress_counts_what_is_right_now(capsys, monkeypatch):
    monkeypatch.setattr(exercises, "_checked", {})
    exercises.progress()
    assert "Nothing was checked yet" in capsys.readouterr().out
    exercises.check("wasserstein_1d", find("wasserstein_1d").solution)
    exercises.check("hinge_loss", ...)
    capsys.readouterr()
    exercises.progress()
    said = capsys.readouterr().out
    assert "lesson 08: 1 of 2 (wasserstein_1d ✓, hinge_loss –)" in said
    assert "lesson 01" not in said
    exercises.check("wasserstein_1d", lambda a, b: 0)
    capsys.readouterr()
    exercises.progress()
    assert "lesson 08: 0 of 2" in capsys.readouterr().out


def lessons():
    return sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


@pytest.mark.parametrize("path", lessons(), ids=lambda path: path.stem)
def test_the_lesson_holds_its_exercises_untouched(path):
    """Each is checked once, right below its stub, with hint and solution in the next cell."""
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    found = []
    for cell, after in itertools.pairwise(cells):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "exercises.check":
                name = ast.literal_eval(node.args[0])
                found.append(name)
                assert "..." in cell.source
                assert [o.data["text/plain"][:14] for o in cell.outputs] == ["Not attempted."]
                assert after.source == (
                    f'# exercises.hint("{name}")\n# exercises.solution("{name}")'
                )
    assert found == list(exercises.LESSONS.get(path.stem[:2], []))


def answered(source):
    """The source of a cell, with the stub in it answered by the solution of its exercise."""
    tree = ast.parse(source)
    stubs = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "exercises.check":
            name, stub = ast.literal_eval(node.args[0]), ast.unparse(node.args[1])
            if stub in stubs:
                arguments = ", ".join(each.arg for each in stubs[stub].args.args)
                source = source.replace("return ...", f"return solutions[{name!r}]({arguments})")
    return source


@pytest.fixture
def run_answered(monkeypatch):
    """Runs a lesson whose exercises are answered; nbval runs it unanswered.

    Args:
        stem: of the notebook.
        last: a name; the cells up to the one that makes it are run.
        without: texts; the cells that hold one of them are left out.
        parameters: other values for those of the lesson.

    Returns:
        all names of the lesson, and the answers that it goes on with, by exercise.
    """
    taken, use = {}, exercises.use

    def take(name, answer):
        taken[name] = use(name, answer)
        assert taken[name] is answer is not find(name).solution
        return answer

    monkeypatch.setattr(exercises, "use", take)

    def run(stem, last, without=(), **parameters):
        cells = nbformat.read(ROOT / "notebooks" / f"{stem}.ipynb", as_version=4).cells
        sources = [cell.source for cell in cells if cell.cell_type == "code"]
        space = {"__name__": "lesson", "solutions": {name: find(name).solution for name in NAMES}}
        assert all(any(text in source for source in sources) for text in without)
        for source in sources[1:]:
            if not any(text in source for text in without):
                exec(answered(source), space)
                space |= parameters
            if last in space:
                return space, taken
        raise AssertionError(f"no cell makes {last}")

    return run


@pytest.mark.slow
def test_lesson_00_scores_and_restores_with_the_learners_functions(run_answered):
    space, taken = run_answered(
        "00_start_here", "again", without=["trial = trained("], steps=2, look=None
    )
    assert taken == {"gain": space["gain"], "restore": space["restore_by_hand"]}
    assert (space["again"] == space["restore"](space["generator"], space["sharp"])).all()


@pytest.mark.slow
def test_lesson_01_trains_and_counts_with_the_learners_functions(run_answered):
    """Up to the collapse, without the digits."""
    without = "digit_gan", "LogisticRegression"
    space, taken = run_answered("01_gan_basics", "hasty_gan", without, ring_steps=100)
    gan = space["ring_gan"]
    assert taken == {
        "discriminator_step": gan.discriminator_step,
        "generator_step": gan.generator_step,
        "modes_covered": space["modes_covered"],
    }
    assert gan.generator_optimizer.iterations == gan.discriminator_optimizer.iterations == 100


@pytest.mark.slow
def test_lesson_02_blurs_and_pairs_with_the_learners_functions(run_answered):
    space, taken = run_answered("02_gopro_data", "by_name")
    assert taken == {name: space[name] for name in ("blur_by_kernel", "average_light", "partners")}
    assert space["by_name"][1] == "none" and space["by_name"][0] == space["sharp_names"][0]


@pytest.mark.slow
def test_lesson_03_assembles_the_learners_parts(run_answered, capsys):
    """Up to the whole generator."""
    space, taken = run_answered("03_generator_and_critic", "whole")
    assert taken["residual_block"] is space["block"] and taken["global_skip"] is space["skip"]
    assert "the same picture as the library's: True" in capsys.readouterr().out
    network = space["assemble"](space["block"], space["skip"], blocks=2)
    kernels = [weight.tobytes() for weight in network.get_weights() if weight.ndim == 4]
    assert len(set(kernels)) == len(kernels)
    for first in space["usual"], space["small"]:
        one, other = (first()["kernel_initializer"]((3, 3, 4, 4)) for _ in range(2))
        assert np.any(one != other)


@pytest.mark.slow
def test_lesson_04_uses_the_learners_losses(run_answered):
    """The cells that judge and use both answers, up to the critics that measure."""
    left_out = "figure_sliders(", "answers.items(", "damaged.items(", "matched(", "compared("
    space, taken = run_answered(
        "04_losses", "rulers", without=left_out, critic_steps=0, ruler_steps=2
    )
    assert taken == {
        "perceptual_loss": space["perceptual"].func,
        "gradient_penalty": space["penalty"],
    }
    assert np.isfinite([distances for distances, _ in space["rulers"].values()]).all()


@pytest.mark.slow
def test_lesson_05_trains_with_the_learners_functions(run_answered):
    """The cells of section 3."""
    import tensorflow as tf

    from deblurgan_lib.photos import to_uint8

    large_run = "training.train(", "live.begin", "run.report", "run.generator"
    space, taken = run_answered("05_training", "history", without=large_run, fit_steps=1)
    assert taken == {name: space[name] for name in ("critic_update", "generator_loss")}
    gan, history = space["gan"], space["history"]
    assert gan.optimizer.iterations == gan.critic_optimizer.iterations == 3
    assert all(np.isfinite(values).all() for values in history.values())
    assert {"critic", "loss", "of the blurred", "val_psnr"} == set(history)
    ((blurred, sharp),) = space["held_out"]
    psnr_blurred = tf.image.psnr(to_uint8(sharp), to_uint8(blurred), 255)
    assert space["nothing"]["psnr"] == pytest.approx(np.mean(psnr_blurred), abs=1e-3)


@pytest.mark.slow
def test_lesson_06_measures_with_the_learners_functions(run_answered, capsys):
    """Up to the table."""
    space, taken = run_answered("06_results", "table")
    assert taken["metric_test"] is space["metric_test"] and "evaluation" in taken
    said = capsys.readouterr().out
    assert said.count(" passes\n") == 3 and said.count(" is faulty\n") == 1
    assert list(space["table"]) == ["doing nothing", "unsharp mask", "generator"]
    mean, gain, smallest, worse = space["table"]["doing nothing"]
    assert (gain, smallest, worse) == (0, 0, 0) and mean == pytest.approx(26.945, abs=1e-3)


@pytest.mark.slow
def test_lesson_07_moves_a_kernel_back_with_the_learners_function(run_answered):
    without = "train_on_batch", "means =", "off, bins"
    space, taken = run_answered("07_what_the_article_got_wrong", "again", without)
    assert taken == {"centre_of_mass": space["centre_of_mass"]}
    assert (space["moved_back"] == np.pad(space["kernel"], 3)).all()
    assert space["again"] == pytest.approx(space["centred"], abs=0.01)


@pytest.mark.slow
def test_lesson_09_filters_and_centres_with_the_learners_functions(run_answered):
    """The cells that judge and use both answers; no kernel is searched for."""
    deconvolved = []
    space, taken = run_answered(
        "09_one_camera_motion",
        "score",
        without=("two_rows(", "as_picture(", "views =", "methods =", "beside =", "estimate_psf("),
        refined=np.pad([[0.25, 0.75]], ((7, 7), (6, 7))),
        estimate=None,
        deconvolve=lambda blurred, estimate, psf: deconvolved.append(psf) or blurred,
    )
    assert taken == {name: space[name] for name in ("wiener_filter", "centred_kernel")}
    blurred, sharp = (space[name][100:228, 100:228] for name in ("blurred", "sharp"))
    filtered = space["filtered"](blurred, space["true_psf"], 2e-3)
    psnr, middle = space["evaluation"].psnr, np.s_[40:88, 40:88]
    assert psnr(sharp[middle], filtered[middle]) > psnr(sharp[middle], blurred[middle]) + 3
    centre = [(deconvolved[1].sum(axis) * np.arange(15)).sum() for axis in (0, 1)]
    assert centre == pytest.approx([7, 7], abs=1e-5)


@pytest.mark.slow
def test_lesson_10_counts_finds_shifts_and_reckons_with_the_learners_functions(run_answered):
    """The cells that judge and use the answers, and the pairs between them."""
    costs = "networks = {", "work_of", "seconds[", "border_error(stack(", "step_operations"
    speeds = "decoding", "speeds", "start_step"
    without = (*costs, *speeds, "runs = {", "runs.items()")
    totals = {"paper, full": 4e17}
    space, taken = run_answered("10_at_scale", "tenth", without=without, totals=totals)
    assert taken == {name: space[name] for name in ("conv_cost", "shift", "run_cost")}
    assert space["tenth"] == pytest.approx(4e17 / (989e12 * 0.1) / 3600)  # On the last GPU.
    assert np.abs(space["found"]["this data set"]).max() <= 1
    assert np.min(space["found"]["one frame late"], axis=0)[0] >= 12
