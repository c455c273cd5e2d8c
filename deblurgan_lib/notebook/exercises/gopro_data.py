"""Exercises of lesson 02."""

from pathlib import Path

import numpy as np

from .exercise import Exercise


def blur_by_kernel(photo, kernel):
    margin = len(kernel) // 2
    height, width = photo.shape[:2]
    padded = np.pad(photo, ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
    total = np.zeros(photo.shape)
    for down, right in np.argwhere(kernel):
        top, left = 2 * margin - down, 2 * margin - right
        total += kernel[down, right] * padded[top : top + height, left : left + width]
    return total


def average_light(frames):
    light = np.asarray(frames, float) ** 2.2
    return light.mean(axis=0) ** (1 / 2.2)


def partners(blurred, sharp):
    by_stem = {Path(name).stem: name for name in sharp}
    return [by_stem.get(Path(name).stem, "none") for name in sorted(blurred)]


def _copies(photo, kernel, mode="reflect"):
    """Kernel values and the moved copies that belong to them; the border as `np.pad` has it."""
    margin = len(kernel) // 2
    height, width = photo.shape[:2]
    padded = np.pad(photo, ((margin, margin), (margin, margin), (0, 0)), mode=mode)
    for (down, right), weight in np.ndenumerate(kernel):
        top, left = 2 * margin - down, 2 * margin - right
        yield weight, padded[top : top + height, left : left + width]


def _padded(mode):
    return lambda photo, kernel: sum(weight * copy for weight, copy in _copies(photo, kernel, mode))


def _unweighted(photo, kernel):
    return np.mean([copy for weight, copy in _copies(photo, kernel) if weight], axis=0)


POINT, WALL = np.zeros((9, 11, 3)), np.full((9, 11, 3), 0.5)
POINT[4, 5] = 1
PHOTO = np.random.default_rng(0).random((9, 11, 3))
KERNEL = np.zeros((5, 5))
KERNEL[0, 3], KERNEL[1, 3], KERNEL[2, 2], KERNEL[3, 1] = 0.1, 0.2, 0.4, 0.3


def _try_blur(blur, kernel):
    photos = {"a point of light": POINT, "a grey wall": WALL, "a photograph": PHOTO}
    return {name: blur(photo.copy(), kernel) for name, photo in photos.items()}


def _sorted_places(blurred, sharp):
    sharp = [*sorted(sharp), *["none"] * len(blurred)]
    return sharp[: len(blurred)]


def _listed_places(blurred, sharp):
    place = {name: i for i, name in enumerate(blurred)}
    sharp = [*sharp, *["none"] * len(blurred)]
    return [sharp[place[name]] for name in sorted(blurred)]


def _whole_names(blurred, sharp):
    return [name if name in sharp else "none" for name in sorted(blurred)]


def _frame_numbers(blurred, sharp):
    by_number = {Path(name).stem.split("_")[-1]: name for name in sharp}
    return [by_number.get(Path(name).stem.split("_")[-1], "none") for name in sorted(blurred)]


FRAMES = np.array([[[0.0, 0.2], [1.0, 0.5]], [[1.0, 0.2], [0.1, 0.5]], [[0.1, 0.2], [0.1, 0.9]]])

LISTINGS = [
    (["b.png", "a.png", "c.png"], ["a.png", "c.png", "b.png"]),
    (["3.png", "1.png", "2.png"], ["4.png", "3.png", "1.png"]),
    (["night_2.png", "day_1.png", "night_1.png"], ["night_1.jpg", "day_1.png", "day_2.png"]),
    (["a_1.v2.png", "a_1.png", "b_2.png"], ["a_10.png", "a_1.jpeg", "a_1.v2.png"]),
]

EXERCISES = {
    "blur_by_kernel": Exercise(
        solution=blur_by_kernel,
        trial=_try_blur,
        hint="Pad the photograph by `len(kernel) // 2` on each side. A copy is a window of the "
        "padded photograph, of the photograph's own size. Where must the window begin, so that "
        "what it shows has moved down?",
        insight="A point of light becomes the kernel, a grey wall stays grey. The library's "
        "`blur.blur` computes the same by Fourier transforms, which is faster for large kernels.",
        mistakes={
            "The copies are moved the wrong way: a point of light becomes the kernel rotated by "
            "180 degrees. A window that begins further up shows what has moved down.": (
                lambda photo, kernel: blur_by_kernel(photo, kernel[::-1, ::-1])
            ),
            "Down and right are exchanged: the first axis of an array counts rows, downwards.": (
                lambda photo, kernel: blur_by_kernel(photo, kernel.T)
            ),
            "The border becomes darker, because zeros move in from outside. Pad by reflection.": (
                _padded("constant")
            ),
            "What leaves at one side comes back at the other. Pad by reflection.": _padded("wrap"),
            'The outermost pixel is repeated at the border. With `mode="reflect"` the next one '
            "inside comes first.": _padded("symmetric"),
            'The outermost pixel goes on beyond the border. Use `mode="reflect"`.': (
                _padded("edge")
            ),
            "All copies have the same weight here. Multiply each with its value of the kernel.": (
                _unweighted
            ),
        },
        cases=[(KERNEL,), (np.array([[0, 0, 0.2], [0, 0.5, 0], [0.3, 0, 0]]),)],
    ),
    "average_light": Exercise(
        solution=average_light,
        hint="Three steps: pixel values to light (to the power of 2.2), the mean over the first "
        "axis, and light back to pixel values (which power undoes the first?).",
        insight="This is `blur.average_frames` with `gamma=True`, but for the rounding to 8 bits; "
        "GOPRO's `blur_gamma` was made like this.",
        mistakes={
            "This is the mean of pixel values, GOPRO's `blur`. It is light that adds up.": (
                lambda frames: np.mean(frames, axis=0)
            ),
            "This is an amount of light. A pixel value is asked for; go back at the end.": (
                lambda frames: np.mean(np.power(frames, 2.2), axis=0)
            ),
            "The two exponents are exchanged: pixel values become light with 2.2, because the "
            "camera stored the light to the power of 1 / 2.2.": (
                lambda frames: np.mean(np.power(frames, 1 / 2.2), axis=0) ** 2.2
            ),
            "You went back before you took the mean. Then the two powers cancel frame by frame, "
            "or the mean is again one of pixel values.": (
                lambda frames: np.mean(np.power(np.power(frames, 1 / 2.2), 1 / 2.2), axis=0)
            ),
            "This is the sum of the light. A longer exposure would be brighter; GOPRO's blurred "
            "frame is as bright as its sharp one, so divide by the number of frames.": (
                lambda frames: np.sum(np.power(frames, 2.2), axis=0) ** (1 / 2.2)
            ),
        },
        cases=[(FRAMES,)],
    ),
    "partners": Exercise(
        solution=partners,
        hint="Make a dict from the stem of each sharp name to the name. Then walk through the "
        "sorted blurred names and look each stem up; `dict.get` has a second argument.",
        insight="`find_pairs` does the same and refuses the folder if any file has no partner: "
        "a missing file is then an error you see, and not a shift you train on.",
        mistakes={
            "You pair by the place in the sorted lists. One missing file, and all that come "
            "after it have the wrong partner.": _sorted_places,
            "You pair by the place in the lists as they come. Their order means nothing.": (
                _listed_places
            ),
            "You compare whole names. `x.png` and `x.jpg` are partners; compare their stems.": (
                _whole_names
            ),
            "You compare the numbers alone. They repeat from scene to scene; the scene belongs to "
            "the name.": _frame_numbers,
            "The order asked for is that of the sorted blurred names.": (
                lambda blurred, sharp: [partners([name], sharp)[0] for name in blurred]
            ),
            "You return the blurred file's own name; the name of its sharp partner is asked for.": (
                lambda blurred, sharp: sorted(blurred)
            ),
        },
        cases=LISTINGS,
    ),
}
