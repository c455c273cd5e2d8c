"""The optimisers and their schedules: Adam, Muon for convolutions, and what loss scaling needs."""

import math

import keras
from keras import ops

from .recipes import Recipe

WARMUP_FRACTION = 0.07
"""Of the steps of a cosine schedule: the learning rate rises linearly."""
FINAL_LEARNING_RATE_FRACTION = 0.1
"""Of the highest learning rate: what a cosine schedule ends at and then keeps."""
TINY = 2.0**-126
"""The smallest number that float32 holds with all its digits."""


class ConstantThenLinear(keras.optimizers.schedules.LearningRateSchedule):
    """The paper's schedule: constant for the first half of the steps, then linearly down to 0."""

    def __init__(self, initial_learning_rate, steps):
        self.initial_learning_rate = initial_learning_rate
        self.steps = steps

    def __call__(self, step):
        done = ops.cast(step, "float32") / self.steps
        return self.initial_learning_rate * ops.clip(2.0 - 2.0 * done, 0.0, 1.0)

    def get_config(self):
        return {"initial_learning_rate": self.initial_learning_rate, "steps": self.steps}


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
        """Newton and Schulz's iteration, as Keras has it, but for a kernel of any size.

        Only a gradient's direction counts, and however small it is, it has one: the squares of
        1e-5 are zero in float16 already, and those of 1e-23 in float32. So the matrix is brought
        to length 1 in float32, in two steps, and only then to the precision of training.
        """
        matrix = ops.reshape(x, (-1, x.shape[-1]))
        for length in (lambda m: ops.max(ops.abs(m)), ops.norm):
            matrix = matrix / ops.maximum(length(matrix), TINY)
        # The iteration is half of a step's multiplications on a small batch; it need not be exact.
        matrix = ops.cast(matrix, keras.config.dtype_policy().compute_dtype)
        tall = matrix.shape[0] > matrix.shape[1]
        matrix = ops.transpose(matrix) if tall else matrix
        for _ in range(steps):
            square = matrix @ ops.transpose(matrix)
            square = self.muon_b * square + self.muon_c * square @ square
            matrix = self.muon_a * matrix + square @ matrix
        matrix = ops.transpose(matrix) if tall else matrix
        return ops.reshape(ops.cast(matrix, x.dtype), x.shape)

    def lr_adjust(self, x):
        return x * self.rms_rate * math.sqrt(max(math.prod(x.shape[:-1]), x.shape[-1]))

    def multiply_adds(self, variables) -> int:
        """Of one update of these weights, whatever the batch.

        Each of its iterations multiplies the matrix (short, long) with its transpose, the square
        that comes out with itself, and that with the matrix.
        """
        total = 0
        for variable in variables:
            if not self._should_use_adamw(variable):
                short, long = sorted((math.prod(variable.shape[:-1]), variable.shape[-1]))
                total += self.ns_steps * (2 * short**2 * long + short**3)
        return total


def build_optimizer(
    recipe: Recipe, rate: float, steps: int, muon: bool = False, averaging: float = 0.0
):
    """Adam or Muon with the recipe's schedule over `steps` updates and at most `rate`.

    The warm-up matters where the last layer starts at zero: until it has moved, the gradients of
    all others are tiny and mostly noise, and Adam would take full steps along that noise.
    """
    if recipe.decay == "linear":
        rate = ConstantThenLinear(rate, steps)
    elif recipe.decay == "cosine":
        warmup = max(round(WARMUP_FRACTION * steps), 1)
        rate = keras.optimizers.schedules.CosineDecay(
            rate / warmup,
            max(steps - warmup, 1),
            FINAL_LEARNING_RATE_FRACTION,
            warmup_target=rate,
            warmup_steps=warmup,
        )
    average = {"use_ema": averaging > 0, "ema_momentum": averaging or None}
    if muon:
        optimizer = Muon(rate, weight_decay=None, adam_weight_decay=None, **average)
    else:
        optimizer = keras.optimizers.Adam(rate, beta_1=recipe.beta_1, **average)
    if keras.config.dtype_policy().name == "mixed_float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer
