"""The conventions that every lesson keeps; pytest --nbval runs them."""

import ast
import csv
import hashlib
import importlib.util
import itertools
import json
import re
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import papermill.cli
import pytest

ROOT = Path(__file__).resolve().parent.parent
LESSONS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
APP = ROOT / "notebooks" / "app.ipynb"
ENDING = ["Check yourself", "If something went wrong", "Further reading"]

# A main lesson has at most so many words, code cells and minutes.
WORDS, CODE_CELLS, MINUTES = 2500, 30, 50
# Those that link each term of the glossary that they explain.
LINKED = {"00", "01", "02", "03", "04", "05", "06", "10"}
ANSWER = "<details><summary>Answer to the prediction</summary>"

spec = importlib.util.spec_from_file_location("refresh", ROOT / "notebooks" / "refresh.py")
refresh = importlib.util.module_from_spec(spec)
spec.loader.exec_module(refresh)


@pytest.fixture(params=LESSONS, ids=lambda path: path.stem)
def lesson(request):
    notebook = nbformat.read(request.param, as_version=4)
    notebook.path = request.param
    return notebook


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def number(notebook):
    return notebook.path.name[:2]


def is_main(notebook):
    return number(notebook) <= "06"


def prose(notebook):
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def headings(notebook):
    text = prose(notebook)
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return re.findall(r"^(#+) (.+)$", text, re.MULTILINE)


def test_the_order_of_the_first_cells(lesson):
    title, glance, goals, bootstrap, parameters, start = lesson.cells[:6]
    name = lesson.path.name
    assert (
        f"/notebooks/{name}" in title.source and 'alt="Open this lesson in Colab"' in title.source
    )
    assert glance.source.startswith("| At a glance")
    assert goals.source.startswith("By the end you can")
    assert 3 <= goals.source.count("\n- ") <= 5
    assert bootstrap.metadata["tags"] == ["bootstrap"]
    assert parameters.metadata["tags"] == ["parameters"]
    assert "course.start(" in start.source and f'lesson="{name[:2]}")' in start.source


def test_parameters_are_literals_with_a_type_and_a_meaning(lesson):
    for line in lesson.cells[4].source.splitlines():
        assert re.fullmatch(r"\w+: (str|int|float|bool) = [^=]+  # .+", line), line
    described = papermill.inspect_notebook(lesson.path)
    assert all(parameter["help"] for parameter in described.values())
    assert len(described) == len(lesson.cells[4].source.splitlines())


@pytest.mark.slow
def test_papermill_describes_and_runs_a_lesson_from_any_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    lesson = ROOT / "notebooks" / "02_gopro_data.ipynb"
    command = papermill.cli.papermill.main
    with pytest.raises(SystemExit, match="0"):
        command(["--help-notebook", str(lesson)])
    described = capsys.readouterr().out
    for name, parameter in papermill.inspect_notebook(lesson).items():
        assert name in described and parameter["help"] in described
    chosen = ["-p", "profile", "smoke", "-p", "seed", "1"]
    command([str(lesson), "out.ipynb", *chosen], standalone_mode=False)
    cells = code(nbformat.read(tmp_path / "out.ipynb", as_version=4))
    assert "Profile 'smoke'" in "".join(output.get("text", "") for output in cells[3].outputs)
    assert [path.name for path in tmp_path.iterdir()] == ["out.ipynb"]


def test_the_bootstrap_cell_is_the_same_in_all_lessons():
    cells = [nbformat.read(path, as_version=4).cells[3].source for path in LESSONS]
    cells.append(nbformat.read(APP, as_version=4).cells[1].source)
    assert len({hashlib.sha256(cell.encode()).hexdigest() for cell in cells}) == 1


def test_the_app_is_stored_without_outputs():
    """What it shows is a widget, which only lives while it runs; nbval runs it all the same."""
    for cell in code(nbformat.read(APP, as_version=4)):
        assert cell.execution_count is None and cell.outputs == []


def test_headings(lesson):
    found = headings(lesson)
    assert [title for level, title in found if level == "#"] == [found[0][1]]
    levels = [len(level) for level, _ in found]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    sections = [title for level, title in found if level == "##"]
    assert sections[-1] == "Summary"
    numbers = [title.split(".")[0] for title in sections[:-1]]
    assert numbers == [str(i + 1) for i in range(len(numbers))]
    small = [title for level, title in found if level == "###"]
    exercises, ending = small[: -len(ENDING)], small[-len(ENDING) :]
    assert ending == ENDING
    assert is_main(lesson) * 2 <= len(exercises) <= 4
    for place, title in enumerate(exercises, start=1):
        pattern = rf"Exercise {place} \((easy|medium|hard), \d+ minutes\)"
        assert re.fullmatch(pattern, title), title


