"""Where the search for one camera motion helps, and where it declines: docs/motion.csv.

    python experiments/motion.py --frames "GOPRO=GOPRO_test" "REDS=REDS" --shakes Levin2009

The held-out photographs of the sample set are shaken, and spoiled in the ways that photographs are:
light instead of pixel values, rotation, noise, JPEG, clipped highlights, a thing that moves. Frames
and real shakes are folders with pairs in `blur` and `sharp`. Real shakes are grey, and their sharp
partners lie up to 14 pixels beside: PSNR is of the inner part, at the best of the shifts. Settings
were chosen on the first of their two halves.
"""

import argparse
import io
import itertools
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage, signal

from deblurgan_lib import paths
from deblurgan_lib.data import blur, find_data
from deblurgan_lib.errors import quiet_import
from deblurgan_lib.files import write_csv
from deblurgan_lib.photos import read_photo

with quiet_import():
    from deblurgan_lib import evaluation, restoration

CUT, REACH = 30, 14  # Border and largest shift of real shakes, pixels.
SEED = 1000  # Of shakes that no training run draws, as in experiments/quality.py.


def psfs(length, n):
    paths = blur.shake_trajectories(n, SEED + length, max_length=length)
    return [blur.point_spread_function(path) for path in paths]


def rotated(photo, psf, degrees=1.0):
    """Shaken, and rotated about the view axis by so many degrees during the exposure."""
    angles = np.linspace(-degrees / 2, degrees / 2, 9)
    views = [ndimage.rotate(photo, a, reshape=False, order=1, mode="reflect") for a in angles]
    return blur.blur(np.rint(np.mean(views, 0)).astype(np.uint8), psf)


def noisy(photo, level):
    photo = photo + np.random.default_rng(0).normal(0, level, photo.shape)
    return np.clip(np.rint(photo), 0, 255).astype(np.uint8)


def jpeg(photo, quality=85):
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def clipped(photo, psf, exposure=1.6):
    """Shaken light of which the sensor keeps what is below its largest value, and its partner."""
    light = np.minimum(blur.to_linear(photo / 255.0) * exposure, 2)
    margin = len(psf) // 2
    light = np.pad(light, ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
    shaken = signal.fftconvolve(light, psf[:, :, None], mode="valid", axes=(0, 1))
    inner = light[margin : margin + len(photo), margin : margin + photo.shape[1]]
    return [np.rint(blur.to_pixels(x) * 255).astype(np.uint8) for x in (shaken, inner)]


def half_moved(photo, psf):
    """Its left half is shaken, and its right half stands still."""
    left = np.arange(photo.shape[1])[None, :, None] < photo.shape[1] // 2
    return np.where(left, blur.blur(photo, psf), photo)


KINDS = {
    "as light": lambda x, k: (blur.blur(x, k, linear_light=True), x),
    "and 1 degree of rotation": lambda x, k: (rotated(x, k), x),
    "and noise of 2": lambda x, k: (noisy(blur.blur(x, k), 2), x),
    "and noise of 5": lambda x, k: (noisy(blur.blur(x, k), 5), x),
    "and JPEG 85": lambda x, k: (jpeg(blur.blur(x, k)), x),
    "and clipped highlights": lambda x, k: clipped(x, k),
    "of one half": lambda x, k: (half_moved(x, k), x),
}


def synthetic(each):
    """(kind, pairs) of the sample set's held-out photographs."""
    folder = find_data("sample") / "test" / "B"
    photos = [read_photo(folder / f"{name}_0.png") for name in ("astronaut", "coffee")]
    for length in (5, 10, 20, 40):
        pairs = zip(itertools.cycle(photos), psfs(length, each))
        yield f"shake of {length} pixels", ((blur.blur(x, k), x) for x, k in pairs)
    for kind, spoil in KINDS.items():
        kernels = [k for length in (10, 20, 40) for k in psfs(length, max(each // 3, 1))]
        yield f"shake {kind}", map(spoil, itertools.cycle(photos), kernels)
    yield "sharp photographs", ((photo, photo) for photo in photos)


def pairs(folder, names="*"):
    for blurred in sorted(folder.rglob(f"blur/{names}.png")):
        yield read_photo(blurred), read_photo(blurred.parents[1] / "sharp" / blurred.name)


def aligned_psnr(sharp, result):
    sharp, result = (
        x[cut:-cut, cut:-cut, 1].astype(float) for x, cut in ((sharp, CUT), (result, CUT - REACH))
    )
    products = signal.correlate(result, sharp, mode="valid")
    squares = signal.correlate(result**2, np.ones_like(sharp), mode="valid")
    error = (squares - 2 * products + (sharp**2).sum()).min() / sharp.size
    return 10 * np.log10(255**2 / error)


def measure(kind, examples, generator, psnr):
    """One row: how often a motion is believed, and what it gains."""
    believed, scores = 0, []
    for blurred, sharp in examples:
        estimate = restoration.restore(generator, blurred, bar=False)
        result = restoration.deblur(generator, blurred, bar=False)
        believed += not np.array_equal(result, estimate)
        scores.append([min(psnr(sharp, x), 99) for x in (blurred, estimate, result)])
    scores = np.array(scores)
    gains = scores[:, 2] - scores[:, 1]
    row = {"kind": kind, "n": len(scores), "believed": believed}
    row |= dict(zip(("blurred", "generator", "deblur"), (f"{x:.2f}" for x in scores.mean(0))))
    row |= {"gain_over_blurred": f"{(scores[:, 2] - scores[:, 0]).mean():.2f}"}
    row |= {"gain_over_generator": f"{gains.mean():.2f}", "smallest": f"{gains.min():.2f}"}
    print(*row.values(), sep="  ", flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", nargs="*", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--shakes", type=Path, metavar="FOLDER", help="grey pairs that lie apart")
    parser.add_argument("--weights", default=restoration.DEFAULT, metavar="NAME_OR_FILE")
    parser.add_argument("--each", type=int, default=6, help="shakes of each kind")
    parser.add_argument("--to", type=Path, default=paths.home() / "docs" / "motion.csv")
    args = parser.parse_args()
    generator = restoration.load(args.weights, paths.runs_folder())
    work = [(kind, examples, evaluation.psnr) for kind, examples in synthetic(args.each)]
    for name, folder in (frames.split("=") for frames in args.frames):
        work.append((name, pairs(Path(folder)), evaluation.psnr))
    if args.shakes:
        for half in ("13", "24"):
            kind = f"real shakes of pictures {half[0]} and {half[1]} (Levin et al. 2009)"
            work.append((kind, pairs(args.shakes, f"im[{half}]_*"), aligned_psnr))
    rows = [measure(kind, pairs, generator, psnr) for kind, pairs, psnr in work]
    write_csv(args.to, rows)


if __name__ == "__main__":
    main()
