"""Train the three recipes for the same number of steps and compare them.

    python experiments/recipes.py --epochs 4

makes docs/recipes.csv and docs/recipes.jpg, which the README shows. The runs are kept in runs/, so
the script continues where it was interrupted.
"""

import argparse

from deblurgan_lib import figures, paths, restoration, training
from deblurgan_lib.data import find_data
from deblurgan_lib.data.pairs import find_pairs
from deblurgan_lib.files import write_csv
from deblurgan_lib.paths import commit
from deblurgan_lib.photos import read_photo
from deblurgan_lib.restoration import restore
from deblurgan_lib.training import profiles, recipes

SCORES = ("psnr_blurred", "psnr_restored", "ssim_blurred", "ssim_restored")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--profile", default="sample")
    args = parser.parse_args()
    data = find_data("sample")
    measured = commit()
    pair = find_pairs(data / "test")[-1]
    photos = {"blurred": read_photo(pair.blurred)}
    rows = []
    for recipe in recipes.RECIPES:
        name = f"compare-{recipe}-{args.profile}-{args.epochs}"
        run = training.train(
            name, data, paths.runs_folder(), recipe, args.profile, epochs=args.epochs
        )
        rows.append(
            {
                "recipe": recipe,
                "profile": args.profile,
                "steps": args.epochs * profiles.PROFILES[args.profile].steps_per_epoch,
                **{score: f"{run.report[score]:.4f}" for score in SCORES},
                "device": run.config["device"],
                "precision": run.config["precision"],
                "commit": measured,
            }
        )
        photos[recipe] = restore(restoration.load(run.generator), photos["blurred"])
    photos["sharp"] = read_photo(pair.sharp)
    docs = paths.home() / "docs"
    write_csv(docs / "recipes.csv", rows)
    top, left, size = figures.busiest_square(photos["sharp"], share=0.5)
    details = {name: photo[top : top + size, left : left + size] for name, photo in photos.items()}
    fig = figures.photo_grid([details], inches=2.4)
    (docs / "recipes.jpg").write_bytes(figures.image_bytes(fig, "jpeg"))


if __name__ == "__main__":
    main()
