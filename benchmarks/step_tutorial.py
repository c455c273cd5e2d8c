"""One training step of the recipe `tutorial` against the article's own loop, on the same Keras.

    python benchmarks/step_tutorial.py

The profile is `full`: 256x256 pixels, batch 1, width 64, 9 blocks. Ours runs in float32 and in the
precision that `auto` picks, the article's in float32, as it was written.
"""

import argparse

import table
from article import Article
from steps import SIZES, build, pictures

from deblurgan_lib import models
from deblurgan_lib.precision import measure_precision


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    blurred, sharp = pictures()
    article = Article(SIZES.crop, models.feature_network("vgg16-random"))
    sides = {"article": lambda: article.step(blurred, sharp)}
    auto = measure_precision()
    for policy in dict.fromkeys(("float32", auto)):
        gan = build("tutorial", policy)
        sides[policy] = lambda gan=gan: gan.train_on_batch(blurred, sharp)
    seconds = table.alternate(sides, args.rounds)
    for name, policy, target in (("float32", "float32", 2), ("precision auto", auto, 6)):
        times = table.ratio(seconds[policy], seconds["article"])
        table.record(
            f"step of `tutorial`, {name}",
            f"{policy}: {table.shown(seconds[policy])}",
            f"the article's loop, float32: {table.shown(seconds['article'])}",
            f"{times:.2f}x",
            f"{target}x",
            times >= target,
            table.machine("tensorflow", "keras"),
        )


if __name__ == "__main__":
    main()
