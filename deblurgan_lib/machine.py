"""What this machine has, and what the course needs of it: `deblurgan check`."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
import tempfile
import tomllib
from pathlib import Path

from . import __version__
from .errors import quiet_import
from .paths import checkout, commit, home, runs_folder

PACKAGE = "deblurgan-course"


def requirements() -> tuple[str, list[str]]:
    """The range of Python's versions, and one requirement for each package that the course needs.

    A checkout need not be installed, so its `pyproject.toml` is asked first.
    """
    folder = checkout()
    if folder:
        text = (folder / "pyproject.toml").read_text(encoding="utf-8")
        wanted = tomllib.loads(text)["project"]
        return wanted["requires-python"], wanted["dependencies"]
    found = importlib.metadata.metadata(PACKAGE)
    needed = importlib.metadata.requires(PACKAGE)
    return found["Requires-Python"], [text for text in needed if "extra ==" not in text]


def device() -> str:
    """The GPUs that TensorFlow sees, by name, or the number of CPU cores."""
    with quiet_import():
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    names = [detail.get("device_name", "GPU") for detail in details]
    return ", ".join(names) if names else f"{os.cpu_count()} CPU cores, no GPU"


def check(all_lines: bool = True) -> bool:
    """Print what the course finds here, a line each, and what to do about what is not right.

    Args:
        all_lines: whether to print what is right, too.

    Returns:
        Whether everything is right.
    """
    right = True

    def say(fine, found, advice=""):
        nonlocal right
        right &= bool(fine)
        if all_lines or not fine:
            print(f"{'ok  ' if fine else 'LOOK'}  {found}" + ("" if fine else f" - {advice}"))

    version = " ".join(filter(None, (__version__, commit())))
    say(True, f"deblurgan {version} on {platform.platform()}")
    _check_packages(say)
    _check_keras(say)
    if hasattr(os, "sysconf"):  # Not on Windows.
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        say(memory > 3.5, f"{memory:.0f} GiB of memory", "lesson 05 alone needs 1.5 GiB")
    for folder in (runs_folder(), home() / "data"):
        _check_folder(say, folder)
    return right


def _check_packages(say) -> None:
    from packaging.requirements import Requirement

    python, packages = requirements()
    version = platform.python_version()
    in_range = Requirement(f"python{python}").specifier
    say(in_range.contains(version), f"Python {version}", f"the course is tested with {in_range}")
    for text in packages:
        package = Requirement(text)
        if "COLAB_RELEASE_TAG" in os.environ and package.name == "jupyterlab":
            continue  # Colab shows the lessons itself.
        try:
            found = importlib.metadata.version(package.name)
        except importlib.metadata.PackageNotFoundError:
            say(False, f"{package.name} is missing", f"pip install '{text}'")
            continue
        fine = package.specifier.contains(found, prereleases=True)
        say(fine, f"{package.name} {found}", f"pip install --upgrade '{text}'")


def _check_keras(say) -> None:
    found = device()
    say(
        "no GPU" not in found or not _has_nvidia_driver(),
        found,
        "there is an NVIDIA driver, but TensorFlow has no CUDA: pip install 'tensorflow[and-cuda]'",
    )
    with quiet_import():
        import keras

        from .precision import measure_precision
    config = keras.config
    settings = (config.backend(), config.floatx(), config.image_data_format())
    say(
        settings == ("tensorflow", "float32", "channels_last"),
        f"Keras: {', '.join(settings)}",
        "import deblurgan_lib before keras",
    )
    say(True, f"the fastest precision is {measure_precision()}")


def _has_nvidia_driver() -> bool:
    try:
        return subprocess.run(["nvidia-smi"], capture_output=True).returncode == 0
    except OSError:
        return False


def _check_folder(say, folder: Path) -> None:
    """Whether files can be written in a folder, or in the one that it will be made in."""
    name = folder.relative_to(home()) if folder.is_relative_to(home()) else folder
    place = folder.absolute()
    while not place.is_dir() and place != place.parent:
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place):
            free = shutil.disk_usage(place).free / 2**30
    except OSError as error:
        say(False, f"{name} cannot be written ({error.strerror})", f"make {place} writable")
    else:
        advice = "a run needs less than 1 GiB; make room"
        say(free > 1, f"{name} can be written, {free:.0f} GiB are free", advice)
