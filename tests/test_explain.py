"""fashion_mnist_loaded.py --explain: which places of an image decide, on a network that looks at known rows."""

import json
import re

import cv2
import numpy as np
import pytest
from PIL import Image

from conftest import pictures
from pyimagesearch.data.loading import CLASS_NAMES
from pyimagesearch.model_files import saving
from pyimagesearch.photos import conversion, files

FLAGS = ("--data-dir", "data", "--any-data", "--json", "result.json")


def network(scale=0.2):
    """Return a network that sees a class in the light of its bar (see conftest.pictures)."""
    import keras

    model = keras.Sequential(
        [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10), keras.layers.Softmax()]
    )
    kernel = np.zeros((28, 28, 10), np.float32)
    for number in range(10):
        kernel[2 * number + 4 : 2 * number + 6, 4:24, number] = scale
    model.layers[1].set_weights([kernel.reshape(784, 10), np.zeros(10)])
    return model


@pytest.fixture
def bars(tmp_path, small_data):
    """Write the network to fashion_model.h5, as if fashion_mnist.py had trained it."""
    record = {"recipe": "by hand", "epochs": 0, "seed": 0, "training_images": 0, "versions": {}, "temperature": 0.5}
    saving.save(network(), tmp_path / "fashion_model.h5", record | {"input_range": saving.INPUT_RANGE})


def highest(occlusion):
    return np.unravel_index(np.argmax(occlusion), (28, 28))


def test_test_images(run, tmp_path, bars):
    done = run("fashion_mnist_loaded.py", *FLAGS, "--explain", 13, 7, 13, check=0)
    assert done.stderr == ""
    assert "test image 13: Dress" in done.stdout and "explain.png" in done.stdout
    assert (tmp_path / "images/explain.png").stat().st_size > 10_000
    explanations = json.loads((tmp_path / "result.json").read_text())["explanations"]
    assert [one["image"] for one in explanations] == ["test image 13", "test image 7"]
    for one, label in zip(explanations, (3, 7), strict=True):
        assert one["prediction"] == one["label"] == CLASS_NAMES[label]
        assert abs(highest(one["occlusion"])[0] - (2 * label + 4.5)) < 4  # the bar is under the patch
        assert np.max(one["occlusion"]) > 0.1
        assert sum(one["probabilities"].values()) == pytest.approx(1)


def test_a_network_with_another_input_format(run, tmp_path, small_data):
    network(0.2 / 255).save(tmp_path / "theirs.h5")  # it takes pixels from 0 to 255
    run("fashion_mnist_loaded.py", *FLAGS, "--model", "theirs.h5", "--explain", 13, check=0)
    (one,) = json.loads((tmp_path / "result.json").read_text())["explanations"]
    assert one["prediction"] == "Dress" and one["probabilities"]["Dress"] > 0.5
    assert abs(highest(one["occlusion"])[0] - 10.5) < 4


def test_the_most_confident_mistakes(run, tmp_path, bars):
    done = run("fashion_mnist_loaded.py", *FLAGS, "--explain", check=0)
    assert "no mistake to explain" in done.stdout  # this network makes none
    assert json.loads((tmp_path / "result.json").read_text())["explanations"] == []
    assert not (tmp_path / "images/explain.png").exists()
    labels = pictures(200, 2)[1]
    wrong = [5, 20, 199]
    labels[wrong] = (labels[wrong] + 1) % 10
    (tmp_path / "data/t10k-labels-idx1-ubyte.gz").unlink()
    (tmp_path / "data/t10k-labels-idx1-ubyte").write_bytes(np.array([0x801, 200], ">u4").tobytes() + labels.tobytes())
    run("fashion_mnist_loaded.py", *FLAGS, "--explain", check=0)
    explanations = json.loads((tmp_path / "result.json").read_text())["explanations"]
    confidence = [max(one["probabilities"].values()) for one in explanations]
    assert sorted(one["image"] for one in explanations) == ["test image 199", "test image 20", "test image 5"]
    assert confidence == sorted(confidence, reverse=True)


