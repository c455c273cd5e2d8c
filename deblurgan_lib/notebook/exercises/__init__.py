"""The lessons' exercises: `check` an answer, ask for a `hint`, see a `solution`.

All three display what they have to say and never raise, so that a notebook with an open or a
wrong answer still runs to its end.
"""

import inspect

from . import exercise
from .exercise import Exercise, Verdict
from .gan_basics import EXERCISES as GAN_BASICS
from .generator_and_critic import EXERCISES as GENERATOR_AND_CRITIC
from .gopro_data import EXERCISES as GOPRO_DATA
from .losses import EXERCISES as LOSSES
from .results import EXERCISES as RESULTS
from .start_here import EXERCISES as START_HERE
from .training import EXERCISES as TRAINING

# The number of the lesson, and its exercises by name.
LESSONS: dict[str, dict[str, Exercise]] = {
    "00": START_HERE,
    "01": GAN_BASICS,
    "02": GOPRO_DATA,
    "03": GENERATOR_AND_CRITIC,
    "04": LOSSES,
    "05": TRAINING,
    "06": RESULTS,
}


def _find(name) -> Exercise | None:
    for lesson in LESSONS.values():
        if name in lesson:
            return lesson[name]
    return None


def _unknown(name) -> str:
    known = ", ".join(name for lesson in LESSONS.values() for name in lesson)
    return f"There is no exercise {name!r}; there are {known}."


class _Said:
    """A heading and a text, shown as Markdown in a notebook and as they are elsewhere."""

    def __init__(self, heading: str, text: str):
        self.heading, self.text = heading, text

    def __repr__(self):
        return f"{self.heading}. {self.text}"

    def _repr_markdown_(self):
        return f"**{self.heading}.** {self.text}"


def _display(heading: str, text: str) -> None:
    from IPython.display import display

    display(_Said(heading, text))


def verdict(name: str, answer) -> Verdict:
    """What `check` says, as a value."""
    found = _find(name)
    return exercise.judge(found, answer) if found else Verdict("Unknown", _unknown(name))


def check(name: str, answer) -> None:
    """Say whether the answer to an exercise is right, and if not, what is wrong with it."""
    _display(*verdict(name, answer))


def hint(name: str) -> None:
    """Say what to think of next."""
    found = _find(name)
    _display("Hint", found.hint) if found else _display("Unknown", _unknown(name))


def solution(name: str) -> None:
    """Show one solution; yours may look different and be right."""
    found = _find(name)
    if found is None:
        _display("Unknown", _unknown(name))
        return
    source = inspect.getsource(found.solution).strip()
    _display("One solution", f"{found.insight}\n\n```python\n{source}\n```")
