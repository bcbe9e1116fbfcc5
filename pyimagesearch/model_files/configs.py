"""The config of a model, the JSON that Keras writes into a file: parse it, and refuse whatever could run code."""

import json
import re

from pyimagesearch.errors import UserError
from pyimagesearch.model_files import legacy

MOST_CHARACTERS = 4_000_000
MOST_LAYERS = 1_000
DEEPEST = 40

# Keras's built-in layers that do nothing but arithmetic. All others are refused: Lambda, for example, runs code.
LAYERS = frozenset(
    "InputLayer Sequential Functional Model Dense Conv1D Conv2D DepthwiseConv2D SeparableConv2D Conv2DTranspose "
    "BatchNormalization LayerNormalization GroupNormalization Activation ReLU LeakyReLU PReLU ELU Softmax "
    "MaxPooling1D MaxPooling2D AveragePooling1D AveragePooling2D GlobalMaxPooling1D GlobalMaxPooling2D "
    "GlobalAveragePooling1D GlobalAveragePooling2D Dropout SpatialDropout1D SpatialDropout2D AlphaDropout "
    "GaussianDropout GaussianNoise ActivityRegularization Flatten Reshape Permute ZeroPadding2D Cropping2D "
    "UpSampling2D Resizing Add Subtract Multiply Average Maximum Minimum Concatenate Rescaling RandomFlip "
    "RandomRotation RandomTranslation RandomZoom RandomContrast LSTM GRU SimpleRNN".split()
)
OLD_LAYERS = frozenset(legacy.CLASSES)
PARTS = frozenset(  # what the config of a layer may hold besides plain values
    "DTypePolicy Policy Zeros Ones Constant RandomNormal RandomUniform TruncatedNormal VarianceScaling Orthogonal "
    "Identity GlorotNormal GlorotUniform HeNormal HeUniform LecunNormal LecunUniform L1 L2 L1L2 MaxNorm MinMaxNorm "
    "NonNeg UnitNorm __keras_tensor__ __tuple__".split()
)


def parse(text):
    """Return a config, given as JSON, as plain values. Raises UserError if it holds anything that is not allowed."""
    try:
        config = json.loads(text)
    except RecursionError as error:
        raise UserError("its config is nested without end") from error
    if not isinstance(config, dict) or config.get("class_name") not in ("Sequential", "Functional", "Model"):
        raise UserError("its config is not that of a Sequential or Functional model")
    _check(config)
    return config


def _check(config):
    """Check every value of a config: plain values, allowed layers and parts of layers, modules of Keras."""
    left, layers = [(config, 0)], 0
    while left:
        value, depth = left.pop()
        if depth > DEEPEST:
            raise UserError("its config is nested too deep")
        if isinstance(value, list):
            left += [(item, depth + 1) for item in value]
        if not isinstance(value, dict):
            continue
        left += [(item, depth + 1) for item in value.values()]
        if "class_name" in value:
            name = value["class_name"]
            if not isinstance(name, str) or name not in LAYERS | OLD_LAYERS | PARTS:
                raise UserError(f"it contains {name!r}, which is not among the built-in layers that are safe to load")
            layers += name in LAYERS | OLD_LAYERS
        if not re.fullmatch(r"keras(\.\w+)*", value.get("module") or "keras"):
            raise UserError(f"it needs code outside Keras, from {value['module']!r}")
        if value.get("registered_name") not in (None, value.get("class_name")):
            raise UserError(f"it needs custom code, {value['registered_name']!r}")
        if {"function", "shared_object_id_function", "py_function"} & value.keys():
            raise UserError("it contains a function")
    if layers > MOST_LAYERS:
        raise UserError(f"it has more than {MOST_LAYERS:,} layers")
