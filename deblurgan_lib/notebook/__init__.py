"""What a lesson needs besides the library: its start, pictures in cells, widgets, exercises."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["course", "exercises", "widgets"],
    submod_attrs={"display": ["show", "show_file", "show_source"]},
)
