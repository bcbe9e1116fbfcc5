"""From images to probabilities."""

import numpy as np

from pyimagesearch.model_files.input_format import InputFormat

OURS = InputFormat()


def predict(model, images, input_format=OURS, batch_size=500):
    """Return the probabilities, float32 (N, classes), that a Keras model predicts for uint8 images (N, 28, 28, 1).

    input_format: what the model expects and what its outputs mean; by default as for networks trained here. The images
    become floats batch by batch, so that memory stays flat.
    """
    return input_format.probabilities(outputs(model, images, input_format, batch_size))


def outputs(model, images, input_format=OURS, batch_size=500):
    """Return what the model computes from uint8 images (N, 28, 28, 1), as it is: float32 (N, ...)."""
    parts = [
        model.predict_on_batch(input_format.inputs(images[start : start + batch_size]))
        for start in range(0, len(images), batch_size)
    ]
    return np.concatenate([np.asarray(part, np.float32) for part in parts])


def features(model, images, input_format=OURS):
    """Return the input of the model's last layer for uint8 images (N, 28, 28, 1): float32 (N, 512) for MiniVGGNet."""
    import keras

    return outputs(keras.Model(model.inputs[0], model.layers[-1].input), images, input_format)


def test_time_augmentation(model, images, probabilities, input_format=OURS):
    """Return the mean of `probabilities` (N, classes), those of the images, and those of their mirror images."""
    return (probabilities + predict(model, images[:, :, ::-1], input_format)) / 2


def combine(probabilities):
    """Return one prediction, (classes,), from several views of one image, (views, classes): their geometric mean."""
    product = np.exp(np.log(probabilities + 1e-7).mean(axis=0))
    return product / product.sum()
