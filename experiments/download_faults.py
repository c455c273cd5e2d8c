"""What becomes of a download that fails: our own loop beside huggingface_hub.

    pip install huggingface_hub
    python experiments/download_faults.py

makes docs/download_faults.csv. A server on this machine fails as the tests of downloads have it
fail; "then again" means that the same call was made up to three times more, as a reader would after
an error. The Hub is asked in pieces of 10 kB instead of 10 MB, as the archive is small.
"""

import os
import sys
import tempfile
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path

from deblurgan_lib.data import download
from deblurgan_lib.files import write_csv
from deblurgan_lib.paths import home

sys.path.insert(0, str(home() / "tests"))
import test_download as faults

NAME = "archive.zip"


class Hub(faults.Handler):
    """As `Handler`, with the headers that the Hub answers first."""

    def do_HEAD(self):
        self.send_response(200)
        size, tag = str(len(faults.ARCHIVE)), f'"{faults.SHA256}"'
        headers = {"X-Repo-Commit": "a" * 40, "ETag": tag, "X-Linked-Etag": tag}
        for name, value in (headers | {"X-Linked-Size": size, "Content-Length": size}).items():
            self.send_header(name, value)
        self.end_headers()


def ours(server, folder):
    """Our own loop, which tries again by itself."""
    url = f"http://127.0.0.1:{server.server_port}/{NAME}"
    download.fetch([url], folder / NAME, faults.SHA256, len(faults.ARCHIVE))
    return folder / NAME


def hub(server, folder):
    from huggingface_hub import hf_hub_download

    where = {"repo_type": "dataset", "local_dir": folder, "token": False}
    return Path(hf_hub_download("owner/data", NAME, **where))


def outcome(server, script, get, calls):
    """Requests (from which byte on each), and whether the archive came out whole."""
    server.script, server.asked = list(script), []
    server.over.clear()
    said = ""
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(calls):
            try:
                whole = get(server, Path(folder)).read_bytes() == faults.ARCHIVE
                said = "whole" if whole else "wrong bytes, and no error"
                break
            except Exception as error:  # Whatever the network libraries raise.
                said = type(error).__name__
    starts = [asked.split("=")[1].strip("-") if asked else "0" for _, asked in server.asked]
    return f"{said}; asked from {', '.join(starts)}"


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.script, server.asked, server.over = [], [], threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ |= {
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HUB_DOWNLOAD_TIMEOUT": "1",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "no_proxy": "127.0.0.1",
    }
    download.PAUSE, download.STALLED = 0.0, 1.0
    import huggingface_hub
    from huggingface_hub import constants
    from huggingface_hub.utils import logging

    constants.DOWNLOAD_CHUNK_SIZE = 10_000
    logging.set_verbosity_error()
    scripts = {name: name.split(", ") for name in faults.MENDED}
    scripts |= {name: [name] * 20 for name in faults.FINAL}
    rows = []
    for name, script in scripts.items():
        row = {"what the server does": name if name in faults.MENDED else f"{name}, always"}
        row["ours"] = outcome(server, script, ours, 1)
        version = f"huggingface_hub {huggingface_hub.__version__}"
        row[version] = outcome(server, script, hub, 1)
        row["then again"] = outcome(server, script, hub, 4)
        rows.append(row)
        print(*row.values(), sep="  |  ", flush=True)
    write_csv(home() / "docs" / "download_faults.csv", rows)


if __name__ == "__main__":
    main()
