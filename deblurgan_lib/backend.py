"""Keras as the course needs it, whatever another project has set in the environment or in a file.

Keras reads `KERAS_BACKEND` and `keras.json` once, when it is imported: so the environment is set
before that, which other processes inherit, and the rest after it.
"""

import os
import sys

from .errors import CourseError


def set_environment() -> None:
    """Ask for Keras 3, and for TensorFlow unless Keras is imported already and has its backend."""
    os.environ["TF_USE_LEGACY_KERAS"] = "0"
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "tensorflow"


def set_keras(keras) -> None:
    """Numbers in float32 and channels last, which every network and photograph here assumes."""
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")


def need_tensorflow() -> None:
    """Called by modules that compute with TensorFlow itself, not only with `keras.ops`.

    Raises:
        CourseError: Keras was imported with another backend, and cannot change it any more.
    """
    import keras

    if keras.config.backend() != "tensorflow":
        raise CourseError(
            f"Keras was imported with the backend {keras.config.backend()}, and this part of the "
            "course needs TensorFlow: import deblurgan_lib before keras, or set KERAS_BACKEND to "
            "tensorflow; then start Python again."
        )
