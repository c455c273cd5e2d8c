"""A wheel, installed into an environment of its own, does everything from an empty folder."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent

# All commands in one process, since TensorFlow takes seconds to load.
RUN = """
import json, sys
import deblurgan_lib
from deblurgan_lib import cli
codes = [cli.main(command) for command in json.loads(sys.argv[1])]
print(json.dumps({"codes": codes, "library": deblurgan_lib.__file__}))
"""


def clean_environment():
    """Of this process, without what would lead to the checkout."""
    return {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONPATH" and not name.startswith("DEBLURGAN_")
    }


def run(*command, **options):
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        env=clean_environment(),
        **options,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy: building leaves folders beside pyproject.toml."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    unwanted = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "deblurgan_lib", source / "deblurgan_lib", ignore=unwanted)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """The folder of the programs of an environment that has the wheel, and this one's packages.

    A folder named in a `.pth` file gives its packages, but its own `.pth` files are not read:
    so the checkout, where it is installed to be edited, is not among them.
    """
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(run(programs / "python", "-c", where).strip())
    others = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "others.pth").write_text("\n".join(others), encoding="utf-8")
    pip = (sys.executable, "-m", "pip", "--python", programs / "python", "--quiet")
    run(*pip, "install", "--no-deps", "--no-index", wheel)
    return programs


def test_a_wheel_holds_every_file_of_the_library(wheel):
    files = [path for path in (ROOT / "deblurgan_lib").rglob("*") if path.is_file()]
    wanted = {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}
    with zipfile.ZipFile(wheel) as archive:
        assert wanted - set(archive.namelist()) == set()


def test_every_command_works_from_an_empty_folder(environment, tmp_path, make_data_set):
    """GOPRO's archive is a small one with two of its scenes, and everything begins with it."""
    pairs, here = make_data_set(tmp_path / "pairs"), tmp_path / "here"
    here.mkdir()
    with zipfile.ZipFile(tmp_path / "small.zip", "w") as archive:
        for part, scene in (("train", "GOPR0372_07_00"), ("test", "GOPR0384_11_00")):
            for folder, side in (("A", "blur"), ("B", "sharp")):
                for i, photo in enumerate(sorted((pairs / part / folder).iterdir())):
                    archive.write(photo, f"{part}/{scene}/{side}/{i + 1:06}.png")
    small = str(tmp_path / "small.zip")
    sha256 = hashlib.sha256(Path(small).read_bytes()).hexdigest()
    photo = str(pairs / "test" / "A" / "test_0.png")
    commands = [
        ["download", "gopro", "--zip", small],  # It is not the real one, and that is said.
        ["download", "gopro", "--zip", small, "--sha256", sha256],
        ["split", small, "--to", "frames", "--partial"],
        ["cache", "frames"],
        ["train", "--data", "frames", "--profile", "smoke", "--epochs", "1", "--run-name", "mine"],
        ["evaluate", "--data", "frames", "--weights", "mine"],
        ["deblur", photo, "--generator-only"],
        ["check"],
    ]
    done = subprocess.run(
        [environment / "python", "-c", RUN, json.dumps(commands)],
        cwd=here,
        capture_output=True,
        text=True,
        env=clean_environment(),
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert Path(result["library"]).is_relative_to(environment.parent)
    assert result["codes"] == [1] + 7 * [0], done.stdout + done.stderr
    assert f"{small} is not the archive that was expected" in done.stderr
    assert (here / "frames" / "train" / "decoded.raw").is_file()
    assert (here / "runs" / "mine" / "generator.keras").is_file()
    assert (here / "deblurred" / "test_0.png").is_file()
    assert "2 photographs" in done.stdout
    assert "ok    deblurgan" in done.stdout and "ok    tensorflow" in done.stdout


def test_the_program_is_installed_under_its_name(environment, tmp_path):
    from deblurgan_lib import __version__

    assert run(environment / "deblurgan", "--version", cwd=tmp_path).strip() == __version__
