"""fashion_mnist_loaded.py --explain: which places of an image decide, on a network that looks at known rows."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

import fashion_mnist_loaded
from conftest import RECORD, chain, idx, pictures
from pyimagesearch.data import download
from pyimagesearch.data.loading import CLASS_NAMES
from pyimagesearch.model_files import saving
from pyimagesearch.photos import conversion, files

DATA = ("--data-dir", "data", "--any-data")


def network(scale=0.2):
    """Return a network that sees a class in the light of its bar (see conftest.pictures)."""
    layers = keras.layers
    model = chain(layers.Flatten(), layers.Dense(10), layers.Softmax())
    kernel = np.zeros((28, 28, 10), np.float32)
    for number in range(10):
        kernel[2 * number + 4 : 2 * number + 6, 4:24, number] = scale
    model.layers[1].set_weights([kernel.reshape(784, 10), np.zeros(10)])
    return model


def save_network(path="fashion_model.h5", **record):
    """Write the network to a file, as if fashion_mnist.py had trained it."""
    made = RECORD | {"temperature": 0.5, "input_range": saving.INPUT_RANGE, "genuine_data": True}
    saving.save(network(), path, made | record)


@pytest.fixture
def explain(tmp_path, small_data, monkeypatch):
    """Return the script's main(); the current folder holds a small data set, and a network that knows it."""
    monkeypatch.chdir(tmp_path)
    save_network()
    return fashion_mnist_loaded.main


def test_test_images(explain, tmp_path, capsys):
    result = explain([*DATA, "--explain", 13, 7, 13, "--json", "result.json"])
    assert json.loads((tmp_path / "result.json").read_text()) == result
    explanations, out = result["explanations"], capsys.readouterr().out
    assert "test image 13: Dress" in out and "explain.png" in out
    assert (tmp_path / "images/explain.png").stat().st_size > 10_000
    assert [one["image"] for one in explanations] == ["test image 13", "test image 7"]
    for one, label in zip(explanations, (3, 7), strict=True):
        assert one["prediction"] == one["label"] == CLASS_NAMES[label]
        assert abs(np.argmax(one["occlusion"]) // 28 - (2 * label + 4.5)) < 4  # the bar is under the patch
        assert np.max(one["occlusion"]) > 0.1
        assert sum(one["probabilities"].values()) == pytest.approx(1)


def test_the_most_confident_mistakes(explain, tmp_path, capsys):
    assert explain([*DATA, "--explain"])["explanations"] == []  # this network makes none
    assert "no mistake to explain" in capsys.readouterr().out
    assert not (tmp_path / "images/explain.png").exists()
    labels = pictures(200, 2)[1]
    wrong = [5, 20, 199]
    labels[wrong] = (labels[wrong] + 1) % 10
    (tmp_path / "data/t10k-labels-idx1-ubyte.gz").write_bytes(idx(labels))
    explanations = explain([*DATA, "--explain"])["explanations"]
    confidence = [max(one["probabilities"].values()) for one in explanations]
    assert sorted(one["image"] for one in explanations) == ["test image 199", "test image 20", "test image 5"]
    assert confidence == sorted(confidence, reverse=True)


def test_photos(explain, tmp_path):
    """The view that speaks most for the prediction is explained; temperature scaling is for plain backgrounds alone."""
    image = pictures(10)[0][4]
    image[image < 100] = 0
    Image.fromarray(image).save("plain.png")  # 28x28: taken as it is
    floor = np.random.default_rng(0).integers(120, 255, (300, 300, 3), dtype=np.uint8)
    floor[60:-60, 100:-100] = (40, 50, 90)
    Image.fromarray(floor).save("garment.png")
    photos = explain(["--image", "plain.png", "garment.png", "--explain"])
    for photo, count in zip(photos, (1, 8), strict=True):
        converted = conversion.convert(files.read(tmp_path / photo["file"])[0])
        images, explanation = converted.images, photo["explanation"]
        assert len(images) == count
        names = [photo["file"]] if count == 1 else [f"{photo['file']}, view {k + 1} of {count}" for k in range(count)]
        images = images[[names.index(explanation["image"])]]
        logits = np.log(np.asarray(network()(images / np.float32(255)))[0]) / (0.5 if converted.plain else 1)
        expected = np.exp(logits) / np.exp(logits).sum()
        assert list(explanation["probabilities"].values()) == pytest.approx(expected, abs=1e-3)
        assert explanation["prediction"] == max(photo["probabilities"], key=photo["probabilities"].get)
    assert abs(np.argmax(photos[0]["explanation"]["occlusion"]) // 28 - 12.5) < 4


def test_a_network_of_other_data_is_told_from_one_of_fashion_mnist(tmp_path, empty_machine, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cache = download.keras_cache()
    cache.parent.mkdir(parents=True)
    empty_machine.rename(cache)  # the small data set is found, and is the genuine one here
    for genuine in (True, False):
        save_network(genuine_data=genuine)
        fashion_mnist_loaded.main([])
        out, err = capsys.readouterr()
        assert ("trained on other data" in err) == (not genuine)
        assert ("Sneaker" in out) == genuine and ("class 7" in out) == (not genuine)
