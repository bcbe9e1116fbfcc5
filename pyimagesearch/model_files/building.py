"""Build the Keras model that the contents of a model file describe. Needs Keras."""

import contextlib
import inspect
import math
import re
import tempfile
import warnings
from pathlib import Path

import h5py
import keras
import numpy as np

from pyimagesearch.errors import UserError, first_line
from pyimagesearch.model_files import configs, graphs, input_format, reading


def build(contents):
    """Return the uncompiled Keras model of the Contents that reading.read() has returned.

    Raises UserError if Keras cannot build or run it, if the weights do not fit, or if it takes too much.
    """
    with reading.loading(contents.path):
        if contents.child and not contents.record:
            contents.child.check()
        return _build(contents)


def try_out(contents):
    """Return the model, after it has predicted noise. Raises UserError."""
    model = _build(contents)
    for shape in input_format.shapes(model.inputs[0].shape[1:]):  # several, if the size is not fixed
        noise = np.random.default_rng(0).random((2, *shape), np.float32)
        try:
            with guarded("Keras cannot run it"):
                outputs = np.asarray(model.predict_on_batch(noise), np.float32)
            break
        except UserError as error:
            failure = error
    else:
        raise failure
    declared = (2, *model.outputs[0].shape[1:])
    if outputs.shape != declared:
        raise UserError(f"its outputs for 2 images have the shape {outputs.shape}, not {declared}")
    return model


def _build(contents):
    try:
        with guarded("Keras cannot build it"):
            model = _layer(contents.config)
        if not model.built:
            raise UserError("its config does not give the shape of its input")
        _assign(model, contents)
        heads = [output for output in model.outputs if output.shape[1:] == (10,)]
        if len(model.outputs) > 1 and len(heads) == 1:  # one of several predicts the ten classes
            model = keras.Model(model.inputs[0], heads[0])
        _check_ends(model)
        return model
    except UserError as error:
        if contents.architecture is None:
            raise
        text = f"the network in {contents.architecture} is another one or cannot be used: {error}"
        raise UserError(f"it contains only weights, and {text}") from error


def _check_ends(model):
    """Check that a Keras model takes one image and has one row of outputs for it. Raises UserError."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise UserError(f"inputs: {len(model.inputs)}, outputs: {len(model.outputs)}; it must have one of each")
    inputs, outputs = model.inputs[0].shape[1:], model.outputs[0].shape[1:]
    if None not in (*inputs, *outputs) and math.prod(inputs) == math.prod(outputs):
        raise UserError("it has as many outputs as its input has pixels: an autoencoder, which predicts no classes")
    shown, predicted = ("x".join(str(size or "?") for size in shape) for shape in (inputs, outputs))
    if not input_format.shapes(inputs):
        raise UserError(f"its input is {shown}, which no image of 28x28 pixels can be turned into")
    if len(outputs) != 1:
        raise UserError(f"its output is {predicted} for each image, not one number for each class")


@contextlib.contextmanager
def guarded(problem):
    """Turn any exception in this block into a UserError: Keras raises all kinds of them for a config without sense."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (UserError, MemoryError):
        raise
    except Exception as error:
        if type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's
            raise MemoryError from error
        raise UserError(f"{problem}: {first_line(error)}") from error


def _layer(entry):
    """Return the layer, the operation or the model of a config that configs.parse() has returned."""
    name, config = entry["class_name"], entry["config"]
    if name == "Sequential":
        return _sequential(config)
    if name in ("Functional", "Model"):
        return graphs.connect(config, _layer)
    if name in graphs.TF_FUNCTIONS or entry["operation"]:
        return graphs.operation(name, config)
    current = re.sub(r"^Sync(?=BatchNormalization)|V[12]$", "", name)  # Keras 2 wrote BatchNormalizationV1, GRUV2, ...
    kind = configs.layers().get(current)
    if kind is None:
        raise UserError(f"its layer of class {name!r} is not a Keras layer, and the file does not contain its code")
    return kind(**_arguments(kind, config))


def _sequential(config):
    entries = config["layers"]
    layers = [_layer(one) for one in entries]
    if layers and not isinstance(layers[0], keras.layers.InputLayer):
        shape = entries[0]["config"].get("batch_input_shape") or config.get("build_input_shape")
        if shape:
            layers.insert(0, keras.layers.InputLayer(_image(shape)))
    return keras.Sequential(layers, name=config.get("name"))


