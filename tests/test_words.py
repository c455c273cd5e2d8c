"""The field's words: retired names and phrases stay out of code, messages, lessons and docs."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CODE = [
    path
    for folder in ("deblurgan_lib", "benchmarks", "experiments", "notebooks", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path != Path(__file__).resolve()
]
PROSE = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
PROSE += [*sorted((ROOT / "deblurgan_lib").rglob("*.md")), *sorted((ROOT / "data").glob("*.md"))]
PROSE += [ROOT / "benchmarks" / "RESULTS.md", ROOT / "Makefile", ROOT / ".github/workflows/ci.yml"]

# Names of functions, classes, arguments and variables, and what to call them instead.
NAMES = {
    "what": "what it is: a quantity, a purpose, a task",
    "way": "method",
    "ways": "methods",
    "guess": "estimate",
    "undo": "deconvolve",
    "agreement": "the measure: a cosine, a correlation",
    "extent": "rms_radius",
    "meet": "barrier",
    "share_of": "per_replica_batch",
    "penalty_points": "interpolation",
    "turned": "rotated",
    "turns": "rotations",
    "doing_nothing": "psnr_blurred",
}
# The same for a part of a name, between underscores.
PARTS = {
    "slope": "gradient",
    "slopes": "gradients",
    "fold": "space_to_depth",
    "folded": "space_to_depth",
    "unfold": "depth_to_space",
    "unfolded": "depth_to_space",
    "mirrored": "flipped or reflect",
    "sick": "failing",
    "kills": "interruptions",
    "rooms": "modules",
    "game": "gan",
    "games": "gans",
}
# Phrases: a pattern, what to write instead, a sentence with it, and an innocent one.
PHRASES = [
    (r"\bslopes?\b", "gradient, or gradient norm", "its slope is 1", "its gradient is 1"),
    (r"\bfold(ed|ing)\b", "space-to-depth", "a folded U-Net", "a folder of photographs"),
    (r"\bunfold(ed|ing)?\b", "depth-to-space", "pixels are unfolded", "EvenUnfolding"),
    (r"\bmirrored\b(?! strategy)", "flipped, or padded by reflection", "mirrored at the border",
     "a mirrored strategy, and a mirror of GOPRO"),
    (r"\bmirroring\b", "flipping, or reflection", "mirroring copies tensors", "mirrors of GOPRO"),
    (r"\bturned (round\b|by \d|and mirrored)|\b(and|or) turned\b", "rotated", "mirrored and turned",
     "a page that is turned"),
    (r"\bsick\b|\billness", "failing, failure", "five sick runs", "five failing runs"),
    (r"\b(of|after|in|when) (the|its|their) warm-up|warm-up (end|phase)|\bwarms? up with\b",
     "pretraining", "when the warm-up ended", "a warm-up of the learning rate"),
    (r"(?<!minimax )\bgames?\b", "GAN, training", "one step of the game", "the minimax game"),
    (r"\bmake kills|kills\.csv", "interruptions", "docs/kills.csv", "it kills a run"),
    (r"\brooms\b", "modules", "its rooms in order", "make room on the disk"),
    (r"\b(a|the|its|each|generator's) guess\b|\bguess's\b|\bguesses\b", "estimate",
     "the generator's guess", "it can only guess"),
    (r"deblurgan_lib[/.](shake|untrusted|runs|restore|datasets)\b", "its place in the new layout",
     "deblurgan_lib/shake.py", "deblurgan_lib/restoration/"),
    (r"benchmarks/(bad_runs|kills|recipes)\.py", "experiments/", "benchmarks/bad_runs.py",
     "benchmarks/rate.py"),
]  # fmt: skip
# A log tells what was done under the names of its time.
EXEMPT = {"training-log.md", "CHANGELOG.md"}


def cells(path, kind):
    return [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == kind]


def retired_names(source):
    """Each name that a piece of Python binds and should not, with what to call it instead."""
    for node in ast.walk(ast.parse(source)):
        name = (
            node.name if isinstance(node, ast.FunctionDef | ast.ClassDef)
            else node.arg if isinstance(node, ast.arg)
            else node.id if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            else node.attr if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
            else ""
        )  # fmt: skip
        if better := NAMES.get(name):
            yield f"{name}: write {better}"
        for part in name.lower().split("_"):
            if better := PARTS.get(part):
                yield f"{name}: write {better}"


def retired_phrases(text):
    for pattern, better, _, _ in PHRASES:
        for found in re.finditer(pattern, text, re.IGNORECASE):
            yield (
                f"{found.group()!r} in {text[max(found.start() - 30, 0) : found.end() + 30]!r}: "
                + (f"write {better}")
            )


@pytest.mark.parametrize("path", [*CODE, *NOTEBOOKS], ids=lambda path: path.name)
def test_names_are_the_fields(path):
    is_module = path.suffix == ".py"
    sources = [path.read_text(encoding="utf-8")] if is_module else cells(path, "code")
    assert not [found for source in sources for found in retired_names(source)]


@pytest.mark.parametrize("path", [*CODE, *PROSE, *NOTEBOOKS], ids=lambda path: path.name)
def test_prose_and_messages_are_plain(path):
    if path.name in EXEMPT:
        pytest.skip("holds names of its time")
    if path.suffix == ".ipynb":
        text = "\n\n".join(cells(path, "markdown") + cells(path, "code"))
    else:
        text = path.read_text(encoding="utf-8")
    found = list(retired_phrases(" ".join(text.split())))
    assert not found


def test_the_checks_find_what_is_retired_and_nothing_else():
    for name in (*NAMES, *PARTS):
        assert list(retired_names(f"{name} = 1")) and list(retired_names(f"def f({name}): ..."))
        assert not list(retired_names(f"print({name!r}, x.{name})"))
    assert not list(retired_names("somewhat = always = folder = 1"))
    for pattern, _, guilty, innocent in PHRASES:
        assert re.search(pattern, guilty, re.IGNORECASE), pattern
        assert not re.search(pattern, innocent, re.IGNORECASE), pattern


# Methods that Keras calls; its documentation says what they do.
KERAS = re.compile("call|get_config|compute_output_shape|on_.*|zeropower_via_.*|lr_adjust")


def without_docstring(body, prefix=""):
    for node in body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node) and not (prefix and KERAS.fullmatch(node.name)):
            yield prefix + node.name
        if isinstance(node, ast.ClassDef):
            yield from without_docstring(node.body, f"{node.name}.")


def test_every_public_function_has_a_docstring():
    assert list(without_docstring(ast.parse("class A:\n def f(self): ...").body)) == ["A", "A.f"]
    for path in sorted((ROOT / "deblurgan_lib").rglob("*.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        if path.parent.name == "exercises":  # Solutions are explained by their exercise.
            body = [node for node in body if isinstance(node, ast.ClassDef)]
        assert not list(without_docstring(body)), path.name


# ---------------------------------------------------------------------------- what texts refer to


def texts():
    yield from ((path, path.read_text(encoding="utf-8")) for path in PROSE if path.suffix == ".md")
    yield from ((path, "\n\n".join(cells(path, "markdown"))) for path in NOTEBOOKS)


def test_every_relative_link_resolves():
    for path, text in texts():
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if not target.startswith(("http://", "https://", "#")):
                assert (path.parent / target.split("#")[0]).exists(), f"{path.name}: {target}"


def test_every_file_that_a_text_names_is_there():
    """Files in backticks by their path from the root; a log may name those of its time."""
    pattern = r"`((?:deblurgan_lib|docs|experiments|benchmarks|notebooks|tests)/[\w./-]+\.\w+)`"
    for path, text in texts():
        for named in re.findall(pattern, text):
            assert path.name in EXEMPT or (ROOT / named).is_file(), f"{path.name}: {named}"


def test_every_make_target_that_a_text_names_is_there():
    targets = set(re.findall(r"^([\w -]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    targets = {name for names in targets for name in names.split()}
    for path, text in texts():
        for named in re.findall(r"(?:`|^)make ([a-z][\w-]*)", text, re.MULTILINE):
            assert named in targets, f"{path.name}: make {named}"
