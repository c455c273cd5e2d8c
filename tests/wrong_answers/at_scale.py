import numpy as np


def compared(blurred, sharp, sign=1):
    """The sum of products for each shift, the slow way, as a dict from (right, down)."""
    height, width = sharp.shape
    return {
        (right, down): (blurred * np.roll(sharp, (sign * down, sign * right), (0, 1))).sum()
        for down in range(-height // 2, height // 2)
        for right in range(-width // 2, width // 2)
    }


def best(sums):
    return max(sums, key=sums.get)


WRONG = {
    "conv_cost": [
        (lambda k, a, b, h, w, s: (b * a * k**2, b * a * k**2 * h * w // s**2), "bias is missing"),
        (lambda k, a, b, h, w, s: (b * (k**2 + 1), b * k**2 * h * w // s**2), "input channels"),
        (lambda k, a, b, h, w, s: (b * (a * k**2 + 1), b * a * k**2 * h * w), "fewer places"),
        (lambda k, a, b, h, w, s: (b * (a * k + 1), b * a * k * h * w // s**2), "two dimensions"),
        (
            lambda k, a, b, h, w, s: (b * (a * k**2 + 1), b * (a * k**2 + 1) * h * w // s**2),
            "no multiplication",
        ),
        (
            lambda k, a, b, h, w, s: (b * (a * k**2 + 1), b * a * k**2 * h * w // s),
            "height and width both",
        ),
        (lambda k, a, b, h, w, s: (b * (a * k**2 + 1), 0), "*multiply-adds* is 0"),
        (lambda k, a, b, h, w, s: b * a * k**2, "*weights* is 9408"),
    ],
    "shift": [
        (lambda blurred, sharp: best(compared(blurred, sharp))[::-1], "right, then down"),
        (
            lambda blurred, sharp: np.mod(best(compared(blurred, sharp)), sharp.shape[::-1]),
            "large positive",
        ),
        (lambda blurred, sharp: best(compared(blurred, sharp, -1)), "other direction"),
        (lambda blurred, sharp: best(compared(blurred[::-1, ::-1], sharp)), "*pixels"),
        (lambda blurred, sharp: (best(compared(blurred, sharp))[0], 0), "*pixels down* is 0"),
        (lambda blurred, sharp: np.abs(blurred - sharp), "has the shape (24, 32)"),
    ],
    "run_cost": [
        (lambda o, n, r, u, p: o * n / r / u * p, "3600"),
        (lambda o, n, r, u, p: o * n / r / 3600 * p, "full rate"),
        (lambda o, n, r, u, p: p * o * n * u / (3600 * r), "less time"),
        (lambda o, n, r, u, p: o * n / r / u / 3600, "What do they cost"),
        (lambda o, n, r, u: o * n / r / u / 3600, "raised TypeError"),
    ],
}
