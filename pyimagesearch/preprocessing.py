"""Prepare the pictures: reshape, split, scale, augment. The data stay uint8 until a batch needs floats."""

import numpy as np

from pyimagesearch.console import UserError

VALIDATION_SHARE = 1 / 12  # 5,000 of the 60,000 training pictures


def reshape(images):
    """Give each picture a channel axis, which convolutions expect: (N, 28, 28) -> (N, 28, 28, 1), no copy."""
    return images[..., np.newaxis]


def scale(images):
    """Turn uint8 pixels 0 to 255 into float32 from 0.0 to 1.0, the range that the network was made for."""
    return images.astype(np.float32) / np.float32(255)


def split(images, labels, seed):
    """Set a twelfth of the training pictures aside for validation, every class in its share.

    images: (N, ...) and labels: (N,), any dtype. Returns ((images, labels) to train, (images, labels) to validate).
    The same seed gives the same split. Raises UserError if there are too few pictures to have each class in both.
    """
    from sklearn.model_selection import train_test_split  # late: it takes a second to import

    try:
        train, validation = train_test_split(
            np.arange(len(labels)), test_size=VALIDATION_SHARE, stratify=labels, random_state=seed
        )
    except ValueError as error:
        raise UserError(f"too few pictures to set some of each class aside for validation: {len(labels)}") from error
    return (images[train], labels[train]), (images[validation], labels[validation])


def flip(images, mirrored):
    """Mirror some pictures, left to right: a shirt stays a shirt. (N, 28, 28, 1), any dtype; bool (N,); a copy."""
    return np.where(mirrored[:, None, None, None], images[:, :, ::-1], images)


def shift(images, rows, columns, most):
    """Move each picture by up to `most` pixels in both directions, black coming in. uint8 (N, 28, 28, 1); a copy.

    rows, columns: (N,), from 0 to 2 * most; `most` leaves a picture where it is, 0 moves it down or to the right.
    """
    padded = np.pad(images, ((0, 0), (most, most), (most, most), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, images.shape[1:3], axis=(1, 2))
    return windows[np.arange(len(images)), rows, columns].transpose(0, 2, 3, 1)


def erase(images, tops, bottoms, lefts, rights):
    """Black a rectangle out in each picture: rows tops to bottoms, less one, and columns lefts to rights, less one.

    uint8 (N, 28, 28, 1) and four (N,); a copy. (Zhong et al., "Random Erasing Data Augmentation", arXiv:1708.04896.)
    """
    rows, columns = np.arange(images.shape[1]), np.arange(images.shape[2])
    rows = (rows >= tops[:, None]) & (rows < bottoms[:, None])
    columns = (columns >= lefts[:, None]) & (columns < rights[:, None])
    return np.where((rows[:, :, None] & columns[:, None])[..., None], np.uint8(0), images)


def describe(name, array):
    """Return one line about an array: name, shape, dtype, range of values."""
    return f"  {name:<28} shape {str(array.shape):<20} {array.dtype!s:<8} {array.min():g} to {array.max():g}"
