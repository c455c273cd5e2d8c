"""Scores of a generator on the frames kept aside, and its answers as PNG for other judges.

    python experiments/score_generators.py --material FOLDER ... --generator NAME_OR_STATE --out DIR

`DIR/sharp`, `DIR/blurred` and `DIR/NAME` hold files of the same names: a judge that no loss uses
takes them from there, in an environment of its own.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
import train_generators as training

from deblurgan_lib import evaluation, restoration
from deblurgan_lib.photos import write_photo

THRESHOLD = 2 / 127.5  # Of what a tail adds: two grey levels.


def load(generator: str) -> keras.Model:
    """A state file's generator, with the threshold where there is a tail, or a shipped one."""
    if Path(generator).suffix != ".zip":
        return restoration.load(generator)
    networks, about = training.load_state(Path(generator))
    threshold = 0.0 if about["phase"] == "pixels" else THRESHOLD
    model = training.build(about["phase"], threshold=threshold)
    training.set_weights(model.trainable_variables, networks["generator"])
    model.compile(jit_compile=False)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--material", type=Path, nargs="+", required=True)
    parser.add_argument("--generator", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--save", type=Path, help="a .keras file, in which to store the generator")
    parser.add_argument("--distance", action="store_true", help="our perceptual distance as well")
    args = parser.parse_args()
    model = load(args.generator)
    if args.save:
        restoration.save(model, args.save, half=True)
    perceptual = evaluation.PerceptualDistance() if args.distance else None
    for group, pairs in training.kept_aside(args.material).items():
        rows = []
        for number, (blurred, sharp) in enumerate(pairs):
            restored = restoration.restore(model, blurred, bar=False)
            for name, photo in (
                ("sharp", sharp), ("blurred", blurred), (Path(args.generator).stem, restored)
            ):  # fmt: skip
                folder = args.out / name
                folder.mkdir(parents=True, exist_ok=True)
                if (
                    name not in ("sharp", "blurred")
                    or not (folder / f"{group}{number}.png").exists()
                ):
                    write_photo(folder / f"{group}{number}.png", photo)
            row = [evaluation.psnr(sharp, photo) for photo in (blurred, restored)]
            row += [evaluation.ssim(sharp, photo) for photo in (blurred, restored)]
            if perceptual:
                row.append(perceptual(sharp, restored))
            rows.append(row)
        blurred, restored, *rest = np.mean(rows, axis=0)
        print(
            f"{group}: {len(rows)} frames, {blurred:.2f} -> {restored:.2f} dB "
            f"({restored - blurred:+.2f}), SSIM {rest[0]:.3f} -> {rest[1]:.3f}",
            *(f"distance {value:.3f}" for value in rest[2:]),
            flush=True,
        )


if __name__ == "__main__":
    main()
