"""preparation.py: shapes, ranges, a stratified split."""

import numpy as np

from conftest import pictures
from pyimagesearch.data import preparation


def test_reshape_and_scale():
    images, _ = pictures(20)
    images[0, 0, :2] = 0, 255
    shaped = preparation.reshape(images)
    assert shaped.shape == (20, 28, 28, 1)
    assert shaped.dtype == np.uint8
    assert np.shares_memory(shaped, images)
    scaled = preparation.scale(shaped)
    assert scaled.dtype == np.float32
    assert (scaled.min(), scaled.max()) == (0.0, 1.0)
    np.testing.assert_allclose(scaled[..., 0] * 255, images, atol=1e-4)


def test_split_is_stratified_seeded_and_loses_nothing():
    labels = np.repeat(np.arange(10, dtype=np.uint8), 120)
    images = np.arange(1200)
    (train, train_labels), (validation, validation_labels) = preparation.split(images, labels, seed=3)
    assert (len(train), len(validation)) == (1100, 100)
    assert np.bincount(validation_labels).tolist() == [10] * 10
    assert sorted([*train, *validation]) == list(range(1200))
    np.testing.assert_array_equal(labels[train], train_labels)
    np.testing.assert_array_equal(preparation.split(images, labels, seed=3)[1][0], validation)
    assert (preparation.split(images, labels, seed=4)[1][0] != validation).any()


def test_flip_mirrors_the_chosen_left_to_right():
    images = preparation.reshape(np.random.default_rng(0).integers(0, 256, (400, 28, 28), dtype=np.uint8))
    before = images.copy()
    chosen = np.random.default_rng(1).random(400) < 0.5
    flipped = preparation.flip(images, chosen)
    np.testing.assert_array_equal(images, before)
    np.testing.assert_array_equal(flipped[chosen], images[chosen][:, :, ::-1])
    np.testing.assert_array_equal(flipped[~chosen], images[~chosen])


def test_describe_names_shape_dtype_and_range():
    line = preparation.describe("pictures", np.array([[3, 250]], np.uint8))
    assert line.split() == ["pictures", "shape", "(1,", "2)", "uint8", "3", "to", "250"]


def test_gather_moves_whole_pictures_and_brings_in_black():
    images = preparation.reshape(pictures(9)[0])
    up, left = np.divmod(np.arange(9), 3) - np.array([[1], [1]])
    rows, columns = (preparation.sources(28, moved[:, None], 100) for moved in (up, left))
    moved = preparation.gather(images, rows, columns)
    assert moved.dtype == np.uint8
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    for picture, sheet, row, column in zip(moved, padded, up + 1, left + 1, strict=True):
        np.testing.assert_array_equal(picture, sheet[row : row + 28, column : column + 28])
    np.testing.assert_array_equal(moved[4], images[4])
    np.testing.assert_array_equal(moved[0, 1:, 1:], images[0, :-1, :-1])
    assert not moved[0, 0].any()


def test_sources_scale_about_the_middle():
    found = preparation.sources(4, 0, np.array([[200], [100], [50]]))
    np.testing.assert_array_equal(found, [[1, 1, 2, 2], [0, 1, 2, 3], [-1, 1, 3, 5]])
    for percent in (90, 95, 110):
        found = preparation.sources(28, 0, np.array([[percent]]))[0]
        np.testing.assert_allclose(found, (np.arange(28) - 13.5) * 100 / percent + 13.5, atol=0.5)
    square = np.zeros((1, 28, 28, 1), np.uint8)
    square[0, 4:24, 4:24] = 9
    rows, columns = preparation.sources(28, 0, np.array([[90]])), preparation.sources(28, 0, np.array([[110]]))
    stretched = preparation.gather(square, rows, columns)[0, :, :, 0]
    assert (stretched.any(axis=1).sum(), stretched.any(axis=0).sum()) == (18, 22)


def test_paste_fills_the_rectangle_and_nothing_else():
    images = preparation.reshape(np.full((2, 28, 28), 7, np.uint8))
    rectangles = np.array([[3, 0], [5, 0], [10, 4], [28, 9]])
    for others, value in ((np.uint8(0), 0), (np.full_like(images, 9), 9)):
        pasted = preparation.paste(images, others, *rectangles)
        assert pasted.dtype == np.uint8
        assert (pasted[0, 3:5, 10:28] == value).all()
        assert (pasted == 7).sum() == 2 * 784 - 2 * 18
    assert (images == 7).all()
