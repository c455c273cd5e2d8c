"""Run lessons anew through papermill and store them clean: `make notebooks`.

All lessons share one new runs folder, so a lesson that needs a trained generator finds the one of
the lesson before. With `--text` they run with the profile `smoke`, and only text that `pytest
--nbval` compares is stored again, where it differs: for a change of code that changes no picture
and no measurement. With `--check` nothing runs; it only says which notebooks are not clean.
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


def text_of(cell: nbformat.NotebookNode) -> list[dict]:
    """The outputs of a cell as nbval compares them: text, one entry for each stream and display."""
    texts, stream = [], ""
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            stream += output.text if output.name == "stdout" else ""
        elif "data" in output:
            data = output.data
            texts.append({kind: data[kind] for kind in data if kind.startswith("text/")})
    return [*texts, {"stdout": stream}]


def with_new_text(stored: nbformat.NotebookNode, run: nbformat.NotebookNode):
    """The stored notebook with the outputs of a run where compared text differs.

    Pictures stay as they are stored, and so do cells tagged `nbval-ignore-output`.
    """
    for cell, new in zip(stored.cells, run.cells, strict=True):
        ignored = "nbval-ignore-output" in cell.metadata.get("tags", [])
        if cell.cell_type != "code" or ignored or text_of(cell) == text_of(new):
            continue
        pictures = [output for output in cell.outputs if "image/" in str(output.get("data", {}))]
        cell.outputs = []
        for output in new.outputs:
            if pictures and "image/" in str(output.get("data", {})):
                output = pictures.pop(0)
            if cell.outputs and output.get("name") == "stdout" == cell.outputs[-1].get("name"):
                cell.outputs[-1].text += output.text  # A kernel sends a stream in several pieces.
            else:
                cell.outputs.append(output)
    return stored


def refresh(path: Path, only_text: bool = False) -> None:
    parameters = {"profile": "smoke"} if only_text else {}
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / path.name
        papermill.execute_notebook(
            path, output, parameters, kernel_name="python3", progress_bar=False
        )
        run = nbformat.read(output, as_version=4)
    if only_text:
        # Papermill has added a cell with the parameters.
        run.cells = [
            c for c in run.cells if "injected-parameters" not in c.metadata.get("tags", [])
        ]
        run = with_new_text(nbformat.read(path, as_version=4), run)
    notebook = clean(run)
    nbformat.validate(notebook)
    nbformat.write(notebook, path)


def main(arguments: list[str]) -> int:
    paths = [Path(argument) for argument in arguments if not argument.startswith("--")]
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
            refresh(path, only_text="--text" in arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
