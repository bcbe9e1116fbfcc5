"""From photos in a folder for each class to a prediction, as data/README.md tells it."""

import numpy as np
from PIL import Image, ImageDraw

import fashion_mnist
import fashion_mnist_loaded
import initial_data_analysis
from conftest import small
from pyimagesearch.data import folders
from pyimagesearch.figures import style
from pyimagesearch.recipes import RECIPES


def draw(shape, seed):
    """Return a photo, RGB, of a dark shape, "bar", "block" or "ring", on a light, uneven background."""
    rng = np.random.default_rng(seed)
    image = Image.fromarray(rng.integers(190, 240, (90, 120, 3), np.uint8))
    left, top = (rng.integers(-3, 4, 2) + (40, 20)).tolist()
    pen, color = ImageDraw.Draw(image), tuple(rng.integers(0, 60, 3).tolist())
    if shape == "bar":
        pen.rectangle((left, top, left + 12, top + 50), color)
    elif shape == "block":
        pen.rectangle((left - 15, top, left + 45, top + 45), color)
    else:
        pen.ellipse((left - 5, top, left + 45, top + 50), None, color, 10)
    return image


def write(folder, count=10, names=("bar", "block", "ring")):
    """Write `count` photos of each shape to folder/NAME/. Returns the folder."""
    for number, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for k in range(count):
            draw(name, 100 * number + k).save(folder / name / f"{k}.png")
    return folder


def test_from_own_photos_to_a_prediction(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    write(tmp_path / "photos", 12)
    (tmp_path / "photos/ring/broken.jpg").write_text("no picture")
    draw("bar", 999).resize((240, 180)).save(tmp_path / "new.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(style, "save", lambda folder, **figures: [folder / name for name in figures])
    initial_data_analysis.main(["--data-dir", "photos"])
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "broken.jpg is not a photo" in error
    monkeypatch.setitem(RECIPES, "fast", small("fast", batch_size=8, epochs=10))
    fashion_mnist.main(["--data-dir", "photos"])
    assert "fashion_mnist_loaded.py --model fashion_model.h5 --data-dir photos\n" in capsys.readouterr().out
    result = fashion_mnist_loaded.main(["--data-dir", "photos"])
    assert {"bar", "block", "ring"} <= set(result["report"]) and result["accuracy"] > 0.7

    paths = [path for paths in folders.find(tmp_path / "photos").test.values() for path in paths]
    photos = fashion_mnist_loaded.main(["--image", *paths, "new.png"])
    names = [max(photo["probabilities"], key=photo["probabilities"].get) for photo in photos]
    right = [name == path.parent.name for name, path in zip(names, paths, strict=False)]
    assert np.mean(right) == result["accuracy"]  # the same network sees the same pixels
    assert "new.png: bar " in capsys.readouterr().out
