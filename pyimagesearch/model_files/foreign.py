"""Networks that somebody else trained: old configs in today's words, pictures as they want them, answers as we do.

Keras is imported in the function that needs it.
"""

import copy
import inspect
from dataclasses import dataclass

from pyimagesearch.errors import UserError

# What Keras 1 and 2 called otherwise.
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
# Weights come from the file and nothing is trained: how they began, what held them back and in which precision they
# were trained does not matter.
NOT_NEEDED = ("_initializer", "_regularizer", "_constraint", "dtype", "dtype_policy", "activity_regularizer")

# How pixels, uint8 from 0 to 255, are scaled for a network: name: (zero, unit); the result is (pixel - zero) / unit.
RANGES = {
    "0..1": (0, 255),
    "0..255": (0, 1),
    "minus1..1": (127.5, 127.5),
    "standardized": (255 * 0.2860, 255 * 0.3530),  # mean and standard deviation of the training pixels
}
RANGES |= {f"{name}-inverted": (255 - zero, -unit) for name, (zero, unit) in RANGES.items()}  # black on white
SHAPES = ((28, 28, 1), (28, 28), (1, 28, 28), (784,), (28, 28, 3))


@dataclass(frozen=True)
class Reading:
    """How to put pictures to a network and read its answers.

    shape     what it takes a picture as: one of SHAPES
    range     how it wants the pixels scaled: a key of RANGES
    answers   what it gives: "probabilities", "logits" or "scores" (0 to 1 each, but with another sum than 1)
    """

    shape: tuple = SHAPES[0]
    range: str = "0..1"
    answers: str = "probabilities"

    def pictures(self, images):
        """Turn uint8 (N, 28, 28, 1) into the float32 that the network takes."""
        zero, unit = RANGES[self.range]
        scaled = (images.astype("float32") - zero) / unit
        return scaled.repeat(3, axis=-1) if self.shape[-1] == 3 else scaled.reshape(-1, *self.shape)

    def probabilities(self, outputs):
        """Turn the network's outputs (N, 10) into probabilities."""
        if self.answers == "logits":
            from scipy.special import softmax  # late: --help of a script comes by here

            return softmax(outputs, axis=-1)
        if self.answers == "scores":
            return outputs / outputs.sum(axis=-1, keepdims=True).clip(1e-12)
        return outputs


def kind_of(outputs):
    """Return what the network's outputs (N, 10) are: "probabilities", "logits" or "scores"."""
    if outputs.min() < 0 or outputs.max() > 1 + 1e-3:
        return "logits"
    return "probabilities" if (abs(outputs.sum(axis=-1) - 1) < 1e-2).all() else "scores"


def check_task(model):
    """Check that the Keras model takes one picture of ours and tells ten classes apart. Raises UserError if not."""
    if len(model.inputs) != 1 or tuple(model.inputs[0].shape[1:]) not in SHAPES:
        shapes = " and ".join("x".join(str(size or "?") for size in tensor.shape[1:]) for tensor in model.inputs)
        raise UserError(f"its input is {shapes}, and Fashion-MNIST's pictures are 28x28")
    if len(model.outputs) != 1 or len(model.outputs[0].shape) != 2 or model.outputs[0].shape[1] != 10:
        shapes = " and ".join("x".join(str(size or "?") for size in tensor.shape[1:]) for tensor in model.outputs)
        why = ", one too many: were the labels counted from 1?" if shapes == "11" else ", so it was made for other data"
        raise UserError(f"its output is {shapes} numbers a picture, and Fashion-MNIST has 10 classes{why}")


def modern(entry):
    """Return the config of a model or layer, as any version of Keras wrote it, in the words of Keras 3.

    entry: a dict with "class_name" and "config", checked by inspection.py. What Keras 3 does not know is left out.
    """
    name = CLASSES.get(entry["class_name"], entry["class_name"])
    if name in ("Sequential", "Functional"):
        result = {"module": "keras", "class_name": name.replace("Functional", "Model")}
        result["config"] = _modern_model(name, entry["config"])
    else:
        result = {"module": "keras.layers", "class_name": name, "config": _modern_layer(name, entry["config"])}
    kept = {key: copy.deepcopy(entry[key]) for key in ("name", "inbound_nodes") if key in entry}
    return result | {"registered_name": None} | kept


def _modern_model(name, old):
    old = {"layers": old} if isinstance(old, list) else old
    layers = old["layers"]
    config = {key: copy.deepcopy(old[key]) for key in ("trainable", "input_layers", "output_layers") if key in old}
    config |= {"name": old.get("name") or name.lower(), "layers": [modern(layer) for layer in layers]}
    if name == "Sequential" and layers and layers[0]["class_name"] != "InputLayer":
        first = layers[0]["config"]
        shape = first.get("batch_input_shape", old.get("build_input_shape")) if isinstance(first, dict) else None
        if shape:
            start = {"class_name": "InputLayer", "config": {"batch_shape": shape, "name": f"{config['name']}_input"}}
            config["layers"].insert(0, modern(start))
    for layer in config["layers"]:
        if layer["module"] == "keras":  # a model in a model: Keras 2 counted its own graph as its first call
            nodes = [config.get("output_layers"), [other.get("inbound_nodes") for other in config["layers"]]]
            calls = list(_calls(nodes, layer))
            first = min((call[1] for call in calls), default=0)
            for call in calls:
                call[1] -= first
    return config


def _calls(value, layer):
    """Yield each list [layer's name, number of the call, ...] in the nodes of a graph, as Keras 2 wrote them."""
    if isinstance(value, list):
        if len(value) > 2 and value[0] == layer.get("name") and isinstance(value[1], int):
            yield value
        for item in value:
            yield from _calls(item, layer)


def _modern_layer(name, old):
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
        if key in known and not key.endswith(NOT_NEEDED):
            config[key] = value
    if "nb_row" in old:
        config["kernel_size"] = [old["nb_row"], old["nb_col"]]
    if name == "InputLayer" and "batch_shape" in config:
        config["batch_shape"] = [None, *config["batch_shape"][1:]]  # a network for batches of 32 takes any
    return config
