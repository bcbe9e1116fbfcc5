"""Find out, on training images, which input format a network from elsewhere expects."""

import numpy as np

from pyimagesearch.evaluation.predict import outputs
from pyimagesearch.model_files.input_format import RANGES, InputFormat, output_kind


def find_input_format(model, chosen, images, labels):
    """Return the InputFormat with which the model is most accurate, and that accuracy.

    chosen: its pixel range (a key of RANGES), or None to try all. images: uint8 (N, 28, 28, 1); labels: (N,).
    Of the ranges within one percentage point of the best accuracy, the one with the least cross-entropy is taken.
    """
    shape = tuple(model.inputs[0].shape[1:])
    tried = []
    for name in [chosen] if chosen else RANGES:
        computed = outputs(model, images, InputFormat(shape, name))
        candidate = InputFormat(shape, name, output_kind(computed))
        probabilities = candidate.probabilities(computed)
        accuracy = float((probabilities.argmax(axis=1) == labels).mean())
        loss = -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-7)).mean()
        tried.append((accuracy, loss, candidate))
    best = max(accuracy for accuracy, _, _ in tried)
    accuracy, _, found = min((one for one in tried if one[0] >= best - 0.01), key=lambda one: one[1])
    return found, accuracy
