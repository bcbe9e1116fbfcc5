"""preparation.py: a stratified split, a sample that has all classes; randomness.py: one seed, independent streams."""

import numpy as np
import pytest

import fashion_mnist
from conftest import idx, pictures
from pyimagesearch.data import preparation, randomness
from pyimagesearch.data.idx import FILES
from pyimagesearch.errors import UserError


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
    assert (len(train), len(validation)) == (1100, 100)
    assert np.bincount(validation_labels).tolist() == [10] * 10
    assert sorted([*train, *validation]) == list(range(1200))
    np.testing.assert_array_equal(labels[train], train_labels)
    np.testing.assert_array_equal(preparation.split(images, labels, seed=3)[1][0], validation)
    assert (preparation.split(images, labels, seed=4)[1][0] != validation).any()


def test_describe_names_shape_dtype_and_range():
    line = preparation.describe("pictures", np.array([[3, 250]], np.uint8))
    assert line.split() == ["pictures", "(1,", "2)", "uint8", "3", "to", "250"]


@pytest.mark.parametrize(
    "labels, fits",
    [
        (np.arange(240) % 9 + 1, True),  # class 0 is missing
        (np.arange(16) % 3, True),  # a twelfth would be one image, for three classes
        (np.arange(200) % 100, True),
        (np.arange(199) % 100, False),
        (np.append(np.arange(240) % 9, 9), False),  # class 9 has a single image
    ],
)
def test_split_takes_any_classes_with_enough_images(labels, fits):
    if fits:
        (_, train), (_, validation) = preparation.split(labels, labels, seed=0)
        assert set(train) == set(validation) == set(labels)
    else:
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


def test_a_stream_is_what_numpy_spawns():
    spawned = np.random.SeedSequence(7).spawn(len(randomness.USES))
    for use, child in zip(randomness.USES, spawned, strict=True):
        assert (randomness.sequence(7, use).generate_state(4) == child.generate_state(4)).all()
    child = spawned[randomness.USES.index("augmentation")].spawn(3)[2].spawn(1)[0]
    assert (randomness.generator(7, "augmentation", 2, 0).random(5) == np.random.default_rng(child).random(5)).all()


def test_no_two_uses_draw_the_same_numbers():
    places = [(use, *indices) for use in randomness.USES for indices in ((), (0,), (1,), (0, 0), (0, 1), (1, 0))]
    drawn = [randomness.generator(seed, *place).integers(2**63) for seed in (0, 1) for place in places]
    assert len(set(drawn)) == len(drawn)
