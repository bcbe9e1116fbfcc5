"""Find out, on training images, which input format a network from elsewhere expects and what its outputs mean."""

import dataclasses
import time

import numpy as np
from scipy.optimize import linear_sum_assignment

from pyimagesearch.errors import UserError
from pyimagesearch.evaluation.predict import NOT_FINITE, outputs
from pyimagesearch.model_files.input_format import (
    COLOR_RANGES,
    LARGE_SIDE,
    LIKELY,
    RANGES,
    SCALES,
    InputFormat,
    formats,
    layout,
    output_kind,
    shapes,
)
from pyimagesearch.progress import say

# Images on which all formats are tried, then those that are near the best; and how near, in skill.
ROUNDS = {10: 0.5, 100: 0.2, 1000: 0.2}
TIME = 15  # seconds: then the best so far is taken, for networks for large images
CLOSE = 0.03  # about two standard errors of the difference of two accuracies on 1,000 images
RARE = 1.25  # so much less cross-entropy must a format have whose range depends on the images
# Skill: how far a network is on the way from guessing (0) to no mistake (1).
KNOWS = 0.25  # from here on, it knows the data; random networks stay below with any format
ORDERED = 0.5  # from here on, it tells the classes apart in an order of its own
SATURATED = {"sigmoid": "sigmoid logits", "hard_sigmoid": "sigmoid logits", "tanh": "logits", "softsign": "logits"}


@dataclasses.dataclass(frozen=True)
class Trial:
    """How a network does with an input format, on `count` images.

    skill, best_skill   as its outputs are, and in the order of its outputs that suits it best (see order)
    order               that order: for each class, the number of its output
    best                the highest accuracy of all formats on so many images
    """

    format: InputFormat
    count: int
    accuracy: float
    cross_entropy: float
    skill: float
    best_skill: float
    order: tuple
    best: float = 0.0

    def describe(self):
        """Return the accuracy in words, and whether another format had a higher one."""
        others = (
            "the best of all formats tried" if self.accuracy >= self.best else f"{self.best:.1%} at most with others"
        )
        return f"accuracy {self.accuracy:.1%} of {self.count:,} training images, {others}"

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
    """Return (model, Trial): with the Trial's format the model is most accurate on these images (see _best).

    images: uint8 (N, 28, 28, 1), training images; labels: (N,); class_names: of all classes. chosen: the pixel range
    (a key of RANGES), or None to try all. The model that is returned lacks an activation that saturates: see SATURATED.

    Raises UserError if the network has too few outputs, or some that are not finite numbers; and, without `chosen`, if
    it does not know this data or has its classes in another order. The text completes "cannot evaluate FILE: ...".
    """
    classes, count = len(class_names), model.outputs[0].shape[-1]
    if count < classes and (count, classes) != (1, 2):
        raise UserError(
            f"it has {count} output{'s' * (count > 1)}, and the data has {classes} classes; give data for which it was "
            "made"
        )
    model, kind = without_saturation(model)
    possible = shapes(model.inputs[0].shape[1:])
    large = max(layout(possible[0])[0]) > LARGE_SIDE
    if large:
        say("  its images are large, so its input format is looked for on few of them")
    sample = _sample(labels)
    trials, failure, deadline = [], None, time.monotonic() + TIME if large else np.inf
    groups = [[chosen]] if chosen else [LIKELY, [name for name in RANGES if name not in LIKELY]] if large else [RANGES]
    for shape, ranges in [(shape, ranges) for shape in possible for ranges in groups]:
        found = formats(shape, images, ranges)
        try:
            trials += _search(model, found, kind, images[sample], labels[sample], classes, deadline)
        except UserError as error:  # a network for any size may not take every size
            failure = failure or error
        if max((trial.skill for trial in trials), default=0) >= KNOWS:
            break
    if not trials:
        raise failure or UserError(NOT_FINITE)
    best = _best(trials)
    reordered = max(trials, key=lambda one: (one.count, one.best_skill))
    if not chosen and reordered.best_skill >= ORDERED and best.skill < reordered.best_skill / 2:
        raise UserError(
            f"it tells the classes apart, but in another order than the data: its outputs are "
            f"{reordered.describe_order(class_names, count)}; change the order of the labels or of its outputs"
        )
    if not chosen and best.skill < KNOWS:
        raise UserError(
            f"it does not know this data: no input format gives an accuracy above {best.best:.1%} on training images; "
            "choose a network that was trained on it, or evaluate this one with --input-range"
        )
    return model, best


