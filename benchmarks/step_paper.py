"""One training step of the recipe `paper` against the same step in PyTorch.

    python benchmarks/step_paper.py --torch .venv-torch/bin/python

256x256 pixels, batch 1, WGAN-GP with five critic updates. PyTorch takes part with both precisions
and both memory layouts, and its quickest is timed.
"""

import argparse
from pathlib import Path

import table
from steps import build, pictures

from deblurgan_lib.precision import measure_precision

TORCH = str(Path(__file__).with_name("torch_side.py"))
MODES = [
    (dtype, layout)
    for dtype in ("float32", "bfloat16")
    for layout in ("contiguous", "channels_last")
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch", required=True, help="the Python that PyTorch is installed for")
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    policy = measure_precision()
    gan, batch = build("paper", policy), pictures()
    best, torch = table.quickest(
        {" ".join(["torch", *mode]): (args.torch, TORCH, "step", *mode) for mode in MODES}
    )
    sides = {"ours": lambda: gan.train_on_batch(*batch), best: torch}
    seconds = table.alternate(sides, args.rounds)
    times = table.ratio(seconds["ours"], seconds[best])
    table.record(
        "step of `paper`, precision auto",
        f"{policy}: {table.shown(seconds['ours'])}",
        f"{best}: {table.shown(seconds[best])}",
        f"{times:.2f}x",
        "3x",
        times >= 3,
        table.machine("tensorflow", "keras") + f", {torch.facts.split(',')[0]}",
    )


if __name__ == "__main__":
    main()
