"""Which of two generators' pictures viewers prefer who do not know which is whose.

    python experiments/score_generators.py --material FOLDER ... --generator gan --out DIR
    python experiments/score_generators.py --material FOLDER ... --generator fidelity --out DIR
    python experiments/blind_comparison.py show DIR gan fidelity SHEETS
    python experiments/blind_comparison.py count DIR gan fidelity ANSWERS.csv ...

`show` cuts crops out of the pictures in `DIR/sharp`, `DIR/gan` and `DIR/fidelity`, and writes
`SHEETS/01.png` and so on: the sharp crop in the middle, the two answers left and right of it, which
where by chance. Every viewer writes a file of lines `01,left`, `02,right` or `03,equal`. `count`
draws left and right again from the same seed, so no key lies about, and writes
docs/blind_comparison.csv, or another table that `--to` names.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image

from deblurgan_lib import paths
from deblurgan_lib.files import write_csv

CROPS, SIZE, TIMES, SEED = 40, 112, 4, 2026
GAP = 16  # Pixels of white between the pictures of a sheet.


def names_at_left(names: list[str]) -> list[str]:
    """The generator whose answer is at the left, for each sheet."""
    first = np.random.default_rng(SEED).permutation(CROPS) % 2  # Each is as often at the left.
    return [names[number] for number in first]


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def places(folder: Path) -> list[tuple[str, int, int]]:
    """File, top and left of every crop: by chance, and from all files alike."""
    rng = np.random.default_rng(SEED + 1)
    files = sorted(folder.iterdir())
    found = []
    while len(found) < CROPS:
        path = files[len(found) % len(files)]
        grey = read(path).mean(axis=2)
        contrast = [
            (grey[y : y + SIZE, x : x + SIZE].std(), int(y), int(x))
            for y, x in rng.integers(np.array(grey.shape) - SIZE + 1, size=(8, 2))
        ]
        # The fourth of eight by contrast: no sky, and no choice of what suits a generator.
        _, y, x = sorted(contrast)[4]
        apart = all(abs(y - b) + abs(x - c) > SIZE for a, b, c in found if a == path.name)
        if apart:
            found.append((path.name, y, x))
    return found


def show(folder: Path, names: list[str], out: Path) -> None:
    out.mkdir(parents=True)
    for number, ((file, y, x), left) in enumerate(
        zip(places(folder / "sharp"), names_at_left(names))
    ):
        right = names[1 - names.index(left)]
        crops = [
            read(folder / name / file)[y : y + SIZE, x : x + SIZE]
            for name in (left, "sharp", right)
        ]
        sheet = np.full((SIZE * TIMES, 3 * SIZE * TIMES + 2 * GAP, 3), 255, np.uint8)
        for place, crop in enumerate(crops):
            start = place * (SIZE * TIMES + GAP)
            sheet[:, start : start + SIZE * TIMES] = crop.repeat(TIMES, 0).repeat(TIMES, 1)
        Image.fromarray(sheet).save(out / f"{number + 1:02}.png")


def count(folder: Path, names: list[str], answers: list[Path], to: Path) -> None:
    left = names_at_left(names)
    rows = [
        {"sheet": number + 1, "photograph": file.split(".")[0], "top": y, "left": x}
        for number, (file, y, x) in enumerate(places(folder / "sharp"))
    ]
    for viewer, path in enumerate(answers, start=1):
        with path.open(newline="", encoding="utf-8") as file:
            said = {int(number): answer.strip() for number, answer in csv.reader(file)}
        if sorted(said) != list(range(1, CROPS + 1)):
            raise SystemExit(f"{path} must answer for each sheet from 1 to {CROPS} once.")
        for row, at_left in zip(rows, left, strict=True):
            answer = said[row["sheet"]]
            meant = {"left": at_left, "right": names[1 - names.index(at_left)], "equal": "equal"}
            if answer not in meant:
                raise SystemExit(f"{path}, sheet {row['sheet']}: left, right or equal, please.")
            row[f"viewer {viewer}"] = meant[answer]
    write_csv(to, rows)
    chosen = [row[f"viewer {viewer + 1}"] for row in rows for viewer in range(len(answers))]
    print({name: chosen.count(name) for name in (*names, "equal")})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for command in ("show", "count"):
        added = commands.add_parser(command)
        added.add_argument("folder", type=Path)
        added.add_argument("names", nargs=2, metavar="NAME")
        several = {"nargs": "+"} if command == "count" else {}
        added.add_argument("files", type=Path, **several)
    table = paths.home() / "docs" / "blind_comparison.csv"
    added.add_argument("--to", type=Path, default=table)
    args = parser.parse_args()
    if args.command == "show":
        show(args.folder, args.names, args.files)
    else:
        count(args.folder, args.names, args.files, args.to)


if __name__ == "__main__":
    main()
