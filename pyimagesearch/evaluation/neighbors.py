"""The nearest training images of each image: what they say about duplicates."""

import contextlib
import io
import warnings

import joblib
import numpy as np
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

COMPONENTS = 50
NEIGHBORS = 10
CLOSE = 1.0  # Euclidean distance, pixels from 0 to 1, below which people see the same article


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


def search(rows, count):
    """Return scikit-learn's search for the `count` nearest of these rows, float (N, any)."""
    # It asks joblib for the number of physical cores. Where the machine does not say (a small container, Windows
    # without wmic), joblib prints a warning and a traceback, but only the first time that it is asked.
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        joblib.cpu_count(only_physical_cores=True)
    return NearestNeighbors(n_neighbors=count, algorithm="brute").fit(rows)


def nearest_neighbors(train, test):
    """Return the ten nearest training images of each training image, never itself, and those of each test image.

    train, test: projected images, (N, 50) and (M, 50). Of both: (indices int (N, 10), distances float (N, 10)), the
    nearest first.
    """
    nearest = search(train, NEIGHBORS)
    of_train = nearest.kneighbors()  # without an argument, no image is its own neighbor
    of_test = nearest.kneighbors(test)
    return of_train[::-1], of_test[::-1]


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
