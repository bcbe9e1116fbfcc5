"""From probabilities to metrics."""

import numpy as np
from scipy.stats import binomtest
from sklearn import metrics

from pyimagesearch.evaluation.calibration import apply_temperature, calibration


def evaluate(probabilities, labels, class_names, temperature=1.0):
    """Compare probabilities (N, classes) with labels (N,). Returns a dict that JSON can hold:

    accuracy            fraction of the images whose most probable class is the label
    accuracy_interval   its 95% interval [low, high]: where the accuracy on other test images of the same kind would be
                        (Wilson, JASA 1927)
    top_2_accuracy      fraction of the images whose label is among the two most probable classes
    cross_entropy       mean of -ln(probability of the label)
    report              scikit-learn's classification report as a dict
    confusion_matrix    counts: rows are true classes, columns predicted ones
    most_confused       [[count, class, class], ...]: the three pairs of classes that are confused most, either way
    calibration         see calibration(); calibration_after_scaling: the same after temperature scaling
    temperature         as given
    wrong               the wrong predictions, the most confident first: [{"image", its number in `labels`, "label",
                        "predicted", "confidence"}, ...]
    """
    predicted = probabilities.argmax(axis=1)
    exact = probabilities / probabilities.sum(axis=1, keepdims=True, dtype=np.float64)  # float32 rounds: 0.9999999
    correct = int((predicted == labels).sum())
    interval = binomtest(correct, len(labels)).proportion_ci(0.95, method="wilson")
    classes = range(len(class_names))
    return {
        "accuracy": correct / len(labels),
        "accuracy_interval": [float(interval.low), float(interval.high)],
        "top_2_accuracy": float((probabilities.argsort(axis=1)[:, -2:] == labels[:, None]).any(axis=1).mean()),
        "cross_entropy": float(metrics.log_loss(labels, exact, labels=classes)),
        "report": _report(predicted, labels, class_names, output_dict=True),
        "confusion_matrix": metrics.confusion_matrix(labels, predicted, labels=classes).tolist(),
        "most_confused": [
            [count, class_names[one], class_names[other]]
            for count, one, other in most_confused(predicted, labels, len(class_names))
        ],
        "calibration": calibration(exact, labels),
        "calibration_after_scaling": calibration(apply_temperature(exact, temperature), labels),
        "temperature": temperature,
        "wrong": [
            {
                "image": int(number),
                "label": class_names[labels[number]],
                "predicted": class_names[predicted[number]],
                "confidence": float(probabilities[number].max()),
            }
            for number in confident_mistakes(probabilities, labels, len(labels))
        ],
    }


def most_confused(predicted, labels, classes, count=3):
    """Return the pairs of classes that are confused most, either way: [(number of mistakes, class, class)]."""
    matrix = metrics.confusion_matrix(labels, predicted, labels=range(classes))
    pairs = np.triu(matrix + matrix.T, 1)
    order = np.argsort(pairs, axis=None, kind="stable")[::-1][:count]
    return [(int(pairs.flat[k]), *map(int, np.unravel_index(k, pairs.shape))) for k in order if pairs.flat[k]]


def confident_mistakes(probabilities, labels, count=4):
    """Return the numbers of the `count` wrong predictions with the highest confidence, the highest first."""
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")][:count]


def summary(result, count):
    """Return what evaluate() found for `count` images as sentences; "tta", if there, is evaluate() with flips."""
    low, high = result["accuracy_interval"]
    before, after = result["calibration"]["error"], result["calibration_after_scaling"]["error"]
    lines = [
        f"accuracy {result['accuracy']:.2%} on {count:,} test images (95% confidence interval for all images of this "
        f"kind: {low:.2%} to {high:.2%})",
        f"top-2 accuracy {result['top_2_accuracy']:.2%}: the label is one of the two most probable classes",
        f"cross-entropy {result['cross_entropy']:.4f} (0: certain and correct every time; "
        f"{np.log(len(result['confusion_matrix'])):.2f}: guessing)",
        f"expected calibration error {before:.2%} (the gap between confidence and accuracy), {after:.2%} after "
        f"dividing the logits by the temperature {result['temperature']:.2f}",
    ]
    if "tta" in result:
        accuracy, loss = result["tta"]["accuracy"], result["tta"]["cross_entropy"]
        lines.append(
            f"with test-time augmentation (horizontal flip): accuracy {accuracy:.2%}, cross-entropy {loss:.4f}"
        )
    pairs = "; ".join(f"{one} and {other} {mistakes}" for mistakes, one, other in result["most_confused"])
    return [*lines, f"most confused pairs (errors in both directions): {pairs or 'none'}"]


def report_text(probabilities, labels, class_names):
    """Return scikit-learn's classification report as text, with a line that says what its columns are."""
    names = [name if len(name) <= 39 else f"{name[:36]}..." for name in class_names]  # 80 columns in all
    return _report(probabilities.argmax(axis=1), labels, names, digits=3) + (
        "  precision: fraction of the predictions of a class that are correct; recall:\n"
        "  fraction of its images that are predicted as that class; f1-score: the\n"
        "  harmonic mean of both; support: its number of images"
    )


def _report(predicted, labels, class_names, **options):
    occurring = np.union1d(labels, predicted)  # an average over classes that do not occur would be too low
    names = [class_names[number] for number in occurring]
    return metrics.classification_report(
        labels, predicted, labels=occurring, target_names=names, zero_division=0, **options
    )
