"""The file that holds the page: for which networks it is written, and what of the data is in it."""

import json
import re

import numpy as np
import pytest
from keras import layers

from conftest import chain, data
from pyimagesearch.data import loading
from pyimagesearch.evaluation.predict import OURS
from pyimagesearch.minivggnet import MiniVGGNet
from pyimagesearch.playground import page

NAMES = loading.CLASS_NAMES


def small(filters=(4, 8)):
    return MiniVGGNet.build(28, 28, 1, 10, filters=filters, dense=16)


def written(path):
    """Return the data in a page."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text())[1])


def test_gallery_has_images_of_each_class_and_marks_mistakes(tmp_path):
    images, labels = data(200)
    probabilities = np.eye(10)[labels]
    probabilities[123] = np.roll(probabilities[123], 1)
    assert page.write(tmp_path / "a.html", "a.h5", small(), OURS, images, labels, probabilities, NAMES) is None
    content = written(tmp_path / "a.html")
    gallery = content["gallery"]
    assert np.bincount([one["label"] for one in gallery]).tolist() == [5, 5, 5, 6, 5, 5, 5, 5, 5, 5]
    assert [one["number"] for one in gallery if one["label"] != one["predicted"]] == [123]
    quiz = [one["number"] for one in content["quiz"]]
    assert len(quiz) == len(set(quiz)) == 20
    assert not {one["number"] for one in gallery} & set(quiz)
    assert "accuracy 99.50% on 200 test images" in content["about"]
    assert not content["genuine"] and not content["experiments"]


@pytest.mark.real_data
def test_experiments_are_genuine_images_that_the_network_gets_right(tmp_path, genuine):
    images, labels = loading.load_part("test", genuine)
    probabilities = np.eye(10)[labels]
    first, *others = page.EXPERIMENTS
    wrong = page.EXPERIMENTS[first][0]
    probabilities[wrong] = np.roll(probabilities[wrong], 1)
    page.write(tmp_path / "a.html", "a.h5", small(), OURS, images[..., None], labels, probabilities, NAMES)
    content = written(tmp_path / "a.html")
    assert content["genuine"]
    assert list(content["experiments"]) == others
    assert {name: NAMES[one["label"]] for name, one in content["experiments"].items()}["boot"] == "Ankle boot"


@pytest.mark.parametrize(
    "layer, reason",
    [
        (layers.SeparableConv2D(4, 3), "SeparableConv2D"),
        (layers.Conv2D(4, 3, dilation_rate=2), "Conv2D"),
        (layers.LayerNormalization(), "LayerNormalization"),
        (layers.Conv2D(4, 3, activation="celu"), "celu"),
        (layers.ReLU(), "MB"),  # too large
    ],
)
def test_no_page_for_what_it_cannot_compute(tmp_path, monkeypatch, layer, reason):
    monkeypatch.setattr(page, "MOST_BYTES", 15_000 if "MB" in reason else page.MOST_BYTES)
    model = chain(layer, layers.Flatten(), layers.Dense(10))
    images, labels = data(20)
    path = tmp_path / "a.html"
    assert reason in page.write(path, "a.h5", model, OURS, images, labels, np.eye(10)[labels], NAMES)
    assert not path.exists()
