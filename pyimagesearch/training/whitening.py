"""Set a network's first convolution from the data, instead of learning it."""

import numpy as np

from pyimagesearch.data import preparation as preprocessing

PICTURES = 1000  # enough to know how neighbouring pixels vary: 784,000 patches


def whiten(convolution, normalization, images, seed):
    """Give the first two layers weights that make a patch's pixels uncorrelated, and freeze them.

    convolution, normalization   built Keras layers: Conv2D without bias on one channel, BatchNormalization
    images                       uint8 (N, height, width, 1), the pictures to train on

    Neighbouring pixels are nearly equal, so an untrained filter sees little but brightness. The principal components of
    the patches, each scaled to variance 1, show edges as clearly. Half of such filters are the other half's negatives,
    since ReLU cuts what is below zero; what filters are left are random mixtures. The network learns in fewer epochs,
    and a step need not go back through these layers. (Page, "How to Train Your ResNet", 2019; Jordan, "94% on CIFAR-10
    in 3.29 Seconds on a Single GPU", arXiv:2404.00498, section 3.2.)
    """
    rows, columns, _, filters = convolution.kernel.shape
    pixels = preprocessing.scale(images[:PICTURES, :, :, 0])
    padded = np.pad(pixels, ((0, 0), (rows // 2, rows // 2), (columns // 2, columns // 2)))
    patches = np.lib.stride_tricks.sliding_window_view(padded, (rows, columns), axis=(1, 2)).reshape(-1, rows * columns)

    variances, components = np.linalg.eigh(np.cov(patches, rowvar=False))
    whitening = components / np.sqrt(variances + 1e-3)  # the least are mostly noise: do not blow them up
    mixtures = whitening @ np.random.default_rng(seed).normal(size=(len(whitening), filters))
    kernel = np.hstack([whitening, -whitening, mixtures])[:, :filters].astype(np.float32)

    answers = patches @ kernel
    convolution.set_weights([kernel.reshape(convolution.kernel.shape)])
    normalization.set_weights([np.ones(filters), np.zeros(filters), answers.mean(axis=0), answers.var(axis=0)])
    convolution.trainable = normalization.trainable = False
