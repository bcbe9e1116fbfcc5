"""configs.py: Keras's layers that compute are loaded and give what they gave; those that run code are refused."""

import keras
import numpy as np
import pytest
from keras import layers
from test_building import load

from pyimagesearch.model_files import configs

IMAGES = np.random.default_rng(0).random((2, 28, 28, 1), np.float32)
ROWS = layers.Reshape((28, 28))


def normalization():
    layer = layers.Normalization()
    layer.adapt(np.random.default_rng(1).random((50, 28, 28, 1)))
    return layer


CHAINS = {  # of a kind of layer each: with a layer inside, with weights of its own kind, with several dimensions, ...
    "Normalization": lambda: [normalization()],
    "Bidirectional": lambda: [ROWS, layers.Bidirectional(layers.GRU(3))],
    "RNN": lambda: [ROWS, layers.Masking(), layers.RNN([layers.LSTMCell(3), layers.GRUCell(3)])],
    "TimeDistributed": lambda: [ROWS, layers.TimeDistributed(layers.Dense(3, activation=layers.LeakyReLU(0.1)))],
    "SpectralNormalization": lambda: [ROWS, layers.SpectralNormalization(layers.Conv1D(2, 3))],
    "ConvLSTM2D": lambda: [layers.Reshape((4, 7, 28, 1)), layers.ConvLSTM2D(2, 3)],
    "Conv2DTranspose": lambda: [layers.Conv2DTranspose(2, 3, strides=2), layers.DepthwiseConv2D(3)],
    "SeparableConv1D": lambda: [ROWS, layers.ZeroPadding1D(1), layers.SeparableConv1D(2, 3)],
    "EinsumDense": lambda: [layers.EinsumDense("abcd,de->abce", output_shape=(28, 28, 3))],
    "norms": lambda: [layers.LayerNormalization(), layers.RMSNormalization(), layers.UnitNormalization()],
    "Random": lambda: [
        layers.RandomCrop(28, 28),
        layers.RandomBrightness(0.1),
        layers.RandomFlip(),
        layers.Dropout(0.1),
    ],
    "Embedding": lambda: [layers.Flatten(), layers.Rescaling(9.0), layers.Embedding(10, 2)],
    "PReLU": lambda: [layers.Resizing(14, 14), layers.PReLU(), layers.ELU(0.3), layers.ReLU(6.0)],
}


@pytest.mark.parametrize("name", CHAINS)
def test_layers_that_compute_are_loaded(name, tmp_path):
    model = keras.Sequential([keras.Input((28, 28, 1)), *CHAINS[name](), layers.Flatten(), layers.Dense(10)])
    model.save(tmp_path / "m.keras")
    loaded = load(tmp_path / "m.keras")
    np.testing.assert_allclose(loaded(IMAGES, training=False), model(IMAGES, training=False), atol=1e-5)


def test_layers_that_are_given_code_or_files_are_not_among_them():
    assert not {*configs.REFUSED, "Layer", "Wrapper"} & configs.layers().keys()
    assert len(set(configs.layers().values())) > 120
