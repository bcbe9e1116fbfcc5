"""The config of a model, the JSON that Keras writes into a file. Only what a prediction needs is taken from it.

A file from elsewhere can contain code that runs on loading (a Lambda layer: CVE-2025-9905), so only Keras's own layers
may be built, and none that runs code or reads files.

Each place has its kind of value: a layer's place holds a layer, an activation's place the name of a function, any other
place plain values. Optimizers, losses, metrics, initializers, regularizers and constraints are for training: they are
neither read nor judged, wherever they stand.
"""

import functools
import inspect
import json

from pyimagesearch.errors import UserError

MODELS = ("Sequential", "Functional", "Model")
# Where a layer that wraps other layers has them.
LAYER_KEYS = ("layer", "forward_layer", "backward_layer", "cell", "layers", "cells")
# The weights come from the file and are not trained; predictions are in float32, whatever the training was in.
TRAINING_KEYS = ("_initializer", "_regularizer", "_constraint", "dtype", "dtype_policy", "seed")
TRAINING_KEYS += ("_quantizer", "quantization_config")
TENSORS = ("__keras_tensor__", "__slice__", "__ellipsis__")  # what a layer is called with, besides plain values

# Layers that run code of the file or read other files.
REFUSED = ("Lambda", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "TFSMLayer")
REFUSED += ("IntegerLookup", "StringLookup", "TextVectorization")
# Arguments by which a layer is given code, a file, or a list of words.
CODE_ARGUMENTS = {"call_fn", "filepath", "fn", "function", "init_fn", "module", "vocabulary"}


def parse(text):
    """Return the config of a model, given as JSON, str or bytes, with only what a prediction needs.

    The result has, for the model and for each layer in it, "class_name" and "config"; "operation", which is true for an
    operation such as x / 255; "name" and "inbound_nodes" where the file has them. Raises UserError if anything in it is
    not allowed.
    """
    config = loads(text)
    if is_model(config):
        return _layer(config)
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict) or not config.get("class_name"):
        raise UserError("its config is not that of a Sequential or Functional model")
    raise UserError(
        f"it is a model of a class of its author's, {config['class_name']!r}, whose code is not in the file; with that "
        "code, build the same layers as keras.Sequential or keras.Model, copy the weights, and save that"
    )


def loads(text):
    """Return the value of a JSON text. One that is a text again, json.dump(model.to_json(), file), is read again."""
    value = json.loads(text)
    return json.loads(value) if isinstance(value, str) else value


def is_model(config):
    """Return whether a JSON value is the config of a Sequential or Functional model."""
    return isinstance(config, dict) and config.get("class_name") in MODELS and "config" in config


def _layer(entry):
    """Return the config of a layer, an operation or a model."""
    name, config = (entry.get("class_name"), entry.get("config")) if isinstance(entry, dict) else (None, None)
    if name == "Sequential" and isinstance(config, list):  # as Keras before 2.2.3 wrote it
        config = {"layers": config}
    if not isinstance(name, str) or not isinstance(config, dict):
        raise UserError("its config has something else where a layer should be")
    _check_class(name, entry.get("registered_name"), entry.get("module"))
    operation = _is_operation(entry, config)
    values = {
        key: _value(name, key, value) for key, value in config.items() if operation or not key.endswith(TRAINING_KEYS)
    }
    result = {"class_name": name, "config": values, "operation": operation}
    for key, allowed in (("name", ()), ("inbound_nodes", TENSORS)):
        if key in entry:
            result[key] = _plain(name, entry[key], allowed)
    return result


def _is_operation(entry, config):
    """Return whether an entry is an operation (Multiply in 2 * x), not the layer of the same name (Multiply)."""
    if entry.get("module"):
        return ".ops" in entry["module"]
    # HDF5 files do not name the module, but all layers have the key "trainable", except the oldest Keras's.
    return "inbound_nodes" in entry and entry["class_name"] != "InputLayer" and "trainable" not in config


def _value(owner, key, value):
    if key in LAYER_KEYS and isinstance(value, dict):
        return _layer(value)
    if key in LAYER_KEYS and isinstance(value, list):
        return [_layer(item) for item in value]
    if key.endswith("activation"):
        return _activation(value)
    return _plain(owner, value)


def _activation(value):
    """Return the name of an activation function, None, or a layer such as LeakyReLU in the place of a function."""
    if isinstance(value, dict) and value.get("class_name") == "function":  # a function object, saved by its name
        value = value.get("config")
    if isinstance(value, dict):
        return _layer(value)
    if not isinstance(value, str | None):
        raise UserError(f"{value!r} is not the name of an activation function")
    return value and value.removesuffix("_v2")  # TensorFlow's name of softmax is softmax_v2


def _plain(owner, value, allowed=()):
    """Return a plain value: None, a number, text, or lists and dicts of them; `allowed` are classes that stay.

    owner: class of the layer to which it belongs.
    """
    if isinstance(value, list):
        return [_plain(owner, item, allowed) for item in value]
    if not isinstance(value, dict):
        return value
    name, config = value.get("class_name"), value.get("config")
    if name in ("__tuple__", "TensorShape"):
        return _plain(owner, value.get("items"), allowed)
    if name in ("__numpy__", "__tensor__") and isinstance(config, dict):
        return _plain(owner, config.get("value"))
    if name is not None and name not in allowed:
        raise UserError(
            f"its layer of class {owner} is given an object of class {name!r}; only plain values are loaded"
        )
    return {key: _plain(owner, item, allowed) for key, item in value.items()}


def _check_class(name, registered_name, module):
    """Check the class of a layer as far as that is possible without Keras. Raises UserError."""
    if name in REFUSED:
        raise UserError(
            f"its layer of class {name} is not loaded, because it can run any code or read other files; "
            "build the same network without it in Keras, copy the weights, and save that"
        )
    if registered_name not in (None, name):
        raise UserError(f"it needs custom code, {registered_name!r}, which is not in the file")
    if str(module or "keras").split(".")[0] not in ("keras", "tf_keras", "tensorflow", "keras_core"):
        raise UserError(f"it needs code outside Keras, from {module!r}")


@functools.cache
def layers():
    """Return {name: class} of the layers in keras.layers that are given nothing but numbers and names."""
    import keras

    kept = {}
    for name, kind in vars(keras.layers).items():
        if inspect.isclass(kind) and issubclass(kind, keras.layers.Layer) and kind.__name__ not in REFUSED:
            arguments = {*inspect.signature(kind.__init__).parameters, *inspect.signature(kind.call).parameters}
            if kind not in (keras.layers.Layer, keras.layers.Wrapper) and not arguments & CODE_ARGUMENTS:
                kept |= {name: kind, kind.__name__: kind}  # GroupQueryAttention is the class GroupedQueryAttention
    return kept
