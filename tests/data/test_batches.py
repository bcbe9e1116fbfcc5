"""batches.py: full batches, augmentation by its name; preparation.py: split and sample; randomness.py: one seed."""

import itertools
import os

import numpy as np
import pytest
from keras.ops import convert_to_tensor as tensor

import fashion_mnist
from conftest import data, idx, pictures
from pyimagesearch.data import batches as augmentation
from pyimagesearch.data import preparation, randomness
from pyimagesearch.data.batches import Batches
from pyimagesearch.data.idx import FILES
from pyimagesearch.errors import UserError
from pyimagesearch.recipes import Recipe


def noise(count, seed=0):
    """Return uint8 images (N, 28, 28, 1) in which no two pixels are alike for long."""
    return np.random.default_rng(seed).integers(1, 256, (count, 28, 28, 1), dtype=np.uint8)


def epoch_of(batches):
    return [batches[index] for index in range(len(batches))]


def test_batches_are_full_and_of_different_images_in_a_new_order_each_epoch():
    images = np.arange(250, dtype=np.uint8)[:, None, None, None].repeat(28, 1).repeat(28, 2)
    labels = (np.arange(250) % 10).astype(np.uint8)
    batches = Batches(images, labels, 10, 64, seed=1)
    orders = []
    for _ in range(2):
        parts = epoch_of(batches)
        assert [len(x) for x, _ in parts] == [64, 64, 64]
        values, targets = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        order = np.rint(values[:, 0, 0, 0] * 255).astype(int)
        assert len(set(order)) == 192  # the 58 left over have their turn another time
        np.testing.assert_array_equal(targets.argmax(axis=1), order % 10)
        assert (targets.sum(axis=1) == 1).all()
        orders.append(order)
        batches.on_epoch_end()
    assert (orders[0] != orders[1]).any()
    assert parts[0][0].dtype == parts[0][1].dtype == np.float32


def test_few_images_are_one_batch_and_without_a_seed_all_come_in_order():
    images, labels = data(100)
    assert [len(x) for x, _ in epoch_of(Batches(images, labels, 10, 128, seed=1))] == [100]
    inputs, targets = map(np.concatenate, zip(*epoch_of(Batches(images, labels, 10, 30)), strict=True))
    np.testing.assert_array_equal(inputs, images / np.float32(255))
    np.testing.assert_array_equal(targets.argmax(axis=1), labels)


def test_batches_repeat_by_seed_and_are_augmented_differently_in_each_epoch_and_batch():
    def four_batches(seed):
        images = noise(1).repeat(128, axis=0)  # so that the order does not matter
        batches = Batches(images, np.zeros(128, int), 10, 64, seed=seed, recipe=Recipe(1, flip=True))
        first = [x for x, _ in epoch_of(batches)]
        batches.on_epoch_end()
        return np.array(first + [x for x, _ in epoch_of(batches)])

    seen = four_batches(5)
    np.testing.assert_array_equal(seen, four_batches(5))
    assert all((seen[one] != seen[other]).any() for one in range(4) for other in range(one))
    assert (seen != four_batches(6)).any()


def test_one_thread_makes_the_batches_where_no_semaphore_can_be_made(monkeypatch):
    monkeypatch.setattr(augmentation.multiprocessing, "Lock", lambda: os.stat("/no/such/file"))
    assert Batches(*data(30), 10, 10, seed=1).workers == 1


def test_flip_mirrors_half_of_the_images_left_to_right():
    images = noise(1000)
    before = images.copy()
    flipped = augmentation.flip(images, np.random.default_rng(1))
    np.testing.assert_array_equal(images, before)
    mirrored = (flipped == images[:, :, ::-1]).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(flipped[~mirrored], images[~mirrored])
    assert 400 < mirrored.sum() < 600


def test_shift_moves_whole_images_and_brings_in_black():
    images = noise(1000)
    shifted = augmentation.shift(images, np.random.default_rng(1), 2)
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    moves, seen = [(row, column) for row in range(5) for column in range(5)], set()
    for image, sheet in zip(shifted, padded, strict=True):
        (move,) = ((r, c) for r, c in moves if (image == sheet[r : r + 28, c : c + 28]).all())
        seen.add(move)
    assert seen == set(moves)
    assert shifted.dtype == np.uint8


