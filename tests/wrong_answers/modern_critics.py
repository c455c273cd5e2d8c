import numpy as np
import tensorflow as tf


def relu(x):
    return tf.maximum(x, 0.0)


def mean(x):
    return tf.reduce_mean(x)


WRONG = {
    "wasserstein_1d": [
        (lambda a, b: np.mean(abs(a - b)), "Sort both"),
        (lambda a, b: abs(np.mean(a) - np.mean(b)), "difference of the means"),
        (lambda a, b: np.mean(np.sort(a) - np.sort(b)), "cancel"),
        (lambda a, b: np.mean(np.square(np.sort(a) - np.sort(b))), "squared"),
        (lambda a, b: np.sum(np.abs(np.sort(a) - np.sort(b))), "sum of all moves"),
    ],
    "hinge_loss": [
        (lambda r, f: mean(relu(1 + r)) + mean(relu(1 - f)), "swapped"),
        (lambda r, f: mean(relu(1 - r)), "half of the fakes is missing"),
        (lambda r, f: mean(f) - mean(r) + 2, "falls without end"),
        (lambda r, f: mean(relu(-r)) + mean(relu(f)), "margin is missing"),
        (lambda r, f: mean(relu(1 - r) ** 2) + mean(relu(1 + f) ** 2), "squared"),
        (lambda r, f: mean(relu(1 - r) + relu(1 + f)) / 2, "half of it"),
        (lambda r, f: np.mean(np.maximum(0, 1 - r) + np.maximum(0, 1 + f)), "not with NumPy"),
        (lambda r, f: relu(1 - r) + relu(1 + f), "shape"),
    ],
}
