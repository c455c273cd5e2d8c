"""The lessons' exercises: `check` an answer, `use` it, ask for a `hint`, see a `solution`.

All of them, and `progress`, display what they have to say and never raise, so that a notebook with
an open or a wrong answer still runs to its end.
"""

import inspect

from . import exercise
from .at_scale import EXERCISES as AT_SCALE
from .exercise import Exercise, Verdict
from .gan_basics import EXERCISES as GAN_BASICS
from .generator_and_critic import EXERCISES as GENERATOR_AND_CRITIC
from .gopro_data import EXERCISES as GOPRO_DATA
from .losses import EXERCISES as LOSSES
from .modern_critics import EXERCISES as MODERN_CRITICS
from .one_camera_motion import EXERCISES as ONE_CAMERA_MOTION
from .results import EXERCISES as RESULTS
from .start_here import EXERCISES as START_HERE
from .training import EXERCISES as TRAINING
from .what_the_article_got_wrong import EXERCISES as WHAT_THE_ARTICLE_GOT_WRONG

# The number of the lesson, and its exercises by name.
LESSONS: dict[str, dict[str, Exercise]] = {
    "00": START_HERE,
    "01": GAN_BASICS,
    "02": GOPRO_DATA,
    "03": GENERATOR_AND_CRITIC,
    "04": LOSSES,
    "05": TRAINING,
    "06": RESULTS,
    "07": WHAT_THE_ARTICLE_GOT_WRONG,
    "08": MODERN_CRITICS,
    "09": ONE_CAMERA_MOTION,
    "10": AT_SCALE,
}
# The last verdict on each exercise that was checked since the kernel started.
_checked: dict[str, str] = {}


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
    kind, message, parts = verdict(name, answer)
    _checked[name] = kind
    marks = [f"- {part}: {'right' if right else 'not yet'}" for part, right in parts.items()]
    _display(kind, "\n".join([message, "", *marks]) if marks else message)


def use(name: str, answer):
    """The answer if it is right, else the solution; says which, for the lesson goes on with it."""
    kind, message, _ = verdict(name, answer)
    if kind == "Unknown":
        _display(kind, message)
        return answer
    if kind == "Correct":
        _display("Yours", f"From here on the lesson runs your answer to `{name}`.")
        return answer
    _display(
        "The library's",
        f"The lesson runs the library's answer to `{name}` until yours is right. Then run this "
        "cell again.",
    )
    return _find(name).solution


def progress() -> None:
    """Say which exercises were solved since the kernel started, for the lessons that were begun."""
    begun = {
        number: lesson for number, lesson in LESSONS.items() if any(x in _checked for x in lesson)
    }
    solved = {name for name, kind in _checked.items() if kind == "Correct"}
    lines = []
    for number, lesson in begun.items():
        names = ", ".join(f"{name} {'✓' if name in solved else '–'}" for name in lesson)
        lines.append(f"- lesson {number}: {len(solved & set(lesson))} of {len(lesson)} ({names})")
    _display("Solved", "\n".join(["", "", *lines]) if lines else "Nothing was checked yet.")


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
    parts = (*found.helpers, found.solution)
    source = "\n\n\n".join(inspect.getsource(part).strip() for part in parts)
    _display("One solution", f"{found.insight}\n\n```python\n{source}\n```")
