"""Where the seconds of `deblurgan deblur` on one photograph go, beside a bare `import tensorflow`.

    python benchmarks/one_photo.py [--photo PHOTO] [--rounds 3]

Whole commands, in turn: the import, the command, and the command with the generator alone. Then
once more inside one process, part by part; it prints the share of each.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import table
from PIL import Image

from deblurgan_lib.data import find_data
from deblurgan_lib.paths import home

TIMES = 2  # The whole command takes at most so many times as long as the import.
SIZE = (1280, 720)


def parts(photo: Path, output: Path) -> dict[str, float]:
    """Seconds of each part, in a process that has loaded nothing yet."""
    seconds, begin = {}, time.perf_counter()

    def lap(name):
        nonlocal begin
        seconds[name] = time.perf_counter() - begin
        begin = time.perf_counter()

    import tensorflow  # noqa: F401

    lap("import tensorflow")
    from deblurgan_lib import photos, restoration
    from deblurgan_lib.precision import measure_precision
    from deblurgan_lib.restoration import motion  # noqa: F401

    lap("import our library")
    measure_precision()
    lap("choose the precision")
    generator = restoration.load(restoration.DEFAULT, precision="auto")
    lap("load the generator")
    before, metadata = photos.read_with_metadata(photo)
    lap("read the photo")
    restoration.restore(generator, before)
    first = time.perf_counter() - begin
    lap("trace the generator")
    restoration.restore(generator, before)
    lap("restore")
    seconds["trace the generator"] = first - seconds["restore"]
    after = restoration.deblur(generator, before, bar=False)
    lap("look for a motion")
    seconds["look for a motion"] -= seconds["restore"]
    photos.write_photo(output, after, metadata)
    lap("write the photo")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photo", type=Path, help="default: a held-out photo of the sample set")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photo = args.photo
        if args.parts:
            print(json.dumps(parts(photo, Path(folder) / "sharp.png")))
            return
        if photo is None:
            photo = Path(folder) / "photo.png"
            blurred = find_data("sample") / "test" / "A" / "astronaut_0.png"
            with Image.open(blurred) as image:
                image.resize(SIZE).save(photo)

        def command(*options):
            output = ("-o", Path(folder) / "sharp.png", "--overwrite")
            python = [sys.executable, "-m", "deblurgan_lib", "deblur", photo, *output, *options]
            subprocess.run(python, check=True, stdout=subprocess.DEVNULL, cwd=home())

        def bare():
            subprocess.run([sys.executable, "-c", "import tensorflow"], check=True)

        sides = {
            "import": bare,
            "deblur": command,
            "generator": lambda: command("--generator-only"),
        }
        seconds = table.alternate(sides, args.rounds, warmup=1)
        done = subprocess.run(
            [sys.executable, __file__, "--parts", "--photo", photo],
            stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
    shares = json.loads(done.stdout.splitlines()[-1])
    whole = sum(shares.values())
    for name, value in shares.items():
        print(f"{name:>22}: {value:6.2f} s {value / whole:5.0%}")
    where = table.machine("tensorflow", "keras")
    for name, measured in (("deblur", "one photo"), ("generator", "one photo, generator only")):
        times = float(np.median(seconds[name]) / np.median(seconds["import"]))
        table.record(
            f"deblurgan deblur, {measured} of {SIZE[0]}x{SIZE[1]}, whole command",
            table.shown(seconds[name]),
            f"import tensorflow: {table.shown(seconds['import'])}",
            f"{times:.2f}x",
            f"{TIMES}x",
            times <= TIMES,
            where,
        )


if __name__ == "__main__":
    main()
