"""The input pipeline against a plain Pillow loop, and the memory of training runs.

    python benchmarks/input.py             # crop pairs a second, in about three minutes
    python benchmarks/input.py --memory    # runs on 10 to 3,214 pairs, in about eight

Prints Markdown rows: what | baseline | ours | ratio | target. A rate is the median of five
repetitions, which take turns; the smallest and the largest stand behind it.
"""

import argparse
import dataclasses
import json
import multiprocessing
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from deblurgan_lib import course, profiles
from deblurgan_lib.datasets import cache
from deblurgan_lib.datasets.pairs import find_pairs
from deblurgan_lib.datasets.photos import read_photo, write_photo
from deblurgan_lib.datasets.sample import make_sample

CROP, BATCH, SEED = 256, 8, 0
PROCESSES = 2
REPETITIONS, SECONDS = 5, 2.5
REAL = course.home().parent / "shared" / "real_pairs" / "GOPRO_Large" / "train"
PAIRS = (10, 100, 1000, 3214)


def photographs(folder: Path) -> str:
    """Put pairs of 1280x720 PNG into `folder/A` and `folder/B`; returns what they are."""
    for side in "AB":
        (folder / side).mkdir(parents=True)
    real = sorted(REAL.glob("*/sharp/*.png"))
    for path in real:
        name = f"{path.parts[-3]}_{path.name}"
        shutil.copyfile(path.parent.parent / "blur" / path.name, folder / "A" / name)
        shutil.copyfile(path, folder / "B" / name)
    if real:
        return f"{len(real)} real pairs of GOPRO"
    # Enlarged photographs are smoother than real ones, and noise makes their PNGs as large.
    rng = np.random.default_rng(SEED)
    sample = make_sample(course.home() / "data" / "sample")
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
        mirrored, turns = rng.integers(2), rng.integers(4)
        for photo in photos:
            crop = np.asarray(photo.convert("RGB").crop((left, top, left + CROP, top + CROP)))
            crop = np.rot90(crop[:, ::-1] if mirrored else crop, turns)
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
    from deblurgan_lib.datasets import pipeline

    batches = iter(pipeline.training_batches(pairs, CROP, BATCH, SEED, **options))
    warm = time.perf_counter()
    while time.perf_counter() - warm < SECONDS / 2:
        next(batches)
    began, done = time.perf_counter(), 0
    # Whole rounds, for that many batches share their photographs.
    while done % pipeline.CROPS_PER_PHOTO or time.perf_counter() - began < SECONDS:
        next(batches)
        done += 1
    return BATCH * done / (time.perf_counter() - began)


def one_crop_a_photo(pairs) -> float:
    from deblurgan_lib.datasets import pipeline

    before, pipeline.CROPS_PER_PHOTO = pipeline.CROPS_PER_PHOTO, 1
    try:
        return ours(pairs)
    finally:
        pipeline.CROPS_PER_PHOTO = before


def machine() -> str:
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(": ")[1] for line in lines if line.startswith("model name")), cpu)
    load = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    return f"{cpu}, {os.cpu_count()} cores{load}"


def row(*cells) -> None:
    print("|", " | ".join(cells), "|", flush=True)


def header(what: str) -> None:
    print(f"\n{what}\n")
    row("what", "baseline", "ours", "ratio", "target")
    row(*["---"] * 5)


