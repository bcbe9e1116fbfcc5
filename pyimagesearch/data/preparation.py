"""Prepare the images: choose, reshape, split, describe. They stay uint8 until a batch needs floats."""

import numpy as np

from pyimagesearch.data import randomness
from pyimagesearch.errors import UserError

VALIDATION_FRACTION = 1 / 12  # 5,000 of the 60,000 training images


def sample(labels, count):
    """Return the indices of `count` images, int (count,): the first, or a random sample if they are sorted by class.

    labels: (N,). Data with long runs of one class counts as sorted. The same labels give the same sample.
    """
    if np.count_nonzero(labels[1:] != labels[:-1]) > len(labels) / 10:
        return np.arange(len(labels))[:count]
    return np.random.default_rng(0).permutation(len(labels))[:count]


def reshape(images):
    """Add the channel axis that convolutions expect: (N, 28, 28) -> (N, 28, 28, 1), any dtype; a view, no copy."""
    return images[..., np.newaxis]


def split(images, labels, seed, validation=VALIDATION_FRACTION):
    """Hold out a part of the training images for validation, stratified by class.

    images: (N, ...); labels: (N,); validation: a fraction, or a number of images. Returns (images, labels) to train on
    and (images, labels) to validate on; the same seed gives the same split. At least one image of each class validates.
    Raises UserError if there are too few.
    """
    from sklearn.model_selection import train_test_split  # late: it takes a second to import

    classes, counts = np.unique(labels, return_counts=True)
    if counts.min() < 2:
        raise UserError(
            f"too few images for training and validation: {len(labels):,} of {len(classes)} classes; "
            "use at least two of each class"
        )
    if validation == VALIDATION_FRACTION and len(labels) * validation <= len(classes) - 1:
        validation = len(classes)
    train, held_out = train_test_split(
        np.arange(len(labels)),
        test_size=validation,
        stratify=labels,
        random_state=randomness.integer(seed, "split"),
    )
    return (images[train], labels[train]), (images[held_out], labels[held_out])


def describe(name, array):
    """Return one line about an array: its name, shape, dtype and range of values."""
    return f"  {name:<19} {array.shape!s:<18} {array.dtype!s:<7} {array.min():.3g} to {array.max():.3g}"
