"""Bars that somebody watches, and bars that nobody reads."""

import io
import sys
import time

from deblurgan_lib.progress import progress, watching


class ClosedPipe(io.StringIO):
    """As stderr is after `2>&1 | head`."""

    def write(self, text):
        raise BrokenPipeError(32, "Broken pipe")


def test_work_goes_on_where_nobody_reads_the_bar(monkeypatch):
    monkeypatch.setattr(sys, "stderr", ClosedPipe())
    with progress("photos", 3, unit=" photos") as bar:
        for _ in range(3):
            time.sleep(0.6)  # Bars are shown after a second.
            bar.update()
    assert bar.n == 3


def test_bars_tell_who_watches_them_and_print_nothing(capsys):
    told = []
    tell = watching(lambda *news: told.append(news))
    with tell, progress("tiles", 2) as bar, progress("hidden", 9, hidden=True) as hidden:
        hidden.update()
        for _ in range(2):
            time.sleep(0.6)
            bar.update()
    with progress("afterwards", 1) as bar:
        bar.update()
    assert told == [("tiles", 0, 2), ("tiles", 1, 2), ("tiles", 2, 2)]
    assert capsys.readouterr() == ("", "")
