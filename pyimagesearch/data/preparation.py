"""Prepare the images: reshape, split, describe. They stay uint8 until a batch needs floats."""

import numpy as np

from pyimagesearch.errors import UserError

VALIDATION_FRACTION = 1 / 12  # 5,000 of the 60,000 training images


def reshape(images):
    """Add the channel axis that convolutions expect: (N, 28, 28) -> (N, 28, 28, 1), any dtype; a view, no copy."""
    return images[..., np.newaxis]


def split(images, labels, seed):
    """Hold out a twelfth of the training images for validation, stratified by class.

    images: (N, ...), any dtype; labels: (N,), integers. Returns (images, labels) to train on and (images, labels) to
    validate on. The same seed gives the same split. Raises UserError if a class has a single image, or if the
    validation images would be fewer than the classes.
    """
    from sklearn.model_selection import train_test_split  # late: it takes a second to import

    classes, counts = np.unique(labels, return_counts=True)
    if counts.min() < 2 or len(labels) * VALIDATION_FRACTION <= len(classes) - 1:
        raise UserError(
            f"too few images for training and validation: {len(labels):,} of {len(classes)} classes; "
            "use at least 12 per class on average, and two of each class"
        )
    train, validation = train_test_split(
        np.arange(len(labels)), test_size=VALIDATION_FRACTION, stratify=labels, random_state=seed
    )
    return (images[train], labels[train]), (images[validation], labels[validation])


def describe(name, array):
    """Return one line about an array: its name, shape, dtype and range of values."""
    return f"  {name:<28} shape {str(array.shape):<20} {array.dtype!s:<8} {array.min():g} to {array.max():g}"
