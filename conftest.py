"""What holds for every test, and for the kernels in which nbval runs the notebooks."""

import atexit
import os
import shutil
import tempfile

import pytest

# Notebooks start with the profile "auto": here that is the smallest one, in a runs folder of its
# own, so that a test neither takes minutes nor finds or leaves anything in runs/.
os.environ["DEBLURGAN_PROFILE"] = "smoke"
os.environ["DEBLURGAN_RUNS"] = tempfile.mkdtemp(prefix="deblurgan-runs-")
atexit.register(shutil.rmtree, os.environ["DEBLURGAN_RUNS"], ignore_errors=True)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if "PYTEST_XDIST_WORKER" in os.environ:
    # As many processes as cores: more threads would only wait for each other.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# What the lessons train besides runs, in fewer steps than they show.
PARAMETERS = {
    "00_start_here.ipynb": {"steps": 12},
    "01_gan_basics.ipynb": {"ring_steps": 500, "digit_steps": 400},
    "03_generator_and_critic.ipynb": {"steps": 10},
    "04_losses.ipynb": {"critic_steps": 5, "match_steps": 5, "ruler_steps": 50},
    "05_training.ipynb": {"fit_steps": 2, "own_steps": 2},
    "07_what_the_article_got_wrong.ipynb": {"steps": 10, "article_steps": 40, "averaged": 5},
    "08_modern_critics.ipynb": {"head_start": 50, "gan_steps": 100},
    "09_one_camera_motion.ipynb": {"photographs": 1},
}

# With pytest-xdist a file goes to one process as a whole, as a notebook must, whose cells share a
# kernel. The longest come first, so that no process waits for another in the end.
FIRST = (
    "test_exercises.py",
    "05_training.ipynb",
    "06_results.ipynb",
    "test_interruptions.py",
    "test_training.py",
    "test_devices.py",
    "test_half_precision.py",
    "01_gan_basics.ipynb",
    "04_losses.ipynb",
    "08_modern_critics.ipynb",
    "03_generator_and_critic.ipynb",
    "09_one_camera_motion.ipynb",
    "02_gopro_data.ipynb",
    "test_cli.py",
    "test_gan.py",
    "test_restore.py",
    "07_what_the_article_got_wrong.ipynb",
    "10_at_scale.ipynb",
)
TOGETHER = {"06_results.ipynb": "05_training.ipynb"}  # It looks at the run of lesson 05.


def pytest_collection_modifyitems(items):
    places = {name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))
    for item in items:
        cell = getattr(item, "cell", None)
        if cell and "parameters" in cell.metadata.get("tags", ()):
            # As papermill does it: after the lesson's own values.
            chosen = PARAMETERS.get(item.path.name, {}).items()
            cell.source += "".join(f"\n{name} = {value!r}" for name, value in chosen)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadFileScheduling

    class Files(LoadFileScheduling):
        def _split_scope(self, nodeid):
            folder, _, name = super()._split_scope(nodeid).rpartition("/")
            return f"{folder}/{TOGETHER.get(name, name)}"

    config.option.loadscopereorder = False  # Not those with most tests first.
    return Files(config, log)


def pytest_collectstart(collector):
    if collector.fspath and collector.fspath.ext == ".ipynb":
        # Pictures are looked at, not compared; what libraries log differs between their versions.
        collector.skip_compare += ("stderr", "text/html", "image/jpeg")
