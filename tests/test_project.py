"""What holds for the project as a whole."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LIBRARY = ROOT / "deblurgan_lib"
TOP = ("__init__.py", "__main__.py")


def order():
    """The modules and packages from the ground up, as the library's docstring lists them."""
    docstring = ast.get_docstring(ast.parse((LIBRARY / "__init__.py").read_text(encoding="utf-8")))
    listed = re.findall(r"^ {4}(.+)$", docstring, re.MULTILINE)
    first, *others = (re.split(r" {3,}", line) for line in listed)
    names = first[0].split() + [line[0] for line in others]
    inside = {line[0]: line[1].split() for line in others if (LIBRARY / line[0]).is_dir()}
    return names, inside


def modules():
    inside = {LIBRARY / name for name in ("__init__.py", "__main__.py")}
    return sorted(set(LIBRARY.rglob("*.py")) - inside)


def dotted(path):
    """`deblurgan_lib/data/blur.py` as ("data", "blur"), a package's `__init__` as ("data",)."""
    names = path.relative_to(LIBRARY).with_suffix("").parts
    return tuple(name for name in names if name != "__init__")


def imports(path):
    """The library's modules that a file imports, anywhere in it, as tuples of names."""
    package = path.relative_to(LIBRARY).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = package[: len(package) - node.level + 1]
        base += tuple(node.module.split(".")) if node.module else ()
        for alias in node.names:
            deeper = (*base, alias.name)
            place = LIBRARY.joinpath(*deeper)
            found = deeper if place.is_dir() or place.with_suffix(".py").is_file() else base
            if found:
                yield found


def test_every_module_has_its_place_in_the_order():
    names, inside = order()
    places = [dotted(path) for path in modules()]
    assert {place[0] for place in places} == set(names)
    for package, listed in inside.items():
        found = {place[1] for place in places if place[0] == package and len(place) > 1}
        assert found == set(listed), package


def test_no_import_runs_upward():
    names, inside = order()
    for path in modules():
        own = dotted(path)
        for imported in imports(path):
            here, there = names.index(own[0]), names.index(imported[0])
            assert there <= here, f"{path.name} imports {'.'.join(imported)}"
            if own[0] == imported[0] and own[0] in inside and len(own) > 1 and len(imported) > 1:
                listed = inside[own[0]]
                assert listed.index(imported[1]) <= listed.index(own[1]), (own, imported)


def loaded_by(statement):
    """The library's modules that a fresh interpreter has loaded after a statement."""
    code = f"import sys; {statement}; print(*(x for x in sys.modules if 'deblurgan_lib' in x))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.removeprefix("deblurgan_lib.") for name in done.stdout.split()}


@pytest.mark.slow
def test_inference_needs_neither_the_pipeline_nor_training():
    loaded = loaded_by("from deblurgan_lib import restoration")
    assert "restoration.inference" in loaded
    assert not [name for name in loaded if name.startswith(("data.pipeline", "training"))]


@pytest.mark.slow
def test_training_needs_no_notebook_code():
    loaded = loaded_by("from deblurgan_lib.training import train")
    assert "training.loop" in loaded
    assert not [name for name in loaded if name.startswith("notebook")]


def test_only_notebook_code_knows_ipython():
    for path in modules():
        text = path.read_text(encoding="utf-8")
        found = re.search(r"^\s*(from|import) (IPython|ipywidgets)", text, re.MULTILINE)
        assert not found or dotted(path)[0] == "notebook", path


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


@pytest.mark.parametrize(
    "module", ["deblurgan_lib", "deblurgan_lib.cli", "deblurgan_lib.notebook.course"]
)
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


def test_the_files_that_conftest_sorts_are_there(pytestconfig):
    sorts = pytestconfig.pluginmanager.get_plugin(str(ROOT / "conftest.py"))
    there = {path.name for folder in ("tests", "notebooks") for path in (ROOT / folder).iterdir()}
    assert {*sorts.FIRST, *sorts.TOGETHER} <= there


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


