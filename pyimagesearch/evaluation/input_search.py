"""Find out, on training images, which input format a network from elsewhere expects and what its outputs mean."""

import dataclasses

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import confusion_matrix

from pyimagesearch.errors import UserError
from pyimagesearch.evaluation.predict import NOT_FINITE, outputs
from pyimagesearch.model_files.input_format import RANGES, InputFormat, fits, output_kind, shapes

FEW, MANY = 100, 1000  # images: for a first look at all formats, and to choose among the best
CLOSE = 0.03  # about two standard errors of the difference of two accuracies on so many images
# Skill: how far a network is on the way from guessing (0) to no mistake (1).
KNOWS = 0.25  # from here on, it knows the data; random networks stay below with any format
ORDERED = 0.5  # from here on, it tells the classes apart in an order of its own
SATURATED = {"sigmoid": "sigmoid logits", "hard_sigmoid": "sigmoid logits", "tanh": "logits", "softsign": "logits"}


@dataclasses.dataclass(frozen=True)
class Trial:
    """How a network does with an input format, on `count` images.

    skill, best_skill   as its outputs are, and in the order of its outputs that suits it best (see order)
    order               that order: for each class, the number of its output
    """

    format: InputFormat
    count: int
    accuracy: float
    cross_entropy: float
    skill: float
    best_skill: float
    order: tuple

    def describe_order(self, class_names, outputs):
        """Return the classes in the order of the network's outputs, as text."""
        names = dict(zip(self.order, class_names, strict=True))
        in_order = [names.get(output, "none") for output in range(outputs)]
        return ", ".join(in_order) + (" (alphabetical)" if in_order == sorted(class_names) else "")


def is_ours(model, classes):
    """Return whether a model takes images and predicts probabilities as networks that are trained here do.

    The record in its file may claim so; this looks at what the network makes of noise.
    """
    if tuple(model.inputs[0].shape[1:]) != InputFormat().shape or model.outputs[0].shape[1:] != (classes,):
        return False
    noise = np.random.default_rng(0).integers(0, 256, (10, 28, 28, 1), dtype=np.uint8)
    return output_kind(outputs(model, noise)) == "probabilities"


def find_input_format(model, images, labels, class_names, chosen=None):
    """Return (model, Trial): with the Trial's format the model is most accurate on these images.

    images: uint8 (N, 28, 28, 1), training images; labels: (N,); class_names: of all classes. chosen: the pixel range
    (a key of RANGES), or None to try all. Of the formats whose accuracy is near the best (CLOSE), the one with the
    least cross-entropy is taken, and of equal ones the first of RANGES. The model that is returned lacks an activation
    that saturates: see SATURATED.

    Raises UserError if the network has too few outputs, or some that are not finite numbers; and, without `chosen`, if
    it does not know this data or has its classes in another order. The text completes "cannot evaluate FILE: ...".
    """
    classes, count = len(class_names), model.outputs[0].shape[-1]
    if count < classes and (count, classes) != (1, 2):
        raise UserError(f"it has {count} outputs, and the data has {classes} classes; give data for which it was made")
    sample = np.unique(np.linspace(0, len(labels) - 1, MANY).astype(int))  # the data may be sorted by class
    images, labels = images[sample], labels[sample]
    few = np.unique(np.linspace(0, len(labels) - 1, FEW).astype(int))
    model, kind = without_saturation(model)
    trials, failure = [], None
    for shape in shapes(tuple(model.inputs[0].shape[1:])):
        formats = [InputFormat(shape, name, fit) for fit in fits(shape) for name in ([chosen] if chosen else RANGES)]
        try:
            first = [_trials(model, one, kind, images[few], labels[few], classes) for one in formats]
        except UserError as error:  # a network for any size may not take every size
            failure = failure or error
            continue
        if not first[0] and not chosen:  # 0..1, the smallest of the usual ranges
            break
        skills = [max((trial.best_skill for trial in found), default=-1) for found in first]
        formats = [one for one, skill in zip(formats, skills, strict=True) if skill >= max(skills) - 0.2]
        trials += [trial for one in formats for trial in _trials(model, one, kind, images, labels, classes)]
        if max((trial.skill for trial in trials), default=0) >= KNOWS:
            break
    if not trials:
        raise failure or UserError(NOT_FINITE)
    accuracy = max(trial.accuracy for trial in trials)
    close = [one for one in trials if one.accuracy >= accuracy - CLOSE]
    best = min(close, key=lambda one: round(one.cross_entropy, 3))
    reordered = max(trials, key=lambda one: one.best_skill)
    if not chosen and reordered.best_skill >= ORDERED and best.skill < reordered.best_skill / 2:
        raise UserError(
            f"it tells the classes apart, but in another order than the data: its outputs are "
            f"{reordered.describe_order(class_names, count)}; change the order of the labels or of its outputs"
        )
    if not chosen and best.skill < KNOWS:
        raise UserError(
            f"it does not know this data: no input format gives an accuracy above {accuracy:.1%} on training images; "
            "choose a network that was trained on it, or evaluate this one with --input-range"
        )
    return model, best


def without_saturation(model):
    """Return (model, what its outputs are or None): a last activation that saturates is taken from it.

    Outputs of 1.0 are equal in float32 where the numbers before the activation are not.
    """
    import keras

    graph = keras.Model(model.inputs, model.outputs)
    last = next(one for one in graph.operations if one.output is graph.outputs[0])
    inner = last
    while isinstance(inner, keras.Model):
        inner = inner.layers[-1]
    if kind := SATURATED.get(type(last).__name__.lower()):  # an operation, as keras.ops.sigmoid(x) makes it
        return keras.Model(model.inputs, last.input), kind
    activation = getattr(inner, "activation", None)
    kind = SATURATED.get(getattr(activation, "__name__", ""))
    if kind:
        inner.activation = keras.activations.linear
        graph = keras.Model(model.inputs, model.outputs)  # or it would go on with what it has compiled
    return graph, kind


def _trials(model, input_format, kind, images, labels, classes):
    """Return the Trials of a format: one for each way to read its outputs; [] if these are not finite numbers."""
    computed = outputs(model, images, input_format)
    if not np.isfinite(computed).all():
        return []
    count, present = computed.shape[1], np.unique(labels)
    guessing = 1 / classes  # the accuracy, averaged over the classes
    orders = [()] if count in (1, classes) else [tuple(range(classes)), tuple(range(1, classes + 1))]
    found = []
    for order in orders:
        one = dataclasses.replace(input_format, outputs=kind or output_kind(computed), classes=order)
        predicted = one.probabilities(computed).argmax(axis=1)
        # Saturated sigmoids are all 1.0 and say nothing about the scale of the pixels; a softmax of their logits does.
        likeness = dataclasses.replace(one, outputs=one.outputs.replace("sigmoid ", ""))
        probabilities = likeness.probabilities(computed)
        loss = -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-7)).mean()
        recalls = np.zeros((classes, max(count, classes)))
        everything = computed.argmax(axis=1) if count > 1 else predicted
        table = confusion_matrix(labels, everything, labels=range(max(count, classes)))[:classes]
        recalls[present] = (table / np.maximum(table.sum(axis=1, keepdims=True), 1))[present]
        places = linear_sum_assignment(recalls, maximize=True)
        skill, best = (
            (value / len(present) - guessing) / (1 - guessing)
            for value in (sum((predicted[labels == k] == k).mean() for k in present), recalls[places].sum())
        )
        accuracy = float((predicted == labels).mean())
        found.append(
            Trial(one, len(labels), accuracy, float(loss), float(skill), float(best), tuple(places[1].tolist()))
        )
    return found
