"""Exercises of lesson 04."""

import numpy as np

from .exercise import Exercise

MEAN = np.array([103.939, 116.779, 123.68])


def vgg_pixel(photo):
    # The last axis is reversed first: the mean is in the order blue, green, red.
    return (photo[..., ::-1] + 1) * 127.5 - np.array([103.939, 116.779, 123.68])


def wgan_losses(real_score, fake_score):
    # The critic wants real high and fake low; the generator wants fake high.
    return np.mean(fake_score) - np.mean(real_score), -np.mean(fake_score)


def penalty_from_gradients(gradients):
    # One norm for each picture, over all its pixels and colours; the batch comes last.
    norms = np.sqrt(np.sum(gradients**2, axis=(1, 2, 3)))
    return np.mean((norms - 1) ** 2)


def matching_weight(pixel_gradient, term_gradient, share):
    return share * np.linalg.norm(pixel_gradient) / np.linalg.norm(term_gradient)


def _norms(gradients, axis):
    return np.sqrt(np.sum(gradients**2, axis=axis))


def _gradients(*norms, seed=0):
    """Random gradients (B, 4, 4, 3), one picture for each of the norms."""
    gradients = np.random.default_rng(seed).standard_normal((len(norms), 4, 4, 3))
    return gradients * np.reshape(np.array(norms) / _norms(gradients, (1, 2, 3)), (-1, 1, 1, 1))


_RANDOM = np.random.default_rng(1)
_PIXEL = np.sign(_RANDOM.standard_normal((2, 4, 4, 3))) / 96
_TERM = _RANDOM.standard_normal((2, 4, 4, 3)) ** 3

