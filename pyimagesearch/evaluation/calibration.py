"""Calibration: is the confidence of a network equal to its accuracy?"""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import softmax

BINS = 15  # of the confidence, equally wide


def apply_temperature(probabilities, temperature):
    """Return the probabilities (..., classes) with their logits divided by the temperature: above 1, less confident."""
    logits = np.log(np.maximum(probabilities, 1e-30)) / temperature
    return softmax(logits, axis=-1)


def fit_temperature(probabilities, labels):
    """Return the temperature that gives the probabilities (N, classes) the least cross-entropy with labels (N,).

    Fit it on validation data. (Guo et al., "On Calibration of Modern Neural Networks", arXiv:1706.04599, section 4.2.)
    Where no temperature from 0.1 to 10 is best, as with validation data that has no mistakes, it is 1.
    """

    def cross_entropy(logarithm):
        scaled = apply_temperature(probabilities, np.exp(logarithm))
        return -np.log(np.maximum(scaled[np.arange(len(labels)), labels], 1e-30)).mean()

    best = minimize_scalar(cross_entropy, bounds=(np.log(0.1), np.log(10)), method="bounded").x
    return float(np.exp(best)) if abs(best) < np.log(9.9) else 1.0


def calibration(probabilities, labels, bins=BINS):
    """Compare confidence, the largest probability, with accuracy, in equally wide bins of the confidence.

    Guo et al., arXiv:1706.04599, section 2. Returns a dict:
    error                         expected calibration error: the mean of |accuracy - confidence| over the images
    confidence, accuracy, count   lists with one value for each bin that holds images
    """
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    filled = count > 0
    mean_confidence = np.bincount(place, confidence, bins)[filled] / count[filled]
    accuracy = np.bincount(place, correct, bins)[filled] / count[filled]
    return {
        "error": float((np.abs(accuracy - mean_confidence) * count[filled]).sum() / len(labels)),
        "confidence": mean_confidence.tolist(),
        "accuracy": accuracy.tolist(),
        "count": count[filled].tolist(),
    }
