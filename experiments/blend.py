"""Interpolate between the weights of two generators of the same network.

    python experiments/blend.py RUN/pixel_only.keras RUN/generator.keras 0.5 gan.keras

Each weight is interpolated by that share from the first generator to the second. Where one was
fine-tuned from the other, the networks between them work too, and so do their pictures (Wang et al.
2018, ESRGAN, section 3.4). With `--onto` the difference is added to a third generator, one that was
fine-tuned from the first for something else (Ilharco et al. 2023, "Editing models with task
arithmetic").
"""

import argparse
from pathlib import Path

from deblurgan_lib.errors import quiet_import

with quiet_import():
    from deblurgan_lib import restoration


def blend(first: Path, second: Path, share: float, onto: Path | None = None):
    """`onto`, or `first`, plus `share` times the difference of `second` and `first`."""
    result = restoration.load(onto or first)
    networks = (result, restoration.load(first), restoration.load(second))
    weights = zip(*(network.get_weights() for network in networks), strict=True)
    result.set_weights([start + share * (b - a) for start, a, b in weights])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("share", type=float, help="0 for the first, 1 for the second")
    parser.add_argument("to", type=Path)
    parser.add_argument("--onto", type=Path, metavar="GENERATOR")
    args = parser.parse_args()
    restoration.save(blend(args.first, args.second, args.share, args.onto), args.to, half=True)


if __name__ == "__main__":
    main()
