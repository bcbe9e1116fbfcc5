"""The config of a model, the JSON that Keras writes into a file. Only what a prediction needs is taken from it.

Each place has its kind of value: a layer's place holds a layer, an activation's place the name of a function, any other
place plain values. Optimizers, losses, metrics, initializers, regularizers and constraints are for training: they are
neither read nor judged, wherever they stand.
"""

import json
import re

from pyimagesearch.errors import UserError
from pyimagesearch.model_files import checks

MODELS = ("Sequential", "Functional", "Model")
# Where a layer that wraps other layers has them.
LAYER_KEYS = ("layer", "forward_layer", "backward_layer", "cell")
LAYER_LIST_KEYS = ("layers", "cells")
# The weights come from the file and are not trained; predictions are in float32, whatever the training was in.
TRAINING_KEYS = ("_initializer", "_regularizer", "_constraint", "_quantizer", "dtype", "dtype_policy", "seed")
FUNCTIONS = ("function", "__lambda__")


def parse(text):
    """Return the config of a model, given as JSON, with only what a prediction needs.

    The result has, for the model and for each layer in it, "class_name", "config", and "module", which is "keras.ops"
    for an operation such as x / 255; "name" and "inbound_nodes" where the file has them. Raises UserError if anything
    in it is not allowed.
    """
    if len(text) > checks.MAX_CHARACTERS:
        raise UserError(f"its config is longer than {checks.MAX_CHARACTERS:,} characters")
    try:
        config = json.loads(text)
    except RecursionError as error:
        raise UserError("its config is nested too deep") from error
    if not is_model(config):
        if isinstance(config, dict) and "class_name" in config:
            checks.check_class(config["class_name"], config.get("registered_name"), config.get("module"))
        raise UserError("its config is not that of a Sequential or Functional model")
    result = _layer(config, 0)
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


def _layer(entry, depth):
    """Return the config of a layer, an operation or a model."""
    if depth > checks.MAX_DEPTH:
        raise UserError("its config is nested too deep")
    if not isinstance(entry, dict) or "class_name" not in entry:
        raise UserError("its config has something else where a layer should be")
    name, config = entry["class_name"], entry.get("config")
    checks.check_class(name, entry.get("registered_name"), entry.get("module"))
    if isinstance(config, list):  # Sequential of Keras 1
        config = {"layers": config}
    if not isinstance(config, dict):
        raise UserError(f"its layer of class {name} has no config")
    operation = _is_operation(entry, config)
    values = {}
    for key, value in config.items():
        if key.endswith("_initializer") and isinstance(value, dict) and value.get("class_name") in FUNCTIONS:
            raise UserError(f"its layer of class {name} has a function where an initializer should be")
        if operation or not key.endswith(TRAINING_KEYS):
            values[key] = _value(key, value, depth + 1)
    result = {"module": "keras.ops" if operation else "keras.layers", "class_name": name, "config": values}
    if "name" in entry:
        result["name"] = _plain(entry["name"], depth + 1)
    if "inbound_nodes" in entry:
        result["inbound_nodes"] = _argument(entry["inbound_nodes"], depth + 1)
    return result


def _is_operation(entry, config):
    """Return whether an entry is an operation (Multiply in 2 * x), not the layer of the same name (Multiply)."""
    if entry.get("module"):
        return ".ops" in entry["module"]
    # HDF5 files do not name the module, but all layers have the key "trainable", except the oldest Keras's.
    return "inbound_nodes" in entry and entry["class_name"] != "InputLayer" and "trainable" not in config


def _value(key, value, depth):
    if key in LAYER_LIST_KEYS and isinstance(value, list):
        return [_layer(item, depth) for item in value]
    if key in LAYER_KEYS and isinstance(value, dict):
        return _layer(value, depth)
    if key.endswith("activation"):
        return _activation(value, depth)
    return _plain(value, depth)


def _activation(value, depth):
    """Return the name of an activation function, None, or a layer such as LeakyReLU in the place of a function."""
    if isinstance(value, dict) and value.get("class_name") == "function":  # a function object, saved by its name
        value = value.get("config")
    if isinstance(value, dict):
        return _layer(value, depth)
    if not isinstance(value, str | None):
        raise UserError(f"{value!r} is not the name of an activation function")
    return value and value.removesuffix("_v2")  # TensorFlow's name of softmax is softmax_v2


def _plain(value, depth):
    """Return a plain value: None, a number, text, or lists and dicts of them."""
    if depth > checks.MAX_DEPTH:
        raise UserError("its config is nested too deep")
    if isinstance(value, list):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, dict):
        if value.get("class_name") in ("__tuple__", "TensorShape"):
            return _plain(value.get("items"), depth + 1)
        if value.get("class_name") in ("__numpy__", "__tensor__") and isinstance(value.get("config"), dict):
            return _plain(value["config"].get("value"), depth + 1)
        if "class_name" in value:
            raise UserError(f"its config has {value['class_name']!r} where a plain value should be")
        return {key: _plain(item, depth + 1) for key, item in value.items()}
    return value


def _argument(value, depth):
    """Return an argument of a layer's call in a Functional model: tensors, slices, constants and plain values."""
    if isinstance(value, list):
        return [_argument(item, depth + 1) for item in value] if depth < checks.MAX_DEPTH else _plain(value, depth)
    if not isinstance(value, dict) or value.get("class_name") in ("__tuple__", "TensorShape"):
        return _plain(value, depth)
    if "class_name" not in value:
        return {key: _argument(item, depth + 1) for key, item in value.items()}
    name, config = value["class_name"], value.get("config")
    if name not in ("__keras_tensor__", "__tensor__", "__numpy__", "__slice__", "__ellipsis__"):
        raise UserError(f"its config has {name!r} where the argument of a layer should be")
    config = _plain(config, depth + 1) or {}
    if not re.fullmatch(r"bool|u?int\d+|b?float\d+", str(config.get("dtype", "bool"))):
        raise UserError(f"{config['dtype']!r} is not the type of a number")
    return {"class_name": name, "config": config}