def is_text_without_encoding(call):
    """Whether a call opens, reads or writes a text file in whatever encoding the machine has."""
    if any(keyword.arg == "encoding" for keyword in call.keywords):
        return False
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    if name in ("read_text", "write_text"):
        return True
    place = 1 if isinstance(call.func, ast.Name) else 0  # open(path, mode), path.open(mode)
    mode = [word.value for word in call.keywords if word.arg == "mode"] + call.args[place:]
    mode = mode[0] if mode else ast.Constant("r")
    # Other things that are opened, such as Image.open(path), have no mode where a path has one.
    is_mode = isinstance(mode, ast.Constant) and not set(str(mode.value)) - set("rwxabt+")
    return name == "open" and is_mode and "b" not in mode.value


def test_a_text_without_encoding_is_noticed():
    bad = [
        "open(p)",
        "open(p, 'w')",
        "p.open()",
        "p.open('a')",
        "p.read_text()",
        "open(p, mode='r')",
    ]
    good = ["open(p, 'rb')", "p.open('rb')", "open(p, encoding='utf-8')", "Image.open(p)"]
    for code in bad + good:
        call = ast.parse(code, mode="eval").body
        assert is_text_without_encoding(call) == (code in bad), code


def test_all_text_files_are_read_and_written_in_utf_8():
    for folder in ("deblurgan_lib", "benchmarks", "experiments", "notebooks"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    assert not is_text_without_encoding(node), f"{path}:{node.lineno}"


ADDRESS = PYPROJECT["project"]["urls"]["Repository"].removeprefix("https://github.com/")
ADDRESSED = ["pyproject.toml", "README.md"]
ADDRESSED += [str(path.relative_to(ROOT)) for path in (ROOT / "notebooks").glob("*.ipynb")]


@pytest.fixture
def checkout(tmp_path):
    """The Makefile and the files that hold the address, in a git repository without a remote."""
    for name in ("Makefile", *ADDRESSED):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    return tmp_path


def set_address(folder, *arguments, remote=""):
    if remote:
        subprocess.run(["git", "remote", "add", "origin", remote], cwd=folder, check=True)
    command = ["make", "repository", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_the_repositorys_address_is_changed_everywhere_by_one_command(checkout):
    assert set_address(checkout, "NAME=school/deblurring").returncode == 0
    for name in ADDRESSED:
        text = (checkout / name).read_text()
        assert ADDRESS not in text
        assert text == (ROOT / name).read_text().replace(ADDRESS, "school/deblurring")
    left = [path for path in checkout.rglob("*.*") if ".git" not in path.parts]
    assert len(left) == len(ADDRESSED)


@pytest.mark.parametrize(
    "remote",
    [
        "https://github.com/school/deblurring",
        "https://github.com/school/deblurring.git",
        "https://token@github.com/school/deblurring.git",
        "git@github.com:school/deblurring.git",
        "ssh://git@github.com/school/deblurring",
    ],
)
def test_a_checkout_from_github_gives_the_address(checkout, remote):
    assert set_address(checkout, remote=remote).returncode == 0
    for name in ADDRESSED:
        expected = (ROOT / name).read_text().replace(ADDRESS, "school/deblurring")
        assert (checkout / name).read_text() == expected


@pytest.mark.parametrize("remote", ["", "https://gitlab.com/school/deblurring", "/srv/a/b.git"])
def test_another_checkout_gives_no_address_and_changes_nothing(checkout, remote):
    done = set_address(checkout, remote=remote)
    assert done.returncode and "make repository NAME=owner/name" in done.stdout
    for name in ADDRESSED:
        assert (checkout / name).read_text() == (ROOT / name).read_text()


def test_badges_and_bootstrap_cells_are_pinned_to_a_tag_and_released(checkout):
    assert set_address(checkout, "NAME=school/deblurring", "TAG=v1.0").returncode == 0
    lessons = [
        name for name in ADDRESSED if "Open this lesson in Colab" in (ROOT / name).read_text()
    ]
    assert lessons
    for name in lessons:
        cells = json.loads((checkout / name).read_text())["cells"]
        assert f"/school/deblurring/blob/v1.0/{name}" in cells[0]["source"][0]
        assert 'VERSION = "v1.0"' in "".join(cells[3]["source"])
    assert set_address(checkout, f"NAME={ADDRESS}").returncode == 0
    for name in ADDRESSED:
        assert (checkout / name).read_text() == (ROOT / name).read_text()
