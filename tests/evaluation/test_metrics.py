"""metrics.py and calibration.py against cases worked out by hand."""

import json

import numpy as np
import pytest

from pyimagesearch.evaluation import calibration, metrics

NAMES = ("cat", "dog", "bird")
PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.1, 0.8, 0.1], [0.25, 0.25, 0.5]], np.float32)
LABELS = np.array([0, 1, 1, 2])


def test_metrics_by_hand():
    result = metrics.evaluate(PROBABILITIES, LABELS, NAMES)
    assert result["accuracy"] == 0.75
    assert result["cross_entropy"] == pytest.approx(-np.log([0.7, 0.4, 0.8, 0.5]).mean())
    assert result["confusion_matrix"] == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert result["report"]["dog"]["recall"] == result["report"]["cat"]["precision"] == 0.5
    assert result["accuracy_interval"] == pytest.approx([0.3006, 0.9544], abs=1e-4)  # Wilson's, 3 of 4
    json.dumps(result)
    assert result["top_2_accuracy"] == 1
    assert metrics.evaluate(PROBABILITIES, np.array([2, 1, 1, 2]), NAMES)["top_2_accuracy"] == 0.75
    report = metrics.evaluate(np.eye(4)[LABELS], LABELS, (*NAMES, "fish"))["report"]
    assert report["macro avg"]["recall"] == 1 and "fish" not in report  # an average over the classes that occur


def test_report_names_the_classes_in_80_columns():
    text = metrics.report_text(PROBABILITIES, LABELS, ("cat", "d" * 50, "bird"))
    lines = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    assert lines["cat"] == ["0.500", "1.000", "0.667", "1"] and lines["bird"] == ["1.000", "1.000", "1.000", "1"]
    assert "0.750" in text
    assert max(map(len, text.splitlines())) == 80


def test_summary_says_each_number_once_and_calls_it_by_its_name():
    result = metrics.evaluate(PROBABILITIES, LABELS, NAMES, temperature=0.5)
    result["tta"] = metrics.evaluate(PROBABILITIES[:, ::-1], LABELS, NAMES)
    before, after = result["calibration"]["error"], result["calibration_after_scaling"]["error"]
    text = "\n".join(metrics.summary(result, 4))
    assert "accuracy 75.00% on 4 test images" in text
    assert f"calibration error {before:.2%} (" in text and f"{after:.2%} after" in text and before != after
    assert "temperature 0.50" in text
    assert f"(horizontal flip): accuracy 25.00%, cross-entropy {result['tta']['cross_entropy']:.4f}" in text
    assert "cat / dog 1" in text


def test_most_confused_pairs_count_both_directions():
    predicted, labels = np.array([1, 1, 0, 2, 2]), np.array([0, 0, 1, 2, 1])
    assert metrics.most_confused(predicted, labels, 3) == [(3, 0, 1), (1, 1, 2)]
    assert metrics.most_confused(labels, labels, 3) == []
    assert metrics.evaluate(PROBABILITIES, LABELS, NAMES)["most_confused"] == [[1, "cat", "dog"]]


def test_calibration_by_hand():
    probabilities = np.array([*PROBABILITIES.tolist(), [1, 0, 0], [0.95, 0.05, 0]])
    result = calibration.calibration(probabilities, np.array([*LABELS, 0, 1]), bins=10)
    assert result["count"] == [2, 1, 1, 2]  # the two with confidence 0.5, one of them right, share a bin; so do 1, 0.95
    assert result["confidence"] == pytest.approx([0.5, 0.7, 0.8, 0.975])
    assert result["accuracy"] == [0.5, 1, 1, 0.5]
    assert result["error"] == pytest.approx((2 * 0 + 0.3 + 0.2 + 2 * 0.475) / 6)


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
    assert result["calibration"]["error"] > 0.15 and result["calibration_after_scaling"]["error"] < 0.02


@pytest.mark.parametrize("temperature", [0.1, 0.9, 1.1, 10])
def test_a_temperature_keeps_the_order_and_the_sum(temperature):
    probabilities = np.random.default_rng(0).dirichlet([1] * 10, 50)
    scaled = calibration.apply_temperature(probabilities, temperature)
    np.testing.assert_allclose(scaled.sum(axis=1), 1)
    np.testing.assert_array_equal(scaled.argsort(axis=1), probabilities.argsort(axis=1))
    assert ((scaled.max(axis=1) > probabilities.max(axis=1)) == (temperature < 1)).all()


def test_a_temperature_at_its_bound_is_not_used():
    certain = np.eye(3)[[0, 1, 2]] * 0.5 + 0.5 / 3  # right each time: the lower, the better
    assert calibration.fit_temperature(certain, np.array([0, 1, 2])) == 1
    assert calibration.fit_temperature(certain, np.array([1, 2, 0])) == 1  # wrong each time
