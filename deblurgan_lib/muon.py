"""An optimiser for convolutions: every update turns as much in all directions as in the largest."""

import math

import keras
from keras import ops


class Muon(keras.optimizers.Muon):
    """Keras' Muon (Jordan et al. 2024), which leaves out convolutions, for convolutions.

    Adam scales each weight's update by that weight's own history. Muon takes a kernel as one
    matrix and replaces the update by the nearest matrix whose singular values are all 1, so that
    directions that the gradient hardly touches move as far as the few that dominate it. A kernel
    (height, width, in, out) is the matrix (height * width * in, out). Biases, and the last layer,
    whose rows are pixels, are updated by Adam.
    """

    def __init__(self, learning_rate=0.001, **kwargs):
        super().__init__(learning_rate, **{"exclude_layers": ["to_rgb"], **kwargs})

    def _should_use_adamw(self, variable):
        return len(variable.shape) < 2 or any(name in variable.path for name in self.exclude_layers)

    def zeropower_via_newtonschulz5(self, x, steps):
        matrix = ops.reshape(x, (-1, x.shape[-1]))
        # The iteration is half of a step's multiplications on a small batch; it need not be exact.
        matrix = ops.cast(matrix, keras.config.dtype_policy().compute_dtype)
        turned = super().zeropower_via_newtonschulz5(matrix, steps)
        return ops.reshape(ops.cast(turned, x.dtype), x.shape)

    def lr_adjust(self, x):
        return x * self.rms_rate * math.sqrt(max(math.prod(x.shape[:-1]), x.shape[-1]))
