"""One camera motion for a whole photograph: find it with a generator's help, and undo it.

A generator guesses what was there and then forgets the photograph. But where the camera moved and
nothing else, the photograph is a sharp one convolved with one point-spread function, and a guess
tells enough of the sharp one to find that function. Then each frequency that the blur has left is
taken back from the photograph, and only the others are guessed. NumPy only; lesson 06 shows it.
"""

import numpy as np

from .datasets.download import progress

SIZE = 51  # Height and width of the largest motion that is looked for, pixels.
LARGEST = 1024  # Height and width of the part of a photograph that is looked at, pixels.
ROUNDS = 12
FLATNESS = 2e-3  # Weight of each edge against the squared error, in the first round.
EDGES = 0.2  # Share of pixels whose gradients find the kernel.


def find_psf(blurred: np.ndarray, guess: np.ndarray, bar: bool = False) -> np.ndarray:
    """The point-spread function that turns a sharp photograph into the blurred one.

    Twelve times by turns: the kernel from the strongest edges (Cho and Lee 2009, with least squares
    over non-negative kernels), and a picture from the kernel that explains the photograph with as
    few edges as it can (Xu, Zheng and Jia 2013). The first edges are those of the guess: starting
    from the blurred photograph itself finds short motions about as well, and long ones rarely.

    Args:
        blurred: uint8 (H, W, 3); of a large photograph the middle is looked at.
        guess: uint8 (H, W, 3), a generator's restoration of it.
        bar: show a progress bar.

    Returns:
        float32 (S, S), non-negative, sum 1, centre of mass in the middle; S is odd, a quarter of
        the shorter side but at most `SIZE`. A single one in the middle where nothing moved.
    """
    size = max(0, min(SIZE, min(blurred.shape[:2]) // 4) - 1) // 2 * 2 + 1
    photo, picture = (_periodic(_grey(_middle(x)), size) for x in (blurred, guess))
    flatness = FLATNESS
    psf = _kernel(picture, photo, size)
    with progress("finding the motion", ROUNDS, unit=" rounds", hidden=not bar) as shown:
        for _ in range(ROUNDS):
            picture = _with_few_edges(photo, psf, flatness)
            psf = _kernel(picture, photo, size)
            flatness /= 1.1
            shown.update()
    return psf


def undo(
    blurred: np.ndarray, guess: np.ndarray, psf: np.ndarray, balance: float = 0.03
) -> np.ndarray:
    """Correct a guess until it explains the photograph: Wiener's filter around the guess.

    The guess is blurred; what the photograph has besides goes back through Wiener's filter, and is
    added. Where the kernel H has left nothing of a frequency, the guess stays as it is.

    Args:
        blurred, guess: uint8 (H, W, 3).
        psf: see `find_psf`.
        balance: of |H|^2 that counts as nothing; less trusts the photograph and the kernel more,
            and is better without noise.

    Returns:
        uint8 (H, W, 3).
    """
    height, width = blurred.shape[:2]
    corrected = np.empty_like(blurred)
    for channel in range(3):
        photo, picture = (
            _periodic(x[..., channel].astype(np.float32) / 255, len(psf)) for x in (blurred, guess)
        )
        top, left = ((a - b) // 2 for a, b in zip(photo.shape, (height, width)))
        transfer = _transfer(psf, photo.shape)
        unexplained = np.fft.rfft2(photo) - transfer * np.fft.rfft2(picture)
        back = np.conj(transfer) / (np.abs(transfer) ** 2 + balance)
        picture += np.fft.irfft2(back * unexplained, photo.shape)
        picture = picture[top : top + height, left : left + width]
        corrected[..., channel] = np.clip(np.rint(picture * 255), 0, 255)
    return corrected


def extent(psf: np.ndarray) -> float:
    """How far a point is spread: root of the mean squared distance from the middle, pixels."""
    y, x = _places(len(psf))
    return float(np.sqrt((psf * (x**2 + y**2)).sum()))


def _middle(photo):
    top, left = (max(0, (side - LARGEST) // 2) for side in photo.shape[:2])
    return photo[top : top + LARGEST, left : left + LARGEST]


def _grey(photo):
    return photo.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32) / 255


def _periodic(plane, margin):
    """A plane with a mirrored margin that fades into its mean, so that opposite sides meet.

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
    return np.fft.rfft2(np.roll(plane, [-(len(psf) // 2)] * 2, (0, 1)))


def _slopes(plane):
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
    slopes = [np.fft.rfft2(slope) for slope in _slopes(corner)]
    all_slopes = sum(np.abs(slope) ** 2 for slope in slopes)
    transfer, picture = _transfer(psf, photo.shape), photo
    back, power = np.conj(transfer) * np.fft.rfft2(photo), np.abs(transfer) ** 2
    strictness = 2 * flatness
    while strictness < 1000:
        edges = _slopes(picture)
        kept = edges[0] ** 2 + edges[1] ** 2 >= flatness / strictness
        fit = sum(np.conj(s) * np.fft.rfft2(edge * kept) for s, edge in zip(slopes, edges))
        fit = (back + strictness * fit) / (power + strictness * all_slopes)
        picture = np.fft.irfft2(fit, photo.shape)
        strictness *= 2
    return picture


def _kernel(picture, photo, size):
    """The kernel from the strongest gradients of the picture, by least squares.

    All pairs of its pixels enter through two correlations, from which the error's gradient is a
    convolution; projected gradient steps with Nesterov's momentum keep it non-negative.
    """
    edges = _slopes(picture)
    strength = np.hypot(*edges)
    kept = strength >= np.quantile(strength, 1 - EDGES)
    edges = [np.fft.rfft2(edge * kept) for edge in edges]
    wanted = [np.fft.rfft2(slope) for slope in _slopes(photo)]
    half, middle = size // 2, (photo.shape[0] // 2, photo.shape[1] // 2)

    def around(product, reach):
        plane = np.fft.fftshift(np.fft.irfft2(product, photo.shape))
        return plane[tuple(slice(m - reach, m + reach + 1) for m in middle)]

    cross = around(sum(np.conj(e) * w for e, w in zip(edges, wanted)), half)
    own = around(sum(np.abs(e) ** 2 for e in edges), size - 1)
    shape = (3 * size, 3 * size)
    scale = own.max() or 1.0  # Zero where there are no edges at all.
    cross, own = cross / scale, np.fft.rfft2(own / scale, shape)
    step = 1 / (np.abs(own).max() + 1e-3)
    psf = ahead = np.maximum(cross, 0) / (np.maximum(cross, 0).sum() + 1e-12)
    momentum = 1.0
    for _ in range(150):
        product = np.fft.irfft2(own * np.fft.rfft2(ahead, shape), shape)
        slope = product[size - 1 : 2 * size - 1, size - 1 : 2 * size - 1] - cross
        new = np.maximum(ahead - step * slope, 0)
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
