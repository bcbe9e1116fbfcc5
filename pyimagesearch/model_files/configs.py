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
TRAINING_KEYS = ("_initializer", "_regularizer", "_constraint", "_quantizer", "dtype", "dtype_policy", "seed")
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
    config = json.loads(text)
    _check_depth(config, checks.MAX_DEPTH)
    if not is_model(config):
        if isinstance(config, dict) and "class_name" in config:
            checks.check_class(config["class_name"], config.get("registered_name"), config.get("module"))
        raise UserError("its config is not that of a Sequential or Functional model")
    result = _layer(config)
    if sum(1 for _ in every_entry(result)) > checks.MAX_LAYERS:
        raise UserError(f"it has more than {checks.MAX_LAYERS:,} layers")
    return result


def is_model(config):
    """Return whether a JSON value is the config of a Sequential or Functional model."""
    return isinstance(config, dict) and config.get("class_name") in MODELS and "config" in config


def every_entry(entry):
    """Yield a config that parse() has returned, and those of all layers in it."""
    yield entry
    for value in entry["config"].values():
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict) and "class_name" in inner:
                yield from every_entry(inner)


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
            values[key] = _value(key, value)
    result = {"class_name": name, "config": values, "operation": operation}
    if "name" in entry:
        result["name"] = _plain(entry["name"])
    if "inbound_nodes" in entry:
        result["inbound_nodes"] = _plain(entry["inbound_nodes"], TENSORS)
    return result


def _is_operation(entry, config):
    """Return whether an entry is an operation (Multiply in 2 * x), not the layer of the same name (Multiply)."""
    if entry.get("module"):
        return ".ops" in entry["module"]
    # HDF5 files do not name the module, but all layers have the key "trainable", except the oldest Keras's.
    return "inbound_nodes" in entry and entry["class_name"] != "InputLayer" and "trainable" not in config


def _value(key, value):
    if key in LAYER_KEYS and isinstance(value, dict):
        return _layer(value)
    if key in LAYER_KEYS and isinstance(value, list):
        return [_layer(item) for item in value]
    if key.endswith("activation"):
        return _activation(value)
    return _plain(value)


def _activation(value):
    """Return the name of an activation function, None, or a layer such as LeakyReLU in the place of a function."""
    if isinstance(value, dict) and value.get("class_name") == "function":  # a function object, saved by its name
        value = value.get("config")
    if isinstance(value, dict):
        return _layer(value)
    if not isinstance(value, str | None):
        raise UserError(f"{value!r} is not the name of an activation function")
    return value and value.removesuffix("_v2")  # TensorFlow's name of softmax is softmax_v2


def _plain(value, allowed=()):
    """Return a plain value: None, a number, text, or lists and dicts of them; `allowed` are classes that stay."""
    if isinstance(value, list):
        return [_plain(item, allowed) for item in value]
    if not isinstance(value, dict):
        return value
    name, config = value.get("class_name"), value.get("config")
    if name in ("__tuple__", "TensorShape"):
        return _plain(value.get("items"), allowed)
    if name in ("__numpy__", "__tensor__") and isinstance(config, dict):
        return _plain(config.get("value"))
    if name is not None and name not in allowed:
        raise UserError(f"its config has {name!r} where a plain value should be")
    return {key: _plain(item, allowed) for key, item in value.items()}
