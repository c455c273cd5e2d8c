"""Every solution passes, every stub is "not attempted", every wrong answer hears what is wrong."""

import ast
import importlib
import itertools
from pathlib import Path

import nbformat
import numpy as np
import pytest

from deblurgan_lib.notebook import exercises
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
        kind, message = exercises.verdict(name, answer)
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
        assert exercises.verdict(name, answer) == ("Not yet", message)


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
    assert capsys.readouterr().out.count("There is no exercise 'no_such'") == 3


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
    assert found == list(exercises.LESSONS[path.stem[:2]])
