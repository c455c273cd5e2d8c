import math


def seen(layers, start=1, own=False, forget=False):
    total, step = start, 1
    for kernel, stride in layers:
        if own:
            step *= stride
        total += (kernel - 1) * step
        if forget:
            step = stride
        elif not own:
            step *= stride
    return total


WRONG = {
    "half_sum_range": [
        (lambda x: [-1, 1], "range of tanh"),
        (lambda x: [x - math.tanh(99), x + math.tanh(99)], "divides the sum by two"),
        (lambda x: [x - 1 / 2, x + 1 / 2], "halves the input as well"),
        (lambda x: [0.5 * x, 0.5 * x + 0.5], "reaches down to -1"),
        (lambda x: [max(-1, x - 1), min(1, x + 1)], "clipped sum"),
        (lambda x: 1.0, "shape"),
        (0.5, "A function is asked for"),
    ],
    "overlaps": [
        (lambda k, s: [int(k / s)] * 2, "rest is missing"),
        (lambda k, s: [int(k / s), int(k / s) + 1], "stride divides the kernel"),
        (lambda k, s: [math.floor(k / s) ** 2, math.ceil(k / s) ** 2], "two dimensions"),
        (lambda k, s: [k - s] * 2, "neighbours overlap"),
        (lambda k, s: [math.ceil(k / s), k // s], "fewest come first"),
        (lambda k, s: [k / s, k / s], "it gives [1.5, 1.5]"),
    ],
    "receptive_field": [
        (lambda layers: sum(kernel for kernel, stride in layers), "kernel - 1, not kernel"),
        (lambda layers: sum(kernel for kernel, _ in layers) - len(layers) + 1, "strides are"),
        (lambda layers: seen(layers, own=True), "layers after it"),
        (lambda layers: seen(layers, forget=True), "Strides multiply"),
        (lambda layers: seen(layers, start=0), "One is missing"),
        (lambda layers: math.prod(stride for _, stride in layers), "it gives 1; 3 is right"),
        (lambda layers: None, "returns nothing"),
    ],
    "conv_cost": [
        (lambda k, a, b, h, w, s: (b * a * k**2, b * a * k**2 * h * w // s**2), "bias is missing"),
        (lambda k, a, b, h, w, s: (b * (k**2 + 1), b * k**2 * h * w // s**2), "input channels"),
        (lambda k, a, b, h, w, s: (b * (a * k**2 + 1), b * a * k**2 * h * w), "fewer places"),
        (lambda k, a, b, h, w, s: (b * (a * k + 1), b * a * k * h * w // s**2), "two dimensions"),
        (
            lambda k, a, b, h, w, s: (b * (a * k**2 + 1), b * (a * k**2 + 1) * h * w // s**2),
            "no multiplication",
        ),
        (
            lambda k, a, b, h, w, s: (b * (a * k**2 + 1), b * a * k**2 * h * w // s),
            "height and width both",
        ),
        (lambda k, a, b, h, w, s: b * a * k**2, "shape"),
    ],
}
