"""Pictures in, probabilities out; probabilities in, metrics out."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from scipy.stats import binomtest
from sklearn import metrics

from pyimagesearch import foreign

OURS = foreign.Reading()


def predict(model, images, reading=OURS, batch_size=500):
    """Return the model's probabilities, float32 (N, classes), for uint8 pictures (N, 28, 28, 1).

    reading: how the model wants its pictures and gives its answers; by default as ours do.
    The pictures become floats batch by batch, so that memory stays flat.
    """
    return np.concatenate(
        [
            reading.probabilities(
                np.asarray(model.predict_on_batch(reading.pictures(images[start : start + batch_size])), np.float32)
            )
            for start in range(0, len(images), batch_size)
        ]
    )


def find_reading(model, chosen, images, labels):
    """Find out how a model from elsewhere wants its pictures and gives its answers, on training pictures.

    chosen: its range (a key of foreign.RANGES) if it is known, or None: all are tried. images: uint8 (N, 28, 28, 1);
    labels: (N,). The most accurate range wins; among those within one per cent of it, the one of least cross-entropy.
    Returns its Reading and its accuracy on these pictures.
    """
    shape = tuple(model.inputs[0].shape[1:])
    tried = []
    for name in [chosen] if chosen else foreign.RANGES:
        outputs = predict(model, images, foreign.Reading(shape, name, "raw"))
        reading = foreign.Reading(shape, name, foreign.kind_of(outputs))
        probabilities = reading.probabilities(outputs)
        accuracy = float((probabilities.argmax(axis=1) == labels).mean())
        loss = -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-7)).mean()
        tried.append((accuracy, loss, reading))
    best = max(accuracy for accuracy, _, _ in tried)
    accuracy, _, reading = min((one for one in tried if one[0] >= best - 0.01), key=lambda one: one[1])
    return reading, accuracy


def combine(probabilities, temperature=1.0):
    """Return one answer, (classes,), to several views of a picture, (views, classes): the geometric mean of them.

    temperature: see fit_temperature.
    """
    return cool(np.exp(np.log(probabilities + 1e-7).mean(axis=0)), temperature)


def cool(probabilities, temperature):
    """Return the probabilities (..., classes) with their logits divided by the temperature: above 1, less certain."""
    logits = np.log(np.maximum(probabilities, 1e-30)) / temperature
    return softmax(logits, axis=-1)


def fit_temperature(probabilities, labels):
    """Return the temperature at which the probabilities (N, classes) fit the labels (N,) best, by cross-entropy.

    Guo et al., "On Calibration of Modern Neural Networks", arXiv:1706.04599, section 4.2.
    """

    def loss(logarithm):
        cooled = cool(probabilities, np.exp(logarithm))
        return -np.log(np.maximum(cooled[np.arange(len(labels)), labels], 1e-30)).mean()

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(0.1), np.log(10)), method="bounded").x))


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
