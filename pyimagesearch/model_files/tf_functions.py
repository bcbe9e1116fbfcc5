"""TensorFlow functions in a network of Keras 2 (tf.keras), such as x / 255, as the operations of Keras 3.

Keras 2 wrote each as a layer of class TFOpLambda with the name of the function, and x[:, 1:] as a SlicingOpLambda.
"""

import inspect

from pyimagesearch.errors import UserError
from pyimagesearch.model_files import layer_classes

CLASSES = ("TFOpLambda", "SlicingOpLambda")
# Name of the function: the class behind keras.ops that computes the same.
FUNCTIONS = {
    "__operators__.add": "Add",
    "__operators__.getitem": "GetItem",
    "cast": "Cast",
    "expand_dims": "ExpandDims",
    "math.reduce_max": "Max",
    "math.reduce_mean": "Mean",
    "math.reduce_sum": "Sum",
    "math.truediv": "TrueDivide",
    "reshape": "Reshape",
    "squeeze": "Squeeze",
    "transpose": "Transpose",
}
FUNCTIONS |= {
    f"math.{name}": name.title()
    for name in ("add", "divide", "exp", "log", "maximum", "minimum", "multiply", "negative", "sqrt", "square")
    + ("subtract", "sigmoid", "tanh")
}
FUNCTIONS |= {f"nn.{name}": name.title() for name in ("relu", "relu6", "selu", "elu", "sigmoid", "silu", "softmax")}
FUNCTIONS |= {"nn.log_softmax": "LogSoftmax", "math.abs": "Absolute", "math.pow": "Power", "nn.tanh": "Tanh"}
# What Keras calls the arguments of TensorFlow that have another name; the tensors are given by their place.
ARGUMENTS = {"shape": "newshape", "perm": "axes"}
TENSORS = ("x", "y", "features", "logits", "input", "input_tensor", "tensor", "a")


def convert(entry):
    """Return a config that configs.parse() has returned for one of CLASSES, as that of an operation of Keras 3.

    Raises UserError for a function that is not one of FUNCTIONS.
    """
    function, nodes = entry["config"].get("function"), entry.get("inbound_nodes")
    if function not in FUNCTIONS or not isinstance(nodes, list) or not nodes:
        raise UserError(f"it calls the TensorFlow function {function!r}, which Keras 3 has no operation for")
    name = FUNCTIONS[function]
    known = inspect.signature(layer_classes.operations()[name].__init__).parameters
    config, calls = {"name": entry["name"]}, []
    for node in nodes:
        try:
            first, index, output, given = node
            tensors = [output if first == "_CONSTANT_VALUE" else _tensor([first, index, output])]
            for key, value in given.items():
                if key in TENSORS:
                    tensors.append(_tensor(value) if isinstance(value, list) and _is_tensor(value) else value)
                elif key == "slice_spec":
                    tensors.append([_slice(one) for one in (value if isinstance(value, list) else [value])])
                elif (key := ARGUMENTS.get(key, key)) in known:
                    config[key] = value
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UserError(f"its call of the TensorFlow function {function!r} cannot be read") from error
        calls.append({"args": tensors, "kwargs": {}})
    return {"module": "keras.ops", "class_name": name, "config": config, "name": entry["name"], "inbound_nodes": calls}


def _is_tensor(value):
    return len(value) >= 3 and isinstance(value[0], str)


def _tensor(history):
    config = {"shape": [], "dtype": "float32", "keras_history": history[:3]}
    return {"class_name": "__keras_tensor__", "config": config}


def _slice(value):
    if isinstance(value, dict):
        return {"class_name": "__slice__", "config": {key: value[key] for key in ("start", "stop", "step")}}
    return value
