"""Exercises, and how an answer is judged.

An answer is right if it computes what the solution computes, however it does so. It is compared
with the known mistakes as well, so that most wrong answers get a specific explanation.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True)
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
    """

    solution: Callable
    hint: str
    insight: str
    mistakes: dict[str, Callable]
    cases: list[tuple] = field(default_factory=lambda: [()])
    tolerance: float = 1e-4


class Verdict(NamedTuple):
    """`kind` is "Correct", "Not yet", "Not attempted" or "Unknown"; `message` says why."""

    kind: str
    message: str


class _Unusable(Exception):
    """An answer that cannot be compared; its text is the message."""


def judge(exercise: Exercise, answer) -> Verdict:
    """Compare an answer with the solution and the known mistakes; never raises."""
    if answer is ...:
        return Verdict("Not attempted", "Replace the three dots with your answer.")
    try:
        results = [_result(exercise, answer, case) for case in exercise.cases]
    except _Unusable as problem:
        return Verdict("Not yet", str(problem))
    if any(result is ... for result in results):
        return Verdict("Not attempted", "Replace the three dots with your answer.")
    wanted = [_array(exercise.solution(*case)) for case in exercise.cases]
    if _all_equal(results, wanted, exercise.tolerance):
        return Verdict("Correct", exercise.insight)
    for message, mistake in exercise.mistakes.items():
        mistaken = [_array(mistake(*case)) for case in exercise.cases]
        if _all_equal(results, mistaken, exercise.tolerance):
            return Verdict("Not yet", message)
    return Verdict("Not yet", _first_difference(exercise, results, wanted))


def _result(exercise, answer, case):
    if case and not callable(answer):
        raise _Unusable(f"A function is asked for, and this is {_a(type(answer).__name__)}.")
    try:
        with np.errstate(all="ignore"):
            result = answer(*copy.deepcopy(case)) if callable(answer) else answer
    except (Exception, SystemExit) as error:
        raise _Unusable(f"Your function raised {type(error).__name__}: {error}") from None
    if result is None:
        raise _Unusable("Your function returns nothing; does it end with `return`?")
    return result if result is ... else _array(result)


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
    return all(_equal(a, b, tolerance) for a, b in zip(results, others, strict=True))


def _first_difference(exercise, results, wanted):
    for case, result, want in zip(exercise.cases, results, wanted, strict=True):
        if _equal(result, want, exercise.tolerance):
            continue
        if not case and result.size != want.size:
            return f"The answer has {want.size} parts, and this one has {result.size}."
        if not case:
            return f"It is not {_short(result)}. The hint may help."
        if result.shape != want.shape:
            return f"The result has the shape {result.shape}; {want.shape} is asked for."
        given = ", ".join(_short(value) for value in case)
        return f"For ({given}) it gives {_short(result)}; {_short(want)} is right."
    raise AssertionError("unreachable: some result differs")


def _short(value) -> str:
    if isinstance(value, str):
        return repr(value)
    array = np.asarray(value)
    if array.dtype.kind in "biufcU" and array.size <= 12:
        whole = {"float_kind": lambda x: f"{x:.0f}" if x == round(x, 0) else f"{x:.4g}"}
        return np.array2string(array, separator=", ", formatter=whole).replace("\n", "")
    return f"an array of shape {array.shape}"


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0].lower() in "aeiou" else f"a {noun}"
