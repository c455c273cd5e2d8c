"""A data set by its name or its path."""

from pathlib import Path

from .. import paths
from ..errors import CourseError
from . import gopro, sample


def find_data(data: str) -> Path:
    """A data set from its name or its path.

    `"sample"` is made if it is not there yet; `"gopro"` is then downloaded, which takes about 16 GB
    of disk and is said first, see `gopro.make_gopro`. Its archive is kept in `storage`, its frames
    are unpacked beside the library: reading thousands of files from Drive would take too long.

    Raises:
        CourseError: there is no such folder, or GOPRO could not be downloaded.
    """
    if data == "sample":
        return sample.make_sample(paths.home() / "data" / "sample")
    if data == "gopro":
        return gopro.make_gopro(paths.home() / "data" / "gopro", paths.storage() / "data")
    for folder in (Path(data), paths.home() / "data" / data):
        if folder.is_dir():
            return folder
    raise CourseError(
        f"There is no data folder {data!r}, neither here nor in data/; "
        "'sample' is always there, 'gopro' is downloaded."
    )
