"""Find out, on training images, which input format a network from elsewhere expects and what its outputs mean."""

import dataclasses
import itertools
import time

import keras
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
SATURATED = {"sigmoid": "sigmoid logits", "tanh": "logits"}  # activations, and what is left without them


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
        best = self.accuracy >= self.best
        others = "the best of all formats tried" if best else f"{self.best:.1%} at most with others"
        return f"accuracy {self.accuracy:.1%} of {self.count:,} training images, {others}"

    def describe_order(self, class_names, outputs):
        """Return the classes in the order of the network's outputs, as text."""
        names = dict(zip(self.order, class_names, strict=True))
        in_order = [names.get(output, "none") for output in range(outputs)]
        return ", ".join(in_order) + (" (alphabetical)" if in_order == sorted(class_names) else "")


def find_input_format(model, images, labels, class_names, chosen=None):
    """Return (model, Trial): with the Trial's format the model is most accurate on these images (see _best).

    images: uint8 (N, 28, 28, 1), training images; labels: (N,); class_names: of all classes. chosen: the pixel range
    (a key of RANGES), or None to try all. The model that is returned lacks an activation that saturates: see SATURATED.

    Raises UserError if the network has too few outputs, or some that are not finite numbers; and, without `chosen`, if
    it does not know this data or has its classes in another order. The text completes "cannot evaluate FILE: ...".
    """
    classes, count = len(class_names), model.outputs[0].shape[-1]
    if count < classes:
        has = f"it has {count} output{'s' * (count > 1)}, and the data has {classes} classes"
        raise UserError(f"{has}; give data for which it was made")
    model, kind = without_saturation(model)
    possible = shapes(model.inputs[0].shape[1:])
    groups, deadline = [[chosen] if chosen else RANGES], np.inf
    if max(layout(possible[0])[0]) > LARGE_SIDE:
        say("  its images are large, so its input format is looked for on few of them")
        deadline = time.monotonic() + TIME
        if not chosen:
            groups = [LIKELY, [name for name in RANGES if name not in LIKELY]]
    sample, trials, failure = _sample(labels), [], None
    for shape, ranges in itertools.product(possible, groups):
        try:
            found = formats(shape, images, ranges)
            trials += _search(model, found, kind, images[sample], labels[sample], classes, deadline)
        except UserError as error:  # a network for any size may not take every size
            failure = failure or error
        if max((trial.skill for trial in trials), default=0) >= KNOWS:
            break
    if not trials:
        raise failure or UserError(NOT_FINITE)
    best, reordered = _best(trials), max(trials, key=lambda one: (one.count, one.best_skill))
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
    trials, left, done, seconds = {}, formats, 0, 1
    for goal, near in ROUNDS.items():
        affordable = (deadline - time.monotonic()) / seconds / max(1, len(left)) if done else goal
        goal = int(min(goal, affordable, len(labels)))
        if goal < 2 * done:
            break
        start = time.monotonic()
        trials = {one: _trials(one, outputs(model, images[:goal], one), kind, labels[:goal], classes) for one in left}
        done, seconds = goal, (time.monotonic() - start) / goal / len(left)  # for an image in one format
        if not trials.get(formats[0], True):  # 0..1, the smallest of the usual ranges
            raise UserError(NOT_FINITE)
        skills = {
            one: max(trial.skill if done < 100 else trial.best_skill for trial in found)
            for one, found in trials.items()
            if found
        }
        left = [one for one, skill in skills.items() if skill >= max(skills.values()) - near]
    return [trial for one in left for trial in trials[one]]


def without_saturation(model):
    """Return (model, what its outputs are or None): a last activation that saturates is taken from it.

    Outputs of 1.0 are equal in float32 where the numbers before the activation are not.
    """
    last = model
    while isinstance(last, keras.Model):
        last = last.layers[-1]
    kind = SATURATED.get(getattr(getattr(last, "activation", None), "__name__", None))
    if kind:
        last.activation = keras.activations.linear
        model = keras.Model(model.inputs, model.outputs)  # or it would go on with what it has compiled
    return model, kind


def _trials(input_format, computed, kind, labels, classes):
    """Return the Trials of a format: one for each way to read its outputs; [] if these are not finite numbers."""
    if not np.isfinite(computed).all():
        return []
    count, present = computed.shape[1], np.unique(labels)
    table = np.zeros((classes, count))  # of each class, the fraction for which each output is highest
    np.add.at(table, (labels, computed.argmax(axis=1)), 1)
    table /= np.maximum(table.sum(axis=1, keepdims=True), 1)
    places = linear_sum_assignment(table, maximize=True)
    orders = [()] if count == classes else [tuple(range(classes)), tuple(range(1, classes + 1))]
    found = []
    for order in orders:
        one = dataclasses.replace(input_format, outputs=kind or output_kind(computed), classes=order)
        predicted = one.probabilities(computed).argmax(axis=1)
        # Saturated sigmoids are all 1.0 and say nothing about the scale of the pixels; a softmax of their logits does.
        likeness = dataclasses.replace(one, outputs=one.outputs.replace("sigmoid ", ""))
        likelihoods = likeness.probabilities(computed)[np.arange(len(labels)), labels]
        recall = np.mean([(predicted[labels == k] == k).mean() for k in present])
        skills = ((r - 1 / classes) / (1 - 1 / classes) for r in (recall, table[places].sum() / len(present)))
        accuracy, loss = (predicted == labels).mean(), -np.log(np.maximum(likelihoods, 1e-7)).mean()
        found.append(Trial(one, len(labels), *map(float, (accuracy, loss, *skills)), tuple(places[1].tolist())))
    return found
