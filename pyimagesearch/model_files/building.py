"""Build the Keras model that the contents of a model file describe. Needs Keras."""

import contextlib
import itertools
import math
import re
import tempfile
import warnings
from pathlib import Path

import h5py
import keras
import numpy as np

from pyimagesearch.errors import UserError, printable
from pyimagesearch.minivggnet import MiniVGGNet
from pyimagesearch.model_files import checks, input_format, legacy


def build(contents):
    """Return the uncompiled Keras model of the Contents that reading.read() has returned.

    Raises UserError if Keras cannot build or run it, if the weights do not fit, or if a check of checks.py fails.
    """
    try:
        with _guarded("build"):
            model = _build(contents)
        check_task(model)
        _run(model)
        return model
    except UserError as error:
        raise UserError(f"cannot load {contents.path}: {printable(str(error))}") from error


def check_task(model):
    """Check that a Keras model takes one image and has one row of outputs for it. Raises UserError if not."""
    if len(model.inputs) != 1 or not input_format.shapes(tuple(model.inputs[0].shape[1:])):
        raise UserError(f"its input is {_shapes(model.inputs)}, which no image of 28x28 pixels can be turned into")
    if len(model.outputs) != 1 or len(model.outputs[0].shape) != 2:
        raise UserError(f"its output is {_shapes(model.outputs)} for each image, not one number for each class")


def _shapes(tensors):
    return " and ".join("x".join(str(size or "?") for size in tensor.shape[1:]) for tensor in tensors)


def _build(contents):
    if contents.config is None:
        return _build_minivggnet(contents)
    try:
        return _build_from_config(contents)
    except UserError as error:
        if contents.architecture is None:
            raise
        raise UserError(
            f"it contains only weights{_suggestion(contents)}, and the network in {contents.architecture} is another "
            f"one or cannot be used: {error}"
        ) from error


def _build_from_config(contents):
    config = legacy.modernize(contents.config)
    kind = keras.Sequential if config["class_name"] == "Sequential" else keras.Model
    with _limited(sum(array.size for array in _arrays(contents))):
        model = kind.from_config(config["config"])
    if not model.built:
        raise UserError("its config does not give the shape of its input")
    checks.check_model(model)
    _assign(model, contents)
    return model


@contextlib.contextmanager
def _guarded(what):
    """Turn any exception in this block into a UserError: Keras raises all kinds of them for a config without sense."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except UserError:
        raise
    except Exception as error:
        text = re.sub(r"\x1b\[\d*m", "", str(error))  # Keras prints its reasons bold
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("Exception encountered")]
        raise UserError(f"Keras cannot {what} it: {(lines or [type(error).__name__])[0].strip()[:300]}") from error


def _run(model):
    """Predict noise, to see that the model runs, and that its outputs are numbers."""
    for shape in input_format.shapes(tuple(model.inputs[0].shape[1:])):  # several, if the size is not fixed
        noise = np.random.default_rng(0).random((2, *shape), np.float32)
        try:
            with _guarded("run"):
                outputs = np.asarray(model.predict_on_batch(noise), np.float32)
            break
        except UserError as error:
            failure = error
    else:
        raise failure
    declared = (2, *model.outputs[0].shape[1:])
    if outputs.shape != declared:
        raise UserError(f"its outputs for 2 images have the shape {outputs.shape}, not {declared}")
    checks.check_outputs(outputs)


@contextlib.contextmanager
def _limited(most):
    """Inside this block, models are built within bounds: at most `most` weights, and checks.MAX_SECONDS.

    One line of a config can ask for a billion units; this stops Keras before the memory is allocated. Weights begin as
    zeros, which cost nothing: they come from the file. A Sequential model is built once, not after each of its layers.
    """
    layer, sequential = keras.layers.Layer, keras.Sequential
    add_weight, call, from_config = layer.add_weight, layer.__call__, sequential.__dict__["from_config"]
    total, deadline = 0, checks.Deadline()

    def limited(self, shape=None, initializer=None, *arguments, **options):
        nonlocal total
        total += math.prod(shape or ())
        if total > most:
            raise UserError("its layers need more weights than the file stores")
        return add_weight(self, shape, "zeros", *arguments, **options)

    def timed(self, *arguments, **options):
        deadline.check()
        return call(self, *arguments, **options)

    def at_once(config, custom_objects=None):
        deadline.check()
        return sequential([keras.saving.deserialize_keras_object(one) for one in config["layers"]], name=config["name"])

    layer.add_weight, layer.__call__, sequential.from_config = limited, timed, at_once
    try:
        yield
    finally:
        layer.add_weight, layer.__call__, sequential.from_config = add_weight, call, from_config


def _assign(model, contents):
    """Give a model the weights of the Contents."""
    if contents.variables:
        _assign_variables(model, contents.variables)
    else:
        _assign_weights(model, contents.weights, by_order=contents.config is None or contents.architecture is not None)
    for layer in checks.every_layer(model):
        if hasattr(layer, "finalize_state"):  # Normalization computes with what it derives from its weights
            layer.finalize_state()


def _assign_weights(model, stored, by_order):
    """Give a model the weights {layer name: [arrays]}: by the names of the layers or, if they may differ, by order."""
    wanted = {layer.name: layer.trainable_weights + layer.non_trainable_weights for layer in model.layers}
    wanted = {name: variables for name, variables in wanted.items() if variables}
    if by_order and not wanted.keys() <= stored.keys():
        stored = dict(zip(wanted, (arrays for arrays in stored.values() if arrays), strict=False))
    for name, variables in wanted.items():
        arrays = stored.get(name, [])
        if isinstance(model.get_layer(name), keras.layers.Normalization):
            arrays = arrays[: len(variables)]  # Keras 2 also stored how many images they come from
        shapes = [tuple(variable.shape) for variable in variables]
        # Keras 1 stored the kernels of networks with channels first as (filters, channels, rows, columns).
        transposed = [array.transpose(2, 3, 1, 0) if array.ndim == 4 else array for array in arrays]
        if [array.shape for array in arrays] != shapes == [array.shape for array in transposed]:
            arrays = transposed
        if [array.shape for array in arrays] != shapes:
            raise UserError(f"the weights stored for the layer {name!r} do not fit it")
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)


def _assign_variables(model, stored):
    """Give a model the variables {path: array} in the layout of Keras 3, by Keras itself."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.weights.h5"
            try:
                _load(model, stored, path)
            except Exception as error:  # the groups may be numbered with gaps
                model.save_weights(path)
                renamed = _renumber(stored, path)
                if renamed is None:
                    words = str(error).strip().splitlines()[0].rstrip(":")
                    raise UserError(f"the weights do not fit the layers: {words[:300]}") from error
                _load(model, renamed, path)
    except FileNotFoundError as error:
        raise UserError("there is no folder for temporary files; set TMPDIR to one") from error


