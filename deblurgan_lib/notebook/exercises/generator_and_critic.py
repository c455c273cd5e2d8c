"""Exercises of lesson 03."""

from .exercise import Exercise


def half_sum_range(x):
    # tanh lies between -1 and 1, and the halving comes after the sum.
    return (x - 1) / 2, (x + 1) / 2


def overlaps(kernel, stride):
    # Output i is reached by the kernel's columns i, i + stride, i + 2 stride, ...
    counts = [len(range(first, kernel, stride)) for first in range(stride)]
    return min(counts), max(counts)


def receptive_field(layers):
    seen, step = 1, 1
    for kernel, stride in layers:
        seen += (kernel - 1) * step
        step *= stride
    return seen


def conv_cost(kernel, channels_in, channels_out, height, width, stride):
    products = kernel * kernel * channels_in * channels_out
    places = (height // stride) * (width // stride)
    return products + channels_out, products * places


def _stride_too_early(layers):
    seen, step = 1, 1
    for kernel, stride in layers:
        step *= stride
        seen += (kernel - 1) * step
    return seen


def _last_stride_only(layers):
    seen, step = 1, 1
    for kernel, stride in layers:
        seen += (kernel - 1) * step
        step = stride
    return seen


EXERCISES = {
    "half_sum_range": Exercise(
        solution=half_sum_range,
        hint="What are the smallest and the largest value of tanh? Put each into "
        "(x + tanh(c)) / 2.",
        insight="The interval is 1 wide, half of the range that pixels have. A black pixel (-1) "
        "cannot become brighter than middle grey (0), and a white one cannot become darker.",
        mistakes={
            "This is the range of tanh. The input x is added before the sum is halved.": (
                lambda x: (-1.0, 1.0)
            ),
            "This is x + tanh. The article then divides the sum by two.": lambda x: (x - 1, x + 1),
            "Only tanh was halved here; the article halves the input as well.": (
                lambda x: (x - 0.5, x + 0.5)
            ),
            "The lower end takes tanh to be 0 there, but tanh reaches down to -1.": (
                lambda x: (x / 2, (x + 1) / 2)
            ),
            "This is the paper's clipped sum, not the article's half sum.": (
                lambda x: (max(x - 1, -1.0), min(x + 1, 1.0))
            ),
        },
        cases=[(0.0,), (0.6,), (-1.0,), (1.0,)],
    ),
    "overlaps": Exercise(
        solution=overlaps,
        hint="Draw the outputs as a row of boxes. Input 0 paints boxes 0 to kernel - 1, input 1 "
        "begins stride boxes later. How many paint the same box, far from the ends?",
        insight="Only a kernel that is a multiple of the stride paints every box equally often. "
        "4x4 with stride 2 does, 3x3 does not; unequal weights can still draw a grid with both.",
        mistakes={
            "The rest is missing: where the stride does not divide the kernel, some outputs are "
            "reached once more than others.": lambda kernel, stride: (
                kernel // stride,
                kernel // stride,
            ),
            "Where the stride divides the kernel, all outputs are reached equally often.": (
                lambda kernel, stride: (kernel // stride, kernel // stride + 1)
            ),
            "These are the counts in two dimensions. A row is asked for; the square is taken when "
            "rows and columns come together.": lambda kernel, stride: tuple(
                count**2 for count in overlaps(kernel, stride)
            ),
            "kernel - stride is how far two neighbours overlap, not how many meet in one output.": (
                lambda kernel, stride: (kernel - stride, kernel - stride)
            ),
            "The fewest come first, then the most.": lambda kernel, stride: overlaps(
                kernel, stride
            )[::-1],
        },
        cases=[(3, 2), (4, 2), (7, 3), (6, 3), (5, 1), (5, 3), (2, 3)],
    ),
    "receptive_field": Exercise(
        solution=receptive_field,
        hint="Keep two numbers: how many pixels are seen so far, and how many pixels of the input "
        "lie between two neighbours of the current layer. Start with 1 and 1.",
        insight="Strides multiply, so a layer behind three strides of 2 widens the view eight "
        "times as much as the same layer at full resolution.",
        mistakes={
            "Kernels do not simply add up: neighbouring positions share most of what they see, so "
            "a layer adds kernel - 1, not kernel.": lambda layers: sum(k for k, _ in layers),
            "The strides are missing: behind a stride of 2 two neighbours are two pixels apart, "
            "so the next kernel reaches twice as far.": (
                lambda layers: 1 + sum(k - 1 for k, _ in layers)
            ),
            "A layer's own stride spaces its outputs. It counts for the layers after it, not for "
            "its own kernel.": _stride_too_early,
            "Strides multiply: after three strides of 2 the step is 8, not 2.": _last_stride_only,
            "One is missing: before the first layer a position already sees itself.": (
                lambda layers: receptive_field(layers) - 1
            ),
        },
        cases=[
            ([(3, 1)],),
            ([(3, 1), (3, 1)],),
            ([(4, 4), (3, 1)],),
            ([(5, 3), (3, 1), (3, 2), (3, 1)],),
            ([(7, 1), (3, 2), (3, 2), (3, 1)],),
            ([(4, 2), (4, 2), (4, 2), (4, 1), (4, 1)],),
        ],
    ),
    "conv_cost": Exercise(
        solution=conv_cost,
        hint="One number of the output is a sum over a window of all input channels. How many "
        "products is that? How many numbers does the output have?",
        insight="Weights do not depend on the picture's size, multiply-adds do; and both grow with "
        "the square of the number of channels.",
        mistakes={
            "The bias is missing: one weight for each output channel.": (
                lambda k, i, o, h, w, s: (k * k * i * o, k * k * i * o * (h // s) * (w // s))
            ),
            "The input channels are missing: each output channel looks at all of them, with a "
            "kernel of its own for each.": (
                lambda k, i, o, h, w, s: (k * k * o + o, k * k * o * (h // s) * (w // s))
            ),
            "The multiply-adds are counted at every input pixel; with a stride the kernel stops at "
            "fewer places.": lambda k, i, o, h, w, s: (k * k * i * o + o, k * k * i * o * h * w),
            "The kernel has two dimensions: kernel * kernel places, not kernel.": (
                lambda k, i, o, h, w, s: (k * i * o + o, k * i * o * (h // s) * (w // s))
            ),
            "The stride shortens height and width both, so there are stride squared times fewer "
            "places.": lambda k, i, o, h, w, s: (k * k * i * o + o, k * k * i * o * (h * w // s)),
            "Weights first, then multiply-adds.": lambda *sizes: conv_cost(*sizes)[::-1],
            "Adding the bias is no multiplication; leave it out of the multiply-adds.": (
                lambda k, i, o, h, w, s: (
                    k * k * i * o + o,
                    (k * k * i * o + o) * (h // s) * (w // s),
                )
            ),
        },
        cases=[(7, 3, 64, 256, 256, 1), (3, 64, 128, 256, 192, 2), (1, 5, 2, 12, 8, 4)],
    ),
}
