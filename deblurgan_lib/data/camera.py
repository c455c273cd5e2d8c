"""Blur as a camera makes it: the mean of what it sees while it moves.

One kernel for a whole photograph is neither what a hand nor what a street does. A hand turns the
camera about three axes, so a corner moves otherwise than the middle; what is near, or moves by
itself, blurs otherwise than what lies behind it. Light adds up before the camera's response curve,
highlights clip, and noise and JPEG come last. See Whyte et al. 2010 for the views of a rotating
camera, Brooks and Barron 2019 and Rim et al. 2022 for the order of what follows. NumPy and SciPy
only, so every step can be read and plotted.
"""

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image
from scipy import ndimage

from .blur import GAMMA, to_pixels

LIGHT = ((np.arange(256) / 255.0) ** GAMMA).astype(np.float32)
"""`LIGHT[photo]` is the light of a uint8 photograph, [0, 1]: `blur.to_linear` by a table."""
FOCAL = 1.2  # Focal length over the longer side of a photograph: a field of view of 45 degrees.
STEP = 1.4  # Pixels between two views, at most; farther apart, they would be seen side by side.


def hand_path(n: int, length: float, rng: np.random.Generator) -> np.ndarray:
    """A smooth random motion with its mean at zero: three sines of rising frequency for each axis.

    Args:
        n: number of samples.
        length: of the path of the first two axes together.
        rng: where random numbers come from.

    Returns:
        float64 (n, 3).
    """
    t = np.linspace(0, 1, n)[:, None, None]
    waves = np.arange(1, 4)[:, None]
    size = rng.normal(size=(3, 3)) / waves**2
    path = (size * np.sin(waves * np.pi * (t - 0.5) + rng.uniform(0, np.pi, (3, 3)))).sum(axis=1)
    path -= path.mean(axis=0)
    length_so_far = np.hypot(*np.diff(path[:, :2], axis=0).T).sum()
    return path * length / max(length_so_far, 1e-9)


def rotated_views(path: np.ndarray, height: int, width: int) -> np.ndarray:
    """Homographies of a camera that rotates: where each pixel of a view lies in the photograph.

    Args:
        path: (n, 3): how far the middle of the photograph moves to the right and down, and how far
            a point at half its longer side turns about the middle; pixels.
        height, width: of the photograph.

    Returns:
        float64 (n, 3, 3), K R K^-1 with the camera's matrix K and its rotation R; to first order
        in the angles, which are hundredths.
    """
    longer = max(height, width)
    focal = FOCAL * longer
    yaw, pitch = path[:, 0] / focal, path[:, 1] / focal
    roll = path[:, 2] / (longer / 2)
    turn = np.tile(np.eye(3), (len(path), 1, 1))
    turn[:, 0, 1], turn[:, 1, 0] = -roll, roll
    turn[:, 0, 2], turn[:, 2, 0] = yaw, -yaw
    turn[:, 1, 2], turn[:, 2, 1] = pitch, -pitch
    camera = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    return camera @ turn @ np.linalg.inv(camera)


def warped(layer: np.ndarray, views: np.ndarray, size: int, corner: int) -> Iterator[np.ndarray]:
    """The views of one layer one after another, between its pixels by bilinear interpolation.

    Args:
        layer: float32 (H, W, C); beyond its border its outermost pixels go on.
        views: (n, 3, 3) homographies, see `rotated_views`.
        size: height and width of what is wanted, whose upper left corner is at (corner, corner).

    Yields:
        float32 (size, size, C).
    """
    height, width, channels = layer.shape
    pixels = layer.reshape(-1, channels)
    y, x = np.mgrid[corner : corner + size, corner : corner + size].reshape(2, -1)
    places = np.stack([x, y, np.ones_like(x)]).astype(float)
    for view in views:
        x, y, scale = view @ places
        x = np.clip(x / scale, 0, width - 1.001)
        y = np.clip(y / scale, 0, height - 1.001)
        left, top = x.astype(np.int32), y.astype(np.int32)
        right, down = (x - left).astype(np.float32)[:, None], (y - top).astype(np.float32)[:, None]
        at = top * width + left
        upper = pixels[at] * (1 - right) + pixels[at + 1] * right
        lower = pixels[at + width] * (1 - right) + pixels[at + width + 1] * right
        yield (upper * (1 - down) + lower * down).reshape(size, size, channels)


