"""Prepare the images: reshape, split, describe. They stay uint8 until a batch needs floats."""

import numpy as np

from pyimagesearch.errors import UserError

VALIDATION_FRACTION = 1 / 12  # 5,000 of the 60,000 training images


def reshape(images):
    """Add the channel axis that convolutions expect: (N, 28, 28) -> (N, 28, 28, 1), any dtype; a view, no copy."""
    return images[..., np.newaxis]


def scale(images):
    """Turn uint8 pixels 0 to 255 into float32 from 0.0 to 1.0, the range that the network was made for."""
    return images.astype(np.float32) / np.float32(255)


def split(images, labels, seed):
    """Hold out a twelfth of the training images for validation, stratified by class.

    images: (N, ...), any dtype; labels: (N,), integers. Returns (images, labels) to train on and (images, labels) to
    validate on. The same seed gives the same split. Raises UserError if a class has a single image, or if the
    validation images would be fewer than the classes.
    """
    from sklearn.model_selection import train_test_split  # late: it takes a second to import

    try:
        train, validation = train_test_split(
            np.arange(len(labels)), test_size=VALIDATION_FRACTION, stratify=labels, random_state=seed
        )
    except ValueError as error:
        raise UserError(
            f"too few images for training and validation: {len(labels)} images of {len(np.unique(labels))} classes; "
            "use more"
        ) from error
    return (images[train], labels[train]), (images[validation], labels[validation])


def flip(images, mirrored):
    """Mirror some pictures, left to right: a shirt stays a shirt. (N, 28, 28, 1), any dtype; bool (N,); a copy."""
    return np.where(mirrored[:, None, None, None], images[:, :, ::-1], images)


def sources(size, moved, percent):
    """Return which row (or column) of a picture comes to each place when it is scaled about its middle, then moved.

    size: number of rows; moved, percent: whole numbers (N, 1), how far up (to the left) it goes and to how many percent
    of its size it is scaled. Returns whole numbers (N, size), the nearest pixels; outside 0 to size - 1 means black.
    Works on NumPy's arrays and on JAX's, in whole numbers so that both round alike.
    """
    twice_from_middle = 2 * np.arange(size) + 1 - size
    return (twice_from_middle * 100 + size * percent) // (2 * percent) + moved


def gather(images, rows, columns):
    """Put each picture together from these rows and columns of it. uint8 (N, 28, 28, 1), two (N, 28); a copy."""
    height, width = images.shape[1:3]
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None]
    rows, columns = rows.clip(0, height - 1)[:, :, None], columns.clip(0, width - 1)[:, None]
    return np.where(inside[..., None], images[np.arange(len(images))[:, None, None], rows, columns], np.uint8(0))


def paste(images, others, tops, bottoms, lefts, rights):
    """Put a rectangle of another picture into each: rows tops to bottoms, less one, columns lefts to rights, less one.

    uint8 (N, 28, 28, 1), the same or 0 for black, and four (N,); a copy. (With black: Zhong et al., "Random Erasing
    Data Augmentation", arXiv:1708.04896; with pictures: Yun et al., "CutMix", arXiv:1905.04899.)
    """
    rows, columns = np.arange(images.shape[1]), np.arange(images.shape[2])
    rows = (rows >= tops[:, None]) & (rows < bottoms[:, None])
    columns = (columns >= lefts[:, None]) & (columns < rights[:, None])
    return np.where((rows[:, :, None] & columns[:, None])[..., None], others, images)


def describe(name, array):
    """Return one line about an array: its name, shape, dtype and range of values."""
    return f"  {name:<28} shape {str(array.shape):<20} {array.dtype!s:<8} {array.min():g} to {array.max():g}"
