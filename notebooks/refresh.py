"""Run lessons anew through papermill and store them clean: `make notebooks`.

All lessons share one new runs folder, so a lesson that needs a trained generator finds the one of
the lesson before. With `--check` nothing runs; it only says which notebooks are not clean.
"""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
import papermill

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def clean(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Drop what differs from run to run and from machine to machine; keep code, text, outputs."""
    kept = {"accelerator": "GPU"} if "accelerator" in notebook.metadata else {}
    notebook.metadata = nbformat.from_dict(
        {**kept, "kernelspec": KERNEL, "language_info": {"name": "python"}}
    )
    for cell in notebook.cells:
        tags = [tag for tag in cell.metadata.get("tags", []) if tag != "injected-parameters"]
        hidden = {"jupyter": cell.metadata["jupyter"]} if "jupyter" in cell.metadata else {}
        form = {"cellView": cell.metadata["cellView"]} if "cellView" in cell.metadata else {}
        cell.metadata = nbformat.from_dict({**({"tags": tags} if tags else {}), **hidden, **form})
        for output in cell.get("outputs", []):
            output.pop("transient", None)
    return notebook


def refresh(path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / path.name
        papermill.execute_notebook(path, output, kernel_name="python3", progress_bar=False)
        notebook = clean(nbformat.read(output, as_version=4))
    nbformat.validate(notebook)
    nbformat.write(notebook, path)


def main(arguments: list[str]) -> int:
    paths = [Path(argument) for argument in arguments if argument != "--check"]
    if "--check" in arguments:
        dirty = [
            path
            for path in paths
            if clean(nbformat.read(path, as_version=4)) != nbformat.read(path, as_version=4)
        ]
        for path in dirty:
            print(f"{path} is not clean; run: make notebooks")
        return 1 if dirty else 0
    with tempfile.TemporaryDirectory(prefix="deblurgan-runs-") as runs:
        os.environ["DEBLURGAN_RUNS"] = runs
        for path in paths:
            print(f"{path} ...", flush=True)
            refresh(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