def test_main_lessons_are_short(lesson):
    if not is_main(lesson):
        pytest.skip("an optional lesson")
    assert len(prose(lesson).split()) <= WORDS
    assert len(code(lesson)) <= CODE_CELLS


def test_lessons_say_their_minutes_and_do_not_tell_first(lesson):
    sections = [title for level, title in headings(lesson) if level == "##"][:-1]
    minutes = [int(re.fullmatch(r".+ \((\d+) minutes\)", title).group(1)) for title in sections]
    if is_main(lesson):
        stated = int(re.search(r"(\d+) minutes", lesson.cells[1].source).group(1))
        assert sum(minutes) <= stated <= MINUTES
    # Each prediction is followed by its own answer.
    asked = re.findall(rf"\*\*Predict\.\*\*|{ANSWER}", prose(lesson))
    assert asked == ["**Predict.**", ANSWER] * (len(asked) // 2)


def test_the_first_lesson_leads_to_all_others_and_to_what_lies_beside_them():
    text = prose(nbformat.read(LESSONS[0], as_version=4))
    for path in [
        *LESSONS[1:],
        ROOT / "notebooks/glossary.ipynb",
        ROOT / "notebooks/cheat_sheet.ipynb",
    ]:
        assert f"({path.name})" in text, path.name


def test_plotting_cells_are_collapsed(lesson):
    for cell in code(lesson):
        if "Figure(" in cell.source:
            assert cell.metadata["jupyter"]["source_hidden"], cell.source


def test_my_means_yours_to_write(lesson):
    for cell in code(lesson):
        mine = re.findall(r"^(?:def|class) (my_?\w*)|^(my_\w+) =", cell.source, re.I | re.M)
        assert not mine or "exercises.check(" in cell.source, mine


def test_cells_are_short(lesson):
    lengths = [
        len([line for line in cell.source.splitlines() if line.strip()])
        for cell in code(lesson)
        if "bootstrap" not in cell.metadata.get("tags", [])
    ]
    assert statistics.median(lengths) <= 8
    assert max(lengths) <= 25


def test_no_magics_no_shell_no_relative_paths(lesson):
    for cell in code(lesson):
        ast.parse(cell.source)
        assert not re.search(r"""["']\.{1,2}/""", cell.source)


def test_every_lesson_asks_before_it_shows(lesson):
    text = "\n".join(cell.source for cell in lesson.cells)
    least = 3 if is_main(lesson) else 1
    assert text.count("**Predict.**") >= least
    assert text.count("**What to look for.**") >= least
    assert text.count("<details>") >= 3


def test_ids_are_unique_and_kernel_and_metadata_are_clean(lesson):
    ids = [cell.id for cell in lesson.cells]
    assert len(set(ids)) == len(ids)
    assert refresh.clean(nbformat.read(lesson.path, as_version=4)) == nbformat.read(
        lesson.path, as_version=4
    )


def test_lessons_are_stored_executed_and_without_errors(lesson):
    for cell in code(lesson):
        assert cell.execution_count is not None, cell.source
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output
    assert lesson.path.stat().st_size < 800_000


def test_every_picture_has_alt_text(lesson):
    for cell in code(lesson):
        for output in cell.outputs:
            for kind in {"image/png", "image/jpeg"} & set(output.get("data", {})):
                assert len(output.metadata[kind]["alt"]) > 20


def test_lessons_do_not_define_what_the_library_exports(lesson):
    import deblurgan_lib

    library = Path(deblurgan_lib.__file__).parent
    exported = set()
    for path in library.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                exported.add(node.name)
    for cell in code(lesson):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                assert node.name not in exported


@pytest.mark.slow
def test_a_changed_output_fails(tmp_path):
    """The comparison of nbval is on: stored text that is not what the cell prints is an error."""
    cells = [nbformat.v4.new_code_cell("print(1 + 1)", execution_count=1) for _ in range(2)]
    for cell, text in zip(cells, ("2\n", "3\n"), strict=True):
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "lesson.ipynb")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval",
        "-rA",
        "--color=no",
        "--rootdir",
        ROOT,
        "-c",
    ]
    command += [ROOT / "pyproject.toml", tmp_path / "lesson.ipynb"]
    said = subprocess.run(command, capture_output=True, text=True).stdout
    assert re.findall(r"^([A-Z]+) .*::(Cell \d)", said, re.MULTILINE) == [
        ("PASSED", "Cell 0"),
        ("FAILED", "Cell 1"),
    ], said


