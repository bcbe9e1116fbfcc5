"""Images that are unlike the data are recognized, where the data is."""

import keras
import numpy as np
import pytest

from conftest import data
from pyimagesearch.data import download, loading
from pyimagesearch.evaluation import familiarity
from pyimagesearch.minivggnet import MiniVGGNet


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return MiniVGGNet.build(width=28, height=28, depth=1, classes=10)


def test_images_unlike_the_data_are_recognized(model, small_data):
    unlike = familiarity.comparison(model, loading.Data(small_data, any_data=True))
    images, _ = data(200, seed=5)
    strange = 255 - images
    alone = [unlike(images[k : k + 1]) for k in range(80)]
    assert 0.02 < np.mean(alone) < 0.2  # by its definition, of a tenth
    assert all(unlike(strange[k : k + 1]) for k in range(10))
    assert unlike(strange)
    familiar = images[[alone.index(False)]]
    assert not unlike(np.concatenate([strange[:5], familiar]))  # one view that looks familiar is enough


def test_data_is_not_downloaded_for_a_comparison(model, empty_machine, monkeypatch):
    cache = download.keras_cache()
    cache.mkdir(parents=True)
    for path in empty_machine.glob("train*"):
        path.rename(cache / path.name)  # the test images are missing
    monkeypatch.setattr(download, "from_url", lambda *arguments: pytest.fail("a download"))
    assert familiarity.comparison(model, loading.Data()) is None
