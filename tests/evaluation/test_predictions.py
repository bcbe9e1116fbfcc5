"""metrics.py, calibration.py, predict.py by hand; what the views of a photo say together, what makes it doubtful."""

import json

import keras
import numpy as np
import pytest

from conftest import data
from pyimagesearch.data import download, loading
from pyimagesearch.data.batches import scale
from pyimagesearch.data.loading import CLASS_NAMES
from pyimagesearch.evaluation import calibration, familiarity, metrics, photo_prediction, predict
from pyimagesearch.minivggnet import MiniVGGNet
from pyimagesearch.photos.conversion import Photo

NAMES = ("cat", "dog", "bird")
PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.1, 0.8, 0.1], [0.25, 0.25, 0.5]], np.float32)
LABELS = np.array([0, 1, 1, 2])


def test_metrics_by_hand():
    result = metrics.evaluate(PROBABILITIES, LABELS, NAMES)
    assert result["accuracy"] == 0.75
    assert result["cross_entropy"] == pytest.approx(-np.log([0.7, 0.4, 0.8, 0.5]).mean())
    assert result["confusion_matrix"] == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert result["report"]["dog"]["recall"] == result["report"]["cat"]["precision"] == 0.5
    assert result["accuracy_interval"] == pytest.approx([0.3006, 0.9544], abs=1e-4)  # Wilson's, 3 of 4
    (wrong,) = json.loads(json.dumps(result))["wrong"]
    assert wrong == {"image": 1, "label": "dog", "predicted": "cat", "confidence": 0.5}
    assert result["top_2_accuracy"] == 1
    assert metrics.evaluate(PROBABILITIES, np.array([2, 1, 1, 2]), NAMES)["top_2_accuracy"] == 0.75
    report = metrics.evaluate(np.eye(4)[LABELS], LABELS, (*NAMES, "fish"))["report"]
    assert report["macro avg"]["recall"] == 1 and "fish" not in report  # an average over the classes that occur


def test_report_names_the_classes_in_80_columns():
    text = metrics.report_text(PROBABILITIES, LABELS, ("cat", "d" * 50, "bird"))
    lines = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    assert lines["cat"] == ["0.500", "1.000", "0.667", "1"] and lines["bird"] == ["1.000", "1.000", "1.000", "1"]
    assert "0.750" in text
    assert max(map(len, text.splitlines())) == 80


def test_summary_says_each_number_once_and_calls_it_by_its_name():
    result = metrics.evaluate(PROBABILITIES, LABELS, NAMES, temperature=0.5)
    result["tta"] = metrics.evaluate(PROBABILITIES[:, ::-1], LABELS, NAMES)
    before, after = result["calibration"]["error"], result["calibration_after_scaling"]["error"]
    text = "\n".join(metrics.summary(result, 4))
    assert "accuracy 75.00% on 4 test images" in text
    assert f"calibration error {before:.2%} (" in text and f"{after:.2%} after" in text and before != after
    assert "temperature 0.50" in text
    assert f"(horizontal flip): accuracy 25.00%, cross-entropy {result['tta']['cross_entropy']:.4f}" in text
    assert "cat and dog 1" in text


def test_most_confused_pairs_count_both_directions():
    predicted, labels = np.array([1, 1, 0, 2, 2]), np.array([0, 0, 1, 2, 1])
    assert metrics.most_confused(predicted, labels, 3) == [(3, 0, 1), (1, 1, 2)]
    assert metrics.most_confused(labels, labels, 3) == []
    assert metrics.evaluate(PROBABILITIES, LABELS, NAMES)["most_confused"] == [[1, "cat", "dog"]]


def test_calibration_by_hand():
    probabilities = np.array([*PROBABILITIES.tolist(), [1, 0, 0], [0.95, 0.05, 0]])
    result = calibration.calibration(probabilities, np.array([*LABELS, 0, 1]), bins=10)
    assert result["count"] == [2, 1, 1, 2]  # the two with confidence 0.5, one of them right, share a bin; so do 1, 0.95
    assert result["confidence"] == pytest.approx([0.5, 0.7, 0.8, 0.975])
    assert result["accuracy"] == [0.5, 1, 1, 0.5]
    assert result["error"] == pytest.approx((2 * 0 + 0.3 + 0.2 + 2 * 0.475) / 6)


def test_temperature_is_found_and_mends_overconfidence():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 5))
    truth = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (truth.cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)
    too_sure = np.exp(3 * logits) / np.exp(3 * logits).sum(axis=1, keepdims=True)
    temperature = calibration.fit_temperature(too_sure, labels)
    assert temperature == pytest.approx(3, rel=0.05)
    np.testing.assert_allclose(calibration.apply_temperature(too_sure, 3.0), truth, atol=1e-6)
    result = metrics.evaluate(too_sure, labels, tuple("abcde"), temperature)
    assert result["calibration"]["error"] > 0.15 and result["calibration_after_scaling"]["error"] < 0.02
    certain = np.eye(3) * 0.5 + 0.5 / 3
    for labels in [0, 1, 2], [1, 2, 0]:  # right or wrong each time: the temperature is at its bound, and is not used
        assert calibration.fit_temperature(certain, np.array(labels)) == 1


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
    probabilities = dict.fromkeys(CLASS_NAMES, (1 - best) / 9) | {"Bag": best}
    one = prediction_of(photo(0), probabilities, unlike=lambda images: unlike)
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
