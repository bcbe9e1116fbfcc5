"""What a convolution and a pooling compute. Keras does the same with many filters at once."""

import numpy as np
from scipy.signal import correlate2d

# A filter made by hand, as an example: each sum is large where the image is dark on the left and light on the right.
EDGES = np.array([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]])


def convolve(image, kernel):
    """Return the feature map, int64 (height, width), of an image (height, width) and a filter of whole numbers (3, 3).

    At each place the pixels are multiplied by the weights, and the products are added; outside the image, pixels are 0.
    It is Keras's Conv2D with one filter, padding="same" and no bias.
    """
    return correlate2d(image.astype(int), kernel, mode="same")


def max_pool(feature_map):
    """Return the largest number of each 2x2 block: (height, width) -> (height // 2, width // 2)."""
    height, width = (length // 2 for length in feature_map.shape)
    return feature_map[: 2 * height, : 2 * width].reshape(height, 2, width, 2).max(axis=(1, 3))


def example_place(image, feature_map):
    """Return (row, column) of a large number of a feature map that max pooling keeps, with even height and width.

    It is the largest one with a pixel above 0 in each row and column of the nine, if there is one, else the largest.
    """
    fits = feature_map == max_pool(feature_map).repeat(2, axis=0).repeat(2, axis=1)
    for row, column in np.argwhere(fits):
        lit = np.pad(image, 1)[row : row + 3, column : column + 3] > 0
        fits[row, column] = lit.any(axis=0).all() and lit.any(axis=1).all()
    chosen = np.where(fits, feature_map, feature_map.min() - 1) if fits.any() else feature_map
    return tuple(int(number) for number in np.unravel_index(chosen.argmax(), chosen.shape))
