"""Predictions to doubt: those with a low probability, and those of images that are unlike the data."""

import keras
import numpy as np
import pytest

from conftest import data
from pyimagesearch.evaluation import familiarity
from pyimagesearch.minivggnet import MiniVGGNet


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return MiniVGGNet.build(width=28, height=28, depth=1, classes=10)


def test_images_unlike_the_data_are_recognized(model, small_data):
    unlike = familiarity.comparison(model, small_data, any_data=True)
    images, _ = data(200, seed=5)
    strange = 255 - images
    alone = [unlike(images[k : k + 1]) for k in range(200)]
    assert 0.02 < np.mean(alone) < 0.2  # by its definition, of a tenth
    assert all(unlike(strange[k : k + 1]) for k in range(10))
    assert unlike(strange)
    familiar = images[[alone.index(False)]]
    assert not unlike(np.concatenate([strange[:5], familiar]))  # one view that looks familiar is enough


def test_data_is_not_downloaded_for_a_comparison(model, empty_machine, capfd):
    assert familiarity.comparison(model) is None
    assert capfd.readouterr() == ("", "")


def test_data_that_cannot_be_used_is_no_error(model, tmp_path):
    (tmp_path / "train-images-idx3-ubyte").write_text("no images")
    assert familiarity.comparison(model, tmp_path) is None


@pytest.mark.parametrize(
    ("best", "unlike", "words"),
    [
        (0.9, False, []),
        (0.49, False, ["no class has a probability of 50%"]),
        (0.9, True, ["less like the training images than 90% of the test images"]),
        (0.3, True, ["no class", "less like"]),
    ],
)
def test_doubts(best, unlike, words):
    reasons = familiarity.doubts(np.array([best, *[(1 - best) / 9] * 9]), unlike)
    assert len(reasons) == len(words)
    for reason, part in zip(reasons, words, strict=True):
        assert part in reason