def _arguments(kind, old):
    """Return the arguments for a class of layers; what Keras 3 does not know is left out."""
    if kind is keras.layers.InputLayer:  # a network for batches of 32 takes any batch
        return {"shape": _image(old.get("batch_shape") or old.get("batch_input_shape")), "name": old.get("name")}
    known = {name for base in kind.__mro__[:-1] for name in inspect.signature(base.__init__).parameters}
    arguments = {}
    for key, value in old.items():
        if key == "alpha" and kind is keras.layers.LeakyReLU:
            key = "negative_slope"
        if key == "name":
            value = _name(value)
        if key == "axis" and isinstance(value, list) and len(value) == 1:
            value = value[0]
        if key in known:
            arguments[key] = [_value(one) for one in value] if isinstance(value, list) else _value(value)
    if kind is keras.layers.GRU and "reset_after" not in old:  # Keras before 2.1.5 had no other
        arguments["reset_after"] = False
    return arguments


def _image(shape):
    """Return the shape of one image of a batch; nothing but None, as a generator leaves it, is 28x28 in gray."""
    return (28, 28, 1)[: len(shape) - 1] if set(shape) == {None} and len(shape) in (3, 4) else tuple(shape[1:])


def _name(name):
    """Return a name of a layer as Keras 3 allows it: keras.applications of Keras 2 has names such as conv1/bn."""
    return name.replace("/", "_")


def _value(value):
    return _layer(value) if isinstance(value, dict) and "class_name" in value else value


def _assign(model, contents):
    """Give a model the weights of the Contents."""
    if any(array.dtype == np.int8 for _, array in contents.weights):
        raise UserError("it is quantized; save the network from before model.quantize")
    if contents.by_layer:
        _assign_by_layer(model, contents.weights, by_order=contents.architecture is not None)
    else:
        _assign_by_path(model, dict(contents.weights))
    for layer in graphs.every_layer(model):
        if hasattr(layer, "finalize_state"):  # Normalization computes with what it derives from its weights
            layer.finalize_state()


def _assign_by_layer(model, weights, by_order):
    """Assign by the names of the layers, or by order, if names of another file differ from these."""
    stored = {}
    for name, array in weights:
        stored.setdefault(_name(name), []).append(array)
    wanted = {layer.name: layer.trainable_weights + layer.non_trainable_weights for layer in model.layers}
    wanted = {name: variables for name, variables in wanted.items() if variables}
    if by_order and not wanted.keys() <= stored.keys():
        stored = dict(zip(wanted, stored.values(), strict=False))
    for name, variables in wanted.items():
        arrays = stored.get(name, [])
        if isinstance(model.get_layer(name), keras.layers.Normalization):
            arrays = arrays[: len(variables)]  # Keras 2 also stored how many images they come from
        if [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
            raise UserError(f"the weights stored for the layer {name!r} do not fit it")
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)


def _assign_by_path(model, stored):
    """Assign by Keras itself, from a file with its own paths for the arrays {path: array}, in the order of theirs.

    Keras numbers the layers of a class (dense, dense_1, ...) in its files, but some files skip numbers.
    """
    try:
        folder = tempfile.TemporaryDirectory()
    except FileNotFoundError as error:
        raise UserError("there is no folder for temporary files; set TMPDIR to one") from error
    with folder, guarded("Keras cannot load its weights"):
        path = Path(folder.name) / "model.weights.h5"
        model.save_weights(path)
        with h5py.File(path, "r+") as file:
            own = {}
            file.visititems(lambda name, item: own.update({name: item}) if isinstance(item, h5py.Dataset) else None)
            names, others = _sorted(own), _sorted(stored)
            if [own[name].shape for name in names] != [stored[name].shape for name in others]:
                raise UserError("its weights do not fit its layers")
            for name, other in zip(names, others, strict=True):
                own[name][...] = stored[other]
        model.load_weights(path)


def _sorted(paths):
    """Return paths in order, "layers/dense_10/vars/1" after "layers/dense_2/vars/1", without those of random seeds.

    Keras 2 stored no seeds, and no prediction depends on them.
    """

    def order(path):
        parts = (re.fullmatch(r"(.*?)_?(\d*)", part) for part in path.split("/"))
        return [(part[1], int(part[2] or 0)) for part in parts]

    return sorted((path for path in paths if "seed_generator" not in path), key=order)
