"""`deblurgan check` says what a machine has and what it lacks."""

import importlib.metadata

import keras
import pytest

from deblurgan_lib import cli, machine


@pytest.fixture
def checked(capsys, monkeypatch, tmp_path):
    """Runs the command; returns its exit code and the lines that it printed."""
    monkeypatch.setenv("DEBLURGAN_RUNS", str(tmp_path / "new" / "runs"))
    monkeypatch.setenv("PATH", "")  # No nvidia-smi, wherever the test runs.

    def check():
        code = cli.main(["check"])
        return code, capsys.readouterr().out.splitlines()

    return check


def lacking(lines):
    return [line for line in lines if not line.startswith("ok    ")]


def test_a_machine_that_has_everything(checked, tmp_path):
    code, lines = checked()
    assert (code, lacking(lines)) == (0, [])
    said = "\n".join(lines)
    assert f"ok    keras {keras.__version__}" in lines
    assert "ok    Keras: tensorflow, float32, channels_last" in lines
    assert "CPU cores, no GPU" in said or "GPU" in said
    assert "the fastest precision is" in said
    assert f"{tmp_path / 'new' / 'runs'} can be written" in said
    assert not (tmp_path / "new").exists()  # A check leaves nothing behind.


def test_packages_that_are_missing_or_too_old(checked, monkeypatch, tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nrequires-python = ">=3.99"\n'
        'dependencies = ["keras>=99", "no-such-package>=1"]\n',
        encoding="utf-8",
    )
    monkeypatch.setattr(machine, "checkout", lambda: tmp_path)
    code, lines = checked()
    assert code == 1
    python, old, missing = lacking(lines)
    assert "tested with >=3.99" in python
    assert "pip install --upgrade 'keras>=99'" in old
    assert "no-such-package is missing - pip install 'no-such-package>=1'" in missing


def test_on_colab_jupyterlab_is_not_missed(checked, monkeypatch, tmp_path):
    found = importlib.metadata.version
    lacks = {"jupyterlab", "papermill"}

    def version(name):
        if name in lacks:
            raise importlib.metadata.PackageNotFoundError(name)
        return found(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab")
    (line,) = lacking(checked()[1])
    assert "papermill is missing" in line
    lacks.remove("papermill")
    assert checked()[0] == 0


def test_outside_a_checkout_the_installed_package_says_what_it_needs(monkeypatch):
    monkeypatch.setattr(machine, "checkout", lambda: None)
    written = ["keras>=3.13", "nbval>=0.11; extra == 'test'"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: written)
    monkeypatch.setattr(importlib.metadata, "metadata", lambda name: {"Requires-Python": ">=3.11"})
    assert machine.requirements() == (">=3.11", ["keras>=3.13"])


def test_a_folder_that_cannot_be_written_and_settings_of_another_project(
    checked, monkeypatch, tmp_path
):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("DEBLURGAN_RUNS", str(tmp_path / "file" / "runs"))

    def refused(dir):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(machine.tempfile, "TemporaryFile", refused)
    keras.config.set_image_data_format("channels_first")
    try:
        code, lines = checked()
    finally:
        keras.config.set_image_data_format("channels_last")
    settings, runs, _ = lacking(lines)
    assert code == 1
    assert "channels_first - import deblurgan_lib before keras" in settings
    assert f"cannot be written (Permission denied) - make {tmp_path} writable" in runs


def test_a_driver_without_cuda_is_named(checked, monkeypatch, tmp_path):
    stub = tmp_path / "nvidia-smi"
    stub.write_text("#!/bin/sh\n", encoding="utf-8")
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(machine, "device", lambda: "2 CPU cores, no GPU")
    assert "pip install 'tensorflow[and-cuda]'" in lacking(checked()[1])[0]
