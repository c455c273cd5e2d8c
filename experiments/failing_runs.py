"""Runs that fail for known reasons, and a healthy one, for lesson 05.

    python experiments/failing_runs.py --epochs 8

makes docs/failing_runs.csv. Each run differs from the healthy one in what the table says. The runs
are kept in runs/, so the script continues where it was interrupted. With `--critics` it makes
docs/critic_gradients.csv instead: two short runs, and after each epoch the norm of the critic's
gradient with respect to each of some restored crops.
"""

import argparse
import dataclasses
import shutil
from pathlib import Path

import numpy as np
import tensorflow as tf

from deblurgan_lib import evaluation, paths
from deblurgan_lib.data import find_data, training_batches
from deblurgan_lib.data.pairs import Pair, find_pairs, spread
from deblurgan_lib.errors import CourseError
from deblurgan_lib.files import write_csv
from deblurgan_lib.paths import commit
from deblurgan_lib.training import Run, profiles, recipes, train
from deblurgan_lib.training.callbacks import WatchGradients

# The ResNet with space-to-depth and Adam, with the highest learning rate that a run of this length
# tolerates: Muon, whose steps have a fixed length, hides some failures.
HEALTHY = dataclasses.replace(
    recipes.RECIPES["course"], generator="resnet", optimizer="adam", learning_rate=8e-4
)
FAILURES = {
    "healthy": {},
    "learning rate too high": {"learning_rate": 5e-3},
    "wrong pairs": {},
    "one photograph": {},
    "no gradient penalty": {
        "pretraining": 0.0,
        "gradient_penalty": 0.0,
        "critic_learning_rate": 1e-3,
    },
    "sigmoid critic": {"pretraining": 0.0, "gradient_penalty": 0.0, "critic": "tutorial"},
}
# In both, the critic trains from the first epoch on. Small networks, and no features, will do.
CRITICS = {
    "healthy critic": {"pretraining": 0.0, "perceptual": 0.0},
    "sigmoid critic": FAILURES["sigmoid critic"] | {"perceptual": 0.0},
}
SMALL = dataclasses.replace(
    profiles.PROFILES["sample"],
    width=8, blocks=2, critic_width=16, crop=64, steps_per_epoch=60, validation_photos=1,
)  # fmt: skip
COLUMNS = ("epoch", "val_psnr", "pixel", "critic", "penalty")


def copy_of(sample: Path, folder: Path, train: list[Pair]) -> Path:
    """A copy of the sample set with other training pairs and the same test set."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sample / "test", folder / "test")
    for side in "AB":
        (folder / "train" / side).mkdir(parents=True)
    for i, pair in enumerate(train):
        shutil.copy(pair.blurred, folder / "train" / "A" / f"{i:02d}.png")
        shutil.copy(pair.sharp, folder / "train" / "B" / f"{i:02d}.png")
    return folder


def data_for(failure: str, runs: Path) -> Path:
    sample = find_data("sample")
    pairs = find_pairs(sample / "train")
    if failure == "wrong pairs":
        # The two motorcycles have one size, so nothing but the pictures is wrong: each view is
        # paired with the other view.
        left, right = ([p for p in pairs if side in p.sharp.name] for side in ("left", "right"))
        both = zip(left, right, strict=True)
        crossed = [Pair(*x) for a, b in both for x in ((a.blurred, b.sharp), (b.blurred, a.sharp))]
        return copy_of(sample, runs / "bad-pairs-data", crossed)
    if failure == "one photograph":
        return copy_of(sample, runs / "one-photo-data", pairs[:1])
    return sample


def watch_critics(epochs: int) -> None:
    """Train with both critics and write how hard each pulls at 16 held-out crops."""
    measured, sample, rows = commit(), find_data("sample"), []
    batches = training_batches(find_pairs(sample / "test"), crop=SMALL.crop, batch=8, seed=0)
    blurred, sharp = (tf.concat(crops, 0) for crops in zip(*batches.take(2)))
    for name, changes in CRITICS.items():
        recipe = dataclasses.replace(HEALTHY, **changes)
        watch = WatchGradients(blurred, sharp)
        runs = paths.runs_folder()
        folder = f"watched-{name.replace(' ', '-')}-{epochs}"
        shutil.rmtree(runs / folder, ignore_errors=True)
        train(folder, sample, runs, recipe, SMALL, epochs=epochs, callbacks=(watch,))
        for row in watch.rows:
            norms = row["adversarial"] / recipe.adversarial
            found = {"low": norms.min(), "median": np.median(norms), "high": norms.max()}
            values = {kind: f"{value:.4g}" for kind, value in found.items()}
            rows.append({"run": name, "epoch": row["epoch"], **values, "commit": measured})
    write_csv(paths.home() / "docs" / "critic_gradients.csv", rows)


def fail(epochs: int) -> None:
    """Train the healthy run and all that fail, and write their metrics."""
    measured = commit()
    test = find_pairs(find_data("sample") / "test")
    validation = spread(test, profiles.PROFILES["sample"].validation_photos)
    psnr_blurred = evaluation.psnr_of_input(validation)
    rows = []
    for failure, changes in FAILURES.items():
        recipe = dataclasses.replace(HEALTHY, **changes)
        runs = paths.runs_folder()
        name = f"failing-{failure.replace(' ', '-')}-{epochs}"
        try:
            train(name, data_for(failure, runs), runs, recipe, "sample", epochs=epochs)
        except CourseError as error:
            print(failure, "ended with:", error)
        for row in Run(runs / name).metrics:
            values = {key: f"{row[key]:.5g}" for key in COLUMNS}
            rows.append({"run": failure, **values, "psnr_blurred": f"{psnr_blurred:.5g}"})
    to = paths.home() / "docs" / "failing_runs.csv"
    write_csv(to, [row | {"commit": measured} for row in rows])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--critics", action="store_true", help="the two short runs")
    args = parser.parse_args()
    watch_critics(args.epochs) if args.critics else fail(args.epochs)


if __name__ == "__main__":
    main()
