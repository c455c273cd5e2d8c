"""Restoring 6000x4000 pixels: memory above the idle process, and what tiles change.

    python benchmarks/large_photo.py

Once with the shipped generator and once with the full one of the recipe `paper`, each in a process
of its own, with the search for a motion of the camera: seconds, and the highest memory above what
the process had when the generator was loaded. Then the shipped one restores a photograph both in
tiles and in one piece.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import table

from deblurgan_lib.errors import quiet_import

SIZE, SMALL = (4000, 6000), (1100, 2000)  # Of the smaller one there are two tiles.
MOST = 2000  # Megabytes.


def generator(which):
    with quiet_import():
        from steps import SIZES

        from deblurgan_lib import restoration, training
        from deblurgan_lib.training import recipes
    if which == "shipped":
        return restoration.load(restoration.DEFAULT, precision="auto")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "generator.keras"
        restoration.save(training.build_generator(recipes.RECIPES["paper"], SIZES), file)
        return restoration.load(file, precision="auto")


def noise(size):
    return np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)


def megabytes(key) -> float:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return int(dict(line.split(":", 1) for line in lines)[key].split()[0]) / 1000


def one_photo(which) -> None:
    """In a process of its own: prints seconds, and megabytes above idle."""
    import time

    net, photo = generator(which), noise(SIZE)
    from deblurgan_lib.restoration import deblur

    idle, begin = megabytes("VmRSS"), time.perf_counter()
    deblur(net, photo)
    print(json.dumps([time.perf_counter() - begin, megabytes("VmHWM") - idle]))


def tiled_and_whole() -> int:
    """The largest difference in grey levels."""
    net, photo = generator("shipped"), noise(SMALL)
    from deblurgan_lib import restoration
    from deblurgan_lib.restoration import inference

    difference = restoration.restore(net, photo).astype(int) - inference._restore_whole(net, photo)
    return int(np.abs(difference).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        one_photo(args.only)
        return
    where = table.machine("tensorflow", "keras")
    for which in ("shipped", "full"):
        command = [sys.executable, __file__, "--only", which]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        seconds, above = json.loads(done.stdout.splitlines()[-1])
        table.record(
            f"restoring 6000x4000, {which} generator",
            f"{above:.0f} MB above idle, {seconds:.0f} s",
            "",
            f"{above:.0f} MB",
            f"{MOST} MB",
            above < MOST,
            where,
        )
    most = tiled_and_whole()
    size = f"{SMALL[1]}x{SMALL[0]}"
    table.record(
        f"tiles of {size}, shipped generator",
        "in tiles",
        "in one piece",
        f"{most}/255 at most",
        "1/255",
        most <= 1,
        where,
    )


if __name__ == "__main__":
    main()
