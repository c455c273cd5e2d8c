"""Kill a training run at random moments, resume it each time, compare it with an unbroken one.

    python experiments/interruptions.py --count 20

makes docs/interruptions.csv. The run is small, and saves a checkpoint every half second.
"""

import argparse
import dataclasses
import multiprocessing
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from deblurgan_lib import paths, restoration
from deblurgan_lib.data import find_data
from deblurgan_lib.files import write_csv
from deblurgan_lib.training import profiles, recipes

SIZES = dataclasses.replace(
    profiles.PROFILES["smoke"], width=4, blocks=1, critic_width=4, steps_per_epoch=10
)
RECIPE = dataclasses.replace(recipes.RECIPES["course"], pretraining=0.5, features="vgg16-random")


def train_until_killed(name, data, runs, recipe, epochs, progress):
    """Train to the end, or until this process is killed."""
    import keras

    from deblurgan_lib.training import train

    class ReportProgress(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.before = epoch * self.params["steps"]

        def on_train_batch_end(self, batch, logs=None):
            progress.value = self.before + batch + 1

    options = {
        "epochs": epochs,
        "minutes": 0.5 / 60,
        "callbacks": (ReportProgress(),),
        "verbose": 0,
    }
    train(name, data, runs, recipe, SIZES, precision="float32", **options)


def compare(data, runs, epochs, count, seed, recipe=RECIPE):
    """A row for each interruption, and the largest differences of weights and metrics."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["deblurgan_lib.training.loop"])  # TensorFlow is loaded once.
    progress = processes.Value("i", 0)

    def start(name):
        process = processes.Process(
            target=train_until_killed, args=(name, data, runs, recipe, epochs, progress)
        )
        process.start()
        return process

    start("unbroken").join()
    from deblurgan_lib.training.run import Run, checksum

    unbroken, interrupted = Run(runs / "unbroken"), Run(runs / "interrupted")
    draw, rows, done = random.Random(seed), [], 0
    furthest = 3 * epochs * SIZES.steps_per_epoch // (2 * count)
    while len(rows) < count:
        progress.value = 0
        process, begin = start("interrupted"), time.monotonic()
        if draw.random() < 0.2:  # While it starts.
            time.sleep(draw.uniform(0, 4.0))
        else:
            target = done + draw.randint(1, furthest)
            while progress.value < target and process.is_alive():
                time.sleep(0.002)
            time.sleep(draw.uniform(0, 0.2))
        process.kill()
        process.join()
        if process.exitcode != -signal.SIGKILL:
            sys.exit(
                f"The run ended before interruption {len(rows) + 1}; "
                "train more epochs, unless it failed."
            )
        kept = interrupted.checkpoints
        names = [path.name.removesuffix(".weights.h5").split("-") for path in kept]
        done = int(names[-1][1]) if kept else 0
        rows.append(
            {
                "interruption": len(rows) + 1,
                "seconds_after_start": f"{time.monotonic() - begin:.1f}",
                "step": progress.value or "",
                "checkpoint": done,
                "steps_lost": max(progress.value - done, 0),
                "seconds_since_checkpoint": (
                    f"{time.time() - kept[-1].stat().st_mtime:.1f}"
                    if progress.value > done > 0
                    else ""
                ),
                "checkpoints_whole": all(checksum(p) == n[2] for p, n in zip(kept, names)),
            }
        )
        print(*rows[-1].values(), flush=True)
    start("interrupted").join()
    pairs = zip(
        restoration.load(unbroken.generator).get_weights(),
        restoration.load(interrupted.generator).get_weights(),
        strict=True,
    )
    weights = max(float(np.abs(a - b).max()) for a, b in pairs)
    table = zip(unbroken.metrics, interrupted.metrics, strict=True)
    metrics = max(abs(a[key] - b[key]) for a, b in table for key in a)
    return rows, weights, metrics


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--to", type=Path, default=paths.home() / "docs" / "interruptions.csv")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as runs:
        rows, weights, metrics = compare(
            find_data("sample"), Path(runs), args.epochs, args.count, args.seed
        )
    write_csv(args.to, rows)
    print(f"Largest difference to the unbroken run: weights {weights:.1e}, metrics {metrics:.1e}")
    if max(weights, metrics) > 1e-5 or not all(row["checkpoints_whole"] for row in rows):
        sys.exit("The interrupted run differs from the unbroken one.")


if __name__ == "__main__":
    main()