def _best(trials):
    """Return the Trial with the least cross-entropy of those whose accuracy is CLOSE to the best; of equal, the first.

    Accuracy alone says little: a network without biases has the same on pixels 0..1 and 0..255. So does cross-entropy
    alone. A format whose range depends on the images must be better than the usual ones by both.
    """
    accuracy = max(trial.accuracy for trial in trials)
    close = [trial for trial in trials if trial.accuracy >= accuracy - CLOSE]
    usual = [trial for trial in close if trial.format.range in (*SCALES, *COLOR_RANGES)]
    least = max((trial.accuracy for trial in usual), default=0)
    factors = [(trial, 1 if trial in usual else RARE) for trial in close if trial in usual or trial.accuracy >= least]
    best = min(factors, key=lambda one: round(one[0].cross_entropy * one[1], 3))[0]
    return dataclasses.replace(best, best=accuracy)


def _sample(labels):
    """Return the numbers of at most max(ROUNDS) images from all of the data, any first ones of them of all classes."""
    sample = np.unique(np.linspace(0, len(labels) - 1, max(ROUNDS)).astype(int))  # the data may be sorted by class
    rank = np.zeros(len(sample), int)
    for label in np.unique(labels):
        ours = labels[sample] == label
        rank[ours] = np.arange(ours.sum())
    return sample[np.argsort(rank, kind="stable")]


def _search(model, formats, kind, images, labels, classes, deadline):
    """Return the Trials of those formats that are near the best, on as many images as there is time for."""
    computed, trials, done, seconds = {one: [] for one in formats}, [], 0, 0
    for goal, near in ROUNDS.items():
        affordable = done + (deadline - time.monotonic()) / (seconds * len(computed)) if done else goal
        if affordable < 2 * done or done == len(labels):
            break
        goal = int(min(goal, affordable, len(labels)))
        start = time.monotonic()
        for one, parts in computed.items():
            parts.append(outputs(model, images[done:goal], one))
        seconds = (time.monotonic() - start) / (goal - done) / len(computed)  # for an image in one format
        done = goal
        trials = {
            one: _trials(one, np.concatenate(parts), kind, labels[:done], classes) for one, parts in computed.items()
        }
        if not trials.get(formats[0], True):  # 0..1, the smallest of the usual ranges
            raise UserError(NOT_FINITE)
        skills = {
            one: max(trial.skill if done < 100 else trial.best_skill for trial in found)
            for one, found in trials.items()
            if found
        }
        computed = {one: computed[one] for one, skill in skills.items() if skill >= max(skills.values()) - near}
    return [trial for one in computed for trial in trials[one]]


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


def _trials(input_format, computed, kind, labels, classes):
    """Return the Trials of a format: one for each way to read its outputs; [] if these are not finite numbers."""
    if not np.isfinite(computed).all():
        return []
    count, present = computed.shape[1], np.unique(labels)
    orders = [()] if count in (1, classes) else [tuple(range(classes)), tuple(range(1, classes + 1))]
    found = []
    for order in orders:
        one = dataclasses.replace(input_format, outputs=kind or output_kind(computed), classes=order)
        predicted = one.probabilities(computed).argmax(axis=1)
        # Saturated sigmoids are all 1.0 and say nothing about the scale of the pixels; a softmax of their logits does.
        likeness = dataclasses.replace(one, outputs=one.outputs.replace("sigmoid ", ""))
        likelihoods = likeness.probabilities(computed)[np.arange(len(labels)), labels]
        table = np.zeros((classes, max(count, classes)))  # of each class, the fraction for which each output is highest
        np.add.at(table, (labels, computed.argmax(axis=1) if count > 1 else predicted), 1)
        table /= np.maximum(table.sum(axis=1, keepdims=True), 1)
        places = linear_sum_assignment(table, maximize=True)
        recall = np.mean([(predicted[labels == k] == k).mean() for k in present])
        skill, best_skill = (
            (r - 1 / classes) / (1 - 1 / classes) for r in (recall, table[places].sum() / len(present))
        )
        accuracy, loss = (predicted == labels).mean(), -np.log(np.maximum(likelihoods, 1e-7)).mean()
        numbers = map(float, (accuracy, loss, skill, best_skill))
        found.append(Trial(one, len(labels), *numbers, tuple(places[1].tolist())))
    return found
