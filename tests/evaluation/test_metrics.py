"""metrics.py against cases worked out by hand."""

import json
import math

import numpy as np
import pytest

from pyimagesearch.evaluation import metrics

NAMES = ("cat", "dog", "bird")
PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.1, 0.8, 0.1], [0.25, 0.25, 0.5]], np.float32)
LABELS = np.array([0, 1, 1, 2])


def test_metrics_by_hand():
    result = metrics.evaluate(PROBABILITIES, LABELS, NAMES)
    assert result["accuracy"] == 0.75
    assert result["cross_entropy"] == pytest.approx(
        -(math.log(0.7) + math.log(0.4) + math.log(0.8) + math.log(0.5)) / 4
    )
    assert result["confusion_matrix"] == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert result["report"]["dog"]["recall"] == 0.5
    assert result["report"]["cat"]["precision"] == 0.5
    assert result["accuracy_interval"] == pytest.approx([0.3006, 0.9544], abs=1e-4)  # Wilson's, 3 of 4
    json.dumps(result)
    assert result["top_2_accuracy"] == 1
    assert metrics.evaluate(PROBABILITIES, np.array([2, 1, 1, 2]), NAMES)["top_2_accuracy"] == 0.75


def test_report_names_the_classes_in_80_columns():
    text = metrics.report_text(PROBABILITIES, LABELS, ("cat", "d" * 50, "bird"))
    lines = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    assert lines["cat"] == ["0.500", "1.000", "0.667", "1"] and lines["bird"] == ["1.000", "1.000", "1.000", "1"]
    assert "0.750" in text
    assert max(map(len, text.splitlines())) == 80


def test_averages_are_over_the_classes_that_occur():
    report = metrics.evaluate(np.eye(4)[LABELS], LABELS, (*NAMES, "fish"))["report"]
    assert report["macro avg"]["recall"] == 1
    assert "fish" not in report


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


def test_the_most_confident_mistakes_come_first_in_the_order_of_the_images_if_equal():
    probabilities = np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]])
    assert metrics.confident_mistakes(probabilities, np.array([1, 1, 1, 0, 0])).tolist() == [1, 4, 3, 0]
    assert metrics.confident_mistakes(probabilities, np.array([1, 1, 1, 0, 0]), count=2).tolist() == [1, 4]
    assert metrics.confident_mistakes(probabilities, probabilities.argmax(axis=1)).tolist() == []
