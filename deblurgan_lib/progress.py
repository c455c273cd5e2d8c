"""A progress bar, for whatever takes longer than a second."""

from tqdm import tqdm


def progress(
    title: str, total: int | None, done: int = 0, unit: str = "B", hidden: bool = False
) -> tqdm:
    """A bar with speed and time left; what takes less than a second shows none."""
    return tqdm(
        total=total,
        initial=done,
        desc=title,
        unit=unit,
        unit_scale=unit == "B",
        delay=1,
        disable=hidden,
    )
