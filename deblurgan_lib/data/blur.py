"""Where blur comes from: camera shake as a trajectory, a point-spread function, a convolution.

And GOPRO's method, which needs no kernel: averaging the sharp frames of a high-speed video. NumPy
only, so that every step can be read and plotted. Lesson 02 uses it.
"""

import numpy as np

from ..errors import CourseError
from ..photos import quantize

SWING = {"inertia": 0.0, "big_shake": 0.0, "gaussian_shake": 2.0}  # Of `shake_trajectories`.
DRAWS = 100  # Of `random_psfs`, before it gives up.
GAMMA = 2.2  # Exponent of GOPRO's camera response curve (Nah et al. 2017, section 3).


def shake_trajectories(
    n: int,
    seed: int,
    steps: int = 2000,
    max_length: float = 60.0,
    impulsiveness: float | None = None,
    inertia: float | None = None,
    big_shake: float | None = None,
    gaussian_shake: float | None = None,
) -> np.ndarray:
    """Random paths of a hand-held camera: DeblurGAN's Algorithm 1, `n` paths at once.

    The camera moves with constant speed. At each step its direction is disturbed by a Gaussian
    tremor and pulled back towards the start; rarely it is thrown into the opposite direction.
    The formula is Boracchi and Foi's (2012), on which the algorithm rests, and the ranges below
    are those of the paper's code; a parameter that is None is drawn for each path.

    Args:
        n: number of paths.
        seed: the same seed gives the same paths.
        steps: samples of a path.
        max_length: length of a path, pixels.
        impulsiveness: how strongly anything disturbs the direction; None: 0.003 to 0.01.
        inertia: strength of the pull towards the start; None: 0 to 0.7.
        big_shake: probability of a big shake, in units of `impulsiveness` a step; None: 0 to 0.2.
        gaussian_shake: strength of the tremor; None: 0 to 10.

    Returns:
        float64 (n, steps, 2): x and y in pixels, starting at (0, 0).
    """
    rng = np.random.default_rng(seed)

    def drawn(value, low, high):
        return rng.uniform(low, high, n) if value is None else np.full(n, float(value))

    impulsiveness = drawn(impulsiveness, 0.003, 0.01)
    inertia = drawn(inertia, 0.0, 0.7)
    big_shake = drawn(big_shake, 0.0, 0.2)
    gaussian_shake = drawn(gaussian_shake, 0.0, 10.0)

    # Points of the plane as complex numbers: multiplying by exp(i angle) rotates.
    step_length = max_length / (steps - 1)
    velocity = step_length * np.exp(2j * np.pi * rng.random(n))
    path = np.zeros((n, steps), complex)
    for t in range(steps - 1):
        jerk = 2 * velocity * np.exp(1j * (np.pi + rng.random(n) - 0.5))
        shaken = rng.random(n) < big_shake * impulsiveness
        tremor = gaussian_shake * (rng.standard_normal(n) + 1j * rng.standard_normal(n))
        pull = inertia * path[:, t]
        velocity = velocity + np.where(shaken, jerk, 0)
        velocity = velocity + impulsiveness * (tremor - pull) * step_length
        velocity *= step_length / np.abs(velocity)
        path[:, t + 1] = path[:, t] + velocity
    return np.stack([path.real, path.imag], axis=-1)


def point_spread_function(trajectory: np.ndarray, size: int | None = None) -> np.ndarray:
    """The image of a single point of light under a camera motion.

    Each sample of the path leaves the same light, shared between the four pixels around it
    (bilinear). The path is moved so that its centre of mass is the middle pixel: centring by
    bounding box would shift the blurred photograph against the sharp one.

    Args:
        trajectory: (steps, 2), x and y in pixels, see `shake_trajectories`.
        size: height and width of the result, odd; None: the smallest that holds the path.

    Returns:
        float64 (size, size), non-negative, sum 1, centre of mass in the middle.

    Raises:
        CourseError: `size` is even, or the path does not fit into it.
    """
    points = trajectory - trajectory.mean(axis=0)
    needed = 2 * int(np.ceil(np.abs(points).max() - 1e-9)) + 1
    if size is None:
        size = needed
    if size % 2 == 0:
        raise CourseError(f"A point-spread function needs an odd size, not {size}.")
    if size < needed:
        raise CourseError(f"The trajectory needs {needed}x{needed} pixels, not size={size}.")
    psf = np.zeros((size + 1, size + 1))
    points = points + size // 2
    corner = np.floor(points).astype(int)
    right, down = (points - corner).T
    for dx, share_x in ((0, 1 - right), (1, right)):
        for dy, share_y in ((0, 1 - down), (1, down)):
            np.add.at(psf, (corner[:, 1] + dy, corner[:, 0] + dx), share_x * share_y)
    return psf[:size, :size] / len(points)


