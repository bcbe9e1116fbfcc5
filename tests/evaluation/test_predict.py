"""predict.py: batches, views, test-time augmentation."""

import numpy as np
import pytest

from conftest import pictures
from pyimagesearch.data import preparation
from pyimagesearch.data.batches import scale
from pyimagesearch.evaluation import predict
from pyimagesearch.minivggnet import MiniVGGNet

NOISE = np.random.default_rng(0).integers(0, 256, (5, 28, 28, 1), dtype=np.uint8)


def test_views_are_combined_by_their_geometric_mean():
    views = np.array([[0.8, 0.2], [0.5, 0.5]])  # sqrt(0.8 * 0.5) to sqrt(0.2 * 0.5) is 2 to 1; their mean: 13 to 7
    np.testing.assert_allclose(predict.combine(views), [2 / 3, 1 / 3], atol=1e-5)


@pytest.fixture(scope="module")
def model():
    return MiniVGGNet.build(28, 28, 1, 10)


def test_predict_in_batches_is_predict_at_once(model):
    images = preparation.reshape(pictures(520)[0])  # batches of 500 and 20
    batched = predict.predict(model, images)
    assert batched.shape == (520, 10)
    np.testing.assert_allclose(batched, np.asarray(model(scale(images))), rtol=1e-4, atol=1e-6)


def test_test_time_augmentation_averages_an_image_and_its_mirror_image(model):
    probabilities = predict.predict(model, NOISE)
    averaged = predict.test_time_augmentation(model, NOISE, probabilities)
    left_to_right = predict.predict(model, np.ascontiguousarray(NOISE[:, :, ::-1, :]))
    np.testing.assert_allclose(averaged, (probabilities + left_to_right) / 2, atol=1e-6)
    upside_down = predict.predict(model, np.ascontiguousarray(NOISE[:, ::-1]))
    assert abs(averaged - (probabilities + upside_down) / 2).max() > 1e-4


def test_features_are_what_the_last_layer_gets(model):
    features = predict.outputs(predict.hidden(model), NOISE)
    assert features.shape == (5, 512)
    kernel, bias = model.layers[-1].get_weights()
    logits = features @ kernel + bias
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(predict.predict(model, NOISE), expected, atol=1e-5)
