"""From pairs on disk to training batches, with `tf.data`.

Crops are taken at the photographs' own resolution: squashing a frame to the network's size would
remove most of the blur that is to be learned. Photo draw number n and its crops are a function of
the seed and n alone, so a resumed run sees exactly the batches an unbroken one would have seen,
several workers share the work without talking to each other, and nothing but the photographs in
flight is held in memory.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf

from ..errors import CourseError
from ..photos import photo_size, read_photo, to_float
from . import blur
from .cache import open_cache
from .pairs import SIZE_MISMATCH, Pair
from .sample import PSF

# Decoding a photograph costs more than a crop is worth; each decoded one gives this many crops,
# which go into that many different batches.
CROPS_PER_PHOTO = 8
FRESH_PSFS = 512
# A PNG with other chunks may be rotated, transparent or animated.
PLAIN_CHUNKS = {
    b"IHDR", b"IDAT", b"IEND", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"pHYs", b"tIME"
}  # fmt: skip


def _is_plain_png(file: bytes) -> bool:
    """Whether a file is a complete 8-bit RGB PNG and nothing more; all decoders agree on those."""
    if file[:8] != b"\x89PNG\r\n\x1a\n" or file[24:26] != b"\x08\x02":
        return False
    at = 8
    while at < len(file) and file[at + 4 : at + 8] in PLAIN_CHUNKS:
        at += 12 + int.from_bytes(file[at : at + 4])
    return at == len(file) and file[-8:-4] == b"IEND"


def _decode(path: Path) -> np.ndarray:
    """The same pixels as `read_photo`, so that training sees what is scored and restored later.

    TensorFlow's decoder takes two thirds of Pillow's time for a PNG, but knows less.
    """
    try:
        file = path.read_bytes()
        if _is_plain_png(file):
            return tf.io.decode_png(file).numpy()
    except (OSError, tf.errors.OpError):
        pass  # Pillow's error is explained by `read_photo`.
    return read_photo(path)


def _window(photo: np.ndarray, top: int, left: int, size: int) -> np.ndarray:
    """A window that may reach beyond the photograph, which is padded by reflection."""
    inside = photo[max(top, 0) : top + size, max(left, 0) : left + size]
    if inside.shape[:2] == (size, size):
        return inside
    above, before = max(-top, 0), max(-left, 0)
    below, behind = size - above - inside.shape[0], size - before - inside.shape[1]
    return np.pad(inside, ((above, below), (before, behind), (0, 0)), mode="reflect")


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
    psfs: np.ndarray | None = None,
    worker: int = 0,
    workers: int = 1,
) -> tf.data.Dataset:
    """An endless stream of random crops; photographs come in a new random order each round.

    Photographs are decoded as they are needed, or read from the cache (see `make_cache`) if there
    is one; the crops are the same.

    Args:
        pairs: the pairs to draw from, see `find_pairs`.
        crop: height and width of a crop, pixels; every photo must be at least as large.
        batch: crops in a batch, of all workers together.
        seed: the same seed gives the same batches.
        start_step: leave out this many batches at the start; at most a few are computed.
        fresh_blur: probability that a crop's blurred half is not the one on disk but is made anew
            from its sharp half by a random camera shake.
        psfs: the shakes for that, float32 (N, S, S) with S odd, each with the same chance; None:
            512 like those of the sample set. Shakes of several lengths can be concatenated, see
            `blur.random_psfs`.
        worker: number of this worker, from 0.
        workers: how many share each batch; each makes an equal part of it and reads only what it
            needs. Their parts, one after another, are the batch of a single worker.

    Returns:
        A dataset of (blurred, sharp), both float32 (batch / workers, crop, crop, 3) in [-1, 1]. A
        crop and its partner are cropped, flipped and rotated alike.

    Raises:
        CourseError: a photo is smaller than a crop, or the workers cannot share a batch equally.
    """
    if batch % workers or not 0 <= worker < workers:
        raise CourseError(
            f"Worker {worker} of {workers} has no equal part in a batch of {batch}; "
            "choose a batch that is a multiple of the number of workers."
        )
    sizes = []
    for pair in pairs:
        width, height = photo_size(pair.sharp)
        if min(width, height) < crop:
            raise CourseError(
                f"{pair.sharp} is {width}x{height}, smaller than a training crop of "
                f"{crop}x{crop}; take it out, or choose a profile of smaller crops (--profile)."
            )
        sizes.append((height, width))
    origins = tf.constant(sizes) - crop + 1  # How many rows and columns a crop can begin in.
    cached = open_cache(pairs)
    if not fresh_blur:
        psfs = np.ones((1, 1, 1), np.float32)
    elif psfs is None:
        psfs = blur.random_psfs(FRESH_PSFS, seed, **PSF)
    margin = psfs.shape[-1] // 2  # A fresh blur needs to see what moves in from outside the crop.
    window = crop + 2 * margin
    share = batch // workers

    def plan(count):
        """The crops of this worker's photo draw number `count`: int32 (crops, 7), no pixels yet."""
        number = count // share * batch + worker * share + count % share
        n = len(pairs)
        place = tf.random.experimental.index_shuffle(number % n, (seed, number // n), n - 1)

        def random(purpose, low, high):
            key = tf.stack([seed * 16 + purpose, number])
            return tf.random.stateless_uniform((CROPS_PER_PHOTO,), key, low, high, tf.int32)

        top, left = random(0, 0, origins[place][0]), random(1, 0, origins[place][1])
        flipped, rotations = random(2, 0, 2), random(3, 0, 4)
        is_fresh = tf.cast(random(4, 0, 1000) < round(1000 * fresh_blur), tf.int32)
        kernel = random(5, 0, len(psfs))
        place = tf.fill((CROPS_PER_PHOTO,), tf.cast(place, tf.int32))
        return tf.stack([place, top, left, flipped, rotations, kernel, is_fresh], axis=1)

    def windows(plans):
        """Their pixels with a margin, uint8 (crops, 2, window, window, 3); in NumPy."""
        photos = {}
        for place in set(plans[:, 0].tolist()):
            photos[place] = cached[place] if cached else [_decode(path) for path in pairs[place]]
            if any(photo.shape[:2] != sizes[place] for photo in photos[place]):
                raise CourseError(f"{pairs[place].sharp} or its partner {SIZE_MISMATCH}")
        out = np.empty((len(plans), 2, window, window, 3), np.uint8)
        for i, (place, top, left, flipped, rotations) in enumerate(plans[:, :5].tolist()):
            for side, photo in enumerate(photos[place]):
                x = _window(photo, top - margin, left - margin, window)
                out[i, side] = np.rot90(x[:, ::-1] if flipped else x, rotations)
        return out

    def read(plans):
        pixels = tf.numpy_function(windows, [plans], tf.uint8)
        return tf.ensure_shape(pixels, (plans.shape[0], 2, window, window, 3)), plans[:, 5:]

    def finish(pixels, shakes):
        inner = slice(margin, margin + crop)
        blurred = tf.cast(pixels[:, 0, inner, inner], tf.float32)
        sharp = pixels[:, 1]
        if fresh_blur:
            fresh = tf.where(shakes[:, 1] == 1)
            reblurred = tf.cast(tf.gather(sharp, fresh[:, 0]), tf.float32)
            kernels = tf.gather(psfs, tf.gather_nd(shakes[:, 0], fresh))
            reblurred = tf.round(_blur_batch(reblurred, kernels))
            blurred = tf.tensor_scatter_nd_update(blurred, fresh, reblurred)
        return to_float(blurred), to_float(sharp[:, inner, inner])

    def by_step(*draws):
        """From (photos of a batch, crops, ...) to (crops, photos of a batch, ...)."""
        return tuple(tf.experimental.numpy.swapaxes(x, 0, 1) for x in draws)

    first_draw = start_step // CROPS_PER_PHOTO * share
    parallel = {"num_parallel_calls": tf.data.AUTOTUNE, "deterministic": True}
    draws = tf.data.Dataset.counter(first_draw).map(plan)
    # A decoded photograph gives all its crops at once; the cache is read crop by crop.
    if not cached:
        draws = draws.map(read, **parallel)
    steps = draws.batch(share, drop_remainder=True).map(by_step).unbatch()
    steps = steps.skip(start_step % CROPS_PER_PHOTO)
    if cached:
        steps = steps.map(read, **parallel)
    return steps.map(finish, **parallel).prefetch(2)
