"""Runs that go wrong in known ways, and one that does not, for the gallery in lesson 05.

    python benchmarks/bad_runs.py --epochs 8

makes docs/bad_runs.csv. Each run differs from the healthy one in what the table says. The runs are
kept in runs/, so an interrupted gallery goes on where it stopped.
"""

import argparse
import csv
import dataclasses
import shutil
import subprocess
from pathlib import Path

from deblurgan_lib import course, evaluation, profiles, recipes, training
from deblurgan_lib.datasets.pairs import Pair, find_pairs, spread
from deblurgan_lib.errors import CourseError

# The folding ResNet and Adam, with a rate that is as high as a run of this length can bear: Muon,
# whose steps have a fixed length, hides some illnesses.
HEALTHY = dataclasses.replace(
    recipes.RECIPES["course"], generator="resnet", optimizer="adam", learning_rate=8e-4
)
WHAT_IS_WRONG = {
    "healthy": {},
    "learning rate too high": {"learning_rate": 5e-3},
    "wrong pairs": {},
    "one photograph": {},
    "no gradient penalty": {"warmup": 0.0, "gradient_penalty": 0.0, "critic_learning_rate": 1e-3},
    "sigmoid critic": {"warmup": 0.0, "gradient_penalty": 0.0, "critic": "tutorial"},
}
COLUMNS = ("epoch", "val_psnr", "pixel", "critic", "penalty")


def copy_of(sample: Path, folder: Path, train: list[Pair]) -> Path:
    """The sample set with other training pairs; the test set stays."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sample / "test", folder / "test")
    for side in "AB":
        (folder / "train" / side).mkdir(parents=True)
    for i, pair in enumerate(train):
        shutil.copy(pair.blurred, folder / "train" / "A" / f"{i:02d}.png")
        shutil.copy(pair.sharp, folder / "train" / "B" / f"{i:02d}.png")
    return folder


def data_for(what: str, runs: Path) -> Path:
    sample = course.data_folder("sample")
    pairs = find_pairs(sample / "train")
    if what == "wrong pairs":
        # The two motorcycles have one size, so nothing but the pictures is wrong: each view is
        # paired with the other view.
        left, right = ([p for p in pairs if side in p.sharp.name] for side in ("left", "right"))
        both = zip(left, right, strict=True)
        crossed = [Pair(*x) for a, b in both for x in ((a.blurred, b.sharp), (b.blurred, a.sharp))]
        return copy_of(sample, runs / "bad-pairs-data", crossed)
    if what == "one photograph":
        return copy_of(sample, runs / "one-photo-data", pairs[:1])
    return sample


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=8)
    args = parser.parse_args()
    describe = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(describe, cwd=course.home(), capture_output=True, text=True, check=True)
    test = find_pairs(course.data_folder("sample") / "test")
    validation = spread(test, profiles.PROFILES["sample"].validation_photos)
    nothing = evaluation.psnr_of_doing_nothing(validation)
    rows = []
    for what, changes in WHAT_IS_WRONG.items():
        recipe = what.replace(" ", "-")
        recipes.RECIPES[recipe] = dataclasses.replace(HEALTHY, **changes)
        runs = course.runs_folder()
        name = f"bad-{recipe}-{args.epochs}"
        try:
            training.train(name, data_for(what, runs), runs, recipe, "sample", epochs=args.epochs)
        except CourseError as error:
            print(what, "ended with:", error)
        for row in training.Run(runs / name).metrics:
            values = {key: f"{row[key]:.5g}" for key in COLUMNS}
            rows.append({"run": what, **values, "psnr_blurred": f"{nothing:.5g}"})
    with open(course.home() / "docs" / "bad_runs.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "commit"])
        writer.writeheader()
        writer.writerows(row | {"commit": done.stdout.strip()} for row in rows)


if __name__ == "__main__":
    main()
