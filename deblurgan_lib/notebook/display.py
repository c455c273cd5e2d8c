"""Figures, pictures and sources in the output of a notebook's cell."""

import inspect
import textwrap
from pathlib import Path

from IPython.display import Image, Markdown, display
from matplotlib.figure import Figure

from ..figures import image_bytes


def show(fig: Figure, alt: str, kind: str = "png", handle=None):
    """Display a figure in a notebook.

    Args:
        fig: the figure.
        alt: what it shows, in one sentence, for those who cannot see it.
        kind: `"png"` or `"jpeg"`.
        handle: what an earlier `show` returned, to replace that picture.

    Returns:
        A handle for a later `show`.
    """
    image = Image(data=image_bytes(fig, kind), format=kind, metadata={"alt": alt})
    if handle is None:
        return display(image, display_id=True)
    handle.update(image)
    return handle


def show_file(path: Path, alt: str):
    """Display a picture from the course's own files."""
    kind = "jpeg" if path.suffix == ".jpg" else path.suffix[1:]
    return display(Image(data=path.read_bytes(), format=kind, metadata={"alt": alt}))


def show_source(thing) -> None:
    """Display the source of a function or class of the library in a notebook."""
    source = textwrap.dedent(inspect.getsource(thing)).strip()
    display(Markdown(f"```python\n{source}\n```"))
