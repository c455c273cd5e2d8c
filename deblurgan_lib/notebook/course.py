"""The start of every lesson: where are we, what machine is this, how large will runs be."""

import os
import sys
from dataclasses import dataclass

from .. import paths
from ..errors import quiet_import
from ..paths import home, runs_folder, storage
from ..training import profiles


@dataclass(frozen=True)
class Machine:
    """What a lesson has to work with: the profile's name and sizes, and the device."""

    profile: str
    sizes: profiles.Profile
    device: str


def start(profile: str = "auto", data: str = "") -> Machine:
    """Look at the machine, choose the profile, and say both.

    Args:
        profile: see `profiles.choose`.
        data: what will be trained on, if it is known.
    """
    with quiet_import():
        import keras
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
    sizes = profiles.choose(profile, gpu=bool(gpus), few_photos=data == "sample")
    name = profiles.name_of(sizes)
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    names = [detail.get("device_name", "GPU") for detail in details]
    device = ", ".join(names) if names else f"{os.cpu_count()} CPU cores, no GPU"
    print(f"TensorFlow {tf.__version__}, Keras {keras.__version__}, on {device}.")
    print(
        f"Profile {name!r}: {sizes.batch} crops of {sizes.crop}x{sizes.crop} a step, "
        f"{sizes.epochs} epochs of {sizes.steps_per_epoch} steps."
    )
    if not gpus and name in ("colab", "full"):
        print("This profile needs a GPU; on this machine it would take weeks.")
    if paths.DRIVE.is_dir():
        print(f"Runs and GOPRO's archive are kept on Google Drive, in {storage()}.")
    elif "google.colab" in sys.modules:
        print("Google Drive is not mounted: runs will be gone when Colab disconnects (lesson 05).")
    return Machine(name, sizes, device)


def check_machine() -> None:
    """Say what the course finds on this machine, and what to do about what is not right."""
    import importlib.metadata
    import platform
    import shutil
    import tomllib

    from packaging.requirements import Requirement

    def say(fine, what, advice):
        print(f"{'ok  ' if fine else 'LOOK'}  {what}" + ("" if fine else f" - {advice}"))

    project = home() / "pyproject.toml"
    wanted = {}
    if project.is_file():
        wanted = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    version = platform.python_version()
    in_range = Requirement(f"python{wanted.get('requires-python', '')}").specifier
    say(in_range.contains(version), f"Python {version}", f"the course is tested with {in_range}")
    for text in wanted.get("dependencies", ()):
        package = Requirement(text)
        if "google.colab" in sys.modules and package.name in ("jupyterlab", "papermill"):
            continue  # Colab shows the lessons itself.
        try:
            found = importlib.metadata.version(package.name)
        except importlib.metadata.PackageNotFoundError:
            say(False, f"{package.name} is missing", f"pip install '{text}'")
            continue
        fine = package.specifier.contains(found, prereleases=True)
        say(fine, f"{package.name} {found}", f"pip install --upgrade '{text}'")
    if hasattr(os, "sysconf"):  # Not on Windows.
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        say(memory > 3.5, f"{memory:.0f} GiB of memory", "lesson 05 alone needs 1.5 GiB")
    runs_folder().mkdir(parents=True, exist_ok=True)
    disk = shutil.disk_usage(runs_folder()).free / 2**30
    say(disk > 1, f"{disk:.0f} GiB of disk are free for runs", "a run needs less than 1 GiB")
    say(os.access(runs_folder(), os.W_OK), "runs can be written", f"make {runs_folder()} writable")
