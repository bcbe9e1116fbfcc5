"""Configs of Keras 1 and 2 in the terms of Keras 3. Keras is imported in the function that needs it."""

import copy
import inspect

# Names of Keras 1 and 2, and what Keras 3 calls the same.
CLASSES = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "SeparableConvolution2D": "SeparableConv2D",
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
    "subsample": "strides",
    "subsample_length": "strides",
}
VALUES = {
    "activation": {"softmax_v2": "softmax", "log_softmax_v2": "log_softmax"},
    "data_format": {"tf": "channels_last", "th": "channels_first"},
}
# The weights come from the file and are not trained: initializers, regularizers, constraints and the precision of the
# training do not matter.
TRAINING_ONLY = ("_initializer", "_regularizer", "_constraint", "dtype", "dtype_policy", "activity_regularizer")


def modernize(entry):
    """Return the config of a model or layer, as any version of Keras wrote it, in the terms of Keras 3.

    entry: a dict with "class_name" and "config" that configs.parse() has checked. Arguments that Keras 3 does not know
    are left out.
    """
    name = CLASSES.get(entry["class_name"], entry["class_name"])
    if name in ("Sequential", "Functional"):
        result = {"module": "keras", "class_name": name.replace("Functional", "Model")}
        result["config"] = _modernize_model(name, entry["config"])
    else:
        result = {"module": "keras.layers", "class_name": name, "config": _modernize_layer(name, entry["config"])}
    kept = {key: copy.deepcopy(entry[key]) for key in ("name", "inbound_nodes") if key in entry}
    return result | {"registered_name": None} | kept


def _modernize_model(name, old):
    old = {"layers": old} if isinstance(old, list) else old
    layers = old["layers"]
    config = {key: copy.deepcopy(old[key]) for key in ("trainable", "input_layers", "output_layers") if key in old}
    config |= {"name": old.get("name") or name.lower(), "layers": [modernize(layer) for layer in layers]}
    if name == "Sequential" and layers and layers[0]["class_name"] != "InputLayer":
        first = layers[0]["config"]
        shape = first.get("batch_input_shape", old.get("build_input_shape")) if isinstance(first, dict) else None
        if shape:
            start = {"class_name": "InputLayer", "config": {"batch_shape": shape, "name": f"{config['name']}_input"}}
            config["layers"].insert(0, modernize(start))
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


def _modernize_layer(name, old):
    import keras

    known = set()
    for base in getattr(keras.layers, name).__mro__[:-1]:
        known |= inspect.signature(base.__init__).parameters.keys()
    config = {}
    for key, value in old.items():
        key = KEYS.get(key, key)
        if isinstance(value, str):
            value = VALUES.get(key, {}).get(value, value)
        if key == "axis" and isinstance(value, list) and len(value) == 1:
            value = value[0]
        if key in known and not key.endswith(TRAINING_ONLY):
            config[key] = value
    if "nb_row" in old:
        config["kernel_size"] = [old["nb_row"], old["nb_col"]]
    if name == "InputLayer" and "batch_shape" in config:
        config["batch_shape"] = [
            None,
            *config["batch_shape"][1:],
        ]  # a network for batches of 32 takes batches of any size
    return config
