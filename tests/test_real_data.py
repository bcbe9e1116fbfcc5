"""On the genuine Fashion-MNIST: the numbers that everybody quotes, and a network that learns."""

import json
import re

import numpy as np
import pytest

from conftest import ROOT
from pyimagesearch.data import loading

pytestmark = pytest.mark.real_data


def test_csv_of_the_test_images_in_another_order_is_genuine(genuine, tmp_path, capsys):
    images, labels = loading.load_part("test", genuine)
    order = np.random.default_rng(0).permutation(len(labels))
    table = np.column_stack([labels, images.reshape(len(images), -1)])[order]
    header = ",".join(["label", *(f"pixel{k}" for k in range(1, 785))])
    np.savetxt(tmp_path / "fashion-mnist_test.csv", table, "%d", ",", header=header, comments="")
    found, found_labels = loading.load_part("test", tmp_path)  # checks the SHA-256 sum
    np.testing.assert_array_equal(found, images[order])
    np.testing.assert_array_equal(found_labels, labels[order])
    assert "another order" in capsys.readouterr().out


def test_a_short_training_learns(run, genuine, tmp_path):
    data = ("--data-dir", genuine)
    trained = run("fashion_mnist.py", *data, "--limit", 4000, "--epochs", 2, "--batch-size", 64, check=0)
    evaluated = run("fashion_mnist_loaded.py", *data, "--json", "result.json", check=0)
    assert (trained.stderr, evaluated.stderr) == ("", "")
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["accuracy"] > 0.75 and "Ankle boot" in result["report"]


def test_the_first_look_prints_the_published_numbers_and_those_of_the_lesson(run, genuine, tmp_path):
    done = run("initial_data_analysis.py", "--data-dir", genuine, check=0)
    assert done.stderr == ""
    for text in ("(60000, 28, 28)", "6,000", "mean 72.94, standard deviation 90.02", "fraction of zero pixels: 50.2%"):
        assert text in done.stdout
    lesson, labels = ((ROOT / page).read_text() for page in ("README.md", "pyimagesearch/evaluation/README.md"))
    for method, printed in ("nearest mean image", "nearest class mean"), ("five nearest images", "5 nearest neighbors"):
        accuracy = re.search(rf"{method} +\| +([0-9.]+%)", lesson)[1]
        assert f"{printed}: {accuracy} of" in done.stdout
    for part in re.search(r"For (\d+ of 60,000) training images and (\d+ of 10,000) test images", labels).groups():
        assert f"{part} images" in done.stdout
    assert (tmp_path / "images/samples.png").exists()
