"""Labels that look wrong: by the nearest neighbors of an image, or by the features of a trained network."""

import csv
import io
import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from pyimagesearch.evaluation.neighbors import COMPONENTS, class_fractions
from pyimagesearch.files import write_text


@dataclass(frozen=True)
class Suspect:
    """An image whose label looks wrong: its part ("train" or "test"), index, label, likelier class, and score."""

    part: str
    index: int
    label: int
    other: int
    score: float


def suspects(labels, test_labels, neighbors, classes, probabilities=None, count=100):
    """Return the Suspects among training and test labels, the worst first: all with score 1, at least `count` each.

    neighbors: as of neighbors.nearest_neighbors(). probabilities: (N, classes) of the training images and (M, classes)
    of the test images, for example network_probabilities(); by default the fractions among the neighbors.
    """
    if probabilities is None:
        probabilities = [class_fractions(labels[indices], classes) for indices, _ in neighbors]
    found = []
    for part, own, given, (_, distances) in zip(
        ("train", "test"), (labels, test_labels), probabilities, neighbors, strict=True
    ):
        scores, others = margins(given, own)
        order = np.lexsort((distances.mean(axis=1), -scores))  # of equal scores, the closer neighbors first
        worst = order[: max(count, int((scores == 1).sum()))]
        found += [Suspect(part, int(k), int(own[k]), int(others[k]), float(scores[k])) for k in worst]
    return found


def margins(probabilities, labels):
    """Return how wrong each label looks, from -1 (certainly right) to 1 (certainly wrong), and the likelier class.

    The score is the probability of the best other class minus that of the label. (Northcutt, Jiang and Chuang,
    arXiv:1911.00068, section 3: "normalized margin".) probabilities: (N, classes); labels: (N,).
    """
    rows = np.arange(len(labels))
    others = probabilities.copy()
    others[rows, labels] = -1
    return others.max(axis=1) - probabilities[rows, labels], others.argmax(axis=1)


def network_probabilities(features, labels, classes):
    """Return the probability of each class for training images, float (N, classes), from a network's features of them.

    features: (N, any), what the last layer of a trained network gets; labels: (N,). The network has learned the
    training labels, the wrong ones too, so its own predictions say little about them. A logistic regression on its
    features predicts each fifth of the images from the other four fifths.
    """
    reduced = PCA(min(COMPONENTS, *features.shape), whiten=True, random_state=0).fit_transform(features)
    present, codes = np.unique(labels, return_inverse=True)
    probabilities = np.zeros((len(labels), classes))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        probabilities[:, present] = cross_val_predict(
            LogisticRegression(), reduced, codes, cv=5, method="predict_proba"
        )
    return probabilities


def write_csv(found, class_names, path, count=100):
    """Write the `count` worst Suspects of each part to `path` as CSV."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["part", "index", "label", "looks_like", "score"])
    for part in ("train", "test"):
        for suspect in [suspect for suspect in found if suspect.part == part][:count]:
            names = class_names[suspect.label], class_names[suspect.other]
            writer.writerow([part, suspect.index, *names, f"{suspect.score:.2f}"])
    write_text(path, text.getvalue())
