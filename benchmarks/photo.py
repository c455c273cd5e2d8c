"""Restoring a 1280x720 photograph with the full generator, against the same network in PyTorch.

    python benchmarks/photo.py --torch .venv-torch/bin/python

From 8-bit values to 8-bit values. Ours is loaded with precision `auto`; PyTorch takes part with
both precisions and both memory layouts, and its quickest is timed.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import table
from step_paper import MODES, TORCH
from steps import SIZES

from deblurgan_lib import restoration, training
from deblurgan_lib.training import recipes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch", required=True, help="the Python that PyTorch is installed for")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "generator.keras"
        restoration.save(training.build_generator(recipes.RECIPES["paper"], SIZES), file)
        generator = restoration.load(file, precision="auto")
    photo = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    best, torch = table.quickest(
        {f"torch {' '.join(mode)}": (args.torch, TORCH, "photo", *mode) for mode in MODES}
    )
    sides = {"ours": lambda: restoration.restore(generator, photo), best: torch}
    seconds = table.alternate(sides, args.rounds)
    times = table.ratio(seconds["ours"], seconds[best])
    table.record(
        "restoring 1280x720, full generator",
        f"precision auto: {table.shown(seconds['ours'])}",
        f"{best}: {table.shown(seconds[best])}",
        f"{times:.2f}x",
        "2x",
        times >= 2,
        table.machine("tensorflow", "keras") + f", {torch.facts.split(',')[0]}",
    )


if __name__ == "__main__":
    main()
