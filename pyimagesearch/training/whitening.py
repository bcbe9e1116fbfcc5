"""Whitening: start the training of a network's first convolution from the data instead of at random."""

import keras
import numpy as np

from pyimagesearch.data import randomness
from pyimagesearch.data.batches import scale

IMAGES = 1000  # enough to know how neighboring pixels vary: 784,000 patches


def whiten(model, images, seed):
    """Set the first convolution so that its outputs are uncorrelated, and the normalization after it accordingly.

    model: one that fits(). images: uint8 (N, height, width, 1), the training images.

    Neighboring pixels are nearly equal, so that an untrained filter responds to little but brightness. The principal
    components of the 3x3 patches, each scaled to variance 1, respond to edges as strongly. Half of such filters are the
    other half's negatives, since ReLU cuts off what is below zero; the filters left over are random mixtures. From
    there, training needs fewer epochs. (Page, "How to Train Your ResNet", 2019; Jordan, "94% on CIFAR-10 in 3.29
    Seconds on a Single GPU", arXiv:2404.00498, section 3.2. They do not train these filters further.)
    """
    convolution, normalization = model.layers[:2]
    rows, columns, _, filters = convolution.kernel.shape
    pixels = scale(images[:IMAGES, :, :, 0])
    padded = np.pad(pixels, ((0, 0), (rows // 2, rows // 2), (columns // 2, columns // 2)))
    patches = np.lib.stride_tricks.sliding_window_view(padded, (rows, columns), axis=(1, 2)).reshape(-1, rows * columns)

    variances, components = np.linalg.eigh(np.cov(patches, rowvar=False))
    whitened = components / np.sqrt(variances + 1e-3)  # the smallest are mostly noise: do not magnify it
    mixtures = whitened @ randomness.generator(seed, "whitening").normal(size=(len(whitened), filters))
    kernel = np.hstack([whitened, -whitened, mixtures])[:, :filters].astype(np.float32)

    outputs = patches @ kernel
    convolution.set_weights([kernel.reshape(convolution.kernel.shape)])
    normalization.set_weights([np.ones(filters), np.zeros(filters), outputs.mean(axis=0), outputs.var(axis=0)])


def fits(model):
    """Return whether a model starts with a plain convolution of gray images and a batch normalization."""
    if not isinstance(model, keras.Sequential) or len(model.layers) < 2:
        return False
    (convolution, normalization), layers = model.layers[:2], keras.layers
    if not isinstance(convolution, layers.Conv2D) or not isinstance(normalization, layers.BatchNormalization):
        return False
    plain = not convolution.use_bias and convolution.activation is keras.activations.linear
    gray = convolution.kernel.shape[2] == 1 and set(convolution.dilation_rate) == {1}
    return plain and gray and len(normalization.weights) == 4  # scale, center, mean, variance
