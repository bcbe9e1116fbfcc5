"""preprocessing.py: shapes, ranges, a fair split, honest flips."""

import numpy as np

from conftest import pictures
from pyimagesearch import preprocessing


def test_reshape_and_scale():
    images, _ = pictures(20)
    images[0, 0, :2] = 0, 255
    shaped = preprocessing.reshape(images)
    assert shaped.shape == (20, 28, 28, 1)
    assert shaped.dtype == np.uint8
    assert np.shares_memory(shaped, images)
    scaled = preprocessing.scale(shaped)
    assert scaled.dtype == np.float32
    assert (scaled.min(), scaled.max()) == (0.0, 1.0)
    np.testing.assert_allclose(scaled[..., 0] * 255, images, atol=1e-4)


def test_split_is_stratified_seeded_and_loses_nothing():
    labels = np.repeat(np.arange(10, dtype=np.uint8), 120)
    images = np.arange(1200)
    (train, train_labels), (validation, validation_labels) = preprocessing.split(images, labels, seed=3)
    assert (len(train), len(validation)) == (1100, 100)
    assert np.bincount(validation_labels).tolist() == [10] * 10
    assert sorted([*train, *validation]) == list(range(1200))
    np.testing.assert_array_equal(labels[train], train_labels)
    np.testing.assert_array_equal(preprocessing.split(images, labels, seed=3)[1][0], validation)
    assert (preprocessing.split(images, labels, seed=4)[1][0] != validation).any()


def test_flip_mirrors_about_half_left_to_right():
    images = preprocessing.reshape(np.random.default_rng(0).integers(0, 256, (400, 28, 28), dtype=np.uint8))
    before = images.copy()
    flipped = preprocessing.flip(images, np.random.default_rng(1))
    np.testing.assert_array_equal(images, before)
    mirrored = np.array([(new == old[:, ::-1]).all() for new, old in zip(flipped, images, strict=True)])
    same = np.array([(new == old).all() for new, old in zip(flipped, images, strict=True)])
    assert (mirrored ^ same).all()
    assert 150 < mirrored.sum() < 250


def test_describe_names_shape_dtype_and_range():
    line = preprocessing.describe("pictures", np.array([[3, 250]], np.uint8))
    assert line.split() == ["pictures", "shape", "(1,", "2)", "uint8", "3", "to", "250"]


def test_shift_moves_whole_pictures_and_brings_in_black():
    images = preprocessing.reshape(pictures(300)[0])
    moved = preprocessing.shift(images, np.random.default_rng(0), 1)
    assert moved.shape == images.shape
    assert moved.dtype == np.uint8
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    seen = set()
    for picture, sheet in zip(moved, padded, strict=True):
        places = [(y, x) for y in range(3) for x in range(3) if (sheet[y : y + 28, x : x + 28] == picture).all()]
        assert len(places) == 1
        seen.update(places)
    assert len(seen) == 9
