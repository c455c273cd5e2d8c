"""A generator between two of the same network: `fidelity` and `gan` as one slider.

    python benchmarks/blend.py RUN/pixel_only.keras RUN/generator.keras 0.5 gan.keras

Each weight is that share of the way from the first generator to the second. Where one was trained
on from the other, what lies between works, too, and its pictures lie between theirs (Wang et al.
2018, ESRGAN, section 3.4).
"""

import argparse
from pathlib import Path

from deblurgan_lib import course

with course.quiet_import():
    from deblurgan_lib import restore


def blend(first: Path, second: Path, share: float):
    """The generator that is `share` of the way from `first` to `second`."""
    between, end = restore.load(first), restore.load(second)
    pairs = zip(between.get_weights(), end.get_weights(), strict=True)
    between.set_weights([(1 - share) * a + share * b for a, b in pairs])
    return between


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("share", type=float, help="0 for the first, 1 for the second")
    parser.add_argument("to", type=Path)
    args = parser.parse_args()
    restore.save(blend(args.first, args.second, args.share), args.to)


if __name__ == "__main__":
    main()