def test_stretch_scales_about_the_middle_independently_in_height_and_width():
    square = np.pad(np.full((2000, 20, 20, 1), 9, np.uint8), [(0, 0), (4, 4), (4, 4), (0, 0)])
    stretched = augmentation.stretch(square, np.random.default_rng(1), 10)[..., 0]
    height, width = stretched.any(axis=2).sum(axis=1), stretched.any(axis=1).sum(axis=1)
    for side in (height, width):
        assert {18, 20, 22} <= set(side) <= set(range(18, 23))
    assert abs(np.corrcoef(height, width)[0, 1]) < 0.1
    first, last = stretched.any(axis=2).argmax(axis=1), stretched[:, ::-1].any(axis=2).argmax(axis=1)
    assert (abs(first - last) <= 1).all()
    assert set(np.unique(stretched)) == {0, 9}
    np.testing.assert_array_equal(augmentation.stretch(noise(9), np.random.default_rng(1), 0), noise(9))


def test_cutmix_pastes_patches_and_mixes_labels_by_their_area():
    images = np.arange(1000, dtype=np.uint16).repeat(784).reshape(1000, 28, 28, 1)
    targets = np.eye(1000, dtype=np.float32)
    mixed, mixed_targets = augmentation.cutmix(images, targets, np.random.default_rng(2), 0.5)
    patches = mixed[..., 0] != np.arange(1000)[:, None, None]
    areas = patches.mean(axis=(1, 2))
    for number, (image, patch, area) in enumerate(zip(mixed[..., 0], patches, areas, strict=True)):
        expected = (1 - area) * targets[number]
        if area:
            (other,) = set(image[patch])
            rows, columns = np.flatnonzero(patch.any(axis=1)), np.flatnonzero(patch.any(axis=0))
            assert patch[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()  # one rectangle
            expected += area * targets[other]
        np.testing.assert_allclose(mixed_targets[number], expected, atol=1e-5)
    assert 0.4 < (areas > 0).mean() < 0.55
    assert np.quantile(areas[areas > 0], [0.5, 1]) == pytest.approx([0.3, 1], abs=0.15)


SKEW = np.array([-0.1, 0.1, 0.1, 0.1, *[0] * 6])
EDITS = [
    (None, "into 0.0 to 1.0"),
    (lambda images, targets: (images[:, 2:], targets), r"\(20, 26, 28, 1\)"),
    (lambda images, targets: (images, targets[:, :5]), "into .20, 5."),
    (lambda images, targets: (tensor(images / 255), targets), "do not divide there"),
    (lambda images, targets: (images * 1.8, targets), "not from 0 to 255"),
    (lambda images, targets: (images - 9.0, targets), "not from 0 to 255"),
    (lambda images, targets: (images * np.nan, targets), "not from 0 to 255"),
    (lambda images, targets: (images, 2 * targets), "with the sum 1"),
    (lambda images, targets: (images, 0.8 * targets + SKEW), "with the sum 1"),
]


@pytest.mark.parametrize("edit, words", EDITS)
def test_an_edit_that_the_other_scripts_would_not_know_is_refused(monkeypatch, capsys, edit, words):
    arguments = noise(40), np.arange(40) % 10, 10, 20, 1, Recipe(1)
    batches = Batches(*arguments)
    images, labels, *more = arguments
    wrong = (images / 255, labels, "pixels are float64"), (images.repeat(3, axis=3), labels, r"28, 3\)")
    for pixels, numbers, told in (*wrong, (images, labels[:, None], r"labels \(40, 1\)")):
        with pytest.raises(UserError, match=told):
            Batches(pixels, numbers, *more)
    for scaled in (lambda self, k: (batches[k][0] / 255, 0), lambda self, k: (batches[k][0] * 3 - 1, 0)):
        with pytest.raises(UserError, match="__getitem__.* into 0.0 to 1.0"):
            type("Mine", (Batches,), {"__getitem__": scaled})(*arguments)
    halves = itertools.cycle((1, 2))
    monkeypatch.setattr(Batches, "augment", lambda self, images, targets, rng: (images // next(halves), targets))
    Batches(*arguments)
    assert "that the seed does not decide" in capsys.readouterr().err
    monkeypatch.setattr(Batches, "augment", lambda self, images, targets, rng: (255.0001 + 0 * images, targets))
    assert Batches(*arguments)[1][0].max() == pytest.approx(1)  # a mix of images may exceed 255 by its last digit
    if edit:
        monkeypatch.setattr(Batches, "augment", lambda self, images, targets, rng: edit(images, targets))
    else:
        monkeypatch.setattr(augmentation, "scale", lambda images: images / np.float32(127.5) - 1)
    for wrong in (lambda: Batches(*arguments), lambda: batches[1]):
        with pytest.raises(UserError, match=f"data/batches.py.*{words}"):
            wrong()


def test_a_sample_is_the_first_images_unless_they_are_sorted_by_class():
    mixed = np.random.default_rng(0).integers(0, 10, 5000)
    assert preparation.sample(mixed, 240).tolist() == list(range(240))
    assert preparation.sample(mixed, 9999).tolist() == list(range(5000))
    for labels in (np.sort(mixed), np.sort(mixed)[::-1], np.repeat([3, 0, 2, 1], 500)):
        chosen = preparation.sample(labels, 240)
        assert len(set(chosen)) == 240
        assert np.bincount(labels[chosen]).min() > 5
        assert chosen.tolist() == preparation.sample(labels, 240).tolist()


def test_split_is_stratified_seeded_and_loses_nothing():
    labels = np.repeat(np.arange(10, dtype=np.uint8), 120)
    images = np.arange(1200)
    (train, train_labels), (validation, validation_labels) = preparation.split(images, labels, seed=3)
    assert np.bincount(validation_labels).tolist() == [10] * 10
    assert sorted([*train, *validation]) == list(range(1200))
    np.testing.assert_array_equal(labels[train], train_labels)
    np.testing.assert_array_equal(preparation.split(images, labels, seed=3)[1][0], validation)
    assert (preparation.split(images, labels, seed=4)[1][0] != validation).any()


def test_split_takes_any_classes_with_enough_images():
    # class 0 is missing; a twelfth would be one image, for three classes; two images of each class
    for labels in (np.arange(240) % 9 + 1, np.arange(16) % 3, np.arange(200) % 100):
        (_, train), (_, validation) = preparation.split(labels, labels, seed=0)
        assert set(train) == set(validation) == set(labels)
    for labels in (np.arange(199) % 100, np.append(np.arange(240) % 9, 9)):  # one class has a single image
        with pytest.raises(UserError, match=f"too few images .*: {len(labels):,} of {len(set(labels))} classes; use"):
            preparation.split(labels, labels, seed=0)


def test_limit_keeps_images_and_labels_together(tmp_path, monkeypatch):
    def split(images, labels, seed):
        raise UserError(images[..., 0], labels)

    images, labels = pictures(600)
    order = np.argsort(labels, kind="stable")
    for name, array in zip(FILES["train"], (images[order], labels[order]), strict=True):
        (tmp_path / name).write_bytes(idx(array))
    monkeypatch.setattr(preparation, "split", split)
    flags = ["--limit", 240, "--data-dir", tmp_path, "--any-data", "--images", tmp_path, "--model", tmp_path / "m.h5"]
    with pytest.raises(UserError) as caught:
        fashion_mnist.main(flags)
    chosen, theirs = caught.value.args
    assert chosen.shape == (240, 28, 28) and np.bincount(theirs).min() > 5
    for image, label in zip(chosen, theirs, strict=True):
        assert image[2 * label + 4 : 2 * label + 6, 4:24].min() == 220  # the bar of its class


def test_no_two_uses_draw_the_same_numbers_and_each_what_numpy_spawns_for_it():
    child = np.random.SeedSequence(7).spawn(5)[4].spawn(3)[2].spawn(1)[0]
    assert (randomness.generator(7, "augmentation", 2, 0).random(5) == np.random.default_rng(child).random(5)).all()
    places = [(use, *indices) for use in randomness.USES for indices in ((), (0,), (1,), (0, 0), (0, 1), (1, 0))]
    drawn = [randomness.generator(seed, *place).integers(2**63) for seed in (0, 1) for place in places]
    assert len(set(drawn)) == len(drawn)
