"""Download one file from Google Drive: the program that `download` runs in a process of its own.

    python -P drive.py FILE_ID OUTPUT

It ends when its standard input closes, that is when the process that started it is gone; or it
would go on writing while the next download writes, too.
"""

import os
import sys
import threading


def _end_with_the_parent():
    sys.stdin.read()
    os._exit(1)


def main(file_id: str, output: str) -> str | None:
    """Download, or continue what is there; None, or in one line why it failed."""
    try:
        import gdown

        arrived = gdown.download(id=file_id, output=output, quiet=True, resume=True)
    except Exception as error:  # gdown raises what its network library happens to raise.
        return " ".join(str(error).split()) or type(error).__name__
    return None if arrived else "gdown returned no file"  # Version 5 returns None where 6 raises.


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    sys.exit(main(*sys.argv[1:]))
