"""Progress bars."""

import contextlib
import io
import threading
from collections.abc import Callable, Iterator

from tqdm import tqdm

_watched = threading.local()


def progress(
    title: str, total: int | None, done: int = 0, unit: str = "B", hidden: bool = False
) -> tqdm:
    """A `tqdm` bar that appears after one second.

    Args:
        title: text before the bar.
        total: number of units in all, None if unknown.
        done: units that are done already.
        unit: `"B"` for bytes, or the name of what is counted.
        hidden: show nothing.
    """
    bar = _Bar(
        total=total,
        initial=done,
        desc=title,
        unit=unit,
        unit_scale=unit == "B",
        delay=1,
        disable=hidden,
    )
    bar.tell_watcher()
    return bar


@contextlib.contextmanager
def watching(tell: Callable[[str, int, int | None], None]) -> Iterator[None]:
    """Inside the block, bars of this thread call `tell` with their title, how far, and of how much.

    They show nothing themselves.
    """
    _watched.tell = tell
    try:
        yield
    finally:
        _watched.tell = None


class _Bar(tqdm):
    """A bar that somebody may watch, and that goes on where nobody reads what it prints."""

    def __init__(self, **options):
        self.tell = None if options["disable"] else getattr(_watched, "tell", None)
        super().__init__(**options, file=io.StringIO() if self.tell else None)

    def display(self, *arguments, **options):
        with contextlib.suppress(OSError, ValueError):  # A closed pipe, or a closed file.
            super().display(*arguments, **options)
        return True

    def update(self, n=1):
        super().update(n)
        self.tell_watcher()

    def close(self):
        with contextlib.suppress(OSError, ValueError):
            super().close()

    def tell_watcher(self):
        if self.tell:
            self.tell(self.desc, self.n, self.total)
