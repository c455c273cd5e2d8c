import numpy as np


def mse(a, b):
    return np.mean((a.astype(float) - b.astype(float)) ** 2)


def eight_bits(a, b):
    return 20 * np.log10(255) - 10 * np.log10(np.mean(np.square(a - b)))


def int16(a, b):
    difference = a.astype("int16") - b.astype("int16")
    return 20 * np.log10(255) - 10 * np.log10((difference * difference).mean())


def table(order, first="doing nothing", worse=lambda gain: gain < 0):
    """An evaluation that subtracts in this order, leaves out the first row, or counts others."""

    def answer(methods, pairs, psnr):
        rows = {first: lambda x: x} if first else {}
        result = {}
        for name, method in {**rows, **methods}.items():
            scores = {
                "before": [psnr(y, x) for x, y in pairs],
                "after": [psnr(y, method(x)) for x, y in pairs],
            }
            gains = [b - a for a, b in zip(*(scores[key] for key in order), strict=True)]
            count = sum(map(worse, gains))
            result[name] = np.mean(scores["after"]), np.mean(gains), min(gains), count
        return result

    return answer


def smallest_scores(methods, pairs, psnr):
    right = table(("before", "after"))(methods, pairs, psnr)
    lowest = min(psnr(y, x) for x, y in pairs)
    changed = {"doing nothing": lambda x: x, **methods}
    return {
        name: (mean, gain, min(psnr(y, changed[name](x)) for x, y in pairs) - lowest, worse)
        for name, (mean, gain, _, worse) in right.items()
    }


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
    "evaluation": [
        (table(("before", "after"), first=None), "doing nothing"),
        (table(("after", "before")), "losses"),
        (smallest_scores, "two photographs"),
        (table(("before", "after"), worse=lambda gain: gain > 0), "got better"),
        (lambda methods, pairs, psnr: list(methods), "a dict is expected"),
        (lambda methods, pairs, psnr: dict.fromkeys(methods, 1.0), "four numbers"),
    ],
}