COLAB = """
import sys, types
google, colab = types.ModuleType("google"), types.ModuleType("google.colab")
sys.modules.update({"google": google, "google.colab": colab})
"""


def test_the_bootstrap_finds_the_library_from_any_folder(tmp_path):
    source = nbformat.read(LESSONS[0], as_version=4).cells[3].source
    for place in (ROOT / "notebooks", ROOT, tmp_path):
        code = f"{source}\nprint(deblurgan_lib.__file__)"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=place, capture_output=True, text=True, check=True
        )
        assert Path(done.stdout.strip()).parent == ROOT / "deblurgan_lib"


# Stands where pip is looked for, in the working folder; "installs" the command line.
PIP = """
import json, os, sys
with open("pip.log", "a") as log:
    print(json.dumps(sys.argv[1:]), file=log)
if os.path.exists("offline"):
    sys.exit("WARNING: Retrying\\nERROR: No matching distribution found")
if "--editable" in sys.argv:
    open("bin/deblurgan", "w").close()
    os.chmod("bin/deblurgan", 0o755)
"""


class Colab:
    """A machine as Colab gives it: an empty folder, nothing of ours, this repository as GitHub."""

    def __init__(self, folder):
        self.content, self.work = folder / "content", folder / "work"
        (self.work / "bin").mkdir(parents=True)
        (self.work / "pip.py").write_text(PIP)
        github = folder / "github"
        # Whatever this checkout is on: its commit is tagged, and the branch main is one ahead.
        git = ["git", "-c", "user.name=A", "-c", "user.email=a@b", "-C", github]
        for command in (
            ["git", "clone", "--quiet", "--bare", ROOT, github],
            [*git, "tag", "v1"],
            [*git, "commit-tree", "-p", "v1", "-m", "Later", "v1^{tree}"],
        ):
            done = subprocess.run(command, check=True, capture_output=True, text=True)
        for command in (
            ["update-ref", "refs/heads/main", done.stdout.strip()],
            ["symbolic-ref", "HEAD", "refs/heads/main"],
        ):
            subprocess.run([*git, *command], check=True)
        self.source = nbformat.read(LESSONS[0], as_version=4).cells[3].source
        self.source = self.source.replace("/content/", f"{self.content}/")
        address = re.search(r'REPOSITORY = "(.+)"', self.source).group(1)
        self.environment = {
            "PATH": f"{self.work / 'bin'}:/usr/bin:/bin",
            "HOME": str(folder),
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": f"url.{github.as_uri()}.insteadOf",
            "GIT_CONFIG_VALUE_0": address,
            "GIT_CONFIG_KEY_1": "safe.directory",
            "GIT_CONFIG_VALUE_1": "*",
        }

    def bootstrap(self):
        without_us = (
            "import sys\n"
            "sys.meta_path = [f for f in sys.meta_path if 'editable' not in repr(f).lower()]\n"
            f"sys.path = [p for p in sys.path if p != {str(ROOT)!r}]\n"
        )
        program = COLAB + without_us + self.source + "\nprint(deblurgan_lib.__file__)"
        return subprocess.run(
            [sys.executable, "-c", program],
            cwd=self.work,
            env=self.environment,
            capture_output=True,
            text=True,
        )

    @property
    def installed(self):
        """What pip was asked for, one list for each call."""
        log = self.work / "pip.log"
        calls = map(json.loads, log.read_text().splitlines()) if log.exists() else []
        return [[word for word in call if word not in QUIET] for call in calls]


QUIET = ("install", "--quiet", "--disable-pip-version-check")


@pytest.fixture
def colab(tmp_path):
    if subprocess.run(["git", "rev-parse"], cwd=ROOT, capture_output=True).returncode:
        pytest.skip("not a git checkout")
    return Colab(tmp_path)


def test_on_colab_the_bootstrap_fetches_and_installs_the_course_once(colab):
    course = colab.content / "deblurgan-course"
    for _ in range(2):
        done = colab.bootstrap()
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == str(course / "deblurgan_lib" / "__init__.py")
    install_papermill, install_course = colab.installed
    assert install_papermill == ["papermill"]
    # Without dependencies nothing can replace Colab's TensorFlow.
    assert install_course[0] == "--no-deps" and install_course[-2:] == ["--editable", str(course)]


