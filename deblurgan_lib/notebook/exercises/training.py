"""Exercises of lesson 05."""

import numpy as np

from .exercise import Exercise


def averaged(average, weights, momentum):
    return momentum * average + (1 - momentum) * weights


def diagnosis():
    # One letter for each of the runs A, B, C, D and E.
    return ["learning rate", "pairs", "photographs", "penalty", "sigmoid"]


def run_cost(operations, steps, rate, used, price):
    seconds = operations * steps / (rate * used)
    return seconds / 3600 * price


def swapped(first, second):
    """The diagnosis with two of its failures exchanged."""
    answer = diagnosis()
    answer[first], answer[second] = answer[second], answer[first]
    return answer


AVERAGE, WEIGHTS = np.array([1.0, 2.0, -1.0]), np.array([3.0, 0.0, 1.0])

EXERCISES = {
    "averaged": Exercise(
        solution=averaged,
        hint="With a momentum of 1 the average never changes, with 0 it is always the newest "
        "weights.",
        insight="With a momentum of 0.99 the average looks back over about a hundred steps. Keras' "
        "optimisers keep it for you (`use_ema`).",
        mistakes={
            "The shares are exchanged: with a momentum near 1 the average should move slowly.": (
                lambda average, weights, momentum: (1 - momentum) * average + momentum * weights
            ),
            "This is momentum as in an optimiser: it adds up and grows. The shares of an average "
            "sum to 1.": lambda average, weights, momentum: momentum * average + weights,
            "This is the plain mean of the two; the momentum should decide their shares.": (
                lambda average, weights, momentum: (average + weights) / 2
            ),
        },
        cases=[(AVERAGE, WEIGHTS, 0.99), (AVERAGE, WEIGHTS, 0.5), (AVERAGE, WEIGHTS, 0.0)],
    ),
    "diagnosis": Exercise(
        solution=diagnosis,
        hint="Two runs have a critic without a penalty: one kind of score can grow without end, "
        "the other cannot. One run learns its crops and not the held-out photographs.",
        insight="A loss alone names none of these. The score of held-out photographs and the "
        "critic's difference, side by side, do.",
        mistakes={
            "The critics are exchanged. A sigmoid's score stays between 0 and 1, so a difference "
            "of two of them cannot leave -1 to 1.": lambda: swapped(3, 4),
            "Look at the pixel loss of B and C again: in which of the two does the network learn "
            "what it is shown, but nothing that helps elsewhere?": lambda: swapped(1, 2),
            "A and D are exchanged. Which of the two is wrong from its first epoch on, before any "
            "critic is trained?": lambda: swapped(0, 3),
            "A and B are exchanged. With wrong pairs the loss stays high but finite; too high a "
            "learning rate throws the weights away.": lambda: swapped(0, 1),
        },
    ),
    "run_cost": Exercise(
        solution=run_cost,
        hint="How many operations in all? How many of them does the device really do in a second?",
        insight="This is an estimate. The share that is used is the number to be suspicious of: "
        "measure it for a hundred steps before you pay for a hundred thousand.",
        mistakes={
            "This pays for every second as if it were an hour; one hour has 3600 seconds.": (
                lambda ops, steps, rate, used, price: ops * steps / (rate * used) * price
            ),
            "This takes the device at its full rate. Only a share is used, so it takes longer.": (
                lambda ops, steps, rate, used, price: ops * steps / rate / 3600 * price
            ),
            "A device of which less is used should take longer, and here it takes less time.": (
                lambda ops, steps, rate, used, price: ops * steps * used / rate / 3600 * price
            ),
            "These are hours. What do they cost?": (
                lambda ops, steps, rate, used, price: ops * steps / (rate * used) / 3600
            ),
        },
        cases=[(1e12, 50_000, 65e12, 0.3, 0.5), (4e12, 630_900, 312e12, 0.25, 2.0)],
    ),
}
