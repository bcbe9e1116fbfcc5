"""Every layer of Keras that computes is loaded and gives what it gave; those that run code are refused."""

import inspect

import keras
import numpy as np
import pytest
from keras import layers
from test_building import load

from pyimagesearch.model_files import checks, layer_classes

IMAGES = np.random.default_rng(0).random((2, 28, 28, 1), np.float32)

# Values for the arguments that a layer cannot do without, by their names. Where a class needs others, by its name.
VALUES = {
    "axes": 1, "cell": layers.LSTMCell(3), "cells": [layers.LSTMCell(3), layers.GRUCell(3)], "dims": (2, 1, 3),
    "factor": 0.1, "filters": 2, "head_dim": 2, "height": 20, "height_factor": 0.1, "kernel_size": 3, "key_dim": 2,
    "layer": layers.Dense(3), "layers": [layers.Rescaling(2.0)], "max_number": 9, "n": 2, "num_heads": 2,
    "num_key_value_heads": 1, "num_query_heads": 2, "output_size": 2, "pool_size": 2, "rate": 0.1, "scale": 2.0,
    "stddev": 0.1, "target_shape": (14, 56), "units": 3, "width": 20, "width_factor": 0.1,
}  # fmt: skip
ARGUMENTS = {
    "Activation": {"activation": "relu"},
    "Bidirectional": {"layer": layers.GRU(3)},
    "CategoryEncoding": {"num_tokens": 3, "output_mode": "multi_hot"},
    "Discretization": {"bin_boundaries": [0.3, 0.6]},
    "EinsumDense": {"equation": "abcd,de->abce", "output_shape": (28, 28, 3)},
    "Embedding": {"input_dim": 2, "output_dim": 3},
    "GroupNormalization": {"groups": 1},
    "RandomCrop": {"height": 28, "width": 28},  # Keras itself cannot run a network with a smaller one
    "RandomPosterization": {"factor": 8},
    "InputLayer": {"shape": (28, 28, 1)},
    "ReversibleEmbedding": {"input_dim": 2, "output_dim": 3},
    "STFTSpectrogram": {"frame_length": 16, "frame_step": 8, "fft_length": 16},
    "MelSpectrogram": {"fft_length": 64, "sequence_stride": 32},
}
# The shape of the input, where that is no image: by the class, or by the dimensions that its name ends in.
SHAPES = {"1D": (28, 28), "Conv1DTranspose": (28, 28), "3D": (4, 14, 14, 1), "Conv3DTranspose": (4, 14, 14, 1)}
SHAPES |= {"STFTSpectrogram": (784, 1), "MelSpectrogram": (784,), "CategoryEncoding": (784,)}
SHAPES |= {"GroupedQueryAttention": (28, 28)}
SHAPES |= dict.fromkeys(("GRU", "LSTM", "RNN", "SimpleRNN", "Bidirectional", "MaxNumBoundingBoxes"), (28, 28))
SHAPES |= {
    "ConvLSTM1D": (4, 14, 14),
    "ConvLSTM2D": (4, 14, 14, 1),
    "ConvLSTM3D": (2, 4, 7, 14, 1),
    "RepeatVector": (784,),
}
PAIRS = ("Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract", "Attention")
TWO_ARGUMENTS = ("MultiHeadAttention", "GroupedQueryAttention")
NOT_IN_A_NETWORK = ("Equalization",)  # Keras makes a cycle of it
COLOR = ("RandomColorDegeneration", "RandomHue", "RandomSaturation", "RandomGrayscale", "RandomColorJitter")
CELLS = ("GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells")


def network(name, kind):
    """Return a network with a layer of this class between an image and ten outputs."""
    required = [
        key for key, value in inspect.signature(kind.__init__).parameters.items() if value.default is value.empty
    ]
    arguments = ARGUMENTS.get(name, {key: VALUES[key] for key in required if key in VALUES})
    layer = kind.from_config(kind(**arguments).get_config())  # a copy, for the layers inside
    shape = SHAPES.get(name, SHAPES.get(name[-2:], (28, 28, 1)))
    if name in CELLS:
        layer, shape = layers.RNN(layer), (28, 28)
    start = keras.Input((28, 28, 1))
    inputs = layers.Reshape(shape)(start)
    if name in COLOR:
        inputs = layers.Concatenate()([inputs] * 3)
    if name == "InputLayer":
        outputs = inputs
    elif name in PAIRS or "Attention" in name:
        outputs = layer(inputs, inputs) if name in TWO_ARGUMENTS else layer([inputs, inputs])
    else:
        outputs = layer(inputs)
    outputs = outputs["boxes"] if isinstance(outputs, dict) else outputs
    return keras.Model(start, layers.Dense(10)(layers.Flatten()(outputs)))


NAMES = {kind.__name__ for kind in layer_classes.layers().values()} - {*NOT_IN_A_NETWORK}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_layer_that_computes_is_loaded(name, tmp_path):
    model = network(name, layer_classes.layers()[name])
    model.save(tmp_path / "m.keras")
    loaded = load(tmp_path / "m.keras")
    np.testing.assert_allclose(
        np.asarray(loaded(IMAGES, training=False)), np.asarray(model(IMAGES, training=False)), atol=1e-5
    )


def test_layers_that_are_given_code_or_files_are_not_among_them():
    assert not {*checks.REFUSED, "Layer", "Wrapper"} & layer_classes.layers().keys()
