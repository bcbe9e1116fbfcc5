"""The config of a model, the JSON that Keras writes into a file. Only what a prediction needs is taken from it.

Each place has its kind of value: a layer's place holds a layer, an activation's place the name of a function, any other
place plain values. Optimizers, losses, metrics, initializers, regularizers and constraints are for training: they are
neither read nor judged, wherever they stand.
"""

import json

from pyimagesearch.errors import UserError
from pyimagesearch.model_files import checks

MODELS = ("Sequential", "Functional", "Model")
# Where a layer that wraps other layers has them.
LAYER_KEYS = ("layer", "forward_layer", "backward_layer", "cell", "layers", "cells")
# The weights come from the file and are not trained; predictions are in float32, whatever the training was in.
TRAINING_KEYS = ("_initializer", "_regularizer", "_constraint", "dtype", "dtype_policy", "seed")
TRAINING_KEYS += ("_quantizer", "quantization_config")
FUNCTIONS = ("function", "__lambda__")
TENSORS = ("__keras_tensor__", "__slice__", "__ellipsis__")  # what a layer is called with, besides plain values


def parse(text):
    """Return the config of a model, given as JSON, with only what a prediction needs.

    The result has, for the model and for each layer in it, "class_name" and "config"; "operation", which is true for an
    operation such as x / 255; "name" and "inbound_nodes" where the file has them. Raises UserError if anything in it is
    not allowed.
    """
    if len(text) > checks.MAX_CHARACTERS:
        raise UserError(f"its config is longer than {checks.MAX_CHARACTERS:,} characters")
    config = loads(text)
    _check_depth(config, checks.MAX_DEPTH)
    if not is_model(config):
        name = config.get("class_name") if isinstance(config, dict) else None
        if name and isinstance(config.get("config"), dict):
            raise UserError(
                f"it is a model of a class of its author's, {name!r}, whose code is not in the file; with that code, "
                "build the same layers as keras.Sequential or keras.Model, copy the weights, and save that"
            )
        raise UserError("its config is not that of a Sequential or Functional model")
    return _layer(config)


def loads(text):
    """Return the value of a JSON text. One that is a text again, json.dump(model.to_json(), file), is read again."""
    value = json.loads(text.removeprefix("\ufeff"))
    return json.loads(value) if isinstance(value, str) else value


def is_model(config):
    """Return whether a JSON value is the config of a Sequential or Functional model."""
    return isinstance(config, dict) and config.get("class_name") in MODELS and "config" in config


def _check_depth(value, left):
    if not left:
        raise UserError("its config is nested too deep")
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_depth(inner, left - 1)


def _layer(entry):
    """Return the config of a layer, an operation or a model."""
    if not isinstance(entry, dict) or "class_name" not in entry:
        raise UserError("its config has something else where a layer should be")
    name, config = entry["class_name"], entry.get("config")
    checks.check_class(name, entry.get("registered_name"), entry.get("module"))
    if not isinstance(config, dict):
        raise UserError(f"its layer of class {name} has no config")
    operation = _is_operation(entry, config)
    values = {}
    for key, value in config.items():
        if key.endswith("_initializer") and isinstance(value, dict) and value.get("class_name") in FUNCTIONS:
            raise UserError(f"its layer of class {name} has a function where an initializer should be")
        if operation or not key.endswith(TRAINING_KEYS):
            values[key] = _value(name, key, value)
    result = {"class_name": name, "config": values, "operation": operation}
    if "name" in entry:
        result["name"] = _plain(name, entry["name"])
    if "inbound_nodes" in entry:
        result["inbound_nodes"] = _plain(name, entry["inbound_nodes"], TENSORS)
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
