"""DeblurGAN in Keras 3: the library that every lesson of the course imports.

Its modules and packages from the ground up, in the order in which the lessons meet them. Each
imports only what stands before it, within a package too; this list is the only place of the order.

    errors  backend  arguments  progress  files  paths  precision  machine  photos  batch  figures
    data          blur  camera  pairs  sample  drive  download  gopro  datasets  cache  pipeline
    models        layers  features  generators  detail  critics  receptive_field  cost
    evaluation
    restoration   planes  deconvolution  kernel  motion  weights  inference  api
    training      profiles  recipes  losses  optimizers  gan  build  devices  run  callbacks  loop
    notebook      display  course  toy  drawings  records  widgets  exercises
    cli
"""

import wrapt

from . import backend

__version__ = "0.2.0"

backend.set_environment()


@wrapt.when_imported("keras")
def _prepare(keras):
    backend.set_keras(keras)
    # Saved generators hold layers of ours, and Keras finds them only once they are registered.
    # Importing Keras here would cost every user seconds, so the layers register when Keras comes.
    from .models import layers  # noqa: F401


def __getattr__(name):
    if name == "deblur":
        from .errors import quiet_import

        with quiet_import():
            from .restoration.api import deblur
        return deblur
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
