import numpy as np

MEAN = np.array([103.939, 116.779, 123.68])


def bgr(photo):
    return photo[..., [2, 1, 0]]


def norms(gradients, axis=(1, 2, 3)):
    return (gradients**2).sum(axis=axis) ** 0.5


WRONG = {
    "vgg_pixel": [
        (lambda x: 127.5 * x + 127.5 - MEAN, "still red, green, blue"),
        (lambda x: 0.5 * bgr(x) + 0.5 - MEAN, "0 to 255"),
        (lambda x: 127.5 * bgr(x) + 127.5, "not subtracted"),
        (lambda x: bgr(127.5 * x + 127.5 - MEAN), "wrong colours"),
        (lambda x: 255 * bgr(x) - MEAN, "add 1 first"),
        (lambda x: x, "it gives"),
    ],
    "wgan_losses": [
        (lambda r, f: (r.mean() - f.mean(), f.mean()), "the article's"),
        (lambda r, f: (r.mean() - f.mean(), -f.mean()), "critic's loss has the wrong sign"),
        (lambda r, f: [f.mean() - r.mean(), f.mean()], "generator's loss has the wrong sign"),
        (lambda r, f: (np.abs(r.mean() - f.mean()), -f.mean()), "absolute value"),
        (
            lambda r, f: (abs(1 - r).mean() + abs(-1 - f).mean(), abs(1 - f).mean()),
            "no labels",
        ),
        (lambda r, f: f.mean() - r.mean(), "shape ()"),
        (
            lambda r, f: (f.mean() - r.mean(), r.mean() - f.mean()),
            "does not depend on the generator",
        ),
    ],
    "penalty_from_gradients": [
        (lambda s: (np.clip(norms(s) - 1, 0, None) ** 2).mean(), "one-sided"),
        (lambda s: norms(s).mean() - 1, "The square is missing"),
        (lambda s: abs(1 - norms(s)).mean(), "absolute difference"),
        (lambda s: (1 - norms(s).mean()) ** 2, "before the square"),
        (lambda s: ((norms(s, 3) - 1) ** 2).mean(), "colours only"),
        (lambda s: (np.linalg.norm(s) - 1) ** 2, "whole batch"),
        (lambda s: (((s**2).sum((1, 2, 3)) - 1) ** 2).mean(), "root is missing"),
        (lambda s: (norms(s) - 1) ** 2, "shape (2,)"),
    ],
    "matching_weight": [
        (lambda p, t, share: share * np.sum(t**2) ** 0.5 / np.sum(p**2) ** 0.5, "upside down"),
        (lambda p, t, share: share * (p * p).sum() / (t * t).sum(), "squared norms"),
        (lambda p, t, share: share * p.mean() / t.mean(), "cancel"),
        (lambda p, t, share: share * abs(p).max() / abs(t).max(), "largest entries"),
        (lambda p, t, share: np.sqrt((p**2).sum() / (t**2).sum()), "`share` is missing"),
        (lambda p, t, share: share, "it gives"),
    ],
}
