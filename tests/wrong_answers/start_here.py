import numpy as np


def db(ratio):
    return 10 * np.log10(ratio)


def mse(a, b):
    return np.mean((a.astype(float) - b) ** 2)


def pixels(x):
    return np.uint8(np.clip(np.round(x), 0, 255))


WRONG = {
    "gain": [
        (lambda b, r, s: db(mse(r, s)) - db(mse(b, s)), "above the line"),
        (lambda b, r, s: db(np.mean((b - s) / 1.0) ** 2 / np.mean((r - s) / 1.0) ** 2), "gives"),
        (
            lambda b, r, s: db(
                np.square(b - s, dtype=float).mean() / np.square(r - s, dtype=float).mean()
            ),
            "wrapped around",
        ),
        (lambda b, r, s: db(np.mean((b - s) ** 2) / np.mean((r - s) ** 2)), "and squares"),
        (
            lambda b, r, s: db(np.abs(b - s * 1.0).mean() / np.abs(r - s * 1.0).mean()),
            "squared ones",
        ),
        (lambda b, r, s: 10 * np.log(mse(b, s) / mse(r, s)), "base 10"),
        (lambda b, r, s: mse(b, s) / mse(r, s), "ratio itself"),
        (lambda b, r, s: 2 * db(mse(b, s) / mse(r, s)), "take 10"),
        (lambda b, r, s: db(mse(b, s) / mse(r, b)), "with the blurred one"),
        (lambda b, r: 0, "raised TypeError"),
        (lambda b, r, s: print(end=""), "returns nothing"),
    ],
    "restore": [
        (lambda n, x: pixels(255 * n(x[None] / 255.0).numpy()[0]), "Black must become -1"),
        (lambda n, x: pixels(128 * (n(x[None] / 128 - 1).numpy()[0] + 1)), "not 256"),
        (lambda n, x: pixels(n(x[None]).numpy()[0]), "as they are"),
        (
            lambda n, x: np.int64(np.round(127.5 * (1 + n(x[None] / 127.5 - 1)[0]))).astype(
                "uint8"
            ),
            "wrapped around",
        ),
        (
            lambda n, x: np.uint8(np.clip(127.5 * (1 + n(x[None] / 127.5 - 1)[0]), 0, 255)),
            "Round first",
        ),
        (
            lambda n, x: np.clip(np.round(127.5 * (1 + n(x[None] / 127.5 - 1)[0])), 0, 255),
            "they are floats",
        ),
        (lambda n, x: pixels(127.5 * (1 + n(x[None] / 127.5 - 1).numpy())), "still a batch"),
        (lambda n, x: pixels(127.5 * (1 + n(x / 127.5 - 1).numpy())), "shape (6, 8, 3)"),
        (lambda n, x: x, "The part *what the network is given*"),
        (lambda n, x: print(end=""), "returns nothing"),
    ],
}