EXERCISES = {
    "vgg_pixel": Exercise(
        solution=vgg_pixel,
        hint="Three steps: reverse the colours with `[..., ::-1]`, bring [-1, 1] to [0, 255], "
        "subtract the mean. In which order does the mean list the colours?",
        insight="This is `losses.vgg_input`. Black becomes about (-104, -117, -124): VGG was "
        "trained with numbers a hundred times larger than those of our networks.",
        mistakes={
            "The colours are still red, green, blue; this VGG was trained on blue, green, red.": (
                lambda photo: (photo + 1) * 127.5 - MEAN
            ),
            "The range is [0, 1] here. VGG wants grey levels, 0 to 255.": (
                lambda photo: (photo[..., ::-1] + 1) / 2 - MEAN
            ),
            "The mean of ImageNet is not subtracted, so every value is about 115 too large.": (
                lambda photo: (photo[..., ::-1] + 1) * 127.5
            ),
            "The mean is subtracted from the wrong colours: it is listed as blue, green, red.": (
                lambda photo: (photo[..., ::-1] + 1) * 127.5 - MEAN[::-1]
            ),
            "-1 must become 0 and 1 must become 255 before the mean goes; add 1 first.": (
                lambda photo: photo[..., ::-1] * 255 - MEAN
            ),
        },
        cases=[
            (np.array([-1.0, -1.0, -1.0]),),
            (np.array([1.0, 0.0, -0.5]),),
            (np.linspace(-1, 1, 12).reshape(2, 2, 3),),
        ],
    ),
    "wgan_losses": Exercise(
        solution=wgan_losses,
        hint="A loss is made small. Which of the two scores should fall when the critic learns, "
        "and which should rise? Which score can the generator change at all?",
        insight="The two terms with the fake score have opposite signs: the networks work against "
        "each other. The real score is missing from the second, because the generator cannot "
        "change it.",
        mistakes={
            "Both signs are the article's: its critic scores real pictures low. It works, too, "
            "but here a high score is to mean real.": (
                lambda real, fake: (np.mean(real) - np.mean(fake), np.mean(fake))
            ),
            "The critic's loss has the wrong sign: made small, it scores real pictures low.": (
                lambda real, fake: (np.mean(real) - np.mean(fake), -np.mean(fake))
            ),
            "The generator's loss has the wrong sign: made small, its pictures score low, which "
            "is what the critic wants.": (
                lambda real, fake: (np.mean(fake) - np.mean(real), np.mean(fake))
            ),
            "The real score does not depend on the generator; its loss has only the fake one.": (
                lambda real, fake: (np.mean(fake) - np.mean(real), np.mean(real) - np.mean(fake))
            ),
            "With an absolute value, the critic's loss never falls below 0, and scoring both "
            "alike would be best.": (
                lambda real, fake: (abs(np.mean(fake) - np.mean(real)), -np.mean(fake))
            ),
            "This is the distance of the scores from the labels +1 and -1. A Wasserstein critic "
            "has no labels to hit; its scores have no limits.": (
                lambda real, fake: (
                    np.mean(np.abs(real - 1)) + np.mean(np.abs(fake + 1)),
                    np.mean(np.abs(fake - 1)),
                )
            ),
        },
        cases=[
            (np.array([2.0, 3.0, 1.0]), np.array([-1.0, 0.5])),
            (np.array([-4.0, -3.5]), np.array([-0.5, 1.5, 7.0])),
        ],
    ),
    "penalty_from_gradients": Exercise(
        solution=penalty_from_gradients,
        hint="Write it in four steps: the norm of each picture's gradient over axes 1, 2, 3; its "
        "difference from 1; the square; the mean over the batch.",
        insight="The order matters. Two pictures with gradient norms 0 and 2 have a mean norm of "
        "1, and the penalty is still 1: every picture counts by itself.",
        mistakes={
            "Norms below 1 cost nothing here. This one-sided penalty exists, but the paper's "
            "and the library's pulls small norms up to 1 as well.": (
                lambda gradients: np.mean(np.maximum(_norms(gradients, (1, 2, 3)) - 1, 0) ** 2)
            ),
            "The square is missing, so norms below 1 are rewarded.": (
                lambda gradients: np.mean(_norms(gradients, (1, 2, 3)) - 1)
            ),
            "This is the absolute difference from 1; the square is asked for.": (
                lambda gradients: np.mean(np.abs(_norms(gradients, (1, 2, 3)) - 1))
            ),
            "The mean over the batch is taken before the square, so norms of 0 and 2 cancel.": (
                lambda gradients: (np.mean(_norms(gradients, (1, 2, 3))) - 1) ** 2
            ),
            "The norm is over the colours only. That asks for a norm of 1 in every single "
            "pixel, so of much more than 1 in the picture.": (
                lambda gradients: np.mean((_norms(gradients, -1) - 1) ** 2)
            ),
            "This is one norm for the whole batch; each picture needs its own.": (
                lambda gradients: (np.sqrt(np.sum(gradients**2)) - 1) ** 2
            ),
            "You took the mean over the pixels. A norm adds them up: the root of the sum of "
            "squares.": (
                lambda gradients: np.mean((np.sqrt(np.mean(gradients**2, axis=(1, 2, 3))) - 1) ** 2)
            ),
            "The root is missing: this compares the squared norm with 1.": (
                lambda gradients: np.mean((np.sum(gradients**2, axis=(1, 2, 3)) - 1) ** 2)
            ),
        },
        cases=[(_gradients(1.0, 1.0),), (_gradients(3.0),), (_gradients(0.0, 2.0, 0.5),)],
    ),
    "matching_weight": Exercise(
        solution=matching_weight,
        hint="The weighted gradient is the weight times the gradient, and its norm is the weight "
        "times the norm. Write down what is asked for and solve for the weight.",
        insight="The values of the two losses were never needed. The right weight for another "
        "crop size, critic or feature layer is another one.",
        mistakes={
            "The ratio is upside down: a term with a large gradient needs a small weight.": (
                lambda pixel, term, share: share * np.linalg.norm(term) / np.linalg.norm(pixel)
            ),
            "These are squared norms; a weight of 2 makes a gradient twice as long, not four "
            "times.": lambda pixel, term, share: share * np.sum(pixel**2) / np.sum(term**2),
            "The mean of a gradient lets positive and negative entries cancel; use the norm.": (
                lambda pixel, term, share: share * np.mean(pixel) / np.mean(term)
            ),
            "`share` is how many times as hard the other term pulls: multiply by it.": (
                lambda pixel, term, share: np.linalg.norm(pixel) / np.linalg.norm(term) / share
            ),
            "This compares the largest entries. One pixel would decide; use the norm over all.": (
                lambda pixel, term, share: share * np.abs(pixel).max() / np.abs(term).max()
            ),
            "`share` is missing: this makes both gradients equally long.": (
                lambda pixel, term, share: np.linalg.norm(pixel) / np.linalg.norm(term)
            ),
        },
        cases=[(_PIXEL, _TERM, 0.2), (_TERM, _PIXEL, 1.0)],
    ),
}
