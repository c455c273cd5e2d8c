"""What the system refuses ends in a sentence with a way out."""

import errno
import os
import subprocess
import sys

import pytest

from deblurgan_lib.errors import CourseError
from deblurgan_lib.files import REMEDIES, advice, explaining


def refused(number):
    return OSError(number, os.strerror(number), "some/file")


def test_only_a_full_disk_is_told_to_be_emptied():
    full = {errno.ENOSPC, errno.EDQUOT}
    for number in errno.errorcode:
        assert ("make room" in advice(refused(number))) == (number in full), number


def test_each_kind_has_its_own_way_out():
    kinds = (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.ENOENT, errno.ENAMETOOLONG, errno.EIO)
    assert len({advice(refused(number)) for number in kinds}) == len(kinds)
    assert {name for names in REMEDIES.values() for name in names} <= set(dir(errno))


def test_a_refusal_is_one_sentence_with_reason_file_and_way_out():
    with pytest.raises(CourseError) as caught, explaining("x could not be written"):
        raise refused(errno.EACCES)
    assert str(caught.value) == (
        "x could not be written (Permission denied: some/file); give yourself the right to write "
        "there, or choose another folder and start again, it continues."
    )


def test_real_refusals_are_understood(tmp_path):
    (tmp_path / "file").touch()
    cases = {
        "put the folder back": tmp_path / "gone" / "file",
        "choose a shorter name": tmp_path / ("x" * 300),
        "move away what stands in its place": tmp_path / "file" / "below",
    }
    for expected, path in cases.items():
        with pytest.raises(CourseError, match=expected), explaining("It failed"):
            path.write_text("x", encoding="utf-8")


def test_a_closed_pipe_is_no_disks_fault():
    with pytest.raises(BrokenPipeError), explaining("It failed"):
        raise refused(errno.EPIPE)


# A training that prints until nobody reads on.
TALKS = """
import sys
from deblurgan_lib import cli
from deblurgan_lib.files import explaining

def talk(args):
    with explaining("The run had to stop"):
        for line in range(100_000):
            print("epoch", line)
    return 0

cli._train = talk
sys.exit(cli.main(["train"]))
"""


@pytest.mark.skipif(os.name != "posix", reason="pipes of a shell")
def test_the_command_ends_quietly_when_nobody_reads_on(tmp_path):
    (tmp_path / "talks.py").write_text(TALKS, encoding="utf-8")
    command = f"{sys.executable} {tmp_path}/talks.py | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr) == (["epoch", "0", "141"], "")
