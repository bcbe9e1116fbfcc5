"""On the genuine Fashion-MNIST: the numbers that everybody quotes, and a network that learns."""

import json
import re

import pytest

from conftest import ROOT

pytestmark = pytest.mark.real_data


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
