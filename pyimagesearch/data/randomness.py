"""Random numbers from one seed: a stream of its own for each use, so that no two uses draw the same numbers."""

import numpy as np

# The order counts: a new use goes to the end, or the numbers of the others change.
USES = ("split", "weights", "whitening", "order", "augmentation")  # dropout draws from what Keras spawns of "weights"


def sequence(seed, use, *indices):
    """Return the np.random.SeedSequence of a use, one of USES; with indices (epoch, batch), of this part of it.

    It is what np.random.SeedSequence(seed).spawn() would return at that place. A plain np.random.default_rng([seed, 0])
    would draw the same numbers as np.random.default_rng(seed).
    """
    return np.random.SeedSequence(seed, spawn_key=(USES.index(use), *indices))


def generator(seed, use, *indices):
    """Return a NumPy random generator with the sequence of this use."""
    return np.random.default_rng(sequence(seed, use, *indices))


def integer(seed, use):
    """Return the seed of this use for a library that wants a whole number, 0 to 2**32 - 1."""
    return int(sequence(seed, use).generate_state(1)[0])
