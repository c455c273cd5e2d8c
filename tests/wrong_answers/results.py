import numpy as np


def mse(a, b):
    return np.mean((a.astype(float) - b.astype(float)) ** 2)


def eight_bits(a, b):
    return 20 * np.log10(255) - 10 * np.log10(np.mean(np.square(a - b)))


def int16(a, b):
    difference = a.astype("int16") - b.astype("int16")
    return 20 * np.log10(255) - 10 * np.log10((difference * difference).mean())


WRONG = {
    "psnr": [
        (eight_bits, "8-bit numbers"),
        (lambda a, b: -10 * np.log10(mse(a, b)), "not 1"),
        (lambda a, b: 10 * np.log10(mse(a, b)) - 20 * np.log10(255), "negative"),
        (lambda a, b: 20 * np.log10(255**2 / mse(a, b)), "20 in front"),
        (lambda a, b: 10 * np.log(255**2 / mse(a, b)), "natural logarithm"),
        (lambda a, b: mse(a, b), "it gives"),
        (int16, "16 bits"),
        (lambda a, b: 10 * np.log10(65025 / ((a - b).astype(float) ** 2).mean()), "after the"),
        (lambda a, b: 10 * np.log10(int(a.max()) ** 2 / mse(a, b)), "largest pixel"),
    ],
    "table_of_gains": [
        (
            lambda b, r: (
                np.mean(b) - np.mean(r),
                min(x - y for x, y in zip(b, r, strict=True)),
                sum(x < y for x, y in zip(b, r, strict=True)),
            ),
            "losses",
        ),
        (
            lambda b, r: (
                np.mean(r) - np.mean(b),
                min(r) - min(b),
                sum(y < x for x, y in zip(b, r, strict=True)),
            ),
            "two photographs",
        ),
        (
            lambda b, r: (
                np.mean(r) - np.mean(b),
                min(y - x for x, y in zip(b, r, strict=True)),
                sum(y > x for x, y in zip(b, r, strict=True)),
            ),
            "got better",
        ),
        (lambda b, r: np.mean(r) - np.mean(b), "shape"),
        (lambda b, r: r - b, "raised TypeError"),
    ],
}
