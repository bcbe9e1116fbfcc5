"""Find out, on training images, which input format a network from elsewhere expects and what its outputs mean."""

import dataclasses

import keras
import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import confusion_matrix

from pyimagesearch.data.preparation import sample
from pyimagesearch.errors import UserError
from pyimagesearch.evaluation.predict import NOT_FINITE, outputs
from pyimagesearch.model_files import input_format
from pyimagesearch.model_files.input_format import RANGES, InputFormat
from pyimagesearch.progress import say

# Images on which all formats are tried, then those that are near the best; and how near, in skill.
ROUNDS = {10: 0.5, 100: 0.2, 1000: 0.2}
LARGE = 100  # images on which the formats of a network for large images are tried: it takes long for each
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


def find_input_format(model, images, labels, class_names, chosen=None):
    """Return (model, Trial): with the Trial's format the model is most accurate on these images (see _best).

    images: uint8 (N, 28, 28, 1), training images; labels: (N,); class_names: of all classes. chosen: the pixel range
    (one of RANGES), or None to try all. The model that is returned lacks an activation that saturates: see SATURATED.

    Raises UserError if the network has too few outputs, or some that are not finite numbers; and, without `chosen`, if
    it does not know this data or has its classes in another order. The text completes "cannot evaluate FILE: ...".
    """
    classes, count = len(class_names), model.outputs[0].shape[-1]
    if count < classes:
        has = f"it has {count} output{'s' * (count > 1)}, and the data has {classes} classes"
        raise UserError(f"{has}; give data for which it was made")
    model, kind = without_saturation(model)
    possible = input_format.shapes(model.inputs[0].shape[1:])
    large = max(input_format.layout(possible[0])[0]) > input_format.LARGE_SIDE
    if large:
        say(f"  its images are large, so its input format is looked for on {LARGE} of them")
    tried = sample(labels, LARGE if large else max(ROUNDS))
    trials, failure = [], None
    for shape in possible:
        try:
            formats = input_format.formats(shape, images, [chosen] if chosen else RANGES)
            if not formats:
                raise UserError(f"the range {chosen} is for images with three channels; change --input-range")
            trials += _search(model, formats, kind, images[tried], labels[tried], classes)
        except UserError as error:  # a network for any size may not take every size
            failure = failure or error
        if max((trial.skill for trial in trials), default=0) >= KNOWS:
            break
    if not trials:
        raise failure or UserError(NOT_FINITE)
    best, reordered = _best(trials), max(trials, key=lambda one: one.best_skill)
    if not chosen and reordered.best_skill >= ORDERED and best.skill < reordered.best_skill / 2:
        raise UserError(
            f"it tells the classes apart, but in another order than the data: its outputs are "
            f"{reordered.describe_order(class_names, count)}; change the order of the labels or of its outputs"
        )
    if not chosen and best.skill < KNOWS:
        raise UserError(
            f"it does not know this data: its accuracy on training images is {best.accuracy:.1%} with the best input "
            "format; choose a network that was trained on it, or evaluate this one with --input-range"
        )
    return model, best


def _best(trials):
    """Return the Trial with the least cross-entropy of those whose accuracy is CLOSE to the best; of equal, the first.

    Accuracy alone says little: a network without biases has the same on pixels 0..1 and 0..255. So does cross-entropy
    alone. A format whose range depends on the images must be better than the usual ones by both.
    """
    accuracy = max(trial.accuracy for trial in trials)
    close = [trial for trial in trials if trial.accuracy >= accuracy - CLOSE]
    usual = [trial for trial in close if trial.format.range in (*input_format.SCALES, *input_format.COLOR_SCALES)]
    least = max((trial.accuracy for trial in usual), default=0)
    factors = [(trial, 1 if trial in usual else RARE) for trial in close if trial in usual or trial.accuracy >= least]
    return min(factors, key=lambda one: round(one[0].cross_entropy * one[1], 3))[0]


def _search(model, formats, kind, images, labels, classes):
    """Return the Trials on all images of those formats that are near the best."""
    left = formats
    for count, near in ROUNDS.items():
        trials = {one: _trials(one, outputs(model, images[:count], one), kind, labels[:count], classes) for one in left}
        if not trials.get(formats[0], True):  # 0..1, the smallest of the usual ranges
            raise UserError(NOT_FINITE)
        skills = {
            one: max(trial.skill if count < 100 else trial.best_skill for trial in found)
            for one, found in trials.items()
            if found
        }
        left = [one for one, skill in skills.items() if skill >= max(skills.values()) - near]
        if count >= len(labels):
            break
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


def _trials(format_, computed, kind, labels, classes):
    """Return the Trials of a format: one for each way to read its outputs; [] if these are not finite numbers."""
    if not np.isfinite(computed).all():
        return []
    count, present = computed.shape[1], np.unique(labels)
    # Of each class, the fraction for which each output is highest.
    table = confusion_matrix(labels, computed.argmax(axis=1), labels=range(count), normalize="true")[:classes]
    places = linear_sum_assignment(table, maximize=True)
    orders = [()] if count == classes else [tuple(range(classes)), tuple(range(1, classes + 1))]
    found = []
    for order in orders:
        one = dataclasses.replace(format_, outputs=kind or input_format.output_kind(computed), classes=order)
        predicted = one.probabilities(computed).argmax(axis=1)
        # Saturated sigmoids are all 1.0 and say nothing about the scale of the pixels; a softmax of their logits does.
        likeness = dataclasses.replace(one, outputs=one.outputs.replace("sigmoid ", ""))
        likelihoods = likeness.probabilities(computed)[np.arange(len(labels)), labels]
        recall = np.mean([(predicted[labels == k] == k).mean() for k in present])
        skills = ((r - 1 / classes) / (1 - 1 / classes) for r in (recall, table[places].sum() / len(present)))
        accuracy, loss = (predicted == labels).mean(), -np.log(np.maximum(likelihoods, 1e-7)).mean()
        found.append(Trial(one, len(labels), *map(float, (accuracy, loss, *skills)), tuple(places[1].tolist())))
    return found
