"""One camera motion for a whole photograph: estimate its kernel, and deconvolve with it.

A generator estimates what was there and then forgets the photograph. But where the camera moved
and nothing else, the photograph is a sharp one convolved with one point-spread function, and an
estimate tells enough of the sharp one to find that function. Then each frequency that the blur has
left comes from the photograph, and only the others from the generator. Lesson 06 shows it.
"""

import itertools

import numpy as np
from scipy import fft

from ..data.blur import to_linear, to_pixels
from ..progress import progress

SIZE = 51  # Height and width of the largest motion that is looked for, pixels.
LARGEST = 768  # Height and width of the part of a photograph that is looked at, pixels.
PART = 384  # Height and width of the parts that are looked at besides in a larger one, pixels.
ROUNDS = 12
FLATNESS = 2e-3  # Weight of each edge against the squared error, in the first round.
EDGES = 0.2  # Share of pixels whose gradients find the kernel.
GREY = np.array([0.299, 0.587, 0.114], np.float32)
PROJECTION = 0.8  # The smallest with which a correction is believed, see `projection`.
SOFTNESS = 1.25  # Extent of kernels, pixels, below which a photograph may well be a sharp one.
HIDDEN = 3.2  # Root of the mean squared change that a sharp photograph hides, grey levels: 38 dB.
TILE = 2048  # Pixels; larger photographs are corrected in parts of this height and width.


def correct(blurred: np.ndarray, estimate: np.ndarray, bar: bool = False) -> np.ndarray:
    """Correct an estimate by the camera's motion, or return it where no motion explains it.

    Things that move by themselves, and near ones that move more than far ones, have motions of
    their own; then the one that is found for all of them takes back what the estimate changed.

    Pixel values are tried first, as GOPRO and the course's own blur add them up; then amounts of
    light, as a camera does. A kernel of one or two pixels may be the softness of a sharp photograph
    from this lens or that video; with such a one the photograph changes only as much as it can
    hide.

    The kernel of a large photograph comes from its middle, and four other parts are asked as well.

    Args:
        blurred, estimate, bar: see `estimate_psf`.

    Returns:
        uint8 (H, W, 3).
    """
    for linear_light in (False, True):
        psf = estimate_psf(blurred, estimate, linear_light, bar)
        corrected = deconvolve(blurred, estimate, psf, linear_light)
        believed = projection(blurred, estimate, corrected) >= PROJECTION
        if believed and _moved_everywhere(blurred, estimate, psf, linear_light):
            return corrected if rms_radius(psf) >= SOFTNESS else _nearer(blurred, corrected)
    return estimate


