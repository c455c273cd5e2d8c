"""Code for notebooks only: the start of a lesson, figures in cells, widgets, exercises."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["course", "exercises", "widgets"],
    submod_attrs={"display": ["show", "show_file", "show_source"]},
)
