"""The start of every lesson: the machine, the profile and the folders."""

import sys
from dataclasses import dataclass

from .. import figures, machine, paths
from ..errors import quiet_import
from ..paths import storage
from ..training import profiles
from .display import show

# The number of a lesson and its title.
MAIN = {
    "00": "Start here",
    "01": "GAN basics",
    "02": "GOPRO data",
    "03": "Generator\nand critic",
    "04": "Losses",
    "05": "Training",
    "06": "Results",
}
# The same, and the lesson after which one may leave the main path for it.
OPTIONAL = {
    "07": ("What the article\ngot wrong", "01"),
    "08": ("Modern critics", "04"),
    "09": ("One camera\nmotion", "06"),
    "10": ("At scale", "02"),
}


@dataclass(frozen=True)
class Machine:
    """The name and sizes of a lesson's profile, and the device."""

    profile: str
    sizes: profiles.Profile
    device: str


def start(profile: str = "auto", data: str = "", lesson: str = "") -> Machine:
    """Look at the machine, choose the profile, and say both; show the map of the lessons.

    Args:
        profile: see `profiles.choose`.
        data: what will be trained on, if it is known.
        lesson: the number of the lesson, which the map marks; without it there is no map.
    """
    if lesson:
        title = (MAIN.get(lesson) or OPTIONAL[lesson][0]).replace("\n", " ")
        alt = f"The lessons in a row, the optional ones below; you are in {lesson}, {title}."
        show(figures.lesson_map(MAIN, OPTIONAL, lesson), alt)
    with quiet_import():
        import keras
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
    sizes = profiles.choose(profile, gpu=bool(gpus), few_photos=data == "sample")
    name = profiles.name_of(sizes)
    device = machine.device()
    print(f"TensorFlow {tf.__version__}, Keras {keras.__version__}, on {device}.")
    if lesson == "00":  # Nothing has been said about training yet.
        print(f"Profile {name!r}, for the size of later runs.")
    else:
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
    """Say what on this machine is not as the course needs it, and what to do about it.

    The command `deblurgan check` lists what is right as well; see `machine.check`.
    """
    if machine.check(all_lines=False):
        print("ok    all is as the course needs it")
    print("(`deblurgan check` in a terminal lists it.)")