def _moved_everywhere(blurred, estimate, psf, linear_light):
    """Whether other parts of a large photograph moved about as far as its middle.

    What stands still behind a thing that moves in the middle would be spoiled, and does not show in
    `projection`, because the estimate leaves it alone. Parts without much to see say nothing.
    """
    middles = [(side // 4, side - side // 4) for side in blurred.shape[:2]]
    if max(blurred.shape[:2]) <= LARGEST:
        return True
    contrast = _contrast(_middle(blurred))
    for y, x in itertools.product(*middles):
        part = tuple(slice(max(0, m - PART // 2), m + PART // 2) for m in (y, x))
        if _contrast(blurred[part]) > contrast / 4:
            here = estimate_psf(blurred[part], estimate[part], linear_light)
            if rms_radius(here) < rms_radius(psf) / 2:
                return False
    return True


def _contrast(photo):
    return np.mean(np.diff(photo.astype(np.float32), axis=1) ** 2)


def _nearer(photo, corrected):
    """On the way back from `corrected` to `photo`, where they differ by at most `HIDDEN`."""
    change = _some(corrected).astype(np.float32) - _some(photo)
    share = HIDDEN / max(HIDDEN, np.sqrt(np.mean(change**2)))
    change = np.float32(share) * (corrected.astype(np.int16) - photo)
    return np.rint(photo + change).astype(np.uint8)


def estimate_psf(
    blurred: np.ndarray, estimate: np.ndarray, linear_light: bool = False, bar: bool = False
) -> np.ndarray:
    """The point-spread function that turns a sharp photograph into the blurred one.

    Twelve times by turns: the kernel from the strongest edges (Cho and Lee 2009, with least squares
    over non-negative kernels), and a picture from the kernel that explains the photograph with as
    few edges as it can (Xu, Zheng and Jia 2013). The first edges are those of the estimate; from
    those of the blurred photograph, short motions are found about as well, and long ones rarely.

    Args:
        blurred: uint8 (H, W, 3); of a large photograph the middle is looked at.
        estimate: uint8 (H, W, 3), a generator's restoration of it.
        linear_light: amounts of light were blurred, and not pixel values; see `blur.blur`.
        bar: show a progress bar.

    Returns:
        float32 (S, S), non-negative, sum 1, centre of mass in the middle; S is odd, a quarter of
        the shorter side but at most `SIZE`. A single one in the middle where nothing moved.
    """
    size = max(0, min(SIZE, min(blurred.shape[:2]) // 4) - 1) // 2 * 2 + 1
    grey = (_values(_middle(x), linear_light) @ GREY for x in (blurred, estimate))
    photo, picture = (_periodic(plane, size) for plane in grey)
    flatness = FLATNESS
    psf = _kernel(picture, photo, size)
    with progress("looking for a motion", ROUNDS, unit=" rounds", hidden=not bar) as shown:
        for _ in range(ROUNDS):
            picture = _with_few_edges(photo, psf, flatness)
            psf = _kernel(picture, photo, size)
            flatness /= 1.1
            shown.update()
    return psf


def deconvolve(
    blurred: np.ndarray, estimate: np.ndarray, psf: np.ndarray, linear_light: bool = False
) -> np.ndarray:
    """Change an estimate until it explains the photograph: Wiener's filter around the estimate.

    The estimate is blurred; what the photograph has besides goes back through Wiener's filter, and
    is added. Where the kernel H has left nothing of a frequency, the estimate stays as it is; what
    counts as nothing depends on the photograph's noise.

    Args:
        blurred, estimate: uint8 (H, W, 3).
        psf, linear_light: see `estimate_psf`.

    Returns:
        uint8 (H, W, 3).
    """
    balance = 0.02 + (255 * noise(_values(_middle(blurred), linear_light))) ** 2 / 50
    corrected = np.empty_like(blurred)
    margin = 3 * len(psf)
    for top in range(0, blurred.shape[0], TILE):
        for left in range(0, blurred.shape[1], TILE):
            above, before = max(top - margin, 0), max(left - margin, 0)
            window = np.s_[above : top + TILE + margin, before : left + TILE + margin]
            part = [_values(x[window], linear_light) for x in (blurred, estimate)]
            part = _deconvolve_part(*part, psf, balance)[top - above :, left - before :][
                :TILE, :TILE
            ]
            part = to_pixels(part) if linear_light else part
            part = np.clip(np.rint(part * 255), 0, 255)
            corrected[top : top + TILE, left : left + TILE] = part
    return corrected


def _deconvolve_part(blurred, estimate, psf, balance):
    height, width = blurred.shape[:2]
    corrected = np.empty_like(blurred)
    for channel in range(3):
        photo, picture = (_periodic(x[..., channel], len(psf)) for x in (blurred, estimate))
        top, left = ((a - b) // 2 for a, b in zip(photo.shape, (height, width)))
        transfer = _transfer(psf, photo.shape)
        unexplained = _spectrum(photo) - transfer * _spectrum(picture)
        back = np.conj(transfer) / (np.abs(transfer) ** 2 + np.float32(balance))
        picture += _plane(back * unexplained, photo.shape)
        corrected[..., channel] = picture[top : top + height, left : left + width]
    return corrected


def noise(photo: np.ndarray) -> float:
    """Standard deviation of a photograph's noise (Immerkaer 1996, with the median for a mean).

    A blurred photograph has nothing else that changes from one pixel to the next.

    Args:
        photo: float (H, W, 3).

    Returns:
        In the photograph's own unit; 0 for one of fewer than 3x3 pixels.
    """
    changes = np.diff(np.diff(photo[..., 1], 2, axis=0), 2, axis=1)
    return float(np.median(np.abs(changes))) / 0.6745 / 6 if changes.size else 0.0


def projection(blurred: np.ndarray, estimate: np.ndarray, corrected: np.ndarray) -> float:
    """The projection of the correction's change of the photograph on the estimate's change.

    Where the motion is the right one, the correction changes the photograph at least as far in the
    direction of the estimate; with a motion that explains nothing it comes back to the photograph,
    whatever the estimate had changed.

    Args:
        blurred, estimate, corrected: uint8 (H, W, 3); of large ones every n-th pixel is looked at,
            so that things that move near the border count as well.

    Returns:
        In units of the estimate's change: 1 for as far; 0 where the estimate is the photograph.
    """
    start, there, here = (_some(x).astype(np.float32) for x in (blurred, estimate, corrected))
    change = there - start
    return float((change * (here - start)).sum() / max((change**2).sum(), 1e-6))


def rms_radius(psf: np.ndarray) -> float:
    """How far a point is spread: root of the mean squared distance from the middle, pixels."""
    y, x = _places(len(psf))
    return float(np.sqrt((psf * (x**2 + y**2)).sum()))


def _spectrum(plane):
    return fft.rfft2(plane, workers=-1)


def _plane(spectrum, shape):
    return fft.irfft2(spectrum, shape, workers=-1)


def _middle(photo):
    top, left = (max(0, (side - LARGEST) // 2) for side in photo.shape[:2])
    return photo[top : top + LARGEST, left : left + LARGEST]


def _some(photo):
    step = max(1, max(photo.shape[:2]) // LARGEST)
    return photo[::step, ::step]


def _values(photo, linear_light):
    values = photo.astype(np.float32) / 255
    return to_linear(values) if linear_light else values


def _periodic(plane, margin):
    """A plane with a reflected margin that fades into its mean, so that opposite sides meet.

    Its sides are multiples of 64, which Fourier transforms like.
    """
    sides = [-(-(side + 2 * margin) // 64) * 64 for side in plane.shape]
    margins = [((new - old) // 2, (new - old + 1) // 2) for new, old in zip(sides, plane.shape)]
    weight = np.ones((1, 1), np.float32)
    for axis, (before, after) in enumerate(margins):
        rise = [0.5 - 0.5 * np.cos(np.pi * (np.arange(n) + 0.5) / n) for n in (before, after)]
        ramp = np.concatenate([rise[0], np.ones(plane.shape[axis]), rise[1][::-1]])
        weight = weight * np.expand_dims(ramp.astype(np.float32), 1 - axis)
    mean = plane.mean()
    return mean + weight * (np.pad(plane, margins, mode="reflect") - mean)


def _transfer(psf, shape):
    """The Fourier transform of a point-spread function whose middle is at the origin."""
    plane = np.zeros(shape, np.float32)
    plane[: len(psf), : len(psf)] = psf
    return _spectrum(np.roll(plane, [-(len(psf) // 2)] * 2, (0, 1)))


def _gradients(plane):
    return [np.roll(plane, -1, axis) - plane for axis in (0, 1)]


def _places(size):
    return np.mgrid[:size, :size] - size // 2


def _with_few_edges(photo, psf, flatness):
    """The picture of least squared error that pays `flatness` for each pixel with a gradient.

    By half-quadratic splitting: small gradients are set to zero, the picture is fitted to what is
    left and to the photograph, and the fit to the gradients becomes ever stricter.
    """
    corner = np.zeros(photo.shape, np.float32)
    corner[0, 0] = 1
    all_gradients = sum(np.abs(_spectrum(gradient)) ** 2 for gradient in _gradients(corner))
    transfer, picture = _transfer(psf, photo.shape), photo
    back, power = np.conj(transfer) * _spectrum(photo), np.abs(transfer) ** 2
    strictness = 2 * flatness
    while strictness < 1000:
        edges = _gradients(picture)
        kept = edges[0] ** 2 + edges[1] ** 2 >= flatness / strictness
        edges = [edge * kept for edge in edges]
        fit = _spectrum(sum(np.roll(edge, 1, axis) - edge for axis, edge in enumerate(edges)))
        fit = (back + strictness * fit) / (power + strictness * all_gradients)
        picture = _plane(fit, photo.shape)
        strictness *= 2
    return picture


def _kernel(picture, photo, size):
    """The kernel from the strongest gradients of the picture, by least squares.

    All pairs of its pixels enter through two correlations, from which the error's gradient is a
    convolution; projected gradient steps with Nesterov's momentum keep it non-negative.
    """
    edges = _gradients(picture)
    strength = np.hypot(*edges)
    kept = strength >= np.quantile(strength, 1 - EDGES)
    edges = [_spectrum(edge * kept) for edge in edges]
    wanted = [_spectrum(gradient) for gradient in _gradients(photo)]
    half, middle = size // 2, (photo.shape[0] // 2, photo.shape[1] // 2)

    def around(product, reach):
        plane = fft.fftshift(_plane(product, photo.shape))
        return plane[tuple(slice(m - reach, m + reach + 1) for m in middle)]

    cross = around(sum(np.conj(e) * w for e, w in zip(edges, wanted)), half)
    own = around(sum(np.abs(e) ** 2 for e in edges), size - 1)
    shape = (3 * size, 3 * size)
    scale = own.max() or 1.0  # Zero where there are no edges at all.
    cross, own = cross / scale, fft.rfft2(own / scale, shape)
    step = 1 / (np.abs(own).max() + 1e-3)
    psf = ahead = np.maximum(cross, 0) / (np.maximum(cross, 0).sum() + 1e-12)
    momentum = 1.0
    for _ in range(150):
        product = fft.irfft2(own * fft.rfft2(ahead, shape), shape)
        gradient = product[size - 1 : 2 * size - 1, size - 1 : 2 * size - 1] - cross
        new = np.maximum(ahead - step * gradient, 0)
        faster = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = new + (momentum - 1) / faster * (new - psf)
        psf, momentum = new, faster
    psf[psf < 0.04 * psf.max()] = 0
    return _centred(psf)


def _centred(psf):
    """Moved so that its centre of mass is the middle pixel, and with sum 1.

    A fraction of a pixel is shared between neighbours; kernels off their middle shift a picture.
    """
    if not psf.any():
        psf[len(psf) // 2, len(psf) // 2] = 1
    psf = psf / psf.sum()
    for axis, place in enumerate(_places(len(psf))):
        off = float((psf * place).sum())
        whole = int(np.floor(off))
        near, far = (np.roll(psf, -whole - extra, axis) for extra in (0, 1))
        psf = (1 - (off - whole)) * near + (off - whole) * far
    return psf.astype(np.float32)
