"""Exercises, and how an answer is judged.

An answer is right if it computes what the solution computes, however it does so. It is compared
with the known mistakes as well, so that most wrong answers get a specific explanation.
"""

import copy
import functools
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True, eq=False)
class Exercise:
    """One exercise.

    Args:
        solution: a function that does what is asked. If it takes no arguments, the answer is the
            value that it returns: a number, a text, or several of them.
        hint: the next thing to think of, in one or two sentences.
        insight: what a correct answer shows; said with the praise.
        mistakes: from what is wrong, in one or two sentences, to a function that does it.
        cases: argument lists with which answer and solution are compared; together they must
            tell every mistake from the solution.
        tolerance: largest relative difference of a correct number.
        trial: for answers that do more than return a value. It calls an answer with a case, and
            returns what is compared, a dict from the name of a part to its value.
        helpers: functions that the solution calls, and that are shown with it.
    """

    solution: Callable
    hint: str
    insight: str
    mistakes: dict[str, Callable]
    cases: list[tuple] = field(default_factory=lambda: [()])
    tolerance: float = 1e-4
    trial: Callable | None = None
    helpers: tuple[Callable, ...] = ()


class Verdict(NamedTuple):
    """`kind` is "Correct", "Not yet", "Not attempted" or "Unknown"; `message` says why.

    `parts` are those that were judged one by one, if any: their names, and whether each is right.
    """

    kind: str
    message: str
    parts: dict[str, bool] = {}  # noqa: RUF012


class _Unusable(Exception):
    """An answer that cannot be compared; its text is the message."""


NOT_ATTEMPTED = Verdict("Not attempted", "Replace the three dots with your answer.")


def judge(exercise: Exercise, answer) -> Verdict:
    """Compare an answer with the solution and the known mistakes; never raises."""
    if answer is ...:
        return NOT_ATTEMPTED
    results = []
    try:
        for case in exercise.cases:
            results.append(_result(exercise, answer, case))
            if results[-1] is ...:
                return NOT_ATTEMPTED
    except _Unusable as problem:
        return Verdict("Not yet", str(problem))
    wanted = list(_known(exercise, exercise.solution))
    right = {
        name: all(_equal(a[name], b[name], exercise.tolerance) for a, b in zip(results, wanted))
        for name in wanted[0]
    }
    parts = right if exercise.trial else {}
    if all(right.values()):
        return Verdict("Correct", exercise.insight, parts)
    for message, mistake in exercise.mistakes.items():
        if _all_equal(results, _known(exercise, mistake), exercise.tolerance):
            return Verdict("Not yet", message, parts)
    return Verdict("Not yet", _first_difference(exercise, results, wanted), parts)


def _known(exercise, function):
    """What the solution or a known mistake does with the cases, computed when it is asked for."""
    return (_known_case(exercise, function, place) for place in range(len(exercise.cases)))


@functools.cache
def _known_case(exercise, function, place) -> dict[str, np.ndarray]:
    return _run(exercise, function, exercise.cases[place])


def _run(exercise, answer, case) -> dict[str, np.ndarray]:
    """The parts of what an answer does; one that has no name where there is no trial."""
    case = copy.deepcopy(case)
    # What libraries warn of in one of the known mistakes says nothing about this answer.
    with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
        if exercise.trial:
            parts = exercise.trial(answer, *case)
        else:
            parts = {"": answer(*case) if callable(answer) else answer}
    return {
        name: value if value is None or value is ... else _array(value)
        for name, value in parts.items()
    }


def _result(exercise, answer, case):
    if case and not callable(answer):
        raise _Unusable(f"A function is asked for, and this is {_a(type(answer).__name__)}.")
    try:
        parts = _run(exercise, answer, case)
    except _Unusable:
        raise
    except (Exception, SystemExit) as error:
        said = f"Your function raised {type(error).__name__}: {error}"
        raise _Unusable(said + _line_of(error, answer)) from None
    if any(value is None for value in parts.values()):
        raise _Unusable("Your function returns nothing; does it end with `return`?")
    return ... if any(value is ... for value in parts.values()) else parts


def _line_of(error, answer) -> str:
    """The last line of the answer's own file or cell that was running, if there is one."""
    code = getattr(answer, "__code__", None)
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if code and frame.filename == code.co_filename and frame.line
    ]
    return f"\n\nIt was in line {own[-1].lineno}: `{own[-1].line}`" if own else ""


