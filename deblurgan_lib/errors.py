"""The exception for users, and context managers that silence the messages of C libraries."""

import contextlib
import logging
import os
import threading


class CourseError(Exception):
    """An error that the user can fix.

    The message is one sentence that names the file or the argument and the way out. The command
    line prints it without a traceback.
    """


_redirecting = threading.RLock()


@contextlib.contextmanager
def quiet_stderr():
    """Inside the block nothing reaches stderr, not even what a C library writes there.

    That is the whole process's stderr, so blocks in several threads wait for each other.
    """
    with _redirecting, open(os.devnull, "wb") as nowhere:
        kept = os.dup(2)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@contextlib.contextmanager
def quiet_import():
    """Suppress the log messages of TensorFlow, while it is imported and later.

    It logs missing drivers and optimisations it could not do as errors, on machines where all is
    well, and warns of functions traced anew where a lesson starts several runs. What really goes
    wrong still raises an exception.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with quiet_stderr():
        yield
