"""Configs of Keras 1 and 2 in the terms of Keras 3, and every class resolved to one of Keras's own. Needs Keras."""

import copy
import inspect

import keras

from pyimagesearch.errors import UserError
from pyimagesearch.model_files import layer_classes, tf_functions

# Names of Keras 1 and 2, and what Keras 3 calls the same.
CLASSES = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution2DTranspose": "Conv2DTranspose",
    "Deconvolution2D": "Conv2DTranspose",
    "DepthwiseConvolution2D": "DepthwiseConv2D",
    "SeparableConvolution2D": "SeparableConv2D",
    "GRUV1": "GRU",
    "GRUV2": "GRU",
    "LSTMV1": "LSTM",
    "LSTMV2": "LSTM",
    "Model": "Functional",
}
KEYS = {
    "batch_input_shape": "batch_shape",
    "bias": "use_bias",
    "border_mode": "padding",
    "dim_ordering": "data_format",
    "filter_length": "kernel_size",
    "inner_activation": "recurrent_activation",
    "nb_filter": "filters",
    "output_dim": "units",
    "p": "rate",
    "pool_length": "pool_size",
    "stride": "strides",
    "subsample": "strides",
    "subsample_length": "strides",
}
DATA_FORMATS = {"tf": "channels_last", "th": "channels_first"}


def modernize(entry):
    """Return a config that configs.parse() has returned as Keras 3 would write it.

    Arguments that Keras 3 does not know are left out. Raises UserError if a class is not one of Keras's own.
    """
    if entry["class_name"] in tf_functions.CLASSES:
        entry = tf_functions.convert(entry)
    name = CLASSES.get(entry["class_name"], entry["class_name"])
    if name in ("Sequential", "Functional"):
        result = {"module": "keras", "class_name": name.replace("Functional", "Model")}
        result["config"] = _modernize_model(name, entry["config"])
    else:
        kind = _class(name, entry["module"])
        result = {"module": kind.__module__, "class_name": kind.__name__}
        result["config"] = _modernize_layer(kind, entry["config"])
    kept = {key: copy.deepcopy(entry[key]) for key in ("name", "inbound_nodes") if key in entry}
    return result | {"registered_name": None} | kept


def _class(name, module):
    """Return Keras's class of a layer or an operation; several have one of each, such as Multiply."""
    places = [layer_classes.layers(), layer_classes.operations()]
    for classes in places if module == "keras.layers" else reversed(places):
        if name in classes:
            return classes[name]
    raise UserError(f"its layer of class {name!r} is none of Keras's, and the file does not contain its code")


def _modernize_model(name, old):
    layers = old.get("layers")
    if not isinstance(layers, list) or not layers:
        raise UserError("its config has a model without layers")
    config = {key: copy.deepcopy(old[key]) for key in ("trainable", "input_layers", "output_layers") if key in old}
    config |= {"name": old.get("name") or name.lower(), "layers": [modernize(layer) for layer in layers]}
    if name == "Sequential" and layers[0]["class_name"] != "InputLayer":
        shape = layers[0]["config"].get("batch_input_shape", old.get("build_input_shape"))
        if shape:
            start = {"batch_shape": shape, "name": f"{config['name']}_input"}
            config["layers"].insert(
                0, modernize({"module": "keras.layers", "class_name": "InputLayer", "config": start})
            )
    for layer in config["layers"]:
        if layer["module"] == "keras":  # a model inside a model: Keras 2 counted its own graph as its first call
            nodes = [config.get("output_layers"), [other.get("inbound_nodes") for other in config["layers"]]]
            calls = list(_calls(nodes, layer))
            first = min((call[1] for call in calls), default=0)
            for call in calls:
                call[1] -= first
    return config


def _calls(value, layer):
    """Yield each list [name of the layer, number of the call, ...] in the nodes of a graph, as Keras 2 wrote them."""
    if isinstance(value, list):
        if len(value) > 2 and value[0] == layer.get("name") and isinstance(value[1], int):
            yield value
        for item in value:
            yield from _calls(item, layer)


def _modernize_layer(kind, old):
    known = set()
    for base in kind.__mro__[:-1]:
        known |= inspect.signature(base.__init__).parameters.keys()
    config = {}
    for key, value in old.items():
        if key not in known:
            key = "negative_slope" if (kind, key) == (keras.layers.LeakyReLU, "alpha") else KEYS.get(key, key)
        if key == "data_format" and isinstance(value, str):
            value = DATA_FORMATS.get(value, value)
        if key == "axis" and isinstance(value, list) and len(value) == 1:
            value = value[0]
        if key in known:
            config[key] = _modernize_value(value)
    if "nb_row" in old:
        config["kernel_size"] = [old["nb_row"], old["nb_col"]]
    if kind is keras.layers.GRU and "reset_after" not in old:  # Keras before 2.1.5 had no other
        config["reset_after"] = False
    if kind is keras.layers.InputLayer and isinstance(config.get("batch_shape"), list):
        config["batch_shape"] = [None, *config["batch_shape"][1:]]  # a network for batches of 32 takes any batch
    return config


def _modernize_value(value):
    """Return the value of an argument, with the layers in it in the terms of Keras 3."""
    if isinstance(value, list):
        return [_modernize_value(item) for item in value]
    return modernize(value) if isinstance(value, dict) and "class_name" in value else value
