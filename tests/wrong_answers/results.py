import numpy as np


def flat(level, kind=np.uint8):
    return np.full((4, 5, 3), level, kind)


def pairs_of_levels(*pairs, kind=np.uint8, error=0.05):
    """A test with pictures of one level each, whose PSNR is 20 log10(255 / difference)."""

    def test(metric):
        known = [20 * np.log10(255 / abs(a - b)) for a, b in pairs]
        found = [metric(flat(a, kind), flat(b, kind)) for a, b in pairs]
        return bool(np.all(np.abs(np.subtract(found, known)) <= error))

    return test


def with_red(exact=False, kind=np.uint8):
    grey = pairs_of_levels((0, 255), (255, 0), (0, 1), kind=kind, error=0 if exact else 0.05)

    def test(metric):
        red = flat(0, kind)
        red[..., 0] = 255
        return grey(metric) and abs(metric(flat(0, kind), red) - 4.771) < 0.01

    return test


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
    "metric_test": [
        (lambda metric: metric(flat(7), flat(7)) == np.inf, "Everything passes"),
        (lambda metric: metric(flat(7), flat(7)) == 100, "Nothing passes"),
        (lambda metric: not with_red()(metric), "other way round"),
        (pairs_of_levels((255, 0)), "White against black"),
        (pairs_of_levels((255, 0), (0, 255)), "same logarithm"),
        (pairs_of_levels((255, 0), (0, 255), (1, 0)), "same error"),
        (with_red(kind=float), "are floats"),
        (with_red(exact=True), "seven digits"),
        (lambda metric: metric(flat(0), flat(255)), "not float"),
        (lambda metric: "right", "not str"),
        (lambda metric: print(with_red()(metric)), "returns nothing"),
        (lambda metric: metric(flat(0), flat(1)) > 40, "*finds"),
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
