"""The baselines of the benchmarks compute what they say."""

import dataclasses
import sys

import keras
import numpy as np
import pytest
import tiny

from deblurgan_lib import models, paths
from deblurgan_lib.training.recipes import RECIPES

sys.path.insert(0, str(paths.home() / "benchmarks"))
import article
import gpu_check
import table


def test_the_articles_networks_are_the_recipes():
    picture = np.random.default_rng(0).uniform(-1, 1, (1, 32, 32, 3)).astype("float32")
    keras.utils.set_random_seed(0)
    ours = models.resnet_generator(4, 2, norm="batch", skip="half_sum")
    theirs = article.generator(32, width=4, blocks=2)
    for a, b in ((ours, theirs), (models.tutorial_critic(32, 4), article.critic(32, 4))):
        b.set_weights(a.get_weights())
        np.testing.assert_allclose(a(picture), b(picture), atol=1e-5)


def test_sides_take_turns_and_a_row_replaces_its_machines_older_one(tmp_path, monkeypatch, capsys):
    calls = []
    sides = {name: lambda name=name: calls.append(name) for name in "ab"}
    seconds = table.alternate(sides, rounds=3, warmup=1)
    assert calls == ["a", "b"] * 4
    assert [len(part) for part in seconds.values()] == [3, 3]
    assert table.ratio([1.0, 2.0, 9.0], [6.0, 8.0, 1.0]) == pytest.approx(3)
    monkeypatch.setattr(table, "RESULTS", tmp_path / "RESULTS.md")
    table.RESULTS.write_text(f"# Title\n\n{table.HEADER}\n|---|\n\nNotes.\n")
    for result in ("1x", "2x"):
        table.record("this", "1 s", "2 s", result, "3x", False, "here")
    table.record("that", "1 s", "2 s", "4x", "3x", True, "here")
    table.record("this", "1 s", "2 s", "5x", "3x", True, "there, python 4")
    table.record("this", "1 s", "2 s", "6x", "3x", True, "there, python 5")
    lines = table.RESULTS.read_text().splitlines()
    assert [line.split(" | ")[3] for line in lines[4:7]] == ["2x", "6x", "4x"]
    assert lines[-1] == "Notes."
    assert "4x" in capsys.readouterr().out


@pytest.mark.slow
def test_the_gpu_check_prints_a_table_and_sees_what_is_not_finite(data_set, monkeypatch, capsys):
    pixels = dataclasses.replace(tiny.PIXELS, pretraining=RECIPES["course"].pretraining)
    broken = dataclasses.replace(pixels, pretraining=0.0, learning_rate=np.inf)
    monkeypatch.setattr(gpu_check.recipes, "RECIPES", {"sound": pixels, "broken": broken})
    options = ["--profile", "smoke", "--precision", "float32", "--steps", "8"]
    gpu_check.main([*options, "--recipes", "sound", "broken", "--data", str(data_set)])
    facts, _, *lines = capsys.readouterr().out.splitlines()
    assert facts.startswith("no GPU, ") and "float32, profile smoke, 2 pairs" in facts
    rows = [line.strip("| ").split(" | ") for line in lines]
    assert {len(row) for row in (rows[0], *rows[2:])} == {len(gpu_check.COLUMNS)}
    assert [row[:2] for row in rows[2:]] == [
        ["`sound`, pretraining, 6 steps", "yes"],
        ["`sound`, adversarial, 2 steps", "yes"],
        ["`broken`, adversarial, 8 steps", "**no**"],
    ]


def test_the_estimate_is_lesson_10s():
    """At best a tenth of the data sheet's rate; at worst a Titan X's, by the bytes of memory."""
    assert gpu_check.estimate("Tesla T4", 6.5e12) == "1000 to 7184 ms"
    assert gpu_check.estimate("NVIDIA A100-SXM4-40GB", 31.2e12) == "1000 to 7096 ms"
    assert gpu_check.estimate("Radeon", 1.0) == "-"
