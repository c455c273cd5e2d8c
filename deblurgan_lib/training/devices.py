"""Distribution of a run: one device, all GPUs of this machine, or several machines."""

import os

import tensorflow as tf

from ..errors import CourseError


def choose() -> tf.distribute.Strategy:
    """The distribution strategy: one device, all of a machine, or several machines (`TF_CONFIG`).

    It must be called before TensorFlow computes anything, which several machines require.
    """
    if "TF_CONFIG" in os.environ:
        return tf.distribute.MultiWorkerMirroredStrategy()
    for kind in ("GPU", "CPU"):
        devices = tf.config.list_logical_devices(kind)
        if len(devices) > 1:
            return tf.distribute.MirroredStrategy([device.name for device in devices])
        if devices:
            break
    return tf.distribute.get_strategy()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes the files of the run; always true on a single machine."""
    cluster = strategy.cluster_resolver
    if cluster is None:
        return True
    first = "chief" if "chief" in cluster.cluster_spec().jobs else "worker"
    return cluster.task_type == first and cluster.task_id == 0


def barrier(strategy: tf.distribute.Strategy, number: int = 0) -> None:
    """Wait until all machines have reached this point.

    Raises:
        CourseError: they did not come with the same number, the steps done, because they do not
            see the same files.
    """

    if strategy.cluster_resolver is None:
        return

    def gather():
        devices = tf.distribute.get_replica_context()
        return devices.all_gather(tf.constant([number], tf.int64), axis=0)

    everyones = tf.function(lambda: strategy.run(gather), autograph=False)()
    numbers = set(strategy.experimental_local_results(everyones)[0].numpy().tolist())
    if len(numbers) > 1:
        raise CourseError(
            f"The machines would begin at different steps ({sorted(numbers)}); the folder of runs "
            "must be on a disk that they share."
        )


def per_replica_batch(batch: int, strategy: tf.distribute.Strategy) -> int:
    """The number of crops of a batch on each device.

    Raises:
        CourseError: it cannot be divided.
    """
    devices = strategy.num_replicas_in_sync
    if batch % devices:
        raise CourseError(
            f"{devices} devices cannot share a batch of {batch} equally; choose another profile, "
            "or show fewer devices to the run (one: CUDA_VISIBLE_DEVICES=0)."
        )
    return batch // devices
