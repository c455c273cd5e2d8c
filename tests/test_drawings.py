"""The drawings of networks: nothing left out, nothing invented, each box at its size."""

import keras
import pytest
from keras import layers
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from deblurgan_lib import figures, models
from deblurgan_lib.models.detail import detail_generator
from deblurgan_lib.notebook import drawings

NETWORKS = {
    "space-to-depth U-Net": lambda: models.space_to_depth_unet_generator(4, 8),
    "ResNet": lambda: models.resnet_generator(4, 3, "batch"),
    "U-Net": lambda: models.unet_generator(4, 2),
    "detail": lambda: detail_generator(4),
    "patch critic": lambda: models.patch_critic(4),
}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    return NETWORKS[request.param]()


def count(network, kind):
    return sum(isinstance(layer, kind) for layer in network.layers)


@pytest.mark.parametrize("details", [False, True])
def test_every_convolution_and_sum_is_in_one_box(network, details):
    found = drawings.boxes(network, 128, details)
    blocks = sum(box.count for box in found)
    assert bool(blocks) == (not details and network.name != "patch_critic")
    convolutions = sum(box.kind == "convolution" for box in found)
    assert convolutions + 2 * blocks == count(network, (layers.Conv2D, layers.Conv2DTranspose))
    sums = sum(box.kind == "sum" for box in found)
    assert sums + blocks == count(network, (layers.Add, models.layers.GlobalSkip))


def test_arrows_come_from_what_a_layer_is_given(network):
    found = drawings.boxes(network, 128)
    assert found[0].sources == () and found[0].kind == "picture"
    for place, box in enumerate(found[1:], start=1):
        assert len(box.sources) == (2 if box.kind == "sum" or box.text == "join" else 1), box
        assert max(box.sources) < place
    # Every box but the last leads to another one.
    assert {source for box in found for source in box.sources} == set(range(len(found) - 1))


def test_sizes_and_channels_are_those_of_the_network():
    found = drawings.boxes(NETWORKS["space-to-depth U-Net"](), 128)
    assert [box.side for box in found[:9]] == [128, 32, 32, 32, 16, 16, 8, 8, 8]
    assert [box.channels for box in found[:9]] == [3, 48, 12, 12, 24, 24, 36, 36, 24]
    assert [box.count for box in found if box.count] == [2] * 5
    assert found[-1].sources == (len(found) - 2, 0)  # The global skip.
    assert (found[3].text, found[4].text) == ("2\nresidual\nblocks", "conv.\n3x3\nstride 2")


def test_a_block_is_drawn_layer_by_layer_if_asked():
    x = keras.Input((None, None, 8), name="x")
    block = keras.Model(x, models.generators._res_block(x, "none", 0.0, reflect=False))
    assert [box.text for box in drawings.boxes(block, 32)] == ["x", "residual\nblock"]
    found = drawings.boxes(block, 32, details=True)
    assert [box.kind for box in found] == ["picture", "convolution", "other", "convolution", "sum"]
    assert found[-1].sources == (0, 3)


def test_smaller_is_lower_and_the_marked_box_stands_out(network):
    found = drawings.boxes(network, 128)
    ax = Figure().subplots()
    drawings.draw(found, ax, marked=1)
    assert len(ax.patches) == len(found)
    edges = [patch.get_edgecolor() for patch in ax.patches]
    assert [edge == to_rgba(figures.RED) for edge in edges].index(True) == 1
    assert edges.count(to_rgba(figures.RED)) == 1
    middles = [patch.get_path().transformed(patch.get_transform() - ax.transData).get_extents() for
               patch in ax.patches]  # fmt: skip
    heights = {box.side: middle.y0 + middle.y1 for box, middle in zip(found, middles, strict=True)}
    sides = sorted(heights)
    assert sides == sorted(heights, key=heights.get)
    texts = [text.get_text() for text in ax.texts]
    assert all(box.text in texts for box in found)
    assert all(f"{side}x{side}" in texts for side in sides)
