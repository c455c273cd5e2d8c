"""Exercises of lesson 08."""

import numpy as np

from .exercise import Exercise


def discriminator_loss(real_logits, fake_logits):
    # -log(sigmoid(x)) is log(1 + exp(-x)), and -log(1 - sigmoid(x)) is log(1 + exp(x)).
    real_half = np.logaddexp(0, -real_logits).mean()
    fake_half = np.logaddexp(0, fake_logits).mean()
    return (real_half + fake_half) / 2


def generator_loss(fake_logits):
    return np.logaddexp(0, -fake_logits).mean()


def wasserstein_1d(a, b):
    return np.abs(np.sort(a) - np.sort(b)).mean()


def _sigmoid(logits):
    with np.errstate(all="ignore"):
        return 1 / (1 + np.exp(-logits))


def _through_probabilities(real_logits, fake_logits):
    with np.errstate(all="ignore"):
        real, fake = _sigmoid(real_logits), _sigmoid(fake_logits)
        return -(np.log(real).mean() + np.log(1 - fake).mean()) / 2


REAL = np.array([2.0, -1.0, 0.5, 3.0])
FAKE = np.array([-2.5, 1.5, -0.25, 0.75])
SURE = np.array([-800.0, 5.0]), np.array([900.0, -3.0])

EXERCISES = {
    "discriminator_loss": Exercise(
        solution=discriminator_loss,
        hint="`np.logaddexp(0, x)` is log(1 + exp(x)). Which sign of the logit belongs to the "
        "real half, which to the half of the fakes? The figure above shows both curves.",
        insight="This is `toy.cross_entropy_loss`. If all logits are 0 it is log 2.",
        mistakes={
            "The labels are swapped: this is small when real points are called fake.": (
                lambda real, fake: discriminator_loss(-real, -fake)
            ),
            "The half of the fakes is missing. A discriminator that says real to everything "
            "would be perfect.": lambda real, fake: np.logaddexp(0, -real).mean(),
            "This is the sum of the two halves, and their mean is asked for: undecided must "
            "be log 2, not 2 log 2.": lambda real, fake: 2 * discriminator_loss(real, fake),
            "The sigmoid is applied twice: `logaddexp` wants the logits, and these are already "
            "probabilities.": lambda real, fake: discriminator_loss(_sigmoid(real), _sigmoid(fake)),
            "Right for small logits, but large ones overflow, or a probability is rounded to 0. "
            "`np.logaddexp` avoids both.": _through_probabilities,
        },
        cases=[(REAL, FAKE), (np.zeros(3), np.zeros(3)), SURE],
    ),
    "generator_loss": Exercise(
        solution=generator_loss,
        hint="Which half of the discriminator's loss would you take if the fakes were real?",
        insight="At a logit of -5 its gradient is -0.993; it is large where the generator is bad.",
        mistakes={
            "This is the minimax loss, log(1 - p). It is flat where the generator is bad.": (
                lambda fake: -np.logaddexp(0, fake).mean()
            ),
            "The sign is wrong: minimising this makes the fakes worse.": (
                lambda fake: -np.logaddexp(0, -fake).mean()
            ),
            "This is the discriminator's half: it is small when the fakes are found out.": (
                lambda fake: np.logaddexp(0, fake).mean()
            ),
            "Right for small logits, but a probability that is rounded to 0 has an infinite "
            "logarithm. `np.logaddexp` avoids that.": lambda fake: -np.log(_sigmoid(fake)).mean(),
            "The mean is asked for, not the sum.": lambda fake: np.logaddexp(0, -fake).sum(),
            "This is the mean probability. The logarithm is missing, and without it the gradient "
            "vanishes for bad fakes.": lambda fake: -_sigmoid(fake).mean(),
            "This is the mean logit with its sign changed, the loss of a Wasserstein generator. "
            "Here the logit is a probability in disguise: -log p is asked for.": (
                lambda fake: -fake.mean()
            ),
        },
        cases=[(FAKE,), (np.zeros(3),), (np.array([-800.0, 2.0]),)],
    ),
    "wasserstein_1d": Exercise(
        solution=wasserstein_1d,
        hint="Which point goes to which? The smallest to the smallest. Each moves by a distance, "
        "which has no sign.",
        insight="In one dimension sorting finds the cheapest transport. In more dimensions a "
        "critic has to find the distance.",
        mistakes={
            "Sort both samples first: their order means nothing, and the points go to partners "
            "that are too far away.": lambda a, b: np.abs(a - b).mean(),
            "This is the difference of the means. A narrow and a wide heap with one mean have a "
            "distance of more than 0.": lambda a, b: np.abs(a.mean() - b.mean()),
            "Some moves go left and some right, and cancel. Take the length of each first.": (
                lambda a, b: (np.sort(a) - np.sort(b)).mean()
            ),
            "The moves are squared here. This is the square of another distance (W2); take the "
            "lengths.": lambda a, b: ((np.sort(a) - np.sort(b)) ** 2).mean(),
            "The mean of the moves is asked for; the median ignores the long ones.": (
                lambda a, b: np.median(np.abs(np.sort(a) - np.sort(b)))
            ),
            "This is the sum of all moves. Take their mean, or it grows with the sample.": (
                lambda a, b: np.abs(np.sort(a) - np.sort(b)).sum()
            ),
        },
        cases=[
            (np.array([3.0, -1.0, 0.5, 2.0]), np.array([0.0, 4.5, -2.0, 1.0])),
            (np.array([-2.0, 2.0, 1.0]), np.array([0.25, 0.5, 0.25])),
            (np.array([1.0, 2.0, 3.0]), np.array([3.0, 1.0, 2.0])),
            (np.array([-3.0, 0.0]), np.array([2.5, 1.0])),
            (np.array([0.0, 1.0, 2.0, 9.0]), np.array([0.0, 1.5, 2.0, 3.0])),
        ],
    ),
}
