"""Copy figures from the stored lessons to docs/, for its pages: `make gallery`."""

import base64
import io
from pathlib import Path

import nbformat
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
# Name in docs/: lesson, how the alt text of the figure begins, and its largest width in pixels.
FIGURES = {
    "one_motion": ("09_one_camera_motion", "A patch with letters: blurred, estimated", 960),
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
    for name, (lesson, beginning, width) in FIGURES.items():
        stored = find(lesson, beginning)
        suffix, options = (".jpg", {"quality": 85}) if stored.format == "JPEG" else (".png", {})
        picture = stored.convert("RGB")
        picture.thumbnail((width, width), Image.Resampling.LANCZOS)
        picture.save((ROOT / "docs" / name).with_suffix(suffix), optimize=True, **options)


if __name__ == "__main__":
    main()
