"""What a convolution and a pooling compute, number by number. Keras does the same with many filters at once."""

import numpy as np

# A filter made by hand, as an example: each sum is large where the image is dark on the left and light on the right.
# Turn it by a quarter, np.rot90(EDGES, -1), and it is large where the image is dark above and light below.
EDGES = np.array([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]])


def neighborhood(image, row, column, side=3):
    """Return the `side` x `side` pixels of an image (height, width) around a place; outside the image they are 0."""
    half = side // 2
    return np.pad(image.astype(float), half)[row : row + side, column : column + side]


def convolve(image, kernel):
    """Slide a filter, (side, side) with an odd side, over an image (height, width), and return its feature map.

    At each place the pixels are multiplied by the weights, and the products are added: float (height, width). It is
    Keras's Conv2D with one filter, padding="same" and no bias.
    """
    feature_map = np.zeros(image.shape)
    for row, column in np.ndindex(image.shape):
        feature_map[row, column] = (neighborhood(image, row, column, len(kernel)) * kernel).sum()
    return feature_map


def max_pool(feature_map, size=2):
    """Return the largest number of each `size` x `size` block; rows and columns that fill no block are left out.

    (height, width) -> (height // size, width // size). It is Keras's MaxPooling2D.
    """
    height, width = (length // size for length in feature_map.shape)
    blocks = feature_map[: height * size, : width * size].reshape(height, size, width, size)
    return blocks.max(axis=(1, 3))


def example_place(image, feature_map):
    """Return (row, column) of a large number of a feature map that max pooling keeps, with even height and width.

    It is the largest one with a pixel above 0 in each row and column of the nine, if there is one, else the largest.
    """
    fits = feature_map == max_pool(feature_map).repeat(2, axis=0).repeat(2, axis=1)
    for row, column in np.argwhere(fits):
        pixels = neighborhood(image, row, column) > 0
        fits[row, column] = pixels.any(axis=0).all() and pixels.any(axis=1).all()
    chosen = np.where(fits, feature_map, -np.inf) if fits.any() else feature_map
    return tuple(int(number) for number in np.unravel_index(chosen.argmax(), chosen.shape))
