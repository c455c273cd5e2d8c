"""What holds for every test, and for the kernels in which nbval runs the notebooks."""

import atexit
import os
import shutil
import tempfile

# Notebooks start with the profile "auto": here that is the smallest one, in a runs folder of its
# own, so that a test neither takes minutes nor finds or leaves anything in runs/.
os.environ["DEBLURGAN_PROFILE"] = "smoke"
os.environ["DEBLURGAN_RUNS"] = tempfile.mkdtemp(prefix="deblurgan-runs-")
atexit.register(shutil.rmtree, os.environ["DEBLURGAN_RUNS"], ignore_errors=True)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def pytest_collectstart(collector):
    if collector.fspath and collector.fspath.ext == ".ipynb":
        # Pictures are looked at, not compared; what libraries log differs between their versions.
        collector.skip_compare += ("stderr", "text/html", "image/jpeg")
