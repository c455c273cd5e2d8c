import numpy as np


def percent(decibels):
    return 100 * 10 ** (-decibels / 10)


WRONG = {
    "error_left": [
        (lambda db: 10 ** (db / 10), "sign"),
        (lambda db: 1 - 1 / 10 ** (db / 10), "that is left"),
        (lambda db: 10 ** (-0.05 * db), "divide by 10"),
        (lambda db: np.exp(-db / 10), "logarithm to 10"),
        (percent, "it gives 100"),
        (0.5, "A function is asked for"),
    ],
    "to_unit_range": [
        (lambda x: x / 255.0, "-1, not 0"),
        (lambda x: x.astype(float) / 255 - 0.5, "twice as wide"),
        (lambda x: (x.astype(float) - 128) / 128, "255 steps"),
        (lambda x: (x - 127) / 127.5, "8 bits, where"),
        (lambda x: (x - 128) / 128.0, "wrapped around"),
        (lambda x: 2 * x / 255 - 1, "Twice"),
        (lambda x: print(end=""), "returns nothing"),
    ],
}
