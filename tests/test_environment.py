"""The library in environments that are not the checkout's: another project's settings."""

import importlib
import json
import os
import subprocess
import sys

import pytest

from deblurgan_lib import precision
from deblurgan_lib.errors import CourseError
from deblurgan_lib.training import gan

WITH_FOREIGN_SETTINGS = """
import os, deblurgan_lib, keras
from deblurgan_lib import models
config = keras.config
print(config.backend(), config.floatx(), config.image_data_format(), config.dtype_policy().name)
print(models.resnet_generator(4, 1).weights[0].dtype, os.environ["KERAS_BACKEND"])
models.feature_network("vgg16-hed", "block1_conv1")
"""


@pytest.mark.slow
def test_settings_of_another_project_do_not_reach_the_course(tmp_path):
    """All of them in one process, since TensorFlow takes seconds to load.

    The offline feature network comes from a package that imports `tensorflow.keras`.
    """
    settings = {"backend": "torch", "floatx": "float16", "image_data_format": "channels_first"}
    (tmp_path / "keras.json").write_text(json.dumps(settings), encoding="utf-8")
    foreign = {"KERAS_HOME": str(tmp_path), "KERAS_BACKEND": "jax", "TF_USE_LEGACY_KERAS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", WITH_FOREIGN_SETTINGS],
        capture_output=True,
        text=True,
        env={**os.environ, **foreign},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "tensorflow float32 channels_last float32",
        "float32 tensorflow",
    ]


@pytest.mark.parametrize("module", [precision, gan])
def test_what_needs_tensorflow_says_so_where_keras_came_with_another_backend(monkeypatch, module):
    import keras

    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(CourseError, match="backend jax.*import deblurgan_lib before keras"):
        importlib.reload(module)
