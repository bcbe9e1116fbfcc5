"""initial_data_analysis.py: what it prints of a convolution, of augmentation and of labels that neighbors dispute."""

import argparse
import re

import numpy as np
from test_explain import network

import initial_data_analysis as script
from conftest import pictures
from pyimagesearch.data.loading import CLASS_NAMES
from pyimagesearch.evaluation import neighbors
from pyimagesearch.model_files import reading, saving


def test_the_printed_convolution_adds_up(capsys):
    image = pictures(10)[0][3]
    returned, kernel, (row, column), feature_map, pooled = script.describe_convolution(image)
    printed = capsys.readouterr().out
    lines = [list(map(int, line.split())) for line in re.findall(r"^[ \d-]+$", printed, re.M)]
    assert len(lines) == 3
    pixels, weights, products = np.split(np.array(lines), 3, axis=1)
    np.testing.assert_array_equal(pixels, image[row - 1 : row + 2, column - 1 : column + 2])
    np.testing.assert_array_equal(weights, kernel)
    np.testing.assert_array_equal(products, pixels * kernel)
    assert f"sum: {products.sum()}, the number of the feature map at row {row}, column {column}" in printed
    assert feature_map[row, column] == products.sum()
    assert pooled.shape == (14, 14) and returned is image


def test_augmentation_keeps_the_label_and_cutmix_mixes_it_by_area(capsys):
    images, labels = pictures(100)
    image, versions, name, other, mixed, parts = script.describe_augmentation(images, labels, CLASS_NAMES)
    assert name == "Shirt" and versions.shape == (8, 28, 28) and versions.dtype == np.uint8
    np.testing.assert_array_equal(image, images[6])
    assert all((version != image).any() for version in versions)
    (own, first), (added, second) = parts
    assert (first, second) == ("Shirt", CLASS_NAMES[0])
    patch = mixed != image
    rows, columns = np.flatnonzero(patch.any(axis=1)), np.flatnonzero(patch.any(axis=0))
    inside = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    np.testing.assert_array_equal(mixed[inside], other[inside])
    assert abs(added - mixed[inside].size / 784) < 0.1 and 0.2 < added < 0.4 and abs(own + added - 1) < 1e-6
    assert f"the label becomes {own:.2f} Shirt + {added:.2f} T-shirt/top" in capsys.readouterr().out
    # Other data has no shirts.
    assert script.describe_augmentation(images, labels, tuple("abcdefghij"))[2] == "a"


def test_the_accuracy_without_disputed_labels_and_its_caveat(tmp_path, capsys):
    images, labels = pictures(300, 1)
    test_images, test_labels = pictures(100, 2)
    test_labels[[4, 55]] = (test_labels[[4, 55]] + 3) % 10  # two wrong labels; this network makes no other mistake
    saving.save(network(), tmp_path / "model.h5", {"input_range": saving.INPUT_RANGE})
    near = neighbors.nearest_neighbors(*neighbors.project(images, test_images))
    args = argparse.Namespace(model="model.h5", csv=None)
    contents = reading.read(tmp_path / "model.h5")
    script.describe_labels(args, contents, (images, labels), (test_images, test_labels), near, CLASS_NAMES)
    printed = " ".join(capsys.readouterr().out.split())
    assert "test: 2 of 100 images" in printed
    assert "model.h5: test accuracy 98.00%, 2 mistakes, of which 2 on these 2 images (for 2 it predicts" in printed
    assert "Accuracy without these images: 100.00%. The network helped to choose none of them" in printed
    assert "not all of these labels are wrong" in printed
