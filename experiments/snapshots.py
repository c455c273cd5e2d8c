"""What features and critic do as they train: docs/adversarial_phase.jpg.

    python experiments/snapshots.py FRAMES fidelity "features only=STATE" "1,000 steps=STATE" ...

FRAMES is a folder with pairs in `blur` and `sharp`, at any depth. Of each one detail is shown, in
lines of four: blurred, restored by each of the generators, and sharp. A generator is the name of
one that is shipped, or NAME=STATE with a state file of `train_generators.py`.
"""

import argparse
from pathlib import Path

from pictures import detail
from quality import frames
from score_generators import load

from deblurgan_lib import figures, paths, restoration


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("frames", type=Path)
    parser.add_argument("generators", nargs="+", metavar="NAME[=STATE]")
    parser.add_argument("--to", type=Path, default=paths.home() / "docs" / "adversarial_phase.jpg")
    args = parser.parse_args()
    named = dict(text.partition("=")[::2] for text in args.generators)
    generators = {name: load(state or name) for name, state in named.items()}
    rows = []
    for blurred, sharp, _ in frames(args.frames):
        restored = {name: restoration.restore(x, blurred) for name, x in generators.items()}
        details = list(detail({"blurred": blurred, **restored, "sharp": sharp}).items())
        rows += [dict(details[i : i + 4]) for i in range(0, len(details), 4)]
    grid = figures.photo_grid(rows, inches=2.4)
    args.to.write_bytes(figures.image_bytes(grid, "jpeg"))


if __name__ == "__main__":
    main()