def test_photos(run, tmp_path, bars):
    image = pictures(10)[0][4]
    image[image < 100] = 0
    Image.fromarray(image).save(tmp_path / "small.png")  # 28x28: taken as it is
    sheet = np.kron(255 - image, np.ones((10, 10), np.uint8))
    Image.fromarray(np.pad(sheet, 60, constant_values=255)).save(tmp_path / "large.png")
    flags = ("--image", "small.png", "large.png", "--explain", "--json", "result.json")
    done = run("fashion_mnist_loaded.py", *flags, check=0)
    assert done.stderr == ""
    assert (tmp_path / "images/explain.png").exists() and "small.png: Coat" in done.stdout
    small, large = json.loads((tmp_path / "result.json").read_text())
    for photo in (small, large):
        explanation = photo["explanation"]
        assert "label" not in explanation
        # Of a photo with a plain background there is one view: the bars show what is printed, with the temperature.
        assert explanation["probabilities"] == pytest.approx({name: photo[name] for name in CLASS_NAMES}, abs=1e-3)
    assert abs(highest(small["explanation"]["occlusion"])[0] - 12.5) < 4
    without = run("fashion_mnist_loaded.py", "--image", "small.png", "--json", "result.json", check=0)
    assert "explain" not in without.stdout
    assert "explanation" not in json.loads((tmp_path / "result.json").read_text())[0]


def test_photos_unlike_the_data(run, tmp_path, bars):
    """Without a plain background there is no temperature scaling, and one of several views is explained."""
    floor = np.random.default_rng(0).integers(120, 255, (300, 300, 3), dtype=np.uint8)
    garment, pair = floor.copy(), floor.copy()
    garment[60:-60, 100:-100] = (40, 50, 90)
    for center in (90, 210):
        cv2.ellipse(pair, (center, 150), (40, 100), 0, 0, 360, (60, 30, 20), cv2.FILLED)
    Image.fromarray(garment).save(tmp_path / "garment.png")
    Image.fromarray(pair).save(tmp_path / "pair.png")
    flags = ("--image", "garment.png", "pair.png", "--explain", "--json", "result.json")
    done = run("fashion_mnist_loaded.py", *flags, check=0)
    for photo in json.loads((tmp_path / "result.json").read_text()):
        name = photo["file"]
        explanation = photo["explanation"]
        images = conversion.convert(files.read(tmp_path / name)).images
        views = len(images)
        assert views == 2 * (1 + len(conversion.WIDTHS) if name == "garment.png" else len(conversion.HEIGHTS))
        assert re.fullmatch(rf"{name}, view [1-{views}] of {views}", explanation["image"])
        images = images[[int(explanation["image"].split()[2]) - 1]]
        expected = np.asarray(network()(images / np.float32(255)))[0]
        assert list(explanation["probabilities"].values()) == pytest.approx(expected, abs=1e-3)
        assert explanation["prediction"] == max(CLASS_NAMES, key=photo.get)
        assert explanation["image"] in done.stdout
        assert np.max(explanation["occlusion"]) <= explanation["probabilities"][explanation["prediction"]] + 1e-3


@pytest.mark.parametrize(
    "arguments, status, text",
    [
        (["--explain", "200"], 1, "there is no test image 200: they are numbered from 0 to 199"),
        (["--explain", "-1"], 2, "'-1' is not a whole number"),
        (["--explain", "x"], 2, "'x' is not a whole number"),
        (["--explain", *map(str, range(13))], 2, "13 numbers are too many; give at most 12"),
        (["--image", "a.png", "--explain", "3"], 2, "no numbers with --image"),
    ],
)
def test_wrong_numbers_are_one_sentence_before_keras_is_imported(run, tmp_path, bars, arguments, status, text):
    (tmp_path / "keras.py").write_text("raise SystemError('Keras was imported')")
    done = run("fashion_mnist_loaded.py", *FLAGS, *arguments, check=status, PYTHONPATH=str(tmp_path))
    assert len(done.stderr.splitlines()) == 1 and text in done.stderr