def blob(size: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """A random shape with soft edges that covers about this share: float32 (size, size, 1)."""
    rough = ndimage.gaussian_filter(rng.normal(size=(16, 16)), 2.5, mode="wrap")
    smooth = ndimage.zoom(rough, size / 16, order=3)[:size, :size]
    edge = np.quantile(smooth, 1 - share)
    gradient = 0.5 / max(np.abs(np.gradient(smooth)[0]).mean(), 1e-9)
    return np.clip((smooth - edge) * gradient + 0.5, 0, 1).astype(np.float32)[..., None]


def moving_scene(
    window: np.ndarray,
    views: np.ndarray,
    size: int,
    rng: np.random.Generator,
    front: np.ndarray | None = None,
    front_length: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Light that falls on the sensor while the camera turns and something in front moves as well.

    Args:
        window: uint8 (S, S, 3), sharp, with a margin around what is wanted.
        views: (n, 3, 3), the camera's motion in the window's pixels.
        size: height and width of what is wanted, in the middle of the window.
        front: uint8 (S, S, 3), what a random shape in front shows; None: nothing is in front.
        front_length: path of its own motion, pixels, added to the camera's.

    Returns:
        The mean over all views and the scene as it stands still: light, float32 (size, size, 3).
    """
    margin = (len(window) - size) // 2
    inside = slice(margin, margin + size)

    def light(photo):  # What a photograph shows as white may have been any amount brighter.
        return LIGHT[photo] * np.where(photo.min(-1, keepdims=True) > 250, rng.uniform(1, 4), 1)

    behind = light(window).astype(np.float32)
    moving, still = warped(behind, views, size, margin), behind[inside, inside]
    if front is not None:
        mask = blob(len(window), rng.uniform(0.1, 0.5), rng)
        layer = np.concatenate([light(front) * mask, mask], axis=-1).astype(np.float32)
        own = hand_path(len(views), front_length, rng)
        views = views.copy()
        views[:, :2, 2] += own[:, :2]
        passing, standing = warped(layer, views, size, margin), layer[inside, inside]
        moving = (far * (1 - near[..., 3:]) + near[..., :3] for far, near in zip(moving, passing))
        still = still * (1 - standing[..., 3:]) + standing[..., :3]
    return sum(moving) / len(views), still


def developed(light: np.ndarray, rng=None, noise: float = 0.0, quality: int = 100) -> np.ndarray:
    """What the camera makes of light: noise, clipping, its response curve, JPEG.

    Args:
        light: float32 (H, W, 3), 1 is white.
        rng, noise: standard deviation of the noise at white, in grey levels of 255; half as large
            in the dark, for most of it comes with the light.
        quality: of the JPEG; 100: none is made.

    Returns:
        uint8 (H, W, 3).
    """
    if noise:
        deviation = noise / 255 * np.sqrt(0.25 + 0.75 * np.clip(light, 0, 1))
        light = light + deviation * rng.normal(size=light.shape)
    photo = np.rint(to_pixels(light) * 255).astype(np.uint8)
    if quality < 100:
        file = io.BytesIO()
        Image.fromarray(photo).save(file, "JPEG", quality=quality)
        photo = np.asarray(Image.open(file))
    return photo


def camera_pair(
    photo: np.ndarray,
    size: int,
    rng: np.random.Generator,
    front: np.ndarray | None = None,
    longest: float = 45.0,
) -> tuple[np.ndarray, np.ndarray]:
    """A random square of a sharp photograph as a moving camera would have taken it, and as it is.

    Args:
        photo: uint8 (H, W, 3), at least `size` high and wide.
        size: height and width of the square.
        rng: where random numbers come from.
        front: another photograph, for what moves in front in half of the pairs.
        longest: path of the longest motion, pixels.

    Returns:
        Blurred and sharp, uint8 (size, size, 3) each.
    """
    length = longest * rng.uniform(0.03, 1) ** 1.5
    n = int(np.clip(np.ceil(length / STEP), 5, 40))
    margin = int(length) + 8
    window, top, left = cut(photo, size, margin, rng)
    path = hand_path(n, length, rng)
    shift = np.array([[1, 0, left], [0, 1, top], [0, 0, 1]], float)
    views = np.linalg.inv(shift) @ rotated_views(path, *photo.shape[:2]) @ shift
    # What the crop's middle does on average is no blur, and nobody could know it.
    middle = views @ np.array([len(window) / 2, len(window) / 2, 1])
    views[:, :2, 2] += len(window) / 2 - (middle[:, :2] / middle[:, 2:]).mean(axis=0)
    if front is not None:
        front = cut(front, size, margin, rng)[0] if rng.random() < 0.5 else None
    moving, still = moving_scene(window, views, size, rng, front, longest * rng.uniform(0, 0.5))
    rough = {}
    if rng.random() < 0.5:
        rough["noise"] = rng.uniform(0.2, 1.5)
    if rng.random() < 0.3:
        rough["quality"] = int(rng.integers(75, 98))
    return developed(moving, rng, **rough), developed(still)


def cut(photo: np.ndarray, size: int, margin: int, rng) -> tuple[np.ndarray, int, int]:
    """A random square with a margin, reflected where it reaches out, and where its corner lies."""
    top = int(rng.integers(photo.shape[0] - size + 1)) - margin
    left = int(rng.integers(photo.shape[1] - size + 1)) - margin
    across = size + 2 * margin
    inside = photo[max(top, 0) : top + across, max(left, 0) : left + across]
    if inside.shape[:2] != (across, across):
        above, before = max(-top, 0), max(-left, 0)
        below, behind = across - above - inside.shape[0], across - before - inside.shape[1]
        inside = np.pad(inside, ((above, below), (before, behind), (0, 0)), mode="reflect")
    return inside, top, left


def high_speed_pair(
    frames: np.ndarray, size: int, rng: np.random.Generator, fewest: int = 5, most: int = 25
) -> tuple[np.ndarray, np.ndarray]:
    """GOPRO's blur of a random length: the mean of consecutive frames, and the middle one.

    Args:
        frames: uint8 (N, H, W, 3), consecutive frames of a high-speed video.
        size: height and width of the random square.
        rng: where random numbers come from.
        fewest, most: frames in a mean, both odd.

    Returns:
        Blurred and sharp, uint8 (size, size, 3) each; half of the blurred ones are means of light,
        the others, as in GOPRO's folder `blur`, of pixel values.
    """
    n = fewest + 2 * int(rng.integers((most - fewest) // 2 + 1))
    first = int(rng.integers(len(frames) - n + 1))
    top = int(rng.integers(frames.shape[1] - size + 1))
    left = int(rng.integers(frames.shape[2] - size + 1))
    seen = frames[first : first + n, top : top + size, left : left + size]
    if rng.random() < 0.5:
        blurred = developed(LIGHT[seen].mean(axis=0))
    else:
        blurred = np.rint(seen.mean(axis=0, dtype=np.float32)).astype(np.uint8)
    return blurred, seen[n // 2]