def speed(folder: Path) -> None:
    where = machine()
    what = photographs(folder / "png")
    (folder / "decoded").mkdir()
    for side in "AB":
        shutil.copytree(folder / "png" / side, folder / "decoded" / side, copy_function=os.link)
    cache.make_cache(folder / "decoded")
    with course.quiet_import():
        import tensorflow as tf  # noqa: F401
    png, decoded = find_pairs(folder / "png"), find_pairs(folder / "decoded")
    ways = {
        "Pillow": lambda: baseline(png),
        "from PNG": lambda: ours(png),
        "from PNG, one crop a decoded photograph": lambda: one_crop_a_photo(png),
        "from the cache": lambda: ours(decoded),
        "from the cache, half of the blur fresh": lambda: ours(decoded, fresh_blur=0.5),
    }
    rates = {way: [] for way in ways}
    for _ in range(REPETITIONS):
        for way, measure in ways.items():
            rates[way].append(measure())
    megabytes = np.mean([path.stat().st_size for pair in png for path in pair]) / 1e6
    header(
        f"Random {CROP}x{CROP} crops of 1280x720 PNG pairs ({what}, {megabytes:.2f} MB a file), "
        f"mirrored and turned, in crop pairs a second. Baseline: Pillow in {PROCESSES} processes, "
        f"two files decoded a crop pair. {where}."
    )
    plain = rates.pop("Pillow")

    def shown(found):
        return f"{statistics.median(found):.0f} ({min(found):.0f} to {max(found):.0f})"

    targets = {"from PNG": "3x", "from the cache": "20x"}
    for way, found in rates.items():
        ratio = statistics.median(found) / statistics.median(plain)
        row(f"input {way}", shown(plain), shown(found), f"{ratio:.1f}x", targets.get(way, ""))
    for way in targets:
        steps = [f"{statistics.median(found) / BATCH:.1f}" for found in (plain, rates[way])]
        row(f"GPU steps a second of {BATCH} crops that it can feed, {way}", *steps, "", "")


def memory(folder: Path) -> None:
    """Runs in processes of their own, on hard links to the same few photographs."""
    where = machine()
    what = photographs(folder / "photos")
    source = find_pairs(folder / "photos")
    header(
        f"Memory of a training run in MB, largest value after a step: anonymous (what it needs), "
        f"and file-backed (libraries, and pages of the cache, which the system drops when it needs "
        f"room). 400 steps of 8 crops of 1280x720 pairs, smallest networks; hard links to {what}. "
        f"The file of the cache has its full size, but is sparse. {where}."
    )
    for way in ("PNG", "cache"):
        for n in PAIRS:
            data = folder / f"{way}-{n}"
            for part, count in (("train", n), ("test", 2)):
                for side, paths in zip("AB", zip(*source)):
                    (data / part / side).mkdir(parents=True)
                    for i in range(count):
                        os.link(paths[i % len(paths)], data / part / side / f"{i:04d}.png")
            if way == "cache":
                record = cache._record(find_pairs(data / "train"))
                (data / "train" / cache.RECORD).write_text(json.dumps(record))
                (data / "train" / cache.PIXELS).touch()
                os.truncate(data / "train" / cache.PIXELS, cache._ends(record)[-1])
            command = [sys.executable, __file__, "--train", str(data)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                sys.exit(done.stderr)
            if ("Crops come from" in done.stdout) != (way == "cache"):
                sys.exit(f"The run did not read from the {way}.")
            anonymous, backed = json.loads(done.stdout.splitlines()[-1])
            row(f"{n:,} pairs, from {way}", "", f"{anonymous:.0f} + {backed:.0f}", "", "no growth")
            shutil.rmtree(data)


def train(data: Path) -> None:
    """One run; prints its largest anonymous and file-backed memory in MB."""
    with course.quiet_import():
        import keras

        from deblurgan_lib import training
    largest = [0.0, 0.0]

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            lines = Path("/proc/self/status").read_text().splitlines()
            status = dict(line.split(":", 1) for line in lines)
            for i, key in enumerate(("RssAnon", "RssFile")):
                largest[i] = max(largest[i], int(status[key].split()[0]) / 1000)

    profiles.PROFILES["watched"] = dataclasses.replace(
        profiles.PROFILES["smoke"], batch=BATCH, epochs=4, steps_per_epoch=100
    )
    training.train("run", data, data, profile="watched", callbacks=(Watch(),), verbose=0)
    print(json.dumps(largest))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memory", action="store_true", help="measure memory, not speed")
    parser.add_argument("--train", type=Path, metavar="DATA", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.train:
        train(args.train)
    else:
        with tempfile.TemporaryDirectory() as folder:
            (memory if args.memory else speed)(Path(folder))
