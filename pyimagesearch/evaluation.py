"""Pictures in, probabilities out; probabilities in, metrics out."""

import numpy as np
from scipy.stats import binomtest
from sklearn import metrics

from pyimagesearch import preprocessing


def predict(model, images, batch_size=500):
    """Return the model's probabilities, float32 (N, classes), for uint8 pictures (N, 28, 28, 1).

    The pictures become floats batch by batch, so that memory stays flat.
    """
    return np.concatenate(
        [
            np.asarray(model.predict_on_batch(preprocessing.scale(images[start : start + batch_size])))
            for start in range(0, len(images), batch_size)
        ]
    )


def evaluate(probabilities, labels, class_names):
    """Compare probabilities (N, classes) with the true labels (N,). Returns a dict that JSON can hold:

    accuracy            share of pictures whose most probable class is the true one
    accuracy_interval   its 95% interval [low, high] (Wilson, JASA 1927): what other test sets of N would give
    loss                mean cross-entropy, in nats
    report              scikit-learn's classification report as a dict
    confusion_matrix    rows: true class, columns: predicted class, counts
    """
    predicted = probabilities.argmax(axis=1)
    exact = probabilities / probabilities.sum(axis=1, keepdims=True, dtype=np.float64)  # float32 rounds: 0.9999999
    right = int((predicted == labels).sum())
    interval = binomtest(right, len(labels)).proportion_ci(0.95, method="wilson")
    classes = range(len(class_names))
    return {
        "accuracy": right / len(labels),
        "accuracy_interval": [float(interval.low), float(interval.high)],
        "loss": float(metrics.log_loss(labels, exact, labels=classes)),
        "report": metrics.classification_report(
            labels, predicted, labels=classes, target_names=class_names, output_dict=True, zero_division=0
        ),
        "confusion_matrix": metrics.confusion_matrix(labels, predicted, labels=classes).tolist(),
    }


def report_text(probabilities, labels, class_names):
    """Return scikit-learn's classification report as text: precision, recall and F1 of each class."""
    return metrics.classification_report(
        labels,
        probabilities.argmax(axis=1),
        labels=range(len(class_names)),
        target_names=class_names,
        digits=3,
        zero_division=0,
    )
