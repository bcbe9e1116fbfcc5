"""Networks of every kind that the page computes, with random weights, and images for them."""

import keras
import numpy as np
from keras import layers

from pyimagesearch.evaluation.predict import OURS
from pyimagesearch.minivggnet import MiniVGGNet
from pyimagesearch.model_files.input_format import InputFormat
from pyimagesearch.playground import page

# Images that differ much: squares of random grays, half of them black.
SQUARES = np.random.default_rng(0).integers(-255, 256, (200, 7, 7, 1)).clip(0).astype(np.uint8)
IMAGES = SQUARES.repeat(4, axis=1).repeat(4, axis=2)


def chain(*members, shape=(28, 28, 1)):
    return keras.Sequential([keras.Input(shape), *members])


def varied(model, input_format=OURS):
    """Give each weight of a model a random value, and each output, before its activation, mean 0 and deviation 1.

    Kernels have values that are 16-bit floats, so that the page can have the same.
    """
    rng = np.random.default_rng(0)
    for layer in model.layers:
        for weight in layer.weights:
            if len(weight.shape) > 1:
                weight.assign(rounded(rng.normal(0, 1.5 / np.sqrt(np.prod(weight.shape[:-1])), weight.shape)))
            else:
                weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    last = [layer for layer in model.layers if layer.weights][-1]
    activation, last.activation = getattr(last, "activation", None), keras.activations.linear
    outputs = keras.Model(model.inputs[0], last.output).predict_on_batch  # unlike a call, it does not augment
    last.kernel.assign(rounded(last.kernel / np.std(outputs(input_format.inputs(IMAGES)), axis=0)))
    last.bias.assign(last.bias - np.mean(outputs(input_format.inputs(IMAGES)), axis=0))
    last.activation = activation
    return model


def rounded(kernel):
    largest = np.float32(np.max(np.abs(kernel)))
    return (np.asarray(kernel, np.float32) / largest).astype(np.float16) * largest


def residual():
    """A network with each of the other layers: two ways that are added, and two that stand side by side."""
    inputs = keras.Input((28, 28, 1))
    x = layers.Rescaling(1 / 127.5, offset=-1)(layers.RandomFlip()(inputs))
    x = layers.Conv2D(6, 5, strides=2, padding="same", activation="leaky_relu")(x)
    y = layers.BatchNormalization(scale=False)(layers.Conv2D(6, (1, 3), padding="same")(x))
    x = layers.LeakyReLU()(layers.Add()([x, y]))
    x = chain(layers.Conv2D(8, 2, activation="gelu"), layers.SpatialDropout2D(0.5), shape=x.shape[1:])(x)
    x = layers.Concatenate()([layers.MaxPooling2D(3, 2, "same")(x), layers.AveragePooling2D(3, 2, "same")(x)])
    x = layers.Concatenate()([layers.GlobalMaxPooling2D()(x), layers.GlobalAveragePooling2D()(x)])
    x = layers.Concatenate()([layers.Activation(name)(x) for name in page.ACTIVATIONS if name != "exponential"])
    return keras.Model(inputs, layers.Softmax()(layers.Dense(10)(layers.Dropout(0.5)(x))))


def flat():
    first = layers.Reshape((28, 28, 1)), layers.Conv2D(8, 3, activation="relu"), layers.MaxPooling2D()
    return chain(*first, layers.Conv2D(8, 3, activation="elu"), layers.Flatten(), layers.Dense(10), shape=(784,))


def colored(activation=None):
    blocks = [layers.Conv2D(8, 3, strides=2, activation="relu"), layers.GlobalAveragePooling2D()]
    return chain(*blocks, layers.Dense(11, activation=activation), shape=(32, 32, 3))


NETWORKS = {
    "default": (lambda: MiniVGGNet.build(28, 28, 1, 10), OURS),
    "three blocks": (lambda: MiniVGGNet.build(28, 28, 1, 10, filters=(4, 8, (8, 12, 8)), dense=0), OURS),
    "residual": (residual, InputFormat(range="0..255")),
    "784 standardized pixels, logits": (flat, InputFormat((784,), "standardized-per-image", outputs="logits")),
    "32x32 in color, another order": (
        lambda: colored("sigmoid"),
        InputFormat((32, 32, 3), "minus1..1-inverted", "resized", "scores", tuple(range(1, 11))),
    ),
    "padded": (colored, InputFormat((32, 32, 3), "unit-norm", "padded", "sigmoid logits", tuple(range(10)))),
}
