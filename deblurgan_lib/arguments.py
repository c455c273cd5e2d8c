"""Arguments as people and papermill hand them over, taken where their meaning is plain.

papermill's `-p run_name 2024` is a whole number, `-p epochs 2.0` is not one, and a form may send
"3". None and an empty text stand for what is not given.
"""

import contextlib
import math
import numbers
import os

from .errors import CourseError


def as_text(value, name: str) -> str:
    """A text, a path or a whole number as text; "" for what is not given.

    Args:
        value: what was handed over.
        name: what the argument is called.

    Raises:
        CourseError: it is something else, such as a float or a bool.
    """
    if value is None:
        return ""
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str | os.PathLike):
        return os.fspath(value)
    raise CourseError(f"{name}={value!r} is no text; give one (papermill: -r {name} TEXT, not -p).")


def as_number(value, name: str) -> float | None:
    """A finite number, also from a text; None for what is not given.

    Raises:
        CourseError: it is something else.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    number = math.nan
    if isinstance(value, str | numbers.Real) and not isinstance(value, bool):
        with contextlib.suppress(ValueError):
            number = float(value)
    if not math.isfinite(number):
        raise CourseError(f"{name}={value!r} is no number; give one, or leave it out.")
    return number


def as_whole(value, name: str) -> int | None:
    """As `as_number`, and whole."""
    number = as_number(value, name)
    if number is not None and not number.is_integer():
        raise CourseError(f"{name}={value!r} is no whole number; give one, or leave it out.")
    return None if number is None else int(number)
