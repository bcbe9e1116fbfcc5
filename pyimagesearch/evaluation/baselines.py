"""How far one gets without a network."""

import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid

from pyimagesearch.data.preparation import sample
from pyimagesearch.evaluation.neighbors import class_fractions, flatten


def baselines(images, labels, neighbors):
    """Yield (name, how it was measured, accuracy, predicted labels, true labels) of methods that are not networks.

    images: uint8 (N, 28, 28), the training images; labels: (N,). The first two methods are fitted on the first nine
    tenths, or on a part of them, and measured on the last tenth; of images that are sorted by class, the order is
    random. The third predicts each training image from its nearest neighbors among the others (leave-one-out).
    neighbors: the training images' part of neighbors.nearest_neighbors().
    """
    order, held_out = sample(labels, len(labels)), len(labels) - len(labels) // 10
    pixels, targets = flatten(images[order[held_out:]]), labels[order[held_out:]]
    few = min(10_000, held_out)
    for name, method, count in (
        ("nearest class mean", NearestCentroid(), held_out),
        (f"logistic regression on {few:,} images", LogisticRegression(max_iter=30), few),
    ):
        fitted, known = images[order[:count]], labels[order[:count]]
        if (known == known[0]).all() or (fitted == fitted[0]).all():
            continue  # nothing to learn from so few
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # more iterations take long and change little
            warnings.simplefilter("ignore", UserWarning)  # a pixel that never varies
            predicted = method.fit(flatten(fitted), known).predict(pixels)
        yield name, f"of {len(targets):,} held-out images", (predicted == targets).mean(), predicted, targets
    predicted = class_fractions(labels[neighbors[0][:, :5]], int(labels.max()) + 1).argmax(axis=1)
    yield "5 nearest neighbors", "of all images (leave-one-out)", (predicted == labels).mean(), predicted, labels
