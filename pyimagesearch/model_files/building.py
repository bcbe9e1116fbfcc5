"""Build the Keras model that the contents of a model file describe. Needs Keras."""

import contextlib
import math
import os
import tempfile

import keras

from pyimagesearch.errors import UserError
from pyimagesearch.minivggnet import MiniVGGNet
from pyimagesearch.model_files import input_format, legacy

MOST_OUTPUTS = 20_000_000  # numbers that one layer may compute from one image


def build(contents):
    """Return the uncompiled Keras model of the Contents that reading.read() has returned.

    Raises UserError if Keras cannot build it, if the weights do not fit, or if it does not turn one image, whatever its
    size, into a row of numbers.
    """
    try:
        model = _build_minivggnet(contents) if contents.config is None else _build_from_config(contents)
        check_task(model)
        return model
    except UserError as error:
        raise UserError(f"cannot load {contents.path}: {error}") from error


def check_task(model):
    """Check that a Keras model takes one image and has one row of outputs for it. Raises UserError if not."""
    if len(model.inputs) != 1 or not input_format.shapes(tuple(model.inputs[0].shape[1:])):
        raise UserError(f"its input is {_shapes(model.inputs)}, which no image of 28x28 pixels can be turned into")
    if len(model.outputs) != 1 or len(model.outputs[0].shape) != 2:
        raise UserError(f"its output is {_shapes(model.outputs)} for each image, not one number for each class")


def _shapes(tensors):
    return " and ".join("x".join(str(size or "?") for size in tensor.shape[1:]) for tensor in tensors)


@contextlib.contextmanager
def _limited_weights(most):
    """Inside this block, raise UserError as soon as the layers together have more than `most` weights.

    One line of a config can ask for a billion units; this stops Keras before the memory is allocated.
    """
    add_weight, total = keras.layers.Layer.add_weight, 0

    def limited(layer, shape=None, *arguments, **options):
        nonlocal total
        total += math.prod(shape or ())
        if total > most:
            raise UserError("its layers need more weights than the file stores")
        return add_weight(layer, shape, *arguments, **options)

    keras.layers.Layer.add_weight = limited
    try:
        yield
    finally:
        keras.layers.Layer.add_weight = add_weight


def _build_minivggnet(contents):
    """Return a MiniVGGNet with the weights of a file that holds weights alone. Raises UserError if they do not fit."""
    arrays = [array for group in contents.weights.values() for array in group]
    kernels = [array.shape for array in arrays if array.ndim > 1]
    if not kernels:
        raise UserError("it holds no Keras model")
    model = MiniVGGNet.build(28, 28, 1, 10)
    try:
        if any(len(group) > 1 for group in contents.weights.values()):
            model.set_weights(arrays)
        else:  # the layout of Keras 3: each array by itself, sorted by name
            model.load_weights(contents.path)
    except Exception as error:
        names = [f"Dense {s[1]}" if len(s) == 2 else f"{'x'.join(map(str, s[:-2]))} filters, {s[-1]}" for s in kernels]
        raise UserError(
            f"it holds only weights, without the network that they belong to (they suggest {'; '.join(names[:20])}); "
            "save the whole model, with model.save"
        ) from error
    return model


def _build_from_config(contents):
    try:
        config = legacy.modernize(contents.config)
        kind = keras.Sequential if config["class_name"] == "Sequential" else keras.Model
        weights = contents.weights
        with _limited_weights(sum(array.size for arrays in weights.values() for array in arrays)):
            model = kind.from_config(config["config"])
        if not model.built:
            raise UserError("its config does not give the shape of its input")
        for layer in model.layers:
            outputs = layer.output if isinstance(layer.output, list) else [layer.output]
            if any(math.prod(size or 1 for size in tensor.shape) > MOST_OUTPUTS for tensor in outputs):
                raise UserError(f"the layer {layer.name!r} computes more than {MOST_OUTPUTS:,} numbers from one image")
    except UserError:
        raise
    except Exception as error:  # Keras raises any kind of exception for a config that makes no sense
        words = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"Keras cannot build it: {words[0]}") from error
    if contents.packed:
        _load_packed(model, contents.packed)
        return model
    for layer in model.layers:
        stored, wanted = weights.get(layer.name, []), layer.trainable_weights + layer.non_trainable_weights
        shapes = [tuple(variable.shape) for variable in wanted]
        # Keras 1 stored the kernels of networks with channels first as (filters, channels, rows, columns).
        transposed = [array.transpose(2, 3, 1, 0) if array.ndim == 4 else array for array in stored]
        if [array.shape for array in stored] != shapes == [array.shape for array in transposed]:
            stored = transposed
        if [array.shape for array in stored] != shapes:
            raise UserError(f"the weights stored for the layer {layer.name!r} do not fit it")
        for variable, array in zip(wanted, stored, strict=True):
            variable.assign(array)
    return model


def _load_packed(model, packed):
    """Give the model the weights of a .keras file, which have been checked to be nothing but numbers."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.weights.h5")
        with open(path, "wb") as file:
            file.write(packed)
        try:
            model.load_weights(path)
        except Exception as error:
            raise UserError(f"the weights do not fit the layers: {str(error).strip().splitlines()[0]}") from error
