"""The input pipeline against a plain Pillow loop, and the memory of training runs.

    python benchmarks/input.py             # crop pairs a second, in about three minutes
    python benchmarks/input.py --memory    # runs on 10 to 3,214 pairs, in about eight

The photographs are those of the sample set, enlarged and with noise; `--frames GOPRO_Large/train`
takes real ones. Rates are of random crops of 1280x720 PNG pairs, flipped and rotated, the sides
alternating; the baseline decodes two files for each crop pair.
"""

import argparse
import dataclasses
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import table
from PIL import Image

from deblurgan_lib import paths
from deblurgan_lib.data import cache
from deblurgan_lib.data.pairs import find_pairs
from deblurgan_lib.data.sample import make_sample
from deblurgan_lib.errors import quiet_import
from deblurgan_lib.photos import read_photo, write_photo
from deblurgan_lib.training import profiles

CROP, BATCH, SEED = 256, 8, 0
PROCESSES = 2
REPETITIONS, SECONDS = 5, 2.5
PAIRS = (10, 100, 1000, 3214)


def photographs(folder: Path, frames: Path | None) -> str:
    """Put pairs of 1280x720 PNG into `folder/A` and `folder/B`; returns what they are."""
    for side in "AB":
        (folder / side).mkdir(parents=True)
    real = sorted(frames.glob("*/sharp/*.png")) if frames else []
    for path in real:
        name = f"{path.parts[-3]}_{path.name}"
        shutil.copyfile(path.parent.parent / "blur" / path.name, folder / "A" / name)
        shutil.copyfile(path, folder / "B" / name)
    if real:
        return f"{len(real)} real pairs"
    # Enlarged photographs are smoother than real ones, and noise makes their PNGs as large.
    rng = np.random.default_rng(SEED)
    sample = make_sample(paths.home() / "data" / "sample")
    pairs = find_pairs(sample / "train")
    for pair in pairs:
        for side, path in zip("AB", pair):
            enlarged = np.asarray(Image.fromarray(read_photo(path)).resize((1280, 720)), np.float32)
            noisy = enlarged + rng.normal(0, 2.0, enlarged.shape)
            write_photo(folder / side / path.name, np.clip(np.rint(noisy), 0, 255).astype(np.uint8))
    return f"{len(pairs)} pairs of the sample set, enlarged and with noise"


def pillow_loop(pairs, seed, start, results):
    """The baseline, one of its processes: two files decoded for each crop."""
    rng = np.random.default_rng(seed)
    start.wait()
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < SECONDS:
        photos = [Image.open(path) for path in pairs[rng.integers(len(pairs))]]
        left, top = (rng.integers(side - CROP + 1) for side in photos[0].size)
        flipped, rotations = rng.integers(2), rng.integers(4)
        for photo in photos:
            crop = np.asarray(photo.convert("RGB").crop((left, top, left + CROP, top + CROP)))
            crop = np.rot90(crop[:, ::-1] if flipped else crop, rotations)
            np.ascontiguousarray(crop, np.float32) / 127.5 - 1
        done += 1
    results.put(done / (time.perf_counter() - began))


def baseline(pairs) -> float:
    """Crop pairs a second of all processes; they hand nothing over, which favours them."""
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(PROCESSES), context.Queue()
    for seed in range(PROCESSES):
        context.Process(target=pillow_loop, args=(pairs, seed, start, results)).start()
    return sum(results.get() for _ in range(PROCESSES))


def ours(pairs, **options) -> float:
    """Crop pairs a second out of `training_batches`."""
    from deblurgan_lib.data import pipeline

    batches = iter(pipeline.training_batches(pairs, CROP, BATCH, SEED, **options))
    start = time.perf_counter()
    while time.perf_counter() - start < SECONDS / 2:
        next(batches)
    began, done = time.perf_counter(), 0
    # Whole rounds, for that many batches share their photographs.
    while done % pipeline.CROPS_PER_PHOTO or time.perf_counter() - began < SECONDS:
        next(batches)
        done += 1
    return BATCH * done / (time.perf_counter() - began)


def one_crop_a_photo(pairs) -> float:
    from deblurgan_lib.data import pipeline

    before, pipeline.CROPS_PER_PHOTO = pipeline.CROPS_PER_PHOTO, 1
    try:
        return ours(pairs)
    finally:
        pipeline.CROPS_PER_PHOTO = before


