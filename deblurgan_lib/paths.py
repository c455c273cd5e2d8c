"""Folders: the checkout, data, runs, and Google Drive on Colab."""

import os
import subprocess
from pathlib import Path

DRIVE = Path("/content/drive/MyDrive")
"""Where Colab shows Google Drive once it is mounted; all else is gone after a disconnect."""


def checkout() -> Path | None:
    """The checkout that this library is in; None where it was installed from a wheel."""
    folder = Path(__file__).resolve().parent.parent
    return folder if (folder / "notebooks").is_dir() else None


def home() -> Path:
    """The course's folder: the checkout that this library is in, or else the working folder."""
    return checkout() or Path.cwd()


def storage() -> Path:
    """The folder for downloads and runs: the course's, or one on Drive where that is mounted."""
    return DRIVE / "deblurgan" if DRIVE.is_dir() else home()


def runs_folder() -> Path:
    """Where training runs are kept: `DEBLURGAN_RUNS` if it is set, or `runs/` in `storage`."""
    return Path(os.environ.get("DEBLURGAN_RUNS") or storage() / "runs")


def commit() -> str:
    """The commit of the checkout, to record with measurements; "" where there is none.

    It ends with "-dirty" if anything but the tables of results has changed since.
    """
    folder = checkout()
    if folder is None:  # The working folder may be another project's checkout.
        return ""

    def git(*arguments):
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    others = (".", ":(exclude)benchmarks/RESULTS.md", ":(exclude)docs")
    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", *others)
        return git("rev-parse", "--short", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return ""
