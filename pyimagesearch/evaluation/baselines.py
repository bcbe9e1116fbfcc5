"""How far one gets without a network."""

import warnings

import numpy as np
from sklearn.neighbors import NearestCentroid

from pyimagesearch.data.preparation import sample
from pyimagesearch.evaluation.neighbors import class_fractions, flatten


def baselines(images, labels, neighbors):
    """Return [(name, how it was measured, predicted labels, true labels)] of two methods that are not networks.

    images: uint8 (N, 28, 28), the training images; labels: (N,). The first is fitted on the first nine tenths, and
    measured on the last tenth; of images that are sorted by class, the order is random. The second predicts each
    training image from its nearest neighbors among the others (leave-one-out). neighbors: the training images' part of
    neighbors.nearest_neighbors().
    """
    fitted, held_out = np.split(sample(labels, len(labels)), [len(labels) - len(labels) // 10])
    results = []
    if len(np.unique(labels[fitted])) > 1 and np.ptp(images[fitted]):  # else there is nothing to learn
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a pixel that never varies
            method = NearestCentroid().fit(flatten(images[fitted]), labels[fitted])
        how = f"of {len(held_out):,} held-out images"
        results.append(("nearest class mean", how, method.predict(flatten(images[held_out])), labels[held_out]))
    voted = class_fractions(labels[neighbors[0][:, :5]], int(labels.max()) + 1).argmax(axis=1)
    return [*results, ("5 nearest neighbors", "of all images, each from the others", voted, labels)]