def _load(model, stored, path):
    with h5py.File(path, "w") as file:
        for name, array in stored.items():
            file[name] = array
    model.load_weights(path)


def _renumber(stored, path):
    """Return the variables {path: array} under the names that Keras gives to them in the weights file `path`.

    Layers of one class come in the order of their numbers (dense, dense_2), which can have gaps. None if they do not
    fit. Random seeds may be missing: no prediction depends on them.
    """
    wanted = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: wanted.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    wanted = {name: array for name, array in wanted.items() if name.startswith("layers/")}
    kinds = {}
    for side, names in enumerate((wanted, stored)):
        for name in sorted(names, key=_numbers):
            kinds.setdefault(re.sub(r"_\d+(?=/)", "", name), ([], []))[side].append(name)
    renamed = {}
    for kind, (ours, theirs) in kinds.items():
        if not theirs and "seed_generator" in kind:
            renamed |= {name: wanted[name] for name in ours}
        elif [wanted[name].shape for name in ours] != [stored[name].shape for name in theirs]:
            return None
        else:
            renamed |= dict(zip(ours, (stored[name] for name in theirs), strict=True))
    return renamed


def _numbers(name):
    """Return the numbers in a path, [0, 2, 0, 1] for "layers/dense_2/vars/1", to sort paths by."""
    return [int((re.search(r"(?:^|_)(\d+)$", part) or [0, 0])[1]) for part in name.split("/")]


def _arrays(contents):
    """Return all arrays of the Contents, in the order of the file."""
    return [*(array for arrays in contents.weights.values() for array in arrays), *contents.variables.values()]


def _build_minivggnet(contents):
    """Return a MiniVGGNet with the weights of a file that has nothing else. Raises UserError if they do not fit."""
    kernels = [array.shape for array in _arrays(contents) if array.ndim > 1]
    filters = [shape[-1] for shape in kernels if len(shape) == 4]
    dense = [shape[-1] for shape in kernels if len(shape) == 2]
    # Where the blocks begin, weights do not say: with a dense layer, two convolutions each; else, where filters change.
    blocks = filters[::2] if dense[1:] else [tuple(block) for _, block in itertools.groupby(filters)]
    try:
        with _limited(sum(array.size for array in _arrays(contents))):
            model = MiniVGGNet.build(28, 28, 1, dense[-1], filters=tuple(blocks), dense=sum(dense[:-1]))
        _assign(model, contents)
        return model
    except Exception as error:
        raise UserError(
            f"it contains only weights{_suggestion(contents)}, without the network that they belong to; save the whole "
            "model with model.save, or give the network with --architecture FILE.json, as model.to_json() writes it"
        ) from error


def _suggestion(contents):
    """Return which layers the shapes of the weights suggest, as a remark in parentheses."""
    kernels = [array.shape for array in _arrays(contents) if array.ndim > 1]
    names = [f"Dense {s[1]}" if len(s) == 2 else f"{'x'.join(map(str, s[:-2]))} filters, {s[-1]}" for s in kernels]
    return f" (they suggest {'; '.join(names[:20])})" if names else ""
