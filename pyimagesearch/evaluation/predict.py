"""From images to probabilities. Needs Keras."""

import math

import keras
import numpy as np

from pyimagesearch import progress
from pyimagesearch.errors import UserError
from pyimagesearch.model_files import building, graphs
from pyimagesearch.model_files.input_format import InputFormat

OURS = InputFormat()
UNKNOWN = 64  # pixels: a side of an image that a network does not fix
NOT_FINITE = "the outputs of the network are not finite numbers, so it cannot predict anything"


def predict(model, images, input_format=OURS):
    """Return the probabilities, float32 (N, classes), that a Keras model predicts for uint8 images (N, 28, 28, 1).

    input_format: what the model expects and what its outputs mean; by default as for networks trained here.
    Raises UserError if the model cannot be run, or if its outputs are not finite numbers.
    """
    computed = outputs(model, images, input_format)
    if not np.isfinite(computed).all():
        raise UserError(NOT_FINITE)
    return input_format.probabilities(computed)


def outputs(model, images, input_format=OURS):
    """Return what the model computes from uint8 images (N, 28, 28, 1), as it is: float32 (N, outputs).

    The images become floats batch by batch, so that memory stays flat. Raises UserError if the model cannot be run.
    """
    batch_size = max(1, min(500, 25_000_000 // largest_output(model, input_format.shape)))
    starts, parts = range(0, len(images), batch_size), []
    for start in progress.track(starts, "predicting") if len(starts) > 1 else starts:
        inputs = input_format.inputs(images[start : start + batch_size])
        with building.guarded("the network cannot be run"):
            part = np.asarray(model.predict_on_batch(inputs))
        with np.errstate(over="ignore"):  # a float64 that is too large becomes infinite, and is reported
            parts.append(part.reshape(len(part), -1).astype(np.float32))
    return np.concatenate(parts)


def largest_output(model, shape):
    """Return how many numbers an image of this shape or the output of any layer for it has, whichever are more."""
    sizes = [math.prod(shape)]
    for layer in graphs.every_layer(model):
        tensors = keras.tree.flatten(layer.output)
        sizes.append(sum(math.prod(size or UNKNOWN for size in tensor.shape[1:]) for tensor in tensors))
    return max(sizes)


def hidden(model):
    """Return the model without its last layer. Its outputs are what that layer sees: for MiniVGGNet, 512 numbers."""
    return keras.Model(model.inputs[0], model.layers[-1].input)


def test_time_augmentation(model, images, probabilities, input_format=OURS):
    """Return the mean of `probabilities` (N, classes), those of the images, and those of their mirror images."""
    return (probabilities + predict(model, images[:, :, ::-1], input_format)) / 2


def combine(probabilities, possible=None):
    """Return one prediction, (classes,), from several views of one image, (views, classes): their geometric mean.

    possible: the numbers of the only classes that the image may show; the others get 0. None: all.
    """
    product = np.exp(np.log(probabilities + 1e-7).mean(axis=0))
    if possible is not None:
        product[~np.isin(np.arange(len(product)), possible)] = 0
    return product / product.sum()
