"""Score the shipped generators beside doing nothing and older methods: docs/quality.csv.

    python benchmarks/quality.py "GOPRO test=GOPRO_Large/test" "REDS 020=REDS/020"

Each argument is a name and a folder with pairs in `blur` and `sharp`, at any depth; none of them
may have been trained on. Measured in any case, because they need no download: the sample set's
held-out photographs, the same photographs shaken by paths of four lengths, and, as they are, what
becomes of sharp photographs. Rows that are not measured stay as they were.
"""

import argparse
import csv
import functools
from pathlib import Path

import numpy as np
from table import commit

from deblurgan_lib import blur, course
from deblurgan_lib.datasets import sample
from deblurgan_lib.datasets.pairs import find_pairs
from deblurgan_lib.datasets.photos import read_photo

with course.quiet_import():
    from deblurgan_lib import evaluation, restore

GENERATORS = ("fidelity", "gan")
WAYS = {"motion": restore.deblur, "ensemble": restore.self_ensemble}
LEFT_OUT = {("gan", "ensemble")}  # The ensemble takes long.
LENGTHS = (5, 10, 20, 40)  # Of a path, pixels.
SHAKES = 3  # Of each length, for each photograph.
SEED = 1000  # Of shakes that no training run draws.


def methods(weights, psf, older):
    """From a name to a way to restore; the last two are told the kernel."""
    ways = {"blurred": lambda x: x, "unsharp mask": evaluation.unsharp_mask} if older else {}
    for name, generator in weights.items():
        ways[name] = functools.partial(restore.restore, generator)
        for way, work in WAYS.items():
            if (name, way) not in LEFT_OUT:
                ways[f"{name}, {way}"] = functools.partial(work, generator, bar=False)
    if older and psf is not None:
        ways["Wiener, true kernel"] = lambda x: evaluation.wiener(x, psf)
        ways["Richardson-Lucy, true kernel"] = lambda x: evaluation.richardson_lucy(x, psf)
    return ways


def held_out():
    return find_pairs(course.data_folder("sample") / "test")


def sample_pairs():
    """(blurred, sharp, kernel) of the sample set's held-out photographs."""
    kernels = sample.kernels("test")
    for pair in held_out():
        yield read_photo(pair.blurred), read_photo(pair.sharp), kernels[pair.sharp.stem]


def sharp_photos():
    """Each of the held-out photographs once, although the set has several shakes of it."""
    found = {pair.sharp.stem.split("_")[0]: pair.sharp for pair in held_out()}
    return [read_photo(path) for path in found.values()]


def shaken(length):
    """The held-out photographs, blurred by paths of one length."""
    photos = sharp_photos()
    paths = blur.shake_trajectories(SHAKES * len(photos), SEED + length, max_length=length)
    for number, path in enumerate(paths):
        psf, sharp = blur.point_spread_function(path), photos[number % len(photos)]
        yield blur.blur(sharp, psf), sharp, psf


def frames(folder):
    for blurred in sorted(folder.rglob("blur/*.png")):
        sharp = blurred.parent.parent / "sharp" / blurred.name
        yield read_photo(blurred), read_photo(sharp), None


def score(name, triples, weights, distance, older):
    """One row for each method: the means over all photographs."""
    scores = {}
    for blurred, sharp, psf in triples:
        apart = distance.to(sharp)
        for method, way in methods(weights, psf, older).items():
            result = way(blurred)
            values = (
                evaluation.psnr(sharp, result),
                evaluation.ssim(sharp, result),
                apart(result),
            )
            scores.setdefault(method, []).append(values)
    for method, values in scores.items():
        psnr, ssim, mean_apart = np.mean(values, axis=0)
        row = {"photographs": name, "n": len(values), "method": method}
        row |= {"psnr": f"{psnr:.3f}", "ssim": f"{ssim:.4f}", "distance": f"{mean_apart:.4f}"}
        print(*row.values(), sep="  ", flush=True)
        yield row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("frames", nargs="*", metavar="NAME=FOLDER")
    parser.add_argument("--weights", nargs="*", default=GENERATORS, metavar="NAME_OR_FILE")
    parser.add_argument("--only", action="store_true", help="not the older methods")
    parser.add_argument("--to", type=Path, default=course.home() / "docs" / "quality.csv")
    args = parser.parse_args()
    weights = {Path(x).stem: restore.load(x, course.runs_folder(), "auto") for x in args.weights}
    distance = evaluation.PerceptualDistance()
    sets = {"sample": sample_pairs()}
    sets |= {name: frames(Path(folder)) for name, folder in (x.split("=") for x in args.frames)}
    sets |= {f"shake of {length} pixels": shaken(length) for length in LENGTHS}
    sets["sharp"] = ((photo, photo, None) for photo in sharp_photos())
    measured, rows = commit(), {}
    if args.to.exists():
        with open(args.to, newline="") as file:
            rows = {(row["photographs"], row["method"]): row for row in csv.DictReader(file)}
    for name, triples in sets.items():
        for row in score(name, triples, weights, distance, not args.only):
            rows[name, row["method"]] = row | {"commit": measured}
    order = list(dict.fromkeys(name for name, _ in rows))
    rows = sorted(rows.values(), key=lambda row: order.index(row["photographs"]))
    with open(args.to, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
