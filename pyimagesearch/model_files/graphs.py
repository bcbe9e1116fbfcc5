"""Connect the layers of a Functional model as its config says, also operations such as x / 255. Needs Keras."""

import inspect
import re

import keras

from pyimagesearch.errors import UserError

# Keras 2 (tf.keras) wrote a call of a TensorFlow function, such as x / 255, as a layer of one of these classes.
TF_FUNCTIONS = ("TFOpLambda", "SlicingOpLambda")
# What keras.ops calls a function or an argument of TensorFlow, where the names differ.
TF_NAMES = {"truediv": "true_divide", "pow": "power", "getitem": "get_item", "shape": "newshape", "perm": "axes"}
TF_NAMES |= {"abs": "absolute", "concat": "concatenate"}


def operation(name, config):
    """Return a function that computes an operation of a config on tensors: one of keras.ops."""
    if name in TF_FUNCTIONS:
        last = str(config.get("function")).split(".")[-1].removeprefix("reduce_")
        name, known = TF_NAMES.get(last, last), config.get("function")
    else:
        name, known = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower(), name
    function = getattr(keras.ops, name, None) or getattr(keras.ops.image, name, None)
    if not inspect.isfunction(function):
        raise UserError(f"it calls the function {known!r}, which keras.ops does not have")
    parameters = inspect.signature(function).parameters
    given = {key: value for key, value in config.items() if key in parameters and key != "name"}

    def compute(*tensors, **options):  # with the arguments of Keras 3 or of TensorFlow
        tensors += tuple(options.pop(key) for key in ("y", "b", "slice_spec") if key in options)
        if function is keras.ops.get_item and isinstance(tensors[1], list):
            tensors = (tensors[0], tuple(tensors[1]))
        options = {TF_NAMES.get(key, key): value for key, value in options.items()}
        return function(*tensors, **given, **{key: value for key, value in options.items() if key in parameters})

    return compute


def connect(config, build):
    """Return the Functional model of a config. build: returns the layer or operation of an entry in it."""
    entries = config["layers"]
    built = {entry["name"]: build(entry) for entry in entries}
    tensors = {(name, 0, 0): one.output for name, one in built.items() if isinstance(one, keras.layers.InputLayer)}
    calls = [(one["name"], number, node) for one in entries for number, node in enumerate(one.get("inbound_nodes", []))]
    while calls:
        waiting = []
        for name, number, node in calls:
            try:
                positions, options = _arguments(node, tensors)
            except KeyError:  # it is called with the outputs of layers that come later
                waiting.append((name, number, node))
                continue
            for index, tensor in enumerate(keras.tree.flatten(built[name](*positions, **options))):
                tensors[name, number, index] = tensor
                if isinstance(built[name], keras.Model):  # Keras 2 counted a model's own graph as its first call
                    tensors[name, number + 1, index] = tensor
        if len(waiting) == len(calls):
            raise UserError("its layers are connected in a circle, or to layers that it does not have")
        calls = waiting
    ends = (config.get(key) for key in ("input_layers", "output_layers"))
    inputs, outputs = ([tensors[tuple(one)] for one in (end if isinstance(end[0], list) else [end])] for end in ends)
    return keras.Model(*(one if len(one) > 1 else one[0] for one in (inputs, outputs)), name=config.get("name"))


def _arguments(node, tensors):
    """Return (positional arguments, options) of the call that a node describes. Raises KeyError for tensors to come."""
    if isinstance(node, dict):  # Keras 3
        return _resolved(node["args"], tensors), _resolved(node["kwargs"], tensors)
    node = node if isinstance(node[0], list) else [node]
    inputs = [one[2] if one[0] == "_CONSTANT_VALUE" else tensors[tuple(one[:3])] for one in node]
    return [inputs if len(inputs) > 1 else inputs[0]], _resolved(node[0][3] if len(node[0]) > 3 else {}, tensors)


def _resolved(value, tensors):
    """Return an argument with tensors and slices in place of what describes them."""
    if isinstance(value, list):
        if len(value) == 3 and [type(one) for one in value] == [str, int, int]:  # a tensor, as Keras 2 wrote it
            return tensors[tuple(value)]
        return [_resolved(one, tensors) for one in value]
    if not isinstance(value, dict):
        return value
    kind, config = value.get("class_name"), value.get("config") or value
    if kind == "__keras_tensor__":
        return tensors[tuple(config["keras_history"])]
    if kind == "__slice__" or value.keys() == {"start", "stop", "step"}:
        return slice(config["start"], config["stop"], config["step"])
    return ... if kind == "__ellipsis__" else {key: _resolved(one, tensors) for key, one in value.items()}


def every_layer(model):
    """Yield the layers and operations of a model, and those of the models inside it."""
    for layer in getattr(model, "operations", None) or model.layers:
        if isinstance(layer, keras.Model):
            yield from every_layer(layer)
        else:
            yield layer
