"""From pairs on disk to training batches, with `tf.data`.

Crops are taken at the photographs' own resolution: squashing a frame to the network's size would
remove most of the blur that is to be learned. Photo draw number n and its crops are a function of
the seed and n alone, so a resumed run sees exactly the batches an unbroken one would have seen,
and nothing but the photographs in flight is held in memory.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf

from .. import blur
from ..errors import CourseError
from .pairs import Pair
from .photos import photo_size, read_photo
from .sample import PSF

# Decoding a photograph costs more than a crop is worth; each decoded one gives this many crops,
# which go into that many different batches.
CROPS_PER_PHOTO = 8
FRESH_PSFS = 512


def to_float(photo):
    """uint8 [0, 255] to float32 [-1, 1], the range of both networks."""
    return tf.cast(photo, tf.float32) / 127.5 - 1.0


def to_uint8(photo):
    """float [-1, 1] to uint8 [0, 255], rounded, and clipped before it could wrap around."""
    return tf.cast(tf.clip_by_value(tf.round((photo + 1.0) * 127.5), 0.0, 255.0), tf.uint8)


def _decode(path):
    # The same decoder as everywhere, so that training sees what is scored and restored later.
    photo = tf.numpy_function(lambda name: read_photo(Path(name.decode())), [path], tf.uint8)
    photo.set_shape((None, None, 3))
    return photo


def _blur_batch(photos, psfs):
    """`blur.blur` for a batch: (B, H, W, 3) float and (B, S, S) to (B, H-S+1, W-S+1, 3)."""
    height, width = photos.shape[1:3]
    # Transforms of lengths with only small prime factors are several times faster.
    length = [-(-size // 32) * 32 for size in (height, width)]
    planes = tf.transpose(photos, (0, 3, 1, 2))
    spectrum = tf.signal.rfft2d(planes, length) * tf.signal.rfft2d(psfs, length)[:, None]
    margin = psfs.shape[-1] - 1
    blurred = tf.signal.irfft2d(spectrum, length)[:, :, margin:height, margin:width]
    return tf.transpose(blurred, (0, 2, 3, 1))


def training_batches(
    pairs: list[Pair],
    crop: int,
    batch: int,
    seed: int,
    start_step: int = 0,
    fresh_blur: float = 0.0,
) -> tf.data.Dataset:
    """An endless stream of random crops; photographs come in a new random order each round.

    Args:
        pairs: the pairs to draw from, see `find_pairs`.
        crop: height and width of a crop, pixels; every photo must be at least as large.
        batch: crops in a batch.
        seed: the same seed gives the same batches.
        start_step: leave out this many batches at the start; at most a few are computed.
        fresh_blur: probability that a crop's blurred half is not the one on disk but is made anew
            from its sharp half by a random camera shake.

    Returns:
        A dataset of (blurred, sharp), both float32 (batch, crop, crop, 3) in [-1, 1]. A crop and
        its partner are cropped, mirrored and turned alike.

    Raises:
        CourseError: a photo is smaller than a crop.
    """
    for pair in pairs:
        width, height = photo_size(pair.sharp)
        if min(width, height) < crop:
            raise CourseError(
                f"{pair.sharp} is {width}x{height}, smaller than a training crop of "
                f"{crop}x{crop}; take it out, or train with a smaller crop."
            )
    blurred_paths = tf.constant([str(pair.blurred) for pair in pairs])
    sharp_paths = tf.constant([str(pair.sharp) for pair in pairs])
    psfs = tf.constant(
        blur.random_psfs(FRESH_PSFS, seed, **PSF) if fresh_blur else np.ones((1, 1, 1), "f")
    )
    margin = psfs.shape[-1] // 2  # A fresh blur needs to see what moves in from outside the crop.
    window = crop + 2 * margin

    def random(number, purpose, low, high):
        key = tf.stack([seed * 16 + purpose, number])
        shape = (CROPS_PER_PHOTO,)
        return tf.random.stateless_uniform(shape, key, low, high, tf.int32)

    def draw(number):
        """Photo draw `number`: its windows, uint8 (crops, 2, window, window, 3), and kernels."""
        n = len(pairs)
        place = tf.random.experimental.index_shuffle(number % n, (seed, number // n), n - 1)
        photos = tf.stack([_decode(blurred_paths[place]), _decode(sharp_paths[place])])
        sides = (margin, margin)
        photos = tf.pad(photos, ((0, 0), sides, sides, (0, 0)), mode="REFLECT")
        room = tf.shape(photos)[1:3] - window + 1
        top, left = random(number, 0, 0, room[0]), random(number, 1, 0, room[1])
        mirrored, turns = random(number, 2, 0, 2), random(number, 3, 0, 4)

        def one(i):
            x = photos[:, top[i] : top[i] + window, left[i] : left[i] + window]
            x = tf.cond(mirrored[i] == 1, lambda: tf.reverse(x, axis=[2]), lambda: x)
            return tf.image.rot90(x, turns[i])

        windows = tf.map_fn(one, tf.range(CROPS_PER_PHOTO), fn_output_signature=tf.uint8)
        windows.set_shape((CROPS_PER_PHOTO, 2, window, window, 3))
        is_fresh = random(number, 4, 0, 1000) < round(1000 * fresh_blur)
        return windows, random(number, 5, 0, len(psfs)), is_fresh

    def finish(windows, kernel, is_fresh):
        inner = slice(margin, margin + crop)
        blurred = tf.cast(windows[:, 0, inner, inner], tf.float32)
        sharp = windows[:, 1]
        if fresh_blur:
            again = tf.round(_blur_batch(tf.cast(sharp, tf.float32), tf.gather(psfs, kernel)))
            blurred = tf.where(is_fresh[:, None, None, None], again, blurred)
        return to_float(blurred), to_float(sharp[:, inner, inner])

    def by_step(*draws):
        """From (batch of photos, crops, ...) to (crops, batch of photos, ...)."""
        return tuple(tf.experimental.numpy.swapaxes(x, 0, 1) for x in draws)

    first_draw = start_step // CROPS_PER_PHOTO * batch
    return (
        tf.data.Dataset.counter(first_draw)
        .map(draw, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .batch(batch, drop_remainder=True)
        .map(by_step)
        .unbatch()
        .skip(start_step % CROPS_PER_PHOTO)
        .map(finish, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .prefetch(2)
    )


def whole_photos(pairs: list[Pair]) -> tf.data.Dataset:
    """Each pair once and uncropped, for validation.

    Returns:
        A dataset of (blurred, sharp), both float32 (1, H, W, 3) in [-1, 1].
    """
    blurred = [str(pair.blurred) for pair in pairs]
    sharp = [str(pair.sharp) for pair in pairs]
    return (
        tf.data.Dataset.from_tensor_slices((blurred, sharp))
        .map(lambda a, b: (to_float(_decode(a))[None], to_float(_decode(b))[None]))
        .prefetch(1)
    )
