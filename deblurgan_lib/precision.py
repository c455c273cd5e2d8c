"""The precision of a run: float32, or a 16-bit type where the device is faster with it."""

import contextlib
import hashlib
import os
import re
import time
from pathlib import Path

import keras
import tensorflow as tf

from .backend import need_tensorflow
from .files import read_json, write_json

need_tensorflow()
POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")


def measure_precision() -> str:
    """The fastest safe precision of this device: a Keras dtype policy.

    GPUs say it by their compute capability. A CPU whose flags name no bfloat16 computes in float32;
    with another one a convolution is timed, both ways as in training, and the answer is kept: it
    takes longer than to restore a photograph, and two runs on one machine get the same.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability")
        if capability is None or capability < (7, 0):
            return "float32"
        return "mixed_bfloat16" if capability >= (8, 0) else "mixed_float16"
    cpu = processor()
    if cpu and not re.search(r"bf16", cpu):
        return "float32"
    name = hashlib.sha256(f"{cpu}{os.cpu_count()}{tf.__version__}".encode()).hexdigest()[:16]
    kept, file = {}, None
    with contextlib.suppress(RuntimeError):  # There is no home folder.
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
        file = cache / "deblurgan" / "precision.json"
        kept = read_json(file)
    if kept.get(name) in POLICIES:
        return kept[name]
    policy = quicker_precision()
    with contextlib.suppress(OSError):  # It is kept only to save time.
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_json(file, kept | {name: policy})
    return policy


def processor() -> str:
    """Model and flags of the processor; "" where the system has no such file."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ""
    found = re.findall(r"^(?:model name|flags|Features)\s*:.*$", text, re.MULTILINE)
    return "\n".join(dict.fromkeys(found))


def quicker_precision() -> str:
    """`"mixed_bfloat16"` if a convolution and its gradients are quicker so, else `"float32"`."""
    works = {dtype: _convolution(dtype) for dtype in ("float32", "bfloat16")}
    seconds = {dtype: [] for dtype in works}
    for _ in range(8):  # Alternating, so that other work on the machine slows both.
        for dtype, work in works.items():
            start = time.perf_counter()
            [part.numpy() for part in work()]
            seconds[dtype].append(time.perf_counter() - start)
    best = {dtype: min(times) for dtype, times in seconds.items()}
    return "mixed_bfloat16" if best["float32"] > 1.3 * best["bfloat16"] else "float32"


def _convolution(dtype: str):
    """A convolution and its two gradients.

    Without instructions for bfloat16 the convolution itself is computed in float32 behind the
    scenes and looks quick; the gradients are then twenty times as slow as in float32.
    """
    x = tf.ones((4, 32, 32, 64), dtype)
    kernel = tf.ones((3, 3, 64, 64), dtype)

    @tf.function
    def work():
        with tf.GradientTape() as tape:
            tape.watch((x, kernel))
            y = tf.nn.conv2d(x, kernel, 1, "SAME")
        return y, *tape.gradient(y, (x, kernel))

    return work


@contextlib.contextmanager
def dtype_policy(policy: str):
    """Inside the block, Keras builds and computes in this dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