def test_on_colab_the_bootstrap_takes_a_tag(colab):
    colab.source = colab.source.replace('VERSION = "main"', 'VERSION = "v1"')
    assert colab.bootstrap().returncode == 0
    git = ["git", "-C", colab.content / "deblurgan-course"]
    done = subprocess.run([*git, "tag", "--points-at", "HEAD"], capture_output=True, text=True)
    assert done.stdout.split() == ["v1"]


@pytest.mark.parametrize("missing", ["address", "packages"])
def test_on_colab_without_network_the_bootstrap_says_so_in_a_sentence(colab, missing):
    if missing == "address":
        colab.environment["GIT_CONFIG_KEY_0"] = f"url.{colab.work.as_uri()}/none.insteadOf"
    else:
        (colab.work / "offline").touch()
    done = colab.bootstrap()
    assert done.returncode == 1 and done.stdout == ""
    (said,) = done.stderr.splitlines()
    reason = "fatal: .+" if missing == "address" else "ERROR: No matching distribution found"
    assert re.match(rf"The course could not be fetched \({reason}\); see that .+ again\.$", said)


COLAB_HAS = {
    *("gdown", "h5py", "ipython", "ipywidgets", "keras", "lazy-loader", "matplotlib", "numpy"),
    *("packaging", "pillow", "scikit-image", "scikit-learn", "scipy", "tensorboard"),
    *("tensorflow", "tqdm", "wrapt"),
}


def test_on_colab_the_bootstrap_installs_what_colab_lacks(colab):
    """A new package of the course is either Colab's or the bootstrap's; jupyterlab is neither."""
    colab.bootstrap()
    named = {
        word for call in colab.installed for word in call if re.fullmatch("[a-z][a-z-]+", word)
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {re.match(r"[\w-]+", text)[0] for text in project["dependencies"]}
    assert named == needed - COLAB_HAS - {"jupyterlab"}


def glossary():
    """Anchor of each term, as notebooks make it of a heading, and the lesson that explains it."""
    cells = nbformat.read(ROOT / "notebooks" / "glossary.ipynb", as_version=4).cells[1:]
    return {
        re.match("### (.+)", cell.source)[1].replace(" ", "-"): re.search(
            r"\(((\d\d)_\w+\.ipynb)\)\*$", cell.source
        ).groups()
        for cell in cells
    }


def test_the_glossary_is_sorted_and_leads_to_lessons():
    terms = [anchor.lower().removeprefix("1-") for anchor in glossary()]
    assert terms == sorted(terms) and len(set(terms)) == len(terms) >= 30
    assert all((ROOT / "notebooks" / name).is_file() for name, _ in glossary().values())


def test_a_lesson_links_to_the_glossary_at_a_terms_first_use(lesson):
    linked = re.findall(r"\(glossary\.ipynb#([\w-]+)\)", prose(lesson))
    assert set(linked) <= set(glossary()) and len(set(linked)) == len(linked)
    if number(lesson) in LINKED:
        explained = {term for term, (_, where) in glossary().items() if where == number(lesson)}
        assert explained <= set(linked)


def test_what_was_found_in_an_experiment_is_in_the_table_of_its_script():
    with (ROOT / "docs" / "lesson_tables.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = {}
    for row in rows:
        unit = {"gain (dB)": "{:+.2f} dB", "distance left (%)": "{}%", "PSNR (dB)": "{} dB"}
        value = float(row["value"])
        found.setdefault((row["lesson"], row["row"]), []).append(unit[row["measure"]].format(value))
    texts = {path.name[:2]: prose(nbformat.read(path, as_version=4)) for path in LESSONS}
    for (name, row), values in found.items():
        first = f'`"{row}"`' if name == "03" else "`{}` | {}".format(*row.split(", "))
        assert f"| {first} | {' | '.join(values)} |" in texts[name]


def test_the_readme_is_short_and_lists_every_lesson():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in LESSONS:
        assert f"(notebooks/{path.name})" in readme
    words = [word for word in readme.split() if any(sign.isalnum() for sign in word)]
    assert len(words) <= 1200


@pytest.mark.parametrize("page", ["README.md", "docs/photographs.md", "docs/training.md"])
def test_what_a_page_links_to_is_there(page):
    path = ROOT / page
    targets = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", path.read_text(encoding="utf-8"))
    assert targets
    for target in targets:
        assert (path.parent / target).exists(), target
