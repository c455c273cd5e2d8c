"""Code for notebooks only: how a lesson starts, figures, drawings, toy GANs, widgets, exercises."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["course", "drawings", "exercises", "records", "toy", "widgets"],
    submod_attrs={"display": ["show", "show_file", "show_source"]},
)
