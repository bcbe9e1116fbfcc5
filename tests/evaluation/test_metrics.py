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
    json.dumps(result)


def test_wilson_interval():
    # Wilson, k = 9300 of n = 10000, z = 1.959964: (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)
    labels = np.zeros(10_000, int)
    probabilities = np.tile(np.float32([0.9, 0.1]), (10_000, 1))
    probabilities[:700] = 0.1, 0.9
    low, high = metrics.evaluate(probabilities, labels, ("a", "b"))["accuracy_interval"]
    assert (low, high) == (pytest.approx(0.924832, abs=1e-6), pytest.approx(0.934837, abs=1e-6))


def test_top_2_accuracy_counts_the_two_most_probable_classes():
    assert metrics.evaluate(PROBABILITIES, LABELS, NAMES)["top_2_accuracy"] == 1
    assert metrics.evaluate(PROBABILITIES, np.array([2, 1, 1, 2]), NAMES)["top_2_accuracy"] == 0.75


def test_report_names_the_classes():
    text = metrics.report_text(PROBABILITIES, LABELS, NAMES)
    assert all(name in text for name in NAMES)
    assert "0.750" in text


def test_most_confused_pairs_count_both_directions():
    predicted, labels = np.array([1, 1, 0, 2, 2]), np.array([0, 0, 1, 2, 1])
    assert metrics.most_confused(predicted, labels, 3) == [(3, 0, 1), (1, 1, 2)]
    assert metrics.most_confused(labels, labels, 3) == []
    assert metrics.evaluate(PROBABILITIES, LABELS, NAMES)["most_confused"] == [[1, "cat", "dog"]]
    assert "most confused pairs (errors in both directions): cat / dog 1" in metrics.summary(
        metrics.evaluate(PROBABILITIES, LABELS, NAMES), 4
    )


def test_the_most_confident_mistakes_come_first_in_the_order_of_the_images_if_equal():
    probabilities = np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]])
    assert metrics.confident_mistakes(probabilities, np.array([1, 1, 1, 0, 0])).tolist() == [1, 4, 3, 0]
    assert metrics.confident_mistakes(probabilities, np.array([1, 1, 1, 0, 0]), count=2).tolist() == [1, 4]
    assert metrics.confident_mistakes(probabilities, probabilities.argmax(axis=1)).tolist() == []
