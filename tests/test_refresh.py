"""The scripts beside the lessons: what is stored again, copied for learners, and for docs."""

import importlib.util
from pathlib import Path

import nbformat
from nbformat import v4

ROOT = Path(__file__).resolve().parent.parent


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "notebooks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


copies, gallery, refresh = map(script, ("copies", "gallery", "refresh"))


def printed(text):
    return v4.new_output("stream", name="stdout", text=text)


def picture(data):
    return v4.new_output("display_data", data={"image/png": data, "text/plain": "<Image>"})


def notebook(measured, shown, text):
    tagged = {"tags": ["nbval-ignore-output"]}
    return v4.new_notebook(
        cells=[
            v4.new_markdown_cell("# Title"),
            v4.new_code_cell("measure()", metadata=tagged, outputs=[printed(measured)]),
            v4.new_code_cell("show()", outputs=[picture(shown)]),
            v4.new_code_cell("both()", outputs=[*map(printed, text), picture(shown)]),
        ]
    )


def test_compared_text_is_replaced_and_measurements_and_pictures_are_kept():
    stored = notebook("3 ms\n", "old", ["fold\n"])
    result = refresh.with_new_text(stored, notebook("9 ms\n", "new", ["space-to-", "depth\n"]))
    _, measured, show, both = result.cells
    assert measured.outputs == [printed("3 ms\n")]
    assert show.outputs == [picture("old")]
    assert both.outputs == [printed("space-to-depth\n"), picture("old")]


def test_the_same_text_in_other_pieces_changes_nothing():
    stored = notebook("3 ms\n", "old", ["one\n", "two\n"])
    result = refresh.with_new_text(stored, notebook("9 ms\n", "new", ["one\ntwo\n"]))
    expected = notebook("3 ms\n", "old", ["one\n", "two\n"])
    assert [c.outputs for c in result.cells[1:]] == [c.outputs for c in expected.cells[1:]]


def test_learners_copies_have_no_outputs_and_are_never_replaced(tmp_path):
    folder = tmp_path / "my_lessons"
    names = copies.copy(folder)
    assert "01_gan_basics.ipynb" in names and "glossary.ipynb" in names
    lesson = nbformat.read(folder / "01_gan_basics.ipynb", as_version=4)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in lesson.cells)
    stored = nbformat.read(ROOT / "notebooks" / "01_gan_basics.ipynb", as_version=4)
    assert [cell.source for cell in lesson.cells] == [cell.source for cell in stored.cells]
    (folder / "01_gan_basics.ipynb").write_text("mine")
    (folder / "app.ipynb").unlink()
    assert copies.copy(folder) == ["app.ipynb"]
    assert (folder / "01_gan_basics.ipynb").read_text() == "mine"
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)


def test_the_figures_of_docs_are_in_the_lessons():
    for lesson, beginning, width in gallery.FIGURES.values():
        assert gallery.find(lesson, beginning).width >= width / 2
