"""fashion_mnist_loaded.py --image: predictions of photos, whatever lies between them."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image
from test_conversion import enlarged
from test_pairs import PAIRS

from conftest import pictures
from pyimagesearch import recipes
from pyimagesearch.data import loading, preparation
from pyimagesearch.model_files import building, reading, saving
from pyimagesearch.training import train as training


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model file that knows pictures(), and 10 images with their labels."""
    images, labels = pictures(600)
    # The bars of these images are far down or up: a frame of light keeps them where they are when they are trimmed.
    images[:, [0, -1]] = images[:, :, [0, -1]] = 255
    data = preparation.reshape(images), labels
    recipe = dataclasses.replace(recipes.RECIPES["fast"], batch_size=64, learning_rate=0.05)
    model, _ = training.train(recipe, data, data, 10, seed=0)
    record = {"recipe": "fast", "epochs": 8, "seed": 0, "training_images": 600, "versions": {}, "temperature": 1.0}
    path = tmp_path_factory.mktemp("model") / "fashion_model.h5"
    saving.save(model, path, record | {"input_range": saving.INPUT_RANGE})
    return path, images[:10], labels[:10]


def test_script_predicts_photos_and_goes_on_after_bad_ones(run, tmp_path, trained):
    model, images, labels = trained
    (tmp_path / "wardrobe").mkdir()
    for number, image in enumerate(images):
        enlarged(image).save(tmp_path / f"wardrobe/{number}.png")
    (tmp_path / "wardrobe/x.jpg").write_text("no photo")
    done = run("fashion_mnist_loaded.py", "--model", model, "--image", "wardrobe", "--json", "result.json", check=1)
    assert "x.jpg is not a photo" in done.stderr
    assert "1 of 11 files could not be used" in done.stderr
    assert "Traceback" not in done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert [photo.pop("file") for photo in result] == [f"wardrobe/{number}.png" for number in range(10)]
    for label, photo in zip(labels, result, strict=True):
        assert max(photo, key=photo.get) == loading.CLASS_NAMES[label]
        assert sum(photo.values()) == pytest.approx(1)
    assert (tmp_path / "images/photos.png").stat().st_size > 10_000
    (tmp_path / "wardrobe/x.jpg").unlink()
    assert run("fashion_mnist_loaded.py", "--model", model, "--image", "wardrobe", check=0).stderr == ""


def test_pair_may_only_be_shoes_and_is_unlike_the_data(run, tmp_path, small_data, trained):
    model, _, _ = trained
    sheet = np.where(PAIRS["apart"], 40, 250).astype(np.uint8)
    Image.fromarray(sheet).save(tmp_path / "pair.png")
    shoes = {"Sandal", "Sneaker", "Ankle boot"}
    options = ("--json", "result.json", "--data-dir", small_data, "--any-data")
    done = run("fashion_mnist_loaded.py", "--model", model, "--image", "pair.png", *options, check=0)
    assert "pair of shoes" in done.stdout
    assert "(unsure)" in done.stdout
    assert "less like the training images than 90% of the test images are" in done.stdout
    assert "photograph one garment" in done.stdout
    (photo,) = json.loads((tmp_path / "result.json").read_text())
    assert sum(photo[name] for name in shoes) == pytest.approx(1)
    assert {name for name in loading.CLASS_NAMES if photo[name] > 1e-9} <= shoes
    (tmp_path / "names.txt").write_text("".join(f"animal {number}\n" for number in range(10)))
    names = ("--class-names", "names.txt", "--json", "result.json")
    done = run("fashion_mnist_loaded.py", "--model", model, "--image", "pair.png", *names, check=0)
    (photo,) = json.loads((tmp_path / "result.json").read_text())
    assert all(photo[f"animal {number}"] > 1e-9 for number in range(10))


def test_temperature_is_for_images_like_the_data(run, tmp_path, trained):
    model, images, _ = trained
    enlarged(images[0]).save(tmp_path / "plain.png")
    floor = np.random.default_rng(0).integers(100, 256, (420, 380, 3), dtype=np.uint8)
    floor[80:340, 60:320] = np.kron(images[0] // 4, np.ones((10, 10), np.uint8))[10:270, 10:270, None]
    Image.fromarray(floor).save(tmp_path / "floor.png")
    contents = reading.read(model)
    network, highest = building.build(contents), []
    for temperature in (1.0, 3.0):
        saving.save(network, tmp_path / "fashion_model.h5", contents.record | {"temperature": temperature})
        run("fashion_mnist_loaded.py", "--image", "plain.png", "floor.png", "--json", "result.json", check=0)
        photos = json.loads((tmp_path / "result.json").read_text())
        highest.append([max(photo[name] for name in loading.CLASS_NAMES) for photo in photos])
    (plain, floor), (cooler_plain, same_floor) = highest
    assert cooler_plain < plain - 0.05
    assert same_floor == pytest.approx(floor, abs=1e-6)


def test_odd_names_are_shown_in_silence(run, tmp_path, trained):
    model, images, _ = trained
    names = [b"a$x^$b.png", b"shirt $5_$10.png", "\u978b\U0001f45f.png".encode(), b"caf\xe9.png", b"\x1b[31mred.png"]
    (tmp_path / "wardrobe").mkdir()
    Image.fromarray(images[0]).resize((300, 300)).save(tmp_path / "image.png")
    for name in names:
        with open(bytes(tmp_path / "wardrobe") + b"/" + name, "wb") as file:
            file.write((tmp_path / "image.png").read_bytes())
    done = run("fashion_mnist_loaded.py", "--model", model, "--image", "wardrobe", "--json", "result.json", check=0)
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert len(json.loads((tmp_path / "result.json").read_text())) == len(names)


def test_missing_file_is_told_before_keras_is_imported(run, tmp_path, trained):
    model, _, _ = trained
    (tmp_path / "keras.py").write_text("raise SystemExit('Keras was imported')")
    done = run("fashion_mnist_loaded.py", "--model", model, "--image", "none.jpg", check=1, PYTHONPATH=str(tmp_path))
    assert done.stderr == "fashion_mnist_loaded.py: there is no file none.jpg\n"
