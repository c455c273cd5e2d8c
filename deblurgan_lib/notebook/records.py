"""Runs that were made once, out of docs/, for lesson 05 (experiments/failing_runs.py)."""

from .. import paths
from ..files import read_csv

# The letters under which the lesson shows them; which is which, its readers are to find out.
LETTERS = {
    "healthy": "H",
    "one photograph": "A",
    "learning rate too high": "B",
    "no gradient penalty": "C",
    "wrong pairs": "D",
    "sigmoid critic": "E",
}


def _by_run(name: str) -> dict[str, list[dict[str, float]]]:
    """Rows of numbers of a table in docs/, by the run that they belong to."""
    runs = {}
    for row in read_csv(paths.home() / "docs" / name):
        run, _ = row.pop("run"), row.pop("commit")
        runs.setdefault(run, []).append({key: float(value) for key, value in row.items()})
    return runs


def failing_runs() -> tuple[dict[str, list[dict[str, float]]], float]:
    """A healthy run, H, and five that failed, A to E.

    Returns:
        Their metrics, a dict for each epoch, in which 0 stands for what was not in use; and the
        mean PSNR of the blurred validation photographs, dB.
    """
    runs = {LETTERS[run]: rows for run, rows in _by_run("failing_runs.csv").items()}
    return runs, runs["H"][0]["psnr_blurred"]


def critic_gradients() -> dict[str, list[dict[str, float]]]:
    """The norm of the critic's gradient at some crops, for each epoch of two runs.

    Returns:
        By the name of the run a dict for each epoch, with the lowest, the median and the highest
        norm: `low`, `median`, `high`.
    """
    return _by_run("critic_gradients.csv")
