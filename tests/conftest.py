"""Small real things that several test files need."""

import numpy as np
import pytest
from skimage import data as photographs

from deblurgan_lib import models
from deblurgan_lib.photos import write_photo


@pytest.fixture(scope="session")
def photo():
    """A photograph, uint8 (200, 240, 3)."""
    return photographs.astronaut()[:200, :240]


@pytest.fixture(scope="session")
def make_data_set(photo):
    """Makes a data set of two training pairs and two test pairs, 96x128 pixels each."""

    def make(folder):
        for split, offset in (("train", 0), ("test", 40)):
            for i in range(2):
                sharp = photo[offset + 5 * i :, offset:][:96, :128]
                blurred = ((sharp.astype(int) + np.roll(sharp, 3, axis=1)) // 2).astype(np.uint8)
                for side, pixels in (("A", blurred), ("B", sharp)):
                    (folder / split / side).mkdir(parents=True, exist_ok=True)
                    write_photo(folder / split / side / f"{split}_{i}.png", pixels)
        return folder

    return make


@pytest.fixture
def data_set(tmp_path, make_data_set):
    return make_data_set(tmp_path / "tiny")


@pytest.fixture
def train(data_set, tmp_path):
    """Trains for a few steps, in a few layers; options as of `training.train`."""
    import tiny

    from deblurgan_lib import training

    def train(name="run", **options):
        return training.train(name, data_set, tmp_path / "runs", **tiny.OPTIONS | options)

    return train


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A runs folder with one finished run, `same`, whose generator returns its input."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "same").mkdir()
    generator = models.resnet_generator(
        4, 1, norm="none", skip="residual", dropout=0, stem="space_to_depth"
    )
    generator.save(folder / "same" / "generator.keras")
    return folder
