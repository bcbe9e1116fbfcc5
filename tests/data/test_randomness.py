"""randomness.py: one seed, independent streams."""

import numpy as np

from pyimagesearch.data import randomness


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
