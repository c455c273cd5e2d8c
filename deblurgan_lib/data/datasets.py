"""Finding a data set by its name or its path."""

from pathlib import Path

from .. import paths
from ..arguments import as_text
from ..errors import CourseError
from . import gopro, sample


def find_data(data: str) -> Path:
    """The folder of a data set, from its name or its path.

    `"sample"` is made and `"gopro"` is downloaded if missing. GOPRO takes about 16 GB of disk,
    which is printed first, see `gopro.make_gopro`. Its archive is kept in `storage`; its
    frames are extracted beside the library, because reading thousands of files from Drive is slow.

    Raises:
        CourseError: there is no such folder, or GOPRO could not be downloaded.
    """
    data = as_text(data, "data") or "sample"
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