def random_psfs(n: int, seed: int, size: int, max_length: float, **shake: float) -> np.ndarray:
    """Camera shakes of many strengths, ready to blur with.

    The exposure of each is drawn evenly between a tenth and the whole of its path. Paths that do
    not fit into `size` are drawn again, so long straight ones are rarer than in Algorithm 1.

    Args:
        n: number of point-spread functions.
        seed: the same seed gives the same functions.
        size: height and width, odd, pixels.
        max_length: length of a whole path, pixels.
        shake: other arguments of `shake_trajectories`; less tremor makes smoother paths.

    Returns:
        float32 (n, size, size), each non-negative with sum 1.

    Raises:
        CourseError: hardly any path of this length fits into `size`, or `size` is even.
    """
    rng = np.random.default_rng(seed)
    psfs = []
    for _ in range(DRAWS):
        paths = shake_trajectories(n, rng.integers(2**31), max_length=max_length, **shake)
        for path in paths:
            exposed = path[: int(len(path) * rng.uniform(0.1, 1.0))]
            if np.abs(exposed - exposed.mean(axis=0)).max() <= size // 2:
                psfs.append(point_spread_function(exposed, size))
        if len(psfs) >= n:
            return np.stack(psfs[:n]).astype(np.float32)
    raise CourseError(
        f"Only {len(psfs)} of {DRAWS * n} paths with max_length={max_length:g} fit into "
        f"size={size}; take a larger size or a smaller max_length."
    )


def mixed_psfs(n: int, seed: int, sizes: tuple[int, ...]) -> np.ndarray:
    """Camera motions of several sizes in one array, and a few cameras that are held still.

    Half of the motions are shakes with everything that `shake_trajectories` draws; the others are
    swings, nearly straight, as when a camera pans or is carried: in a video's short exposures
    they are the commoner ones.

    Args:
        n: number of point-spread functions of each size, a multiple of four; a quarter as many
            are still.
        seed: the same seed gives the same functions.
        sizes: heights and widths, odd, pixels; the longest path is four thirds of the size.

    Returns:
        float32 (n / 4 + n * len(sizes), S, S), S the largest of the sizes, see `random_psfs`.
    """
    largest = max(sizes)
    still = np.zeros((n // 4, largest, largest), np.float32)
    still[:, largest // 2, largest // 2] = 1.0
    psfs = [still]
    kinds = [(size, shake) for size in sizes for shake in ({}, SWING)]
    for place, (size, shake) in enumerate(kinds):
        moved = random_psfs(n // 2, seed * len(kinds) + place, size, size * 4 / 3, **shake)
        margin = (largest - size) // 2
        psfs.append(np.pad(moved, ((0, 0), (margin, margin), (margin, margin))))
    return np.concatenate(psfs)


def to_linear(photo: np.ndarray) -> np.ndarray:
    """Amount of light from pixel values: [0, 1] to [0, 1], exponent 2.2."""
    return np.power(photo, GAMMA)


def to_pixels(light: np.ndarray) -> np.ndarray:
    """Pixel values from amount of light: [0, 1] to [0, 1], exponent 1 / 2.2."""
    return np.power(np.clip(light, 0.0, 1.0), 1 / GAMMA)


def blur(photo: np.ndarray, psf: np.ndarray, linear_light: bool = False) -> np.ndarray:
    """Convolve a photograph with a point-spread function; the border is padded by reflection.

    Args:
        photo: uint8 (H, W, 3).
        psf: (size, size) with an odd size and sum 1.
        linear_light: blur amounts of light, as a lens does, instead of pixel values; bright
            points then leave brighter streaks.

    Returns:
        uint8 (H, W, 3), as bright on average as `photo` but for what crosses the border.
    """
    values = photo / 255.0
    if linear_light:
        values = to_linear(values)
    margin = psf.shape[0] // 2
    padded = np.pad(values, ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
    shape = padded.shape[:2]
    spectrum = np.fft.rfft2(padded, axes=(0, 1)) * np.fft.rfft2(psf, shape)[:, :, None]
    blurred = np.fft.irfft2(spectrum, shape, axes=(0, 1))[2 * margin :, 2 * margin :]
    return quantize(to_pixels(blurred) if linear_light else blurred)


def average_frames(frames: np.ndarray, gamma: bool) -> np.ndarray:
    """Blur as GOPRO makes it: the mean of consecutive sharp frames (Nah et al. 2017, equation 2).

    Args:
        frames: uint8 (N, H, W, 3), consecutive frames of a high-speed video.
        gamma: average amounts of light (GOPRO's `blur_gamma`) instead of pixel values (`blur`).

    Returns:
        uint8 (H, W, 3); its sharp partner is the middle frame.
    """
    total = np.zeros(frames.shape[1:])
    for frame in frames:
        total += to_linear(frame / 255.0) if gamma else frame / 255.0
    mean = total / len(frames)
    return quantize(to_pixels(mean) if gamma else mean)
