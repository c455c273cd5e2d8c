"""Restoring photographs of any size with a generator."""

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from .. import __version__
from ..models.detail import first_estimate
from ..models.layers import InstanceNormalization
from ..models.receptive_field import ReceptiveField, receptive_field
from ..photos import (
    PhotoMetadata,
    read_with_metadata,
    to_float,
    to_uint8,
    write_photo,
)
from ..progress import progress
from . import motion

TILE = 1024
"""Pixels. A photograph of more than its square is restored in tiles of this side, or of twice their
overlap."""


def restore(generator: keras.Model, photo: np.ndarray, bar: bool = True) -> np.ndarray:
    """Restore a photograph; a large one tile by tile, so that memory is bounded.

    Tiles overlap by the receptive field, so that each pixel is computed from the same pixels as it
    would be in one piece. Only a generator with instance norms sees the whole photograph: there,
    the means and variances of a sample of the photograph are used in all tiles.

    Args:
        generator: see `load`.
        photo: uint8 (H, W, 3), any height and width.
        bar: show a progress bar where it takes longer.

    Returns:
        uint8 (H, W, 3).
    """
    # On a GPU Keras would else compile with XLA, anew for every size of photograph.
    generator.jit_compile = False
    if photo.shape[0] * photo.shape[1] <= TILE**2:
        return _restore_whole(generator, photo)
    field = receptive_field(generator)
    if math.isinf(field.after):
        generator = _with_fixed_statistics(generator, photo)
        field = receptive_field(generator)
        if math.isinf(field.after):  # No network of the course.
            return _restore_whole(generator, photo)
    height, rows = _tiles(photo.shape[0], field)
    width, columns = _tiles(photo.shape[1], field)
    restored = np.empty((*photo.shape[:2], generator.output_shape[-1]), np.uint8)
    # As `PadToMultiple` would, so that all tiles are alike.
    padding = [
        (0, max(rows[-1].start + height - photo.shape[0], 0)),
        (0, max(columns[-1].start + width - photo.shape[1], 0)),
        (0, 0),
    ]
    photo = np.pad(photo, padding, mode="reflect")
    with progress("restoring", len(rows) * len(columns), unit=" tiles", hidden=not bar) as shown:
        for row, column in itertools.product(rows, columns):
            tile = photo[row.start : row.start + height, column.start : column.start + width]
            tile = _restore_whole(generator, tile)
            restored[row.first : row.end, column.first : column.end] = tile[
                row.first - row.start : row.end - row.start,
                column.first - column.start : column.end - column.start,
            ]
            shown.update()
    return restored


