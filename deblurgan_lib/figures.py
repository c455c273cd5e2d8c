"""The course's figures: one style, no global state, alt text for every one.

They are `matplotlib` figures made without `pyplot`, so that making one never opens a window and
the same code serves notebooks, scripts and tests.
"""

import io
import itertools
import math

import numpy as np
import PIL.Image
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# Okabe and Ito's palette, which readers with a colour vision deficiency can tell apart.
BLUE, ORANGE, GREEN, RED, PURPLE, GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#666666",
)


def image_bytes(fig: Figure, kind: str) -> bytes:
    """The figure as `"png"` (diagrams, in 256 colours) or `"jpeg"` (photographs)."""
    picture, buffer = PIL.Image.fromarray(as_photo(fig)), io.BytesIO()
    if kind == "jpeg":
        picture.save(buffer, "JPEG", quality=80)
    else:
        picture.quantize(256).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def as_photo(fig: Figure) -> np.ndarray:
    """The figure as uint8 (H, W, 3)."""
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=110)
    with PIL.Image.open(buffer) as picture:
        return np.array(picture.convert("RGB"))


def photo_grid(rows: list[dict[str, np.ndarray]], inches: float = 3.4) -> Figure:
    """Photographs side by side, each row on one scale.

    Args:
        rows: for each row a dict from title to uint8 (H, W, 3).
        inches: width of one photograph.
    """
    columns = max(len(row) for row in rows)
    heights = [max(p.shape[0] / p.shape[1] for p in row.values()) for row in rows]
    title = 0.35
    fig = Figure((inches * columns, inches * sum(heights) + title * len(rows)), layout="tight")
    axes = fig.subplots(len(rows), columns, squeeze=False, height_ratios=heights)
    for line, row in zip(axes, rows, strict=True):
        for ax in line:
            ax.axis("off")
        for ax, (name, photo) in zip(line, row.items(), strict=False):
            ax.imshow(photo, interpolation="nearest", vmin=0, vmax=255)
            ax.set_title(name, fontsize=10)
    return fig


def before_after(blurred, restored, sharp, scores=("", "")) -> Figure:
    """Blurred, restored and sharp, whole and enlarged where the photograph has most detail.

    Args:
        blurred, restored, sharp: uint8 (H, W, 3).
        scores: what to write beside "blurred" and "restored", for instance their PSNR.
    """
    top, left, size = busiest_square(sharp)
    whole = {
        f"blurred {scores[0]}".strip(): blurred,
        f"restored {scores[1]}".strip(): restored,
        "sharp": sharp,
    }
    detail = slice(top, top + size), slice(left, left + size)
    return photo_grid([whole, {f"{k.split()[0]}, detail": v[detail] for k, v in whole.items()}])


def busiest_square(photo, share=1 / 3):
    """The square with the largest mean gradient, where a difference is seen best.

    Args:
        photo: uint8 (H, W, 3).
        share: side of the square, as a share of the photograph's shorter side.

    Returns:
        top, left, side: pixels.
    """
    size = max(int(min(photo.shape[:2]) * share), 1)
    grey = photo.mean(axis=2)
    steps = np.abs(np.diff(grey, axis=0, append=0)) + np.abs(np.diff(grey, axis=1, append=0))
    total = np.pad(steps[:-1, :-1], ((1, 1), (1, 1))).cumsum(0).cumsum(1)
    if min(total.shape) <= size:
        return 0, 0, size
    sums = total[size:, size:] - total[:-size, size:] - total[size:, :-size] + total[:-size, :-size]
    top, left = np.unravel_index(sums.argmax(), sums.shape)
    return int(top), int(left), size


def training_curves(metrics: list[dict], psnr_blurred: float | None = None) -> Figure:
    """Curves of a run: validation PSNR, the generator's loss terms, the critic's losses.

    Args:
        metrics: one dict an epoch, as `metrics.csv` has them.
        psnr_blurred: mean PSNR of the blurred input, dB, drawn as a line.
    """
    fig = Figure((10.2, 2.9), layout="tight")
    score, terms, critic = fig.subplots(1, 3)
    epochs = [int(row["epoch"]) + 1 for row in metrics]

    def line(ax, key, colour, mark, label=None):
        # A term that has not been switched on yet is zero and is left out.
        points = [(epoch, row[key]) for epoch, row in zip(epochs, metrics) if row[key]]
        if points:
            ax.plot(*zip(*points), color=colour, marker=mark, markersize=3, label=label or key)

    line(score, "val_psnr", BLUE, "o", "restored")
    if psnr_blurred is not None and math.isfinite(psnr_blurred):
        score.axhline(psnr_blurred, color=GREY, linestyle="--", label="blurred input")
    score.set_title("PSNR of held-out photos (dB)", fontsize=10)
    line(terms, "pixel", ORANGE, "o")
    terms.set_title("pixel loss (L1)", fontsize=10)
    line(critic, "critic", RED, "o", "D(fake) - D(real)")
    line(critic, "penalty", PURPLE, "s", "gradient penalty")
    critic.set_title("critic", fontsize=10)
    for ax in (score, terms, critic):
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.grid(alpha=0.3)
        if ax.get_legend_handles_labels()[0]:
            ax.legend(fontsize=8)
        else:
            ax.text(0.5, 0.5, "not in use yet", ha="center", transform=ax.transAxes, color=GREY)
    return fig


