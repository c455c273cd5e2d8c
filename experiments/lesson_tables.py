"""What the experiments of lessons 03 and 04 give, in every row of their tables.

    python experiments/lesson_tables.py

runs the lessons' own cells up to the experiment, then the experiment once for each row and, where
it draws anything, for two seeds. It makes docs/lesson_tables.csv.
"""

import keras
import nbformat

from deblurgan_lib import paths
from deblurgan_lib.files import write_csv

LAYERS = ("block1_conv2", 0.0), ("block2_conv2", 0.0), ("block3_conv3", 0.2)


def names_before(stem: str, choice: str, **parameters) -> dict:
    """The names that a lesson's cells make before the line that begins with `choice`."""
    space = {"__name__": "lesson"}
    cells = nbformat.read(paths.home() / "notebooks" / f"{stem}.ipynb", as_version=4).cells
    for cell in [cell for cell in cells if cell.cell_type == "code"][1:]:
        before, found, _ = f"\n{cell.source}".partition(f"\n{choice}")
        exec(before, space)
        if found:
            return space
        if "parameters" in cell.metadata.get("tags", []):
            space |= parameters
    raise AssertionError(f"no line of {stem} begins with {choice}")


def parts(seeds: int = 2) -> list[dict]:
    """Lesson 03: the gain of the small generator after each change, in dB."""
    lesson = names_before("03_generator_and_critic", "change =", steps=1)
    found = []
    lesson["steps"] = 300
    for change, options in lesson["changes"].items():
        for seed in range(seeds):
            keras.utils.set_random_seed(seed)
            lesson["seed"] = seed
            options = {"block": lesson["block"], "skip": lesson["skip"], **options}
            gain = lesson["train_briefly"](lesson["assemble"](**options))[1]
            row = {"lesson": "03", "row": change, "seed": seed}
            found.append(row | {"measure": "gain (dB)", "value": f"{round(gain, 2) + 0.0:.2f}"})
            print(found[-1], flush=True)
    return found


def layers() -> list[dict]:
    """Lesson 04: what is left of the feature distance, and the PSNR."""
    lesson = names_before("04_losses", "layer, pixel_weight =", critic_steps=0)
    sharp = lesson["to_uint8"](lesson["face"][0]).numpy()
    found = []
    for layer, weight in LAYERS:
        picture, left = lesson["matched"](layer, weight)
        psnr = lesson["psnr"](sharp, lesson["to_uint8"](picture[0]).numpy())
        row = {"lesson": "04", "row": f"{layer}, {weight:g}", "seed": ""}
        found.append(row | {"measure": "distance left (%)", "value": f"{100 * left:.1f}"})
        found.append(row | {"measure": "PSNR (dB)", "value": f"{psnr:.1f}"})
        print(*found[-2:], flush=True)
    return found


if __name__ == "__main__":
    write_csv(paths.home() / "docs" / "lesson_tables.csv", parts() + layers())
