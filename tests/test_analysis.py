"""initial_data_analysis.py: what it prints of a convolution, of augmentation and of labels that neighbors dispute."""

import argparse
import re

import numpy as np
import pytest
from test_explain import network, save_network

import initial_data_analysis as script
from conftest import idx, pictures
from pyimagesearch.data.idx import FILES
from pyimagesearch.data.loading import CLASS_NAMES
from pyimagesearch.errors import UserError
from pyimagesearch.evaluation import neighbors
from pyimagesearch.model_files import reading, saving
from pyimagesearch.recipes import RECIPES


def test_augmentation_says_what_is_done_and_cutmix_mixes_labels_by_area(capsys, monkeypatch):
    monkeypatch.delitem(RECIPES, "best")  # it is there to be edited
    images, labels = pictures(100)
    drawn = script.describe_augmentation(images, labels, CLASS_NAMES)
    captions, (image, mirrored, shifted, *_, one, other, mixed) = zip(*drawn, strict=True)
    np.testing.assert_array_equal(mirrored, images[0, :, ::-1])
    assert captions[1] == f"mirrored\n{(mirrored != image).mean():.0%} of pixels differ"
    np.testing.assert_array_equal(shifted[:-1, :-1], image[1:, 1:])
    np.testing.assert_array_equal([image, one, other], images[[0, 0, 1]])
    rows, columns = np.nonzero(mixed != image)
    patch = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    np.testing.assert_array_equal(mixed[patch], other[patch])
    own, added = (CLASS_NAMES[number] for number in labels[:2])
    fractions = re.fullmatch(rf"(0\.\d\d) {own}\n\+ (0\.\d\d) {added}", captions[-1]).groups()
    assert float(fractions[1]) == pytest.approx(mixed[patch].size / 784, abs=0.1)
    assert sum(map(float, fractions)) == pytest.approx(1)
    printed = " ".join(capsys.readouterr().out.split())
    assert f"mixes the labels: {fractions[0]} {own} + {fractions[1]} {added}" in printed


def test_the_accuracy_without_disputed_labels_and_its_caveat(tmp_path, capsys):
    images, labels = pictures(300, 1)
    test_images, test_labels = pictures(100, 2)
    test_labels[[4, 55]] = (test_labels[[4, 55]] + 3) % 10  # two wrong labels
    test_labels[9] = 0  # and a third, with which the network agrees: it takes all images of class 9 for class 0
    model = network()
    kernel, bias = model.layers[1].get_weights()
    kernel[:, 9], bias[0] = 0, 1
    model.layers[1].set_weights([kernel, bias])
    saving.save(model, tmp_path / "model.h5", {"input_range": saving.INPUT_RANGE})
    near = neighbors.nearest_neighbors(*neighbors.project(images, test_images))
    args, contents = argparse.Namespace(model="model.h5", csv=None), reading.read(tmp_path / "model.h5")
    script.describe_labels(args, contents, (images, labels), (test_images, test_labels), near, CLASS_NAMES)
    printed = " ".join(capsys.readouterr().out.split())
    assert "train: 0 of 300 images" in printed and "test: 3 of 100 images" in printed
    assert "model.h5: test accuracy 89.00%, 11 mistakes, of which 2 on these 3 images (for 2 it predicts" in printed
    assert "Accuracy without these images: 90.72%. The network helped to choose none of them" in printed  # 88 of 97
    assert "Not all of these labels are wrong" in printed and "may mislead a network too" in printed


def write(folder, images, labels):
    for part in FILES.values():
        for name, array in zip(part, (images, labels), strict=True):
            (folder / name).write_bytes(idx(array))


IMAGES, LABELS = pictures(40)


def test_data_that_cannot_be_analyzed_is_a_sentence(tmp_path):
    save_network(tmp_path / "model.h5")
    flags = ["--data-dir", tmp_path, "--any-data", "--images", tmp_path, "--model", tmp_path / "model.h5"]
    for images, labels, message in (
        (IMAGES[:10], LABELS[:10], "the 10 training images are too few"),
        (IMAGES * 0, LABELS, "all alike"),
        (IMAGES, LABELS + np.uint8(1), "model.h5 knows 10 classes, .* go up to 10; use the data"),
    ):
        write(tmp_path, images, labels)
        with pytest.raises(UserError, match=message):
            script.main(flags)


def test_the_classes_are_counted_and_what_guessing_is_worth(capsys):
    images, names = np.zeros((6, 28, 28), np.uint8), ["cat", "dog", "eel", "fox"]
    images[:2] = [[[0]], [[200]]]  # class 1 varies most
    means = script.describe_classes(images, np.array([1, 1, 0, 2, 1, 1]), np.array([0, 1, 1, 0, 0]), names)
    np.testing.assert_allclose(np.mean(means, axis=(1, 2)), [0, 50, 0, 0])
    printed = capsys.readouterr().out
    rows = re.findall(r"^ +(\d) (\w+) +(\d) +(\d)$", printed, re.M)
    assert rows == [("0", "cat", "1", "3"), ("1", "dog", "4", "2"), ("2", "eel", "1", "0"), ("3", "fox", "0", "0")]
    assert "of 40%" in printed and "not balanced" in printed  # 2 of 5 test images are dogs


def test_every_line_fits_a_terminal_of_60_columns_and_those_of_arrays_80(tmp_path, capsys, monkeypatch):
    order = np.argsort(LABELS, kind="stable")
    write(tmp_path, IMAGES[order], LABELS[order])
    monkeypatch.setenv("COLUMNS", "60")
    script.main(["--data-dir", tmp_path, "--any-data", "--images", tmp_path])
    lines = [line for line in capsys.readouterr().out.splitlines() if str(tmp_path) not in line]  # a path stays whole
    assert any("5 nearest neighbors" in line for line in lines)
    assert [line for line in lines if len(line) > (80 if "uint8" in line else 60)] == []
