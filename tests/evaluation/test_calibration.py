"""calibration.py against cases worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyimagesearch.evaluation import calibration, metrics


def test_calibration_by_hand():
    # confidence 0.7, right; 0.5, wrong; 0.8, right; 0.5, right: the two 0.5 share a bin
    probabilities = np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.1, 0.8, 0.1], [0.25, 0.25, 0.5]])
    result = calibration.calibration(probabilities, np.array([0, 1, 1, 2]), bins=10)
    assert result["count"] == [2, 1, 1]
    assert result["confidence"] == pytest.approx([0.5, 0.7, 0.8])
    assert result["accuracy"] == [0.5, 1, 1]
    assert result["error"] == pytest.approx((2 * 0 + 0.3 + 0.2) / 4)


def test_temperature_is_found_and_mends_overconfidence():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 5))
    truth = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (truth.cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)
    too_sure = np.exp(3 * logits) / np.exp(3 * logits).sum(axis=1, keepdims=True)
    temperature = calibration.fit_temperature(too_sure, labels)
    assert temperature == pytest.approx(3, rel=0.05)
    np.testing.assert_allclose(calibration.apply_temperature(too_sure, 3.0), truth, atol=1e-6)
    result = metrics.evaluate(too_sure, labels, tuple("abcde"), temperature)
    assert result["calibration"]["error"] > 0.15
    assert result["calibration_after_scaling"]["error"] < 0.02


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=12, unique=True), st.floats(0.1, 10))
def test_a_temperature_keeps_the_order_and_the_sum(weights, temperature):
    probabilities = np.array(weights) / sum(weights)
    scaled = calibration.apply_temperature(probabilities, temperature)
    assert scaled.sum() == pytest.approx(1)
    assert (np.diff(scaled[probabilities.argsort()]) >= 0).all()
    surer = np.sign(round(scaled.max() - probabilities.max(), 9))
    assert surer == np.sign(round(1 - temperature, 9)) or abs(scaled.max() - probabilities.max()) < 1e-6


def test_a_confidence_of_one_is_in_the_last_bin():
    result = calibration.calibration(np.array([[1.0, 0.0], [0.95, 0.05], [0.0, 1.0]]), np.array([0, 0, 0]), bins=10)
    assert result["count"] == [3]
    assert result["confidence"] == pytest.approx([2.95 / 3])
    assert result["accuracy"] == pytest.approx([2 / 3])


def test_a_temperature_at_its_bound_is_not_used():
    certain = np.eye(3)[[0, 1, 2]] * 0.5 + 0.5 / 3  # right each time: the lower, the better
    assert calibration.fit_temperature(certain, np.array([0, 1, 2])) == 1
    assert calibration.fit_temperature(certain, np.array([1, 2, 0])) == 1  # wrong each time