def speed(folder: Path, frames: Path | None) -> None:
    source = photographs(folder / "png", frames)
    (folder / "decoded").mkdir()
    for side in "AB":
        shutil.copytree(folder / "png" / side, folder / "decoded" / side, copy_function=os.link)
    cache.make_cache(folder / "decoded")
    with quiet_import():
        import tensorflow as tf  # noqa: F401
    png, decoded = find_pairs(folder / "png"), find_pairs(folder / "decoded")
    methods = {
        "Pillow": lambda: baseline(png),
        "from PNG": lambda: ours(png),
        "from PNG, one crop a decoded photograph": lambda: one_crop_a_photo(png),
        "from the cache": lambda: ours(decoded),
        "from the cache, half of the blur fresh": lambda: ours(decoded, fresh_blur=0.5),
    }
    rates = {method: [] for method in methods}
    for _ in range(REPETITIONS):
        for method, measure in methods.items():
            rates[method].append(measure())
    megabytes = np.mean([path.stat().st_size for pair in png for path in pair]) / 1e6
    plain = rates.pop("Pillow")

    def shown(found):
        low, middle, high = (f"{x:.0f}" for x in np.quantile(found, (0.25, 0.5, 0.75)))
        steps = statistics.median(found) / BATCH
        return f"{middle} crop pairs/s ({low} to {high}): feeds {steps:.1f} steps/s of {BATCH}"

    for method, found in rates.items():
        times = statistics.median(found) / statistics.median(plain)
        target = {"from PNG": 3, "from the cache": 20}.get(method)
        table.record(
            f"input {method}",
            shown(found),
            f"Pillow, {PROCESSES} processes: {shown(plain)}",
            f"{times:.1f}x",
            f"{target}x" if target else "",
            times >= (target or 0),
            f"{table.machine('tensorflow', 'pillow')}; {source}, {megabytes:.2f} MB a file",
        )


GROWTH = 0.1  # Of memory, from the smallest to the largest data set, that counts as none.


def memory(folder: Path, frames: Path | None) -> None:
    """Runs in processes of their own, on hard links to the same few photographs.

    What counts is the anonymous part, the largest value after any of 400 steps; pages of the mapped
    cache are left out, because the system drops them when it needs room. The cache has its full
    size, but is sparse.
    """
    photographs(folder / "photos", frames)
    available = find_pairs(folder / "photos")
    for source in ("PNG", "cache"):
        found = []
        for n in PAIRS:
            data = folder / f"{source}-{n}"
            for part, count in (("train", n), ("test", 2)):
                for side, photos in zip("AB", zip(*available)):
                    (data / part / side).mkdir(parents=True)
                    for i in range(count):
                        os.link(photos[i % len(photos)], data / part / side / f"{i:04d}.png")
            if source == "cache":
                record = cache._record(find_pairs(data / "train"))
                (data / "train" / cache.RECORD).write_text(json.dumps(record), encoding="utf-8")
                (data / "train" / cache.PIXELS).touch()
                os.truncate(data / "train" / cache.PIXELS, cache._ends(record)[-1])
            command = [sys.executable, __file__, "--train", str(data)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                sys.exit(done.stderr)
            if ("Crops come from" in done.stdout) != (source == "cache"):
                sys.exit(f"The run did not read from the {source}.")
            found.append(float(done.stdout.splitlines()[-1]))
            print(f"{n:,} pairs, from {source}: {found[-1]:.0f} MB", flush=True)
            shutil.rmtree(data)
        growth = max(found) / found[0] - 1
        pairs = ", ".join(f"{n:,}" for n in PAIRS)
        table.record(
            f"memory of a run on {pairs} pairs, from {source}",
            ", ".join(f"{megabytes:.0f} MB" for megabytes in found),
            "the smallest set",
            f"{100 * growth:+.0f}%",
            f"{100 * GROWTH:.0f}%",
            growth <= GROWTH,
            table.machine("tensorflow", "keras"),
        )


def train(data: Path) -> None:
    """One run; prints its largest anonymous memory in MB."""
    with quiet_import():
        import keras

        from deblurgan_lib import training
    largest = 0.0

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            nonlocal largest
            lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
            status = dict(line.split(":", 1) for line in lines)
            largest = max(largest, int(status["RssAnon"].split()[0]) / 1000)

    profiles.PROFILES["watched"] = dataclasses.replace(
        profiles.PROFILES["smoke"], batch=BATCH, epochs=4, steps_per_epoch=100
    )
    training.train("run", data, data, profile="watched", callbacks=(Watch(),), verbose=0)
    print(largest)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=Path, metavar="FOLDER", help="scenes with blur and sharp")
    parser.add_argument("--memory", action="store_true", help="measure memory, not speed")
    parser.add_argument("--train", type=Path, metavar="DATA", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.train:
        train(args.train)
    else:
        with tempfile.TemporaryDirectory() as folder:
            (memory if args.memory else speed)(Path(folder), args.frames)
