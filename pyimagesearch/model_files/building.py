"""Build the Keras model that the contents of a model file describe. Needs Keras."""

import contextlib
import inspect
import re
import tempfile
import warnings
from pathlib import Path

import h5py
import keras
import numpy as np

from pyimagesearch.errors import UserError
from pyimagesearch.model_files import checks, graphs, input_format, layer_classes, reading

# Names of Keras 2, and what Keras 3 calls the same.
CLASSES = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
    "GRUV1": "GRU",
    "GRUV2": "GRU",
    "LSTMV1": "LSTM",
    "LSTMV2": "LSTM",
}


def build(contents):
    """Return the uncompiled Keras model of the Contents that reading.read() has returned.

    Raises UserError if Keras cannot build or run it, if the weights do not fit, or if it takes too much.
    """
    with reading.loading(contents.path):
        if contents.child and not contents.verified:
            contents.child.check()
        return _build(contents)


def try_out(contents):
    """Return the model, after it has predicted noise: it runs, and its outputs are numbers. Raises UserError."""
    model = _build(contents)
    for shape in input_format.shapes(model.inputs[0].shape[1:]):  # several, if the size is not fixed
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
    if not np.isfinite(outputs).all():
        raise UserError("its outputs are not finite numbers, so it cannot predict anything")
    return model


def _build(contents):
    try:
        with _guarded("build"):
            model = _layer(contents.config)
        if not model.built:
            raise UserError("its config does not give the shape of its input")
        _assign(model, contents)
        heads = [output for output in model.outputs if output.shape[1:] == (10,)]
        if len(model.outputs) > 1 and len(heads) == 1:  # one of several predicts the ten classes
            model = keras.Model(model.inputs[0], heads[0])
        checks.check_model(model)
        return model
    except UserError as error:
        if contents.architecture is None:
            raise
        raise UserError(
            f"it contains only weights, and the network in {contents.architecture} is another one or cannot be used: "
            f"{error}"
        ) from error


@contextlib.contextmanager
def _guarded(what):
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
        text = re.sub(r"\x1b\[\d*m", "", str(error))  # Keras prints its reasons bold
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("Exception encountered")]
        raise UserError(f"Keras cannot {what} it: {(lines or [type(error).__name__])[0].strip()[:300]}") from error


def _layer(entry):
    """Return the layer, the operation or the model of a config that configs.parse() has returned."""
    name, config = entry["class_name"], entry["config"]
    if name == "Sequential":
        return _sequential(config)
    if name in ("Functional", "Model"):
        return graphs.connect(config, _layer)
    if name in graphs.TF_FUNCTIONS or entry["operation"]:
        return graphs.operation(name, config)
    kind = layer_classes.layers().get(CLASSES.get(name, name))
    if kind is None:
        raise UserError(f"its layer of class {name!r} is not a Keras layer, and the file does not contain its code")
    return kind(**_arguments(kind, config))


def _sequential(config):
    if not config.get("layers"):
        raise UserError("its config has a model without layers")
    layers = [_layer(one) for one in config["layers"]]
    if not isinstance(layers[0], keras.layers.InputLayer):
        shape = config["layers"][0]["config"].get("batch_input_shape") or config.get("build_input_shape")
        if isinstance(layers[0], keras.Model) and layers[0].built:
            shape = layers[0].inputs[0].shape
        if shape:
            layers.insert(0, keras.layers.InputLayer(_image(shape)))
    return keras.Sequential(layers, name=config.get("name"))


def _arguments(kind, old):
    """Return the arguments for a class of layers; what Keras 3 does not know is left out."""
    known = {name for base in kind.__mro__[:-1] for name in inspect.signature(base.__init__).parameters}
    arguments = {}
    for key, value in old.items():
        if key == "alpha" and kind is keras.layers.LeakyReLU:
            key = "negative_slope"
        if key == "axis" and isinstance(value, list) and len(value) == 1:
            value = value[0]
        if key in known:
            arguments[key] = [_value(one) for one in value] if isinstance(value, list) else _value(value)
    if kind is keras.layers.GRU and "reset_after" not in old:  # Keras before 2.1.5 had no other
        arguments["reset_after"] = False
    if kind is keras.layers.InputLayer:  # a network for batches of 32 takes any batch
        arguments = {"shape": _image(old.get("batch_shape") or old.get("batch_input_shape")), "name": old.get("name")}
    return arguments


def _image(shape):
    """Return the shape of one image of a batch; nothing but None, as a generator leaves it, is 28x28 in gray."""
    return (28, 28, 1)[: len(shape) - 1] if set(shape) == {None} and len(shape) in (3, 4) else tuple(shape[1:])


def _value(value):
    return _layer(value) if isinstance(value, dict) and "class_name" in value else value


def _assign(model, contents):
    """Give a model the weights of the Contents."""
    stored = {}  # layer, or folder of paths: its arrays
    for name, array in (
        contents.weights if contents.by_layer else sorted(contents.weights, key=lambda one: _order(one[0]))
    ):
        stored.setdefault(name if contents.by_layer else name.rpartition("/")[0], []).append(array)
    stored = {name: _dequantized(arrays) for name, arrays in stored.items()}
    if contents.by_layer:
        _assign_by_layer(model, stored, by_order=contents.architecture is not None)
    else:
        # Keras 2 stored no random seeds, and no prediction depends on them.
        arrays = [array for name, arrays in stored.items() if "seed_generator" not in name for array in arrays]
        _assign_by_path(model, arrays)
    for layer in checks.every_layer(model):
        if hasattr(layer, "finalize_state"):  # Normalization computes with what it derives from its weights
            layer.finalize_state()


def _dequantized(arrays):
    """Return the weights of a layer as float32, if Keras has quantized them: an int8 kernel, and a scale at the end."""
    kernel = next((array for array in arrays if array.dtype == np.int8), None)
    if kernel is None:
        return arrays
    *others, scale = [array for array in arrays if array is not kernel]
    if scale.shape != kernel.shape[-1:] or len(others) > 1:
        raise UserError(
            "it is quantized, and only int8 Dense layers are read; save the network from before model.quantize"
        )
    return [(kernel / scale).astype(np.float32), *others]


def _assign_by_layer(model, stored, by_order):
    """Assign by the names of the layers, {name: [arrays]}, or by order, if names of another file differ from these."""
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


def _assign_by_path(model, arrays):
    """Assign by Keras itself, from a file with its own paths for the arrays, which are in the order of theirs.

    Keras numbers the layers of a class (dense, dense_1, ...) in its files, but some files skip numbers.
    """
    try:
        folder = tempfile.TemporaryDirectory()
    except FileNotFoundError as error:
        raise UserError("there is no folder for temporary files; set TMPDIR to one") from error
    with folder, _guarded("load the weights of"):
        path = Path(folder.name) / "model.weights.h5"
        model.save_weights(path)
        with h5py.File(path, "r+") as file:
            names = []
            file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
            names = [name for name in names if name.startswith("layers/") and "seed_generator" not in name]
            names.sort(key=_order)
            if [file[name].shape for name in names] != [array.shape for array in arrays]:
                raise UserError("its weights do not fit its layers")
            for name, array in zip(names, arrays, strict=True):
                file[name][...] = array
        model.load_weights(path)


def _order(name):
    """Return what to sort paths by, so that "layers/dense_10/vars/1" comes after "layers/dense_2/vars/1"."""
    parts = (re.fullmatch(r"(.*?)_?(\d*)", part) for part in name.split("/"))
    return [(part[1], int(part[2] or 0)) for part in parts]
