"""In which numbers to compute: float32, or half as many bits where the device is faster so."""

import contextlib
import time

import keras
import numpy as np
import tensorflow as tf


def measure_precision() -> str:
    """The fastest safe precision of this device: a Keras dtype policy.

    GPUs say it by their compute capability. A CPU's flags do not, so a convolution is timed.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability")
        if capability is None or capability < (7, 0):
            return "float32"
        return "mixed_bfloat16" if capability >= (8, 0) else "mixed_float16"
    seconds = {}
    for dtype in ("float32", "bfloat16"):
        x = tf.ones((4, 32, 32, 64), dtype)
        kernel = tf.ones((3, 3, 64, 64), dtype)
        convolve = tf.function(lambda x, k: tf.nn.conv2d(x, k, 1, "SAME"))
        times = []
        for _ in range(12):
            start = time.perf_counter()
            convolve(x, kernel).numpy()
            times.append(time.perf_counter() - start)
        seconds[dtype] = np.median(times)
    return "mixed_bfloat16" if seconds["float32"] > 1.3 * seconds["bfloat16"] else "float32"


@contextlib.contextmanager
def precision(policy: str):
    """Inside the block, Keras builds and computes in this dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
