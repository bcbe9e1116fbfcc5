"""predict.py: batches, views, test-time augmentation; what the views of a photo say together, and what is doubtful."""

import keras
import numpy as np
import pytest

from conftest import data
from pyimagesearch.data import download, loading
from pyimagesearch.data.batches import scale
from pyimagesearch.data.loading import CLASS_NAMES
from pyimagesearch.evaluation import familiarity, photo_prediction, predict
from pyimagesearch.minivggnet import MiniVGGNet
from pyimagesearch.photos.conversion import Photo

NOISE = np.random.default_rng(0).integers(0, 256, (5, 28, 28, 1), dtype=np.uint8)
BLANK = np.zeros((4, 4), np.uint8)


def photo(*views, whole=None, notes=()):
    """Return a Photo whose view k is filled with the number views[k], by which prediction_of() knows it."""
    images = np.uint8(views).reshape(-1, 1, 1, 1) * np.ones((1, 28, 28, 1), np.uint8)
    return Photo(BLANK, BLANK > 0, BLANK, images, plain=False, notes=notes, whole=whole)


def prediction_of(one, *probabilities, unlike=None):
    """Return the Prediction of a network that sees in a view filled with k the probabilities[k], {class: value}."""
    table = np.full((len(probabilities), 10), 0.01)
    for row, values in zip(table, probabilities, strict=True):
        for name, value in values.items():
            row[CLASS_NAMES.index(name)] = value
    table /= table.sum(axis=1, keepdims=True)
    return photo_prediction.predict_photo(one, lambda images, plain: table[images[:, 0, 0, 0]], CLASS_NAMES, unlike)


def test_the_view_that_speaks_most_for_the_predicted_class_is_named():
    one = prediction_of(photo(0, 1, 2), {"Dress": 0.5, "Coat": 0.4}, {"Dress": 0.7}, {"Bag": 5, "Dress": 0.4})
    assert (one.predicted, one.view) == (3, 1)
    first, *rest = one.lines("a.jpg", CLASS_NAMES)
    assert first.startswith("a.jpg: Dress ") and rest == []


@pytest.mark.parametrize(
    ("whole", "predicted", "words"),
    [
        ({"Dress": 2}, "Dress", "note: its outline is like that of a pair of shoes, which would be Sneaker"),
        ({"Dress": 0.2}, "Sneaker", "unsure: if it is not a pair, it would be Dress 69%"),
        ({"Sandal": 2}, "Sneaker", "note: a pair of shoes"),
    ],
)
def test_a_pair_of_shoes_is_weighed_against_the_whole_garment(whole, predicted, words):
    pair = photo(0, whole=photo(1, notes=("of the whole",)), notes=("of the shoe",))
    one = prediction_of(pair, {"Bag": 5, "Sneaker": 0.6, "Sandal": 0.2}, whole)
    assert CLASS_NAMES[one.predicted] == predicted
    assert bool(one.doubts) == ("unsure" in words)
    assert words in "\n".join(one.lines("a.jpg", CLASS_NAMES))
    assert (one.photo is pair) == (predicted == "Sneaker")  # which of the two the figure shows
    if predicted == "Sneaker":
        assert {CLASS_NAMES[k] for k in np.flatnonzero(one.probabilities)} == {"Sneaker", "Sandal", "Ankle boot"}


@pytest.mark.parametrize(
    ("best", "unlike", "words"),
    [
        (0.51, False, []),
        (0.49, False, ["no class has a probability of 50%"]),
        (0.9, True, ["less like the training images than 90% of the test images"]),
        (0.3, True, ["no class", "less like"]),
    ],
)
def test_doubts(best, unlike, words):
    one = prediction_of(
        photo(0), dict.fromkeys(CLASS_NAMES, (1 - best) / 9) | {"Bag": best}, unlike=lambda images: unlike
    )
    line, *rest = one.lines("a.jpg", CLASS_NAMES)
    assert line.endswith("(unsure)") == bool(words)
    assert [word in text for word, text in zip(words, rest, strict=True)] == [True] * len(words)
    assert one.as_dict("a.jpg", CLASS_NAMES)["doubts"] == one.doubts


def test_images_unlike_the_data_are_recognized(small_data):
    keras.utils.set_random_seed(0)
    model = MiniVGGNet.build(28, 28, 1, 10, filters=(8, 8), dense=16)
    unlike = familiarity.comparison(model, loading.Data(small_data, any_data=True))
    images, _ = data(200, seed=5)
    strange = 255 - images
    alone = [unlike(images[k : k + 1]) for k in range(80)]
    assert 0.02 < np.mean(alone) < 0.2  # by its definition, of a tenth
    assert all(unlike(strange[k : k + 1]) for k in range(10))
    assert unlike(strange)
    familiar = images[[alone.index(False)]]
    assert not unlike(np.concatenate([strange[:5], familiar]))  # one view that looks familiar is enough


def test_data_is_not_downloaded_for_a_comparison(empty_machine, monkeypatch):
    cache = download.keras_cache()
    cache.mkdir(parents=True)
    for path in empty_machine.glob("train*"):
        path.rename(cache / path.name)  # the test images are missing
    monkeypatch.setattr(download, "from_url", lambda *arguments: pytest.fail("a download"))
    assert familiarity.comparison(None, loading.Data()) is None


def test_views_are_combined_by_their_geometric_mean():
    views = np.array([[0.8, 0.2], [0.5, 0.5]])  # sqrt(0.8 * 0.5) to sqrt(0.2 * 0.5) is 2 to 1; their mean: 13 to 7
    np.testing.assert_allclose(predict.combine(views), [2 / 3, 1 / 3], atol=1e-5)


@pytest.fixture(scope="module")
def model():
    return MiniVGGNet.build(28, 28, 1, 10)


def test_predict_in_batches_is_predict_at_once(model):
    images = data(520)[0]  # batches of 500 and 20
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
