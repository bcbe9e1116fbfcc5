"""evaluation.py against cases worked out by hand."""

import json
import math

import numpy as np
import pytest

from conftest import pictures
from pyimagesearch.data import preparation as preprocessing
from pyimagesearch.data.batches import scale
from pyimagesearch.evaluation import metrics as evaluation
from pyimagesearch.minivggnet import MiniVGGNet

NAMES = ("cat", "dog", "bird")
PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.1, 0.8, 0.1], [0.25, 0.25, 0.5]], np.float32)
LABELS = np.array([0, 1, 1, 2])


def test_metrics_by_hand():
    result = evaluation.evaluate(PROBABILITIES, LABELS, NAMES)
    assert result["accuracy"] == 0.75
    assert result["loss"] == pytest.approx(-(math.log(0.7) + math.log(0.4) + math.log(0.8) + math.log(0.5)) / 4)
    assert result["confusion_matrix"] == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert result["report"]["dog"]["recall"] == 0.5
    assert result["report"]["cat"]["precision"] == 0.5
    json.dumps(result)


def test_calibration_by_hand():
    # sure to 0.7 and right; to 0.5 and wrong; to 0.8 and right; to 0.5 and right: one bin each but for the two 0.5
    result = evaluation.calibration(PROBABILITIES.astype(float), LABELS, bins=10)
    assert result["count"] == [2, 1, 1]
    assert result["confidence"] == pytest.approx([0.5, 0.7, 0.8])
    assert result["accuracy"] == [0.5, 1, 1]
    assert result["error"] == pytest.approx((2 * 0 + 0.3 + 0.2) / 4)
    assert evaluation.evaluate(PROBABILITIES, LABELS, NAMES)["top_2_accuracy"] == 1


def test_temperature_is_found_and_mends_overconfidence():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 5))
    truth = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (truth.cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)
    too_sure = np.exp(3 * logits) / np.exp(3 * logits).sum(axis=1, keepdims=True)
    temperature = evaluation.fit_temperature(too_sure, labels)
    assert temperature == pytest.approx(3, rel=0.05)
    np.testing.assert_allclose(evaluation.cool(too_sure, 3.0), truth, atol=1e-6)
    result = evaluation.evaluate(too_sure, labels, tuple("abcde"), temperature)
    assert result["calibration"]["error"] > 0.15
    assert result["calibration_cooled"]["error"] < 0.02


def test_views_are_combined_by_their_geometric_mean():
    views = np.array([[0.9, 0.1], [0.1, 0.9]])
    np.testing.assert_allclose(evaluation.combine(views), [0.5, 0.5])
    np.testing.assert_allclose(evaluation.combine(views[:1]), [0.9, 0.1], atol=1e-5)


def test_wilson_interval():
    # Wilson, k = 9300 of n = 10000, z = 1.959964: (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)
    labels = np.zeros(10_000, int)
    probabilities = np.tile(np.float32([0.9, 0.1]), (10_000, 1))
    probabilities[:700] = 0.1, 0.9
    low, high = evaluation.evaluate(probabilities, labels, ("a", "b"))["accuracy_interval"]
    assert (low, high) == (pytest.approx(0.924832, abs=1e-6), pytest.approx(0.934837, abs=1e-6))


def test_report_names_the_classes():
    text = evaluation.report_text(PROBABILITIES, LABELS, NAMES)
    assert all(name in text for name in NAMES)
    assert "0.750" in text


def test_predict_in_batches_is_predict_at_once():
    model = MiniVGGNet.build(28, 28, 1, 10)
    images = preprocessing.reshape(pictures(50)[0])
    batched = evaluation.predict(model, images, batch_size=20)
    assert batched.shape == (50, 10)
    np.testing.assert_allclose(batched, np.asarray(model(scale(images))), rtol=1e-4, atol=1e-6)
