"""A model's config, as Keras writes it into a file: text in, plain values out, with nothing in them that could run.

What is not known to be harmless is refused.
"""

import json
import re

from pyimagesearch.errors import UserError
from pyimagesearch.model_files import foreign

MOST_CHARACTERS = 4_000_000
MOST_LAYERS = 1_000
DEEPEST = 40

# Keras's built-in layers whose work is arithmetic alone. Whatever is not here is refused: Lambda runs code.
LAYERS = frozenset(
    "InputLayer Sequential Functional Model Dense Conv1D Conv2D DepthwiseConv2D SeparableConv2D Conv2DTranspose "
    "BatchNormalization LayerNormalization GroupNormalization Activation ReLU LeakyReLU PReLU ELU Softmax "
    "MaxPooling1D MaxPooling2D AveragePooling1D AveragePooling2D GlobalMaxPooling1D GlobalMaxPooling2D "
    "GlobalAveragePooling1D GlobalAveragePooling2D Dropout SpatialDropout1D SpatialDropout2D AlphaDropout "
    "GaussianDropout GaussianNoise ActivityRegularization Flatten Reshape Permute ZeroPadding2D Cropping2D "
    "UpSampling2D Resizing Add Subtract Multiply Average Maximum Minimum Concatenate Rescaling RandomFlip "
    "RandomRotation RandomTranslation RandomZoom RandomContrast LSTM GRU SimpleRNN".split()
)
OLD_LAYERS = frozenset(foreign.CLASSES)
PARTS = frozenset(  # what a layer's config may hold besides plain values
    "DTypePolicy Policy Zeros Ones Constant RandomNormal RandomUniform TruncatedNormal VarianceScaling Orthogonal "
    "Identity GlorotNormal GlorotUniform HeNormal HeUniform LecunNormal LecunUniform L1 L2 L1L2 MaxNorm MinMaxNorm "
    "NonNeg UnitNorm __keras_tensor__ __tuple__".split()
)


def parse(text):
    """Return a config, JSON, as plain values. Raises UserError if it holds anything but what is allowed."""
    try:
        config = json.loads(text)
    except RecursionError as error:
        raise UserError("its configuration is nested without end") from error
    if not isinstance(config, dict) or config.get("class_name") not in ("Sequential", "Functional", "Model"):
        raise UserError("its configuration is not that of a Sequential or Functional model")
    _check(config)
    return config


def _check(config):
    """Check every value of a config: plain values, allowed layers and their allowed parts, Keras's own modules."""
    left, layers = [(config, 0)], 0
    while left:
        value, depth = left.pop()
        if depth > DEEPEST:
            raise UserError("its configuration is nested too deep")
        if isinstance(value, list):
            left += [(item, depth + 1) for item in value]
        if not isinstance(value, dict):
            continue
        left += [(item, depth + 1) for item in value.values()]
        if "class_name" in value:
            name = value["class_name"]
            if not isinstance(name, str) or name not in LAYERS | OLD_LAYERS | PARTS:
                raise UserError(f"it holds {name!r}, which is not one of the built-in layers that are safe to load")
            layers += name in LAYERS | OLD_LAYERS
        if not re.fullmatch(r"keras(\.\w+)*", value.get("module") or "keras"):
            raise UserError(f"it names code outside Keras, in {value['module']!r}")
        if value.get("registered_name") not in (None, value.get("class_name")):
            raise UserError(f"it names custom code, {value['registered_name']!r}")
        if {"function", "shared_object_id_function", "py_function"} & value.keys():
            raise UserError("it holds a function")
    if layers > MOST_LAYERS:
        raise UserError(f"it has more than {MOST_LAYERS:,} layers")
