"""Copies of the lessons for a learner: `make lab`.

    python notebooks/copies.py FOLDER

They have no outputs, so that no prediction is answered before it is made, and git stays clean. A
copy that is there already is the learner's and stays as it is.
"""

import sys
from pathlib import Path

import nbformat

HERE = Path(__file__).parent


def copy(folder: Path) -> list[str]:
    """Make the copies that are missing; returns their names."""
    folder.mkdir(exist_ok=True)
    made = []
    for path in sorted(HERE.glob("*.ipynb")):
        if (folder / path.name).exists():
            continue
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        beside = folder / (path.name + ".part")
        nbformat.write(notebook, beside)
        beside.replace(folder / path.name)
        made.append(path.name)
    return made


if __name__ == "__main__":
    target = Path(sys.argv[1])
    kept = len(list(target.glob("*.ipynb")))
    print(f"{len(copy(target))} lessons are new in {target}/, {kept} of yours stay as they are.")
    print("To begin one anew, delete it there.")
