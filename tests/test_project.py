"""What holds for the project as a whole."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ROOMS = [
    "errors", "profiles", "recipes", "blur", "datasets", "models", "losses", "gan", "muon",
    "evaluation", "untrusted", "precision", "shake", "restore", "figures", "runs",
    "devices", "training", "cost", "widgets", "course", "exercises", "cli",
]  # fmt: skip


def modules():
    return sorted((ROOT / "deblurgan_lib").rglob("*.py"))


def room(path):
    return path.relative_to(ROOT / "deblurgan_lib").parts[0].removesuffix(".py")


def rooms_imported_by(path):
    depth = len(path.relative_to(ROOT / "deblurgan_lib").parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            yield from (name.split(".")[0] for name in names)


def test_no_import_runs_upward():
    for path in modules():
        if room(path) in ("__init__", "__main__"):
            continue
        for imported in rooms_imported_by(path):
            if imported in ROOMS:
                assert ROOMS.index(imported) < ROOMS.index(room(path)), f"{path.name}: {imported}"


def test_every_room_is_known():
    assert {room(path) for path in modules()} - {"__init__", "__main__"} == set(ROOMS)


def test_conda_takes_its_packages_from_pyproject():
    text = (ROOT / "environment.yml").read_text()
    packages = re.findall(r"^ +- (.+)$", text, re.MULTILINE)
    assert packages == [
        "conda-forge", "python=3.12", "pip", "pip:", "-c constraints.txt", "-e .[test]",
    ]  # fmt: skip


def requirements():
    extras = PYPROJECT["project"]["optional-dependencies"]
    return sum(
        (extras[name] for name in ("test", "browser", "app")), PYPROJECT["project"]["dependencies"]
    )


def test_bounds_are_lower_bounds_and_the_tested_versions_keep_them():
    tested = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    )
    tested = {name.lower().replace("_", "-"): version for name, version in tested.items()}
    for requirement in requirements():
        name, lower = re.fullmatch(r"([\w-]+)>=([\d.]+)", requirement).groups()
        numbers = [[int(x) for x in v.split(".")] for v in (lower, tested[name])]
        assert numbers[0] <= numbers[1], requirement


@pytest.mark.parametrize("module", ["deblurgan_lib", "deblurgan_lib.cli", "deblurgan_lib.course"])
def test_tensorflow_is_loaded_only_by_what_uses_it(module):
    code = f"import sys, {module}; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_importing_the_library_is_quick():
    """A list of modules, not seconds: what is imported decides the time, and cannot flicker."""
    code = (
        "import sys; before = set(sys.modules); import deblurgan_lib; "
        "print(*(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"numpy", "matplotlib", "PIL", "skimage", "IPython", "keras", "tensorflow", "scipy"}
    assert not heavy & set(done.stdout.split())


def test_nothing_in_the_project_names_a_machines_path():
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout")
    pattern = re.compile(r"(?<![\w.])/(tmp|root|home)/")
    for name in done.stdout.splitlines():
        path = ROOT / name
        if path.suffix in (".py", ".md", ".ipynb", ".toml", ".yml") and not name.startswith(
            "tests"
        ):
            assert not pattern.search(path.read_text(encoding="utf-8")), name


def test_the_repositorys_address_is_changed_everywhere_by_one_command(tmp_path):
    address = re.search(r"github.com/([\w./-]+)", PYPROJECT["project"]["urls"]["Repository"])[1]
    files = ["Makefile", "pyproject.toml", "README.md"]
    files += [str(path.relative_to(ROOT)) for path in (ROOT / "notebooks").glob("*.ipynb")]
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    subprocess.run(
        ["make", "repository", "NAME=school/deblurring"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    for name in files[1:]:
        text = (tmp_path / name).read_text()
        assert address not in text
        assert text == (ROOT / name).read_text().replace(address, "school/deblurring")
    assert len(list(tmp_path.rglob("*.*"))) == len(files) - 1
