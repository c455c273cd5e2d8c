"""Which precision `auto` is, and that it is timed once at most."""

from pathlib import Path

import pytest

from deblurgan_lib import precision


@pytest.fixture
def timed(monkeypatch, tmp_path):
    """A processor that has bfloat16; the list of how often it was timed."""
    calls = []

    def quicker():
        calls.append(1)
        return "mixed_bfloat16"

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(precision, "quicker_precision", quicker)
    monkeypatch.setattr(precision, "processor", lambda: "flags : avx2 avx512_bf16")
    monkeypatch.setattr(precision.tf.config, "list_physical_devices", lambda kind: [])
    return calls


def test_a_processor_without_bfloat16_is_not_timed(timed, monkeypatch):
    monkeypatch.setattr(
        precision, "processor", lambda: "model name : old\nflags : avx avx2 avx512f"
    )
    assert precision.measure_precision() == "float32"
    assert timed == []


def test_the_answer_is_kept_for_this_processor(timed, monkeypatch):
    for _ in range(2):
        assert precision.measure_precision() == "mixed_bfloat16"
    assert timed == [1]
    monkeypatch.setattr(precision, "processor", lambda: "flags : amx_bf16")
    precision.measure_precision()
    assert timed == [1, 1]
    monkeypatch.setattr(precision, "processor", lambda: "")  # Nothing is known of it.
    precision.measure_precision()
    assert timed == [1, 1, 1]


def test_what_cannot_be_kept_is_measured_anew(timed, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in its place")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert precision.measure_precision() == "mixed_bfloat16"

    def homeless(self):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "expanduser", homeless)
    monkeypatch.chdir(tmp_path)
    assert precision.measure_precision() == "mixed_bfloat16"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert timed == [1, 1]