def _array(value) -> np.ndarray:
    """A number, a text, an array or tensor, or a sequence of them, as an array."""
    try:
        array = np.asarray(value)
    except Exception:  # Ragged lists, tensors without a value, and whatever else is passed.
        array = np.empty((), object)
    if array.dtype.kind in "US":
        return np.char.lower(np.char.strip(array.astype(str)))
    if array.dtype.kind == "c":
        return array.astype(np.complex128)
    if array.dtype.kind not in "biuf":
        found = _a(type(value).__name__)
        if isinstance(value, (list, tuple)):
            found += f" with {', '.join(sorted({type(part).__name__ for part in value}))} in it"
        raise _Unusable(f"Numbers, arrays or texts can be compared, and this is {found}.")
    return array.astype(np.float64)


def _equal(a, b, tolerance):
    if a.size == b.size == 1:
        a, b = a.reshape(()), b.reshape(())
    if a.shape != b.shape or (a.dtype.kind == "U") != (b.dtype.kind == "U"):
        return False
    if a.dtype.kind == "U":
        return bool((a == b).all())
    scale = np.abs(b[np.isfinite(b)]).max(initial=0.0)
    # The constant lets rounding stand where zero is right.
    return np.allclose(a, b, rtol=tolerance, atol=tolerance * scale + 1e-9, equal_nan=True)


def _all_equal(results, others, tolerance):
    # The others are computed one by one, and no more of them than needed.
    return all(
        _equal(value, other[name], tolerance)
        for parts, other in zip(results, others, strict=True)
        for name, value in parts.items()
    )


def _first_difference(exercise, results, wanted):
    for case, parts, others in zip(exercise.cases, results, wanted, strict=True):
        for name, want in others.items():
            if not _equal(parts[name], want, exercise.tolerance):
                return _difference(exercise, case, name, parts[name], want)
    raise AssertionError("unreachable: some result differs")


def _difference(exercise, case, name, result, want) -> str:
    if not case and result.size != want.size:
        return f"The answer has {want.size} parts, and this one has {result.size}."
    if not case:
        return f"It is not {_short(result)}. The hint may help."
    subject = f"The part *{name}*" if name else "The result"
    if result.shape != want.shape:
        return f"{subject} has the shape {result.shape}; {want.shape} is asked for."
    if result.size > SHORT and "U" not in result.dtype.kind + want.dtype.kind:
        return f"{subject} differs {_where(result, want, exercise.tolerance)}"
    if name:
        return f"{subject} is {_short(result)}; {_short(want)} is right."
    given = ", ".join(_short(value) for value in case)
    return f"For ({given}) it gives {_short(result)}; {_short(want)} is right."


def _where(result, want, tolerance) -> str:
    """In how many values an array differs from the right one, and where the most."""
    scale = np.abs(want[np.isfinite(want)]).max(initial=0.0)
    same = np.isclose(result, want, rtol=tolerance, atol=tolerance * scale + 1e-9, equal_nan=True)
    # What is not a number differs more than any number does.
    error = np.where(same, -1.0, np.nan_to_num(np.abs(result - want), nan=np.inf))
    index = np.unravel_index(error.argmax(), error.shape)
    place = ", ".join(str(i) for i in index)
    said = (
        f"in {(~same).sum()} of {want.size} values, most at [{place}]: "
        f"{_short(result[index])} where {_short(want[index])} is right."
    )
    factors = (result[want != 0] / want[want != 0]).ravel()
    if factors.size and np.isfinite(factors[0]) and _equal(result, factors[0] * want, tolerance):
        said += f" All of it is {_short(factors[0])} times what is right."
    return said


SHORT = 12
"""Values of an array that a message shows in full."""


def _short(value) -> str:
    if isinstance(value, str):
        return repr(value)
    array = np.asarray(value)
    if array.dtype.kind in "biufcU" and array.size <= SHORT:
        whole = {"float_kind": lambda x: f"{x:.0f}" if x == round(x, 0) else f"{x:.4g}"}
        return np.array2string(array, separator=", ", formatter=whole).replace("\n", "")
    return f"an array of shape {array.shape}"


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0].lower() in "aeiou" else f"a {noun}"
