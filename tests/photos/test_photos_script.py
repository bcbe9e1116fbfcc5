"""fashion_mnist_loaded.py --image: predictions of photos, whatever lies between them."""

import json
import os

import numpy as np
import pytest
from PIL import Image
from test_conversion import PAIRS, enlarged
from test_explain import save_network

from conftest import pictures
from fashion_mnist_loaded import main
from pyimagesearch.data.loading import CLASS_NAMES
from pyimagesearch.errors import UserError


@pytest.fixture
def images(tmp_path, monkeypatch):
    """Ten images, one of each class, whose frame of light keeps them where they are when they are trimmed.

    The current folder holds fashion_model.h5, a network that knows them.
    """
    monkeypatch.chdir(tmp_path)
    save_network(genuine_data=True)
    images, _ = pictures(10)
    images[images < 100] = 0
    images[:, [0, -1]] = images[:, :, [0, -1]] = 255
    return images


def test_photos_are_predicted_and_bad_files_are_counted_at_the_end(images, tmp_path, capsys):
    (tmp_path / "wardrobe").mkdir()
    for number, image in enumerate(images):
        enlarged(image).save(tmp_path / f"wardrobe/{number}.png")
    odd = os.fsdecode(b"wardrobe/9\x1b[31m $x_$ caf\xe9.png")
    os.rename("wardrobe/9.png", odd)
    (tmp_path / "wardrobe/a$x^$b.jpg").write_text("no photo")
    Image.new("L", (50, 50), 130).save(tmp_path / "wardrobe/blank.png")
    with pytest.raises(UserError, match="2 of 12 files could not be used"):
        main(["--image", "wardrobe", "--json", "result.json"])
    out, err = capsys.readouterr()
    assert "a$x^$b.jpg is not a photo" in err and "blank.png shows nothing but background" in err
    assert err.count("\n") == 2 and "\x1b" not in out
    assert "wardrobe/3.png: Dress " in out
    assert max(map(len, out.splitlines())) <= 80
    result = json.loads((tmp_path / "result.json").read_text())
    assert [photo["file"] for photo in result] == [*(f"wardrobe/{number}.png" for number in range(9)), odd]
    for name, photo in zip(CLASS_NAMES, result, strict=True):
        assert max(photo["probabilities"], key=photo["probabilities"].get) == name
        assert sum(photo["probabilities"].values()) == pytest.approx(1)
    assert (tmp_path / "images/photos.png").stat().st_size > 10_000


@pytest.fixture
def pair(images):
    Image.fromarray(np.where(PAIRS["apart"], 40, 250).astype(np.uint8)).save("pair.png")


def test_pair_may_only_be_shoes_and_is_unlike_the_data(pair, small_data, capsys):
    (photo,) = main(["--image", "pair.png", "--data-dir", "data", "--any-data"])
    out = capsys.readouterr().out
    for text in "a pair of shoes", "(unsure)", "less like the training images than 90% of", "photograph one garment":
        assert text in out
    shoes = {"Sandal", "Sneaker", "Ankle boot"}
    assert {name for name, probability in photo["probabilities"].items() if probability > 1e-9} <= shoes


def test_other_data_has_no_names_of_clothes_no_pairs_of_shoes_and_no_comparison(pair, capsys):
    save_network(genuine_data=False)
    (photo,) = main(["--image", "pair.png"])
    out = capsys.readouterr().out
    assert "pair.png: class " in out and "pair of shoes" not in out and "training data" not in out
    assert min(photo["probabilities"].values()) > 1e-9
    assert list(photo["probabilities"]) == [f"class {number}" for number in range(10)]
