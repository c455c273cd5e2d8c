"""Exercises of lesson 00."""

import numpy as np

from .exercise import Exercise


def gain(blurred, restored, sharp):
    # The conversion to float comes first: 8-bit arithmetic would wrap around.
    before, after = (np.mean((photo.astype(float) - sharp) ** 2) for photo in (blurred, restored))
    return 10 * np.log10(before / after)


def restore(network, photo):
    batch = photo[None] / np.float32(127.5) - 1
    answer = np.asarray(network(batch))[0]
    # Rounded and clipped as floats; only then are they 8-bit numbers.
    return np.clip(np.rint((answer + 1) * 127.5), 0, 255).astype(np.uint8)


def _network(batch):
    """Makes contrasts stronger, so that some of what it answers is out of range."""
    from keras import ops

    return ops.convert_to_tensor(batch, "float32") * 1.2137


def _try_restore(answer, photo):
    """What a network is given by an answer, and what the answer makes of the network's."""
    given = []

    def watching(batch):
        given.append(np.asarray(batch))
        return _network(batch)

    photo = answer(watching, photo)
    if photo is None or photo is ...:
        return {"the photograph": photo}
    is_8_bit = getattr(photo, "dtype", "") in (np.uint8, "uint8")
    return {
        "what the network is given": given[-1] if given else 0.0,
        "the photograph": photo,
        "its pixels are 8-bit numbers": float(is_8_bit),
    }


def _restore(network, photo, divisor=127.5, minus=1, to_pixels=None):
    """A restoration with other steps before or after the network."""
    answer = np.asarray(network((photo[None] / divisor - minus).astype("float32")))[0]
    pixels = (answer + minus) * divisor
    return to_pixels(pixels) if to_pixels else np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def _ratio(blurred, restored, sharp, error):
    return error(blurred.astype(float) - sharp) / error(restored.astype(float) - sharp)


def _mse(difference):
    return np.mean(difference**2)


_RANDOM = np.random.default_rng(0)
_SHARP = _RANDOM.integers(0, 256, (6, 8, 3), dtype=np.uint8)
_NEAR, _FAR = (
    np.clip(_SHARP + _RANDOM.integers(-most, most + 1, _SHARP.shape), 0, 255).astype(np.uint8)
    for most in (15, 40)
)

EXERCISES = {
    "gain": Exercise(
        solution=gain,
        hint="Two mean squared errors, each against the sharp photograph: that of the blurred and "
        "that of the restored one. Then 10 times the logarithm, to base 10, of their ratio.",
        insight="Three decibels halve the error, ten leave a tenth of it. A negative gain says "
        "that doing nothing had been better.",
        mistakes={
            "This is negative where the photograph got better: the error of the blurred one "
            "belongs above the line.": (
                lambda blurred, restored, sharp: (
                    -10 * np.log10(_ratio(blurred, restored, sharp, _mse))
                )
            ),
            "The differences were taken in 8 bits and have wrapped around. Convert to float "
            "before you subtract.": (
                lambda blurred, restored, sharp: (
                    10
                    * np.log10(
                        np.mean((blurred - sharp).astype(float) ** 2)
                        / np.mean((restored - sharp).astype(float) ** 2)
                    )
                )
            ),
            "Differences and squares were computed in 8 bits and have wrapped around. Convert to "
            "float before you subtract.": (
                lambda blurred, restored, sharp: (
                    10 * np.log10(_mse(blurred - sharp) / _mse(restored - sharp))
                )
            ),
            "This compares mean absolute errors. Decibels compare squared ones.": (
                lambda blurred, restored, sharp: (
                    10 * np.log10(_ratio(blurred, restored, sharp, lambda x: np.mean(np.abs(x))))
                )
            ),
            "This is the natural logarithm; decibels are defined with the logarithm to base 10.": (
                lambda blurred, restored, sharp: 10 * np.log(_ratio(blurred, restored, sharp, _mse))
            ),
            "This is the ratio itself. The gain is 10 times its logarithm to base 10.": (
                lambda blurred, restored, sharp: _ratio(blurred, restored, sharp, _mse)
            ),
            "With 20 you get the ratio of amplitudes. A squared error is a square already, so "
            "take 10.": (
                lambda blurred, restored, sharp: (
                    20 * np.log10(_ratio(blurred, restored, sharp, _mse))
                )
            ),
            "Both errors are measured against the sharp photograph; here the restored one is "
            "compared with the blurred one.": (
                lambda blurred, restored, sharp: (
                    10
                    * np.log10(
                        _mse(blurred.astype(float) - sharp) / _mse(restored.astype(float) - blurred)
                    )
                )
            ),
        },
        cases=[(_FAR, _NEAR, _SHARP), (_NEAR, _FAR, _SHARP)],
    ),
    "restore": Exercise(
        solution=restore,
        hint="There are five steps: numbers from -1 to 1, an axis for the batch in front, the "
        "network, the axis away again, pixels. `photo[None]` adds the axis and `[0]` takes it "
        "away. Round and clip before you convert to `np.uint8`.",
        insight="This is what the library's `restore` does; it also cuts large photographs into "
        "tiles.",
        mistakes={
            "The network is given numbers from 0 to 1. Black must become -1.": (
                lambda network, photo: _restore(network, photo, divisor=255, minus=0)
            ),
            "There are 255 steps between black and white, not 256: divide by 127.5.": (
                lambda network, photo: _restore(network, photo, divisor=128)
            ),
            "The network is given the pixels as they are. It expects numbers from -1 to 1.": (
                lambda network, photo: _restore(network, photo, divisor=1, minus=0)
            ),
            "Some pixels have wrapped around. What a network answers may lie outside of -1 to 1: "
            "clip it before you convert.": (
                lambda network, photo: _restore(
                    network, photo, to_pixels=lambda x: np.rint(x).astype(int).astype(np.uint8)
                )
            ),
            "Converting to `np.uint8` cuts off what stands behind the point. Round first.": (
                lambda network, photo: _restore(
                    network, photo, to_pixels=lambda x: np.clip(x, 0, 255).astype(np.uint8)
                )
            ),
            "The pixels are right, but they are floats. Convert them to `np.uint8` at the end.": (
                lambda network, photo: _restore(
                    network, photo, to_pixels=lambda x: np.clip(np.rint(x), 0, 255)
                )
            ),
            "This is still a batch, of one photograph. Take it out with `[0]`.": (
                lambda network, photo: _restore(network, photo)[None]
            ),
        },
        cases=[(_SHARP,), (_SHARP[:4] // 2,)],
        trial=_try_restore,
    ),
}
