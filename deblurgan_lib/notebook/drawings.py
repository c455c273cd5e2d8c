"""Networks as drawings, made from their layers."""

from typing import NamedTuple

import keras
from keras import layers
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle, FancyBboxPatch

from .. import figures
from ..models.layers import BilinearUpsampling, DepthToSpace, GlobalSkip, SpaceToDepth

WIDTH, HEIGHT = 0.86, 0.8  # Of a box; neighbours are 1 apart.
COLOURS = {
    "picture": "white",
    "convolution": figures.BLUE,
    "residual blocks": figures.GREEN,
    "rearranged": figures.ORANGE,
    "sum": "white",
    "other": figures.GREY,
}


class Box(NamedTuple):
    """One or several layers of a network, as a drawing shows them.

    Args:
        text: what is written in it.
        kind: a key of `COLOURS`.
        sources: the places of the boxes from which arrows lead to it.
        output: the network's tensor behind it.
        side, channels: of that tensor, for the picture's size that `boxes` was asked for.
        count: residual blocks, if it stands for some.
    """

    text: str
    kind: str
    sources: tuple[int, ...]
    output: keras.KerasTensor
    side: int = 0
    channels: int = 0
    count: int = 0


def _text_and_kind(layer) -> tuple[str, str] | None:
    """What is written in the box of a layer, and its kind; nothing for one that gets no box."""
    match layer:
        case layers.InputLayer():
            return layer.name.split("_")[0], "picture"
        case SpaceToDepth():
            return "space\nto depth", "rearranged"
        case DepthToSpace():
            return "depth\nto space", "rearranged"
        case layers.UpSampling2D():
            return f"repeat\n{layer.size[0]}x{layer.size[1]}", "rearranged"
        case BilinearUpsampling():
            return "bilinear\n2x2", "rearranged"
        case layers.Conv2D() | layers.Conv2DTranspose():
            kernel, stride = layer.kernel_size[0], layer.strides[0]
            text = "conv." if isinstance(layer, layers.Conv2D) else "transp."
            stride = f"\nstride {stride}" if stride > 1 else ""
            return f"{text}\n{kernel}x{kernel}{stride}", "convolution"
        case layers.Add() | GlobalSkip() | layers.Lambda():
            return "+", "sum"
        case layers.Concatenate():
            return "join", "other"
    return None


def _is_block(found: list[Box], entrance: int) -> bool:
    """Whether all boxes behind `entrance` are a row of convolutions that keep the size."""
    inner = found[entrance + 1 :]
    return bool(inner) and all(
        box.kind == "convolution" and "stride" not in box.text and box.sources == (place,)
        for place, box in enumerate(inner, start=entrance)
    )


def boxes(network: keras.Model, size: int, details: bool = False) -> list[Box]:
    """The boxes of a network's drawing, in the order of its layers.

    Args:
        network: from one picture (B, H, W, 3) to anything of that rank.
        size: height and width of the picture whose sizes the drawing names, pixels.
        details: draw activations, and residual blocks layer by layer.
    """
    found, place = [], {}  # From a tensor to the box that it comes out of.
    for layer in network.layers:
        inputs = [place[id(x)] for x in keras.tree.flatten(layer.input) if id(x) in place]
        drawn = _text_and_kind(layer)
        if drawn is None and details and isinstance(layer, layers.LeakyReLU):
            drawn = "leaky\nReLU", "other"
        if drawn is None:
            place[id(layer.output)] = inputs[0]
            continue
        box = Box(*drawn, tuple(inputs), layer.output)
        entrance = min(inputs, default=0)
        if isinstance(layer, layers.Add) and not details and _is_block(found, entrance):
            count, sources = found[entrance].count + 1, (entrance,)
            if count > 1:  # Joined with the block before it.
                sources = found[entrance].sources
            del found[entrance + (count == 1) :]
            text = f"{count}\nresidual\nblocks" if count > 1 else "residual\nblock"
            box = Box(text, "residual blocks", sources, layer.output, count=count)
        place[id(layer.output)] = len(found)
        found.append(box)
    ends = keras.Model(network.input, [box.output for box in found])
    channels = network.input.shape[-1]
    shapes = ends.compute_output_shape((1, size, size, channels))
    return [
        box._replace(side=shape[1], channels=shape[3])
        for box, shape in zip(found, shapes, strict=True)
    ]


def draw(found: list[Box], ax, marked: int | None = None) -> None:
    """Draw boxes from left to right, each at the height of its size; arrows are what it gets.

    Args:
        found: see `boxes`.
        ax: the axes to draw on.
        marked: the place of a box that is made to stand out.
    """
    sides = sorted({box.side for box in found}, reverse=True)
    heights = {side: -1.5 * rank for rank, side in enumerate(sides)}
    arrow = {"arrowstyle": "->", "color": figures.GREY, "shrinkA": 0, "shrinkB": 0}
    half = {place: 0.2 if box.kind == "sum" else HEIGHT / 2 for place, box in enumerate(found)}
    for place, box in enumerate(found):
        y = heights[box.side]
        style = {"edgecolor": figures.GREY, "linewidth": 1, "zorder": 2}
        if place == marked:
            style |= {"edgecolor": figures.RED, "linewidth": 3}
        colour = (*to_rgb(COLOURS[box.kind]), 0.35)
        if box.kind == "sum":
            ax.add_patch(Circle((place, y), 0.2, facecolor="white", **style))
        else:
            corner = place - WIDTH / 2 + 0.06, y - HEIGHT / 2 + 0.06
            inner = WIDTH - 0.12, HEIGHT - 0.12
            shape = FancyBboxPatch(corner, *inner, "round,pad=0.06", facecolor=colour, **style)
            ax.add_patch(shape)
        ax.text(place, y, box.text, ha="center", va="center", fontsize=7, zorder=3,
                linespacing=0.95)  # fmt: skip
        if box.kind != "sum":
            ax.text(place, y - HEIGHT / 2 - 0.05, box.channels, ha="center", va="top", fontsize=7)
        for source in box.sources:
            before = heights[found[source].side]
            if source == place - 1:
                edge = 0.2 if found[source].kind == "sum" else WIDTH / 2
                start = source + edge, before
                end = place - (0.2 if box.kind == "sum" else WIDTH / 2), y
                if before != y:  # Down or up a level: from below or above the box before.
                    turn = half[source] * (1 if y > before else -1.75)
                    start = source, before + turn
                    arrows = arrow | {"connectionstyle": "angle,angleA=90,angleB=0,rad=4"}
                    ax.annotate("", end, start, arrowprops=arrows)
                else:
                    ax.annotate("", end, start, arrowprops=arrow)
                continue
            top = max(before + half[source], y + half[place]) + 0.22
            line = (source, source, place), (before + half[source], top, top)
            ax.plot(*line, color=figures.GREY, linewidth=1, zorder=1)
            ax.annotate("", (place, y + half[place]), (place, top), arrowprops=arrow)
    for side, height in heights.items():
        ax.text(-0.75, height, f"{side}x{side}", ha="right", va="center", fontsize=8.5)
    ax.set(xlim=(-1.9, len(found) - 0.4), ylim=(min(heights.values()) - 0.75, 0.75))
    ax.set_aspect("equal")
    ax.axis("off")
