"""Exercises of lesson 02."""

from pathlib import Path

import numpy as np

from .exercise import Exercise


def average_light(frames):
    light = np.asarray(frames, float) ** 2.2
    return light.mean(axis=0) ** (1 / 2.2)


def centre_of_mass(psf):
    place = np.arange(len(psf)) - len(psf) // 2
    share = psf / psf.sum()
    # Columns count to the right, so it is the sum over rows (axis 0) that is left for them.
    return share.sum(axis=0) @ place, share.sum(axis=1) @ place


def partners(blurred, sharp):
    by_stem = {Path(name).stem: name for name in sharp}
    return [by_stem.get(Path(name).stem, "none") for name in sorted(blurred)]


def streak_left(speed, milliseconds, width, new_width):
    return speed * milliseconds / 1000 * new_width / width


def _box_centre(psf):
    down, right = np.nonzero(psf)
    middle = len(psf) // 2
    return (right.min() + right.max()) / 2 - middle, (down.min() + down.max()) / 2 - middle


def _peak(psf):
    down, right = np.unravel_index(psf.argmax(), psf.shape)
    return right - len(psf) // 2, down - len(psf) // 2


def _not_divided(psf):
    place = np.arange(len(psf)) - len(psf) // 2
    return psf.sum(axis=0) @ place, psf.sum(axis=1) @ place


def _from_the_corner(psf):
    right, down = centre_of_mass(psf)
    return right + len(psf) // 2, down + len(psf) // 2


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

PSF = np.zeros((5, 5))
PSF[1, 0], PSF[1, 1], PSF[3, 4] = 1.0, 4.0, 3.0

LISTINGS = [
    (["b.png", "a.png", "c.png"], ["a.png", "c.png", "b.png"]),
    (["3.png", "1.png", "2.png"], ["4.png", "3.png", "1.png"]),
    (["night_2.png", "day_1.png", "night_1.png"], ["night_1.jpg", "day_1.png", "day_2.png"]),
    (["a_1.v2.png", "a_1.png", "b_2.png"], ["a_10.png", "a_1.jpeg", "a_1.v2.png"]),
]

EXERCISES = {
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
    "centre_of_mass": Exercise(
        solution=centre_of_mass,
        hint="It is a mean of places, each weighted with its share of the light. A share is a "
        "value divided by the sum of all; places count from the middle, `len(psf) // 2`.",
        insight="A PSF is centred where this is (0, 0); the library moves each path so that it "
        "is, before it fills the pixels.",
        mistakes={
            "This is the middle of the bounding box. A pixel where the light stayed long must "
            "count more than one that it only crossed.": _box_centre,
            "This is the brightest pixel. The others pull too; take the weighted mean.": _peak,
            "Right and down are exchanged: the first axis of an array counts rows, downwards.": (
                lambda psf: centre_of_mass(psf)[::-1]
            ),
            "The values were not divided by their sum, so a longer path would seem to be further "
            "off. Weights of a mean must sum to 1.": _not_divided,
            "This counts from the upper left corner. The middle of the array is the zero.": (
                _from_the_corner
            ),
        },
        cases=[(PSF,), (PSF.T[::-1] * 2,), (np.diag(np.arange(1.0, 8.0)),)],
    ),
    "partners": Exercise(
        solution=partners,
        hint="Make a dict from the stem of each sharp name to the name. Then walk through the "
        "sorted blurred names and look each stem up; `dict.get` has a second argument.",
        insight="`find_pairs` does the same and refuses the folder if anybody is without partner: "
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
    "streak_left": Exercise(
        solution=streak_left,
        hint="Speed times time is the length before. Mind the milliseconds. Then everything "
        "horizontal shrinks like the width.",
        insight="With eleven frames at 240 a second and 400 pixels a second, an 18-pixel streak "
        "is left with less than 4 after squashing. The network would train for another task.",
        mistakes={
            "This is the streak before squashing. The frame became narrower, and the streak "
            "with it.": lambda speed, milliseconds, width, new: speed * milliseconds / 1000,
            "This makes the streak longer. A narrower frame has a shorter streak; invert "
            "the ratio.": (
                lambda speed, milliseconds, width, new: speed * milliseconds / 1000 * width / new
            ),
            "The speed is in pixels a second and the time in thousandths of one; divide by "
            "1000.": lambda speed, milliseconds, width, new: speed * milliseconds * new / width,
            "You divided by the time. A longer exposure makes a longer streak.": (
                lambda speed, milliseconds, width, new: speed / milliseconds * 1000 * new / width
            ),
        },
        cases=[
            (400.0, 45.0, 1280, 256),
            (1000.0, 10.0, 640, 128),
            (90.0, 33.0, 1280, 1280),
            (400.0, 45.0, 1280, 720),
        ],
    ),
}
