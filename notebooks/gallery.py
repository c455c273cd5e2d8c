"""Copy figures from the stored lessons to docs/, for the README's gallery: `make gallery`."""

import base64
import io
from pathlib import Path

import nbformat
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 640  # Pixels; twice the width at which the README shows them.

# The figure whose alt text begins like this, by lesson.
FIGURES = {
    "01_gan_basics": "Six moments: fakes as dots",
    "02_gopro_data": "The point-spread functions of the five",
    "03_generator_and_critic": "Answers of two untrained generators",
    "04_losses": "Distance over steps, the five",
    "05_training": "Held-out PSNR and pixel loss by epoch",
    "06_results": "The same detail blurred, by each method",
}


def find(lesson: str, beginning: str) -> Image.Image:
    notebook = nbformat.read(ROOT / "notebooks" / f"{lesson}.ipynb", as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            for kind, picture in output.get("data", {}).items():
                alt = output.metadata.get(kind, {}).get("alt", "")
                if kind.startswith("image/") and alt.startswith(beginning):
                    return Image.open(io.BytesIO(base64.b64decode(picture)))
    raise SystemExit(f"{lesson} has no figure whose alt text begins with {beginning!r}")


def main():
    for lesson, beginning in FIGURES.items():
        stored = find(lesson, beginning)
        suffix, options = (".jpg", {"quality": 85}) if stored.format == "JPEG" else (".png", {})
        picture = stored.convert("RGB")
        picture.thumbnail((WIDTH, WIDTH), Image.Resampling.LANCZOS)
        picture.save((ROOT / "docs" / lesson).with_suffix(suffix), optimize=True, **options)


if __name__ == "__main__":
    main()
