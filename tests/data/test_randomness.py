"""randomness.py: one seed, independent streams."""

import numpy as np

from conftest import pictures
from pyimagesearch.data import randomness
from pyimagesearch.data.batches import Batches
from pyimagesearch.recipes import Recipe


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


def test_the_order_of_an_epoch_and_its_augmentation_are_independent():
    """Once they were not: the first batch of the first epoch was flipped by the numbers that had shuffled it."""
    images, labels = pictures(64)
    batches = Batches(images[..., None], labels, 10, 64, seed=5, recipe=Recipe(1, flip=True))
    order = np.arange(64)
    randomness.generator(5, "order", 0).shuffle(order)
    assert (batches.order == order).all()
    mirrored = randomness.generator(5, "augmentation", 0, 0).random(64) < 0.5
    expected = np.where(mirrored[:, None, None], images[order][:, :, ::-1], images[order])
    np.testing.assert_allclose(batches[0][0][..., 0] * 255, expected, atol=1e-4)