def self_ensemble(generator: keras.Model, photo: np.ndarray, bar: bool = True) -> np.ndarray:
    """The mean of eight restorations: of the photograph under all eight rotations and flips.

    Where the generator is certain, the eight agree; where it is not, their mean has a smaller
    squared error than they have on average (Timofte et al. 2016, "Seven ways to improve
    example-based single image super resolution", section 3.5).

    Args:
        generator, photo: see `restore`; it takes eight times as long.
        bar: show a progress bar.

    Returns:
        uint8 (H, W, 3).
    """
    total = np.zeros((*photo.shape[:2], generator.output_shape[-1]), np.uint16)
    views = list(itertools.product(range(4), (1, -1)))
    with progress("restoring", len(views), unit=" views", hidden=not bar) as shown:
        for rotations, flip in views:
            view = np.ascontiguousarray(np.rot90(photo, rotations)[:, ::flip])
            restored = restore(generator, view, bar=False)
            total += np.rot90(restored[:, ::flip], -rotations)
            shown.update()
    return ((total + len(views) // 2) // len(views)).astype(np.uint8)


def deblur(generator: keras.Model, photo: np.ndarray, bar: bool = True) -> np.ndarray:
    """Restore a photograph; deconvolve it where one camera motion explains it, see `motion`.

    Args:
        generator, photo, bar: see `restore`.

    Returns:
        uint8 (H, W, 3): the generator's answer, corrected by the motion that was found with the
        help of its first estimate, see `first_estimate`: a deconvolution must be told what was
        there, and not what looks sharp. The answer itself where no single motion explains the
        photograph.
    """
    return _corrected(generator, photo, restore, bar)


def deblur_ensemble(generator: keras.Model, photo: np.ndarray, bar: bool = True) -> np.ndarray:
    """As `deblur`, with `self_ensemble` as the estimate."""
    return _corrected(generator, photo, self_ensemble, bar)


def _corrected(generator, photo, method, bar):
    first = first_estimate(generator)
    if first is generator:
        return motion.correct(photo, method(generator, photo, bar), bar)
    # In one pass, for they share the U-Net: six colours, those of the first estimate first.
    outputs = keras.layers.Concatenate(dtype="float32", name="both")(
        [first.output, generator.output]
    )
    both = keras.Model(generator.input, outputs)
    estimate, answer = np.split(method(both, photo, bar), 2, axis=2)
    return motion.correct(photo, estimate, bar, answer)


METHODS = {
    (True, False): deblur,
    (True, True): deblur_ensemble,
    (False, False): restore,
    (False, True): self_ensemble,
}
"""From two independent choices, whether to look for a motion and whether to take the mean of eight
views, to the function that does so."""


def restore_file(
    generator: keras.Model,
    photo: Path,
    target: Path,
    bar: bool = True,
    method: Callable = deblur,
) -> PhotoMetadata:
    """Restore the photograph in a file into another file, see `write_photo`.

    Args:
        generator: see `load`.
        photo: a file that holds a photograph.
        target: the file to be written; its folder is made.
        bar: show a progress bar where it takes longer.
        method: one of `METHODS`.

    Returns:
        What was in the file besides colours, and is kept.

    Raises:
        CourseError: the photograph could not be read, or its restoration not written.
    """
    before, metadata = read_with_metadata(photo)
    after = method(generator, before, bar)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_photo(target, after, metadata, f"deblurgan {__version__}")
    return metadata


def _restore_whole(generator: keras.Model, photo: np.ndarray) -> np.ndarray:
    return to_uint8(generator.predict_on_batch(to_float(photo[None])))[0].numpy()


class _Tile(NamedTuple):
    """A tile along one axis: its start, and the range that equals the result in one piece."""

    start: int
    first: int
    end: int


def _tiles(size: int, field: ReceptiveField) -> tuple[int, list[_Tile]]:
    """The common length of the tiles that cover `size` pixels along one axis, and the tiles."""
    grid = int(field.coarsest)
    before, after = (-(-int(reach) // grid) * grid for reach in (field.before, field.after))
    overlap = before + after
    # A generator that looks far has larger tiles, lest most of each be overlap.
    count = -(-(size - overlap) // max(TILE - overlap, overlap))
    if count <= 1:
        return size, [_Tile(0, 0, size)]
    padded = -(-size // grid) * grid
    length = overlap + -(-(padded - overlap) // (count * grid)) * grid
    starts = [min(i * (length - overlap), padded - length) for i in range(count)]
    firsts = [0, *(start + before for start in starts[1:]), size]
    return length, [_Tile(*tile) for tile in zip(starts, firsts, firsts[1:])]


SAMPLED = 4  # Crops along each axis, which together have as many pixels as a tile.


def _with_fixed_statistics(generator: keras.Model, photo: np.ndarray) -> keras.Model:
    """The generator with batch norms in place of its instance norms.

    They hold the mean and variance that they measured on crops from all over the photograph, as
    one batch. So all tiles are computed alike, and none ends in a seam.
    """

    def fixed(layer):
        config = layer.get_config()
        if isinstance(layer, InstanceNormalization):
            plain = {"momentum": 0.0, "epsilon": layer.EPSILON, "center": False, "scale": False}
            return keras.layers.BatchNormalization(**config, **plain)
        if isinstance(layer, keras.layers.Dropout):
            config["rate"] = 0.0
        return layer.__class__.from_config(config)

    clone = keras.models.clone_model(generator, clone_function=fixed)
    for layer in generator.layers:
        own, its_clone = layer.get_weights(), clone.get_layer(layer.name)
        its_clone.set_weights(own + its_clone.get_weights()[len(own) :])
    sides = [min(TILE // SAMPLED, side) for side in photo.shape[:2]]
    rows, columns = (
        np.linspace(0, whole - side, SAMPLED).astype(int) for whole, side in zip(photo.shape, sides)
    )
    crops = [photo[y : y + sides[0], x : x + sides[1]] for y in rows for x in columns]
    # As a graph, which lets go of what it has used; called directly, Keras would keep all of it.
    tf.function(lambda batch: clone(batch, training=True))(to_float(np.stack(crops)))
    clone.jit_compile = False
    return clone
