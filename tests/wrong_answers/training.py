RIGHT = ["learning rate", "pairs", "photographs", "penalty", "sigmoid"]

WRONG = {
    "averaged": [
        (lambda average, weights, m: average + m * (weights - average), "exchanged"),
        (lambda average, weights, m: m * average + weights, "adds up"),
        (lambda average, weights, m: 0.5 * average + 0.5 * weights, "plain mean"),
        (lambda average, weights, m: weights, "it gives"),
    ],
    "diagnosis": [
        ([*RIGHT[:3], "sigmoid", "penalty"], "critics are exchanged"),
        (["learning rate", "photographs", "pairs", "penalty", "sigmoid"], "pixel loss of B and C"),
        (["pairs", "learning rate", "photographs", "penalty", "sigmoid"], "A and B"),
        (RIGHT[::-1], "It is not"),
        (RIGHT[:4], "5 parts"),
    ],
    "run_cost": [
        (lambda o, n, r, u, p: o * n / r / u * p, "3600"),
        (lambda o, n, r, u, p: o * n / r / 3600 * p, "full rate"),
        (lambda o, n, r, u, p: p * o * n * u / (3600 * r), "less time"),
        (lambda o, n, r, u, p: o * n / r / u / 3600, "What do they cost"),
        (lambda o, n, r, u: o * n / r / u / 3600, "raised TypeError"),
    ],
}