def lesson_map(main: dict[str, str], optional: dict[str, tuple[str, str]], here: str) -> Figure:
    """The lessons as stations of a line, the optional ones on branches below it.

    Args:
        main: from the number of a lesson to its title, in their order.
        optional: from the number of a lesson to its title and the lesson that it branches from.
        here: the number of the one that is marked.
    """
    fig = Figure((8, 2.2 if optional else 1.2), layout="constrained")
    ax = fig.subplots()
    places = {number: (i, 0.0) for i, number in enumerate(main)}
    ax.plot((0, len(main) - 1), (0, 0), color=GREY, linewidth=3, zorder=1)
    for number, (_, origin) in optional.items():
        x, y = places[origin]
        places[number] = (x + 0.5, -1.2)
        ax.plot((x, x + 0.5), (y, -1.2), ":", color=GREY, linewidth=2, zorder=1)
    titles = main | {number: title for number, (title, _) in optional.items()}
    for number, (x, y) in places.items():
        is_here, beside = number == here, number in optional
        ax.plot(
            x, y, "s" if beside else "o",
            markersize=21, markeredgewidth=2, markeredgecolor=ORANGE if is_here else BLUE,
            color=ORANGE if is_here else "white", zorder=2,
        )  # fmt: skip
        weight = "bold" if is_here else "normal"
        ax.text(x, y, number, ha="center", va="center", fontsize=9, weight=weight)
        title = titles[number]
        place, align = (y - 0.32, "top") if beside else (y + 0.3, "bottom")
        ax.text(x, place, title, ha="center", va=align, fontsize=9, weight=weight)
    x, y = places[here]
    # To the left, where no branch runs; below its title, if that stands below.
    tip, start, align, middle = y - 0.2, (x + 0.1, y - 0.48), "right", 0.88
    if here in optional:
        tip = y - 0.36 - 0.27 * len(titles[here].splitlines())
        start, align, middle = (x, tip - 0.28), "center", 0.5
    ax.annotate(
        "you are here", (x, tip), start, ha=align, va="top", fontsize=9, color=RED, weight="bold",
        bbox={"color": "white", "pad": 0},
        arrowprops={"arrowstyle": "->", "color": RED, "relpos": (middle, 1)},
    )  # fmt: skip
    right = max(x for x, _ in places.values()) + 0.6
    ax.set(xlim=(-0.6, right), ylim=(-2.5 if optional else -1.0, 0.9))
    ax.axis("off")
    return fig


def gan_parts(blurred, restored, sharp) -> Figure:
    """The parts of a GAN that deblurs: solid arrows are pictures, dashed ones are gradients.

    Args:
        blurred, restored, sharp: uint8 (H, W, 3), of one square.
    """
    fig = Figure((9.2, 4.8), layout="tight")
    ax = fig.subplots()
    spots = {"A, blurred": (0.09, 0.65), "restored": (0.55, 0.65), "B, sharp": (0.55, 0.22)}
    for picture, (name, (x, y)) in zip((blurred, restored, sharp), spots.items(), strict=True):
        place = ax.inset_axes((x - 0.07, y - 0.145, 0.14, 0.29), transform=ax.transData)
        place.imshow(picture)
        place.axis("off")
        ax.text(x, y + 0.155, name, ha="center", va="bottom", fontsize=10)
    boxes = {
        "generator\n(lessons 01, 03)": (0.32, 0.65, BLUE),
        "pixels and features\n(lesson 04)": (0.87, 0.65, GREEN),
        "critic\n(lessons 01, 03, 04)": (0.87, 0.22, ORANGE),
    }
    for text, (x, y, colour) in boxes.items():
        style = {"boxstyle": "round,pad=0.5", "facecolor": colour, "alpha": 0.3}
        ax.text(x, y, text, ha="center", va="center", bbox={**style, "edgecolor": colour})

    def arrow(*points, **style):
        style = {"color": GREY, "linestyle": "-", "linewidth": 1.5, **style}
        ax.plot(*zip(*points[:-1], strict=True), **style)
        ends = {"arrowstyle": "->", "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", points[-1], points[-2], arrowprops={**style, **ends})

    arrow((0.17, 0.65), (0.24, 0.65))
    arrow((0.4, 0.65), (0.47, 0.65))
    for y, end in itertools.product((0.65, 0.22), repeat=2):  # Both pictures into both boxes.
        near = end + 0.09 * (y > end) - 0.09 * (y < end)
        arrow((0.63, y), (0.755, near))
    back = {"color": PURPLE, "linestyle": "--"}
    arrow((0.87, 0.75), (0.87, 0.97), (0.32, 0.97), (0.32, 0.74), **back)
    arrow((0.87, 0.12), (0.87, -0.03), (0.32, -0.03), (0.32, 0.56), **back)
    arrow((0.94, 0.13), (0.94, 0.05), (0.99, 0.05), (0.99, 0.22), (0.965, 0.22), **back)
    for x, y, text, align in (
        (0.335, 0.94, "gradient: come nearer to B", "top"),
        (0.335, -0.01, "gradient:\nlook sharp", "bottom"),
        (0.885, 0.02, "gradient: tell B\nfrom restored", "top"),
    ):
        ax.text(x, y, text, va=align)
    ax.set(xlim=(0, 1.02), ylim=(-0.11, 1))
    ax.axis("off")
    return fig
