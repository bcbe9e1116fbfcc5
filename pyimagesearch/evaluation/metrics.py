"""Pictures in, probabilities out; probabilities in, metrics out."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from scipy.stats import binomtest
from sklearn import metrics

from pyimagesearch.model_files.input_format import RANGES, InputFormat, output_kind

OURS = InputFormat()


def predict(model, images, reading=OURS, batch_size=500):
    """Return the model's probabilities, float32 (N, classes), for uint8 pictures (N, 28, 28, 1).

    reading: how the model wants its pictures and gives its answers; by default as ours do.
    The pictures become floats batch by batch, so that memory stays flat.
    """
    return np.concatenate(
        [
            reading.probabilities(
                np.asarray(model.predict_on_batch(reading.inputs(images[start : start + batch_size])), np.float32)
            )
            for start in range(0, len(images), batch_size)
        ]
    )


def last_hidden(model, images):
    """Return what the layer before the last gives for uint8 pictures (N, 28, 28, 1): float32 (N, 512) of MiniVGGNet."""
    import keras

    hidden = keras.Model(model.inputs[0], model.layers[-1].input)
    return predict(hidden, images, InputFormat(outputs="raw"))


def find_reading(model, chosen, images, labels):
    """Find out how a model from elsewhere wants its pictures and gives its answers, on training pictures.

    chosen: its range (a key of RANGES) if it is known, or None: all are tried. images: uint8 (N, 28, 28, 1);
    labels: (N,). The most accurate range wins; among those within one per cent of it, the one of least cross-entropy.
    Returns its InputFormat and its accuracy on these pictures.
    """
    shape = tuple(model.inputs[0].shape[1:])
    tried = []
    for name in [chosen] if chosen else RANGES:
        outputs = predict(model, images, InputFormat(shape, name, "raw"))
        reading = InputFormat(shape, name, output_kind(outputs))
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


def average_mirrored(model, images, probabilities, reading=OURS):
    """Return the mean of the pictures' probabilities (N, classes) and their mirror images' (test-time augmentation)."""
    return (probabilities + predict(model, images[:, :, ::-1], reading)) / 2


def calibration(probabilities, labels, bins=15):
    """Compare how sure the model is with how often it is right, in equally wide bins of its greatest probability.

    Guo et al., arXiv:1706.04599, section 2. Returns a dict:
    error        expected calibration error: mean of |accuracy - confidence| over the pictures
    confidence, accuracy, count   lists, one value for each bin that holds pictures
    """
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    place = np.minimum((sure * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    full = count > 0
    confidence = np.bincount(place, sure, bins)[full] / count[full]
    accuracy = np.bincount(place, right, bins)[full] / count[full]
    return {
        "error": float((np.abs(accuracy - confidence) * count[full]).sum() / len(labels)),
        "confidence": confidence.tolist(),
        "accuracy": accuracy.tolist(),
        "count": count[full].tolist(),
    }


def evaluate(probabilities, labels, class_names, temperature=1.0):
    """Compare probabilities (N, classes) with the true labels (N,). Returns a dict that JSON can hold:

    accuracy            share of pictures whose most probable class is the true one
    accuracy_interval   its 95% interval [low, high] (Wilson, JASA 1927): what other test sets of N would give
    top_2_accuracy      share of pictures whose true class is among the two most probable ones
    loss                mean cross-entropy, in nats
    report              scikit-learn's classification report as a dict
    confusion_matrix    rows: true class, columns: predicted class, counts
    calibration         see there; calibration_cooled: the same after temperature scaling
    temperature         as given
    """
    predicted = probabilities.argmax(axis=1)
    exact = probabilities / probabilities.sum(axis=1, keepdims=True, dtype=np.float64)  # float32 rounds: 0.9999999
    right = int((predicted == labels).sum())
    interval = binomtest(right, len(labels)).proportion_ci(0.95, method="wilson")
    classes = range(len(class_names))
    return {
        "accuracy": right / len(labels),
        "accuracy_interval": [float(interval.low), float(interval.high)],
        "top_2_accuracy": float((probabilities.argsort(axis=1)[:, -2:] == labels[:, None]).any(axis=1).mean()),
        "loss": float(metrics.log_loss(labels, exact, labels=classes)),
        "report": metrics.classification_report(
            labels, predicted, labels=classes, target_names=class_names, output_dict=True, zero_division=0
        ),
        "confusion_matrix": metrics.confusion_matrix(labels, predicted, labels=classes).tolist(),
        "calibration": calibration(exact, labels),
        "calibration_cooled": calibration(cool(exact, temperature), labels),
        "temperature": temperature,
    }


def summary(result, count):
    """Return what evaluate() found of `count` pictures, as lines for the reader.

    "tta" in the result, if there, is what it found with mirror images averaged in.
    """
    low, high = result["accuracy_interval"]
    before, after = result["calibration"]["error"], result["calibration_cooled"]["error"]
    lines = [
        f"accuracy: {result['accuracy']:.2%} of {count:,} test pictures (95% interval {low:.2%} to {high:.2%})",
        f"the right class is among the first two: {result['top_2_accuracy']:.2%}",
        f"loss: {result['loss']:.4f} (mean cross-entropy; 0 would be certain and right every time)",
        f"calibration: its certainty is off by {before:.2%} on average (expected calibration error); "
        f"{after:.2%} after dividing the logits by the temperature {result['temperature']:.2f}",
    ]
    if "tta" in result:
        accuracy, loss = result["tta"]["accuracy"], result["tta"]["loss"]
        lines.append(f"the answers to each picture and its mirror image averaged: {accuracy:.2%}, loss {loss:.4f}")
    return "\n".join(lines)


REPORT_WORDS = """  precision: of the pictures that it calls so, how many are so
  recall: of those that are so, how many it calls so
  f1-score: the harmonic mean of both; support: how many pictures of the class there are"""


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
