"""The nearest training images of each image: what they say about duplicates, and a map of the data."""

from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors

COMPONENTS = 50
NEIGHBORS = 10
CLOSE = 1.0  # Euclidean distance, pixels from 0 to 1, below which people see the same article


@dataclass(frozen=True)
class Neighbors:
    """The nearest training images of every image, the nearest first; never the image itself.

    train   (indices int (N, 10), distances float (N, 10)) for the training images
    test    the same for the test images
    """

    train: tuple
    test: tuple


def flatten(images):
    """Return uint8 images (N, 28, 28) as rows: float32 (N, 784) from 0.0 to 1.0."""
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def project(images, others):
    """Return both sets, uint8 (N, 28, 28), as the first 50 principal components of the first one, float32 (N, 50).

    They keep most of the variance, and distances cost a fifteenth.
    """
    pixels = flatten(images)
    pca = PCA(min(COMPONENTS, len(images) - 1), svd_solver="covariance_eigh", random_state=0).fit(pixels)
    return pca.transform(pixels), pca.transform(flatten(others))


def nearest_neighbors(train, test):
    """Return the Neighbors of projected images, (N, 50) and (M, 50)."""
    search = NearestNeighbors(n_neighbors=NEIGHBORS + 1, algorithm="brute").fit(train)
    distances, indices = search.kneighbors(train)
    # The image itself is among its neighbors, mostly first; of exact duplicates any may be.
    itself = indices == np.arange(len(train))[:, None]
    itself[~itself.any(axis=1), -1] = True
    shape = (len(train), NEIGHBORS)
    of_train = indices[~itself].reshape(shape), distances[~itself].reshape(shape)
    distances, indices = search.kneighbors(test, NEIGHBORS)
    return Neighbors(of_train, (indices, distances))


def class_fractions(neighbor_labels, classes):
    """Return the fraction of each class among the labels of neighbors: (N, k) -> float (N, classes)."""
    return (neighbor_labels[:, :, None] == np.arange(classes)).mean(axis=1)


def duplicates(images, others, neighbors):
    """Return (exact, close), lists of index pairs (i, j) of images and others.

    exact   equal byte by byte
    close   less than CLOSE apart (Euclidean, all 784 pixels), exact ones aside

    neighbors: (indices into images, distances) of the neighbors of others. Pass the same array twice to compare a set
    with itself.
    """
    same = images is others
    exact, close = [], []
    # A projection can only shorten distances: images that are close in pixels are close in it.
    for j, rank in np.argwhere(neighbors[1] < CLOSE):
        i = int(neighbors[0][j, rank])
        if same and i >= j:
            continue
        distance = np.sqrt((((images[i].astype(np.float64) - others[j]) / 255) ** 2).sum())
        if distance < CLOSE:
            (close if distance else exact).append((i, int(j)))
    return exact, close


def embed(projected, count=2000):
    """Return positions of the first `count` projected images in two dimensions, float (count, 2), by t-SNE.

    Van der Maaten and Hinton, JMLR 2008. Neighbors stay neighbors; distances between groups mean nothing.
    """
    sample = projected[:count]
    return TSNE(2, perplexity=min(30, len(sample) / 4), init="pca", random_state=0, max_iter=500).fit_transform(sample)
