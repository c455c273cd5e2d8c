"""Progress bars."""

from tqdm import tqdm


def progress(
    title: str, total: int | None, done: int = 0, unit: str = "B", hidden: bool = False
) -> tqdm:
    """A `tqdm` bar that appears after one second.

    Args:
        title: text before the bar.
        total: number of units in all, None if unknown.
        done: units that are done already.
        unit: `"B"` for bytes, or the name of what is counted.
        hidden: show nothing.
    """
    return tqdm(
        total=total,
        initial=done,
        desc=title,
        unit=unit,
        unit_scale=unit == "B",
        delay=1,
        disable=hidden,
    )
