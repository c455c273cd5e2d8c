import numpy as np


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def sigmoid(x):
    return np.exp(-np.logaddexp(0, -x))


def naive(real, fake):
    real, fake = 1 / (1 + np.exp(-real)), 1 / (1 + np.exp(-fake))
    return -0.5 * np.mean(np.log(real)) - 0.5 * np.mean(np.log(1 - fake))


WRONG = {
    "discriminator_loss": [
        (lambda r, f: (softplus(r).mean() + softplus(-f).mean()) / 2, "swapped"),
        (lambda r, f: softplus(-r).mean(), "half of the fakes is missing"),
        (lambda r, f: softplus(-r).mean() + softplus(f).mean(), "sum of the two halves"),
        (lambda r, f: 0.5 * (softplus(-sigmoid(r)).mean() + softplus(sigmoid(f)).mean()), "twice"),
        (naive, "rounded to 0"),
        (lambda r, f: softplus(-r) + softplus(f), "shape (4,)"),
    ],
    "generator_loss": [
        (lambda f: -softplus(f).mean(), "minimax"),
        (lambda f: -np.mean(softplus(-f)), "sign"),
        (lambda f: softplus(f).mean(), "found out"),
        (lambda f: -np.mean(sigmoid(f)), "logarithm is missing"),
        (lambda f: -sum(f) / len(f), "Wasserstein generator"),
    ],
    "wasserstein_1d": [
        (lambda a, b: np.mean(abs(a - b)), "Sort both"),
        (lambda a, b: abs(np.mean(a) - np.mean(b)), "difference of the means"),
        (lambda a, b: np.mean(np.sort(a) - np.sort(b)), "cancel"),
        (lambda a, b: np.mean(np.square(np.sort(a) - np.sort(b))), "squared"),
        (lambda a, b: np.sum(np.abs(np.sort(a) - np.sort(b))), "sum of all moves"),
    ],
}
