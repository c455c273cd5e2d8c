"""DeblurGAN in Keras 3: the library that every lesson of the course imports.

The rooms, in the order in which data flows through them: `errors`, `profiles`, `recipes`, `blur`,
`datasets`, `models`, `losses`, `gan`, `evaluation`, `shake`, `restore`, `figures`, `runs`,
`training`, `widgets`, `course`, `exercises`, `cli`. A room imports only rooms before it.
"""

import wrapt

__version__ = "0.1.0"


@wrapt.when_imported("keras")
def _register_layers(_):
    # Saved generators hold layers of ours, and Keras finds them only once they are registered.
    # Importing Keras here would cost every user seconds, so the layers register when Keras comes.
    from .models import layers  # noqa: F401
