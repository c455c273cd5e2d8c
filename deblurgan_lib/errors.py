"""The one exception that is meant for the reader."""


class CourseError(ValueError):
    """Something the reader can put right.

    The message is one sentence that names the file or the argument and the way out. The command
    line prints it without a traceback.
    """
