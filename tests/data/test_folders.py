"""folders.py: pictures in a folder for each class, as people have them, and the way from there to a prediction."""

import os
import re
import unicodedata

import keras
import numpy as np
import pytest
from PIL import Image, ImageDraw

import fashion_mnist
import fashion_mnist_loaded
import initial_data_analysis
from conftest import WITH_PIPES, load, pictures, small
from pyimagesearch.data import folders, loading
from pyimagesearch.errors import UserError
from pyimagesearch.figures import style
from pyimagesearch.photos import conversion
from pyimagesearch.photos import files as photo_files
from pyimagesearch.recipes import RECIPES


def draw(shape, seed):
    """Return a photo, RGB, of a dark shape, "bar", "block" or "ring", on a light, uneven background."""
    rng = np.random.default_rng(seed)
    image = Image.fromarray(rng.integers(190, 240, (90, 120, 3), np.uint8))
    left, top = (rng.integers(-3, 4, 2) + (40, 20)).tolist()
    pen, color = ImageDraw.Draw(image), tuple(rng.integers(0, 60, 3).tolist())
    if shape == "ring":
        pen.ellipse((left - 5, top, left + 45, top + 50), None, color, 10)
    else:
        pen.rectangle((left, top, left + (12 if shape == "bar" else 60), top + 50), color)
    return image


def write(folder, count=10, names=("bar", "block", "ring")):
    """Write `count` photos of each shape to folder/NAME/. Returns the folder."""
    for number, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for k in range(count):
            draw(name, 100 * number + k).save(folder / name / f"{k}.png")
    return folder


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


def write_gray(folder, names=("a", "b"), count=10, seed=0):
    """Write images of 28x28 gray pixels. Returns them, uint8 (N, 28, 28), in the order of classes and files."""
    images, _ = pictures(len(names) * count, seed)
    for k, image in enumerate(images):
        (folder / names[k // count]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / names[k // count] / f"{k % count}.png")
    return images


@pytest.mark.parametrize("train, test", [("train", "test"), ("Train", "validation"), ("train", "val"), ("train", None)])
def test_layouts(tmp_path, train, test, capsys):
    images = write_gray(tmp_path / "data" / train)
    expected = write_gray(tmp_path / "data" / test, count=5, seed=1) if test else None
    (train_images, labels), (test_images, test_labels) = load(tmp_path / "data")
    if test:
        np.testing.assert_array_equal(train_images, images)  # 28x28 gray: as they are
        np.testing.assert_array_equal(test_images, expected)
        assert (labels.tolist(), test_labels.tolist()) == ([0] * 10 + [1] * 10, [0] * 5 + [1] * 5)
        assert "a fifth" not in capsys.readouterr().out
    else:
        assert {image.tobytes() for image in (*train_images, *test_images)} == {image.tobytes() for image in images}
        assert (np.bincount(labels).tolist(), np.bincount(test_labels).tolist()) == ([8, 8], [2, 2])
        assert "a fifth of each class is for the test" in capsys.readouterr().out


def test_folders_that_are_not_read_are_named(tmp_path, capsys):
    for folder in "train", "test", "val":
        write_gray(tmp_path / folder)
    write_gray(tmp_path / "train/a", ["more"])
    for folder in "notes", "train/empty", "train/broken":
        (tmp_path / folder).mkdir()
    (tmp_path / "train/broken/x.jpg").write_text("no picture")
    loading.Data(tmp_path).part("train")
    printed = capsys.readouterr()
    assert "20 pictures of 2 classes: a, b\n" in printed.out and "no pictures of broken\n" in printed.out
    assert "not read, beside train and test: notes, val" in printed.err and "not read: a/more" in printed.err
    assert "folders without files that are named as pictures are not read: empty" in printed.err


def test_what_is_held_out_depends_on_the_names_of_files_alone(tmp_path):
    write_gray(tmp_path / "one", ("a", "b"), 15)
    write_gray(tmp_path / "elsewhere/other", ("b", "zebra"), 15, seed=1)
    chosen = set()
    for folder in ("one", "elsewhere/other"):
        found = folders.find(tmp_path / folder)
        for name in found.names:
            train, test = ({path.name for path in part[name]} for part in (found.train, found.test))
            assert train | test == {f"{k}.png" for k in range(15)} and not train & test
            chosen.add(frozenset(test))
    assert [len(names) for names in chosen] == [3]


def test_classes_have_the_names_and_order_that_keras_gives_them(tmp_path):
    names = ["b", "B", "10", "9", "a b", "Ä", ".hidden", "_x", unicodedata.normalize("NFD", "Höschen")]
    write_gray(tmp_path / "data", names, 2)
    theirs = keras.utils.image_dataset_from_directory(tmp_path / "data", verbose=False).class_names
    (tmp_path / "data/notes").mkdir()
    (tmp_path / "data/notes/read me.txt").write_text("no picture")
    data = loading.Data(tmp_path / "data")
    assert list(data.class_names(None)) == [unicodedata.normalize("NFC", name) for name in theirs]
    assert data.part("train")[1].tolist() == list(range(len(theirs)))


def test_a_picture_becomes_28x28_as_for_image_or_as_a_whole(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6  # to be seen upright, turn it right by 90 degrees
    write(tmp_path / "data", 5)
    draw("bar", 9).transpose(Image.Transpose.ROTATE_90).save(tmp_path / "data/bar/1.png", exif=turned)
    paths = [path for paths in folders.find(tmp_path / "data").train.values() for path in paths]
    assert tmp_path / "data/bar/1.png" in paths
    segmented, whole = loading.Data(tmp_path / "data"), loading.Data(tmp_path / "data", resize=True)
    assert (segmented.conversion, whole.conversion) == ("segmented", "resized")
    for path, image, scaled in zip(paths, segmented.part("train")[0], whole.part("train")[0], strict=True):
        photo, _ = photo_files.read(path)
        np.testing.assert_array_equal(image, conversion.convert(photo, shoes=False).images[0, ..., 0])
        if path.parent.name == "bar":
            assert (image == 0).mean() > 0.3 and scaled.min() < 80 and np.median(scaled) > 180
            assert scaled.argmin() // 28 in range(5, 24) and scaled.argmin() % 28 in range(8, 14)  # upright
    with pytest.raises(UserError, match="leave out --resize: the model"):
        loading.Data(tmp_path / "data", resize=True, converted="segmented")


@WITH_PIPES
def test_files_that_cannot_be_read_are_named_and_left_out(tmp_path, capsys):
    folder = write(tmp_path / "data/train", 3)
    write(tmp_path / "data/test", 1)
    (folder / "bar/bad.jpg").write_text("no picture")
    Image.new("RGB", (50, 50), "white").save(folder / "ring/empty.png")
    os.mkfifo(folder / "block/pipe.png")
    (folder / "bar/notes.txt").write_text("not named as a picture")
    draw("bar", 1).save(folder / "loose.png")
    draw("ring", 9).save(folder / "ring/cut.jpg")
    os.truncate(folder / "ring/cut.jpg", 3000)
    assert loading.load_part("train", tmp_path / "data")[1].tolist() == [0] * 3 + [1] * 3 + [2] * 4
    first, *lines = capsys.readouterr().err.splitlines()
    assert first.endswith("are not read: loose.png, bar/notes.txt")
    named = [line.partition("data/train/")[2].split()[0].strip(":") for line in lines]
    assert named == ["bar/bad.jpg", "block/pipe.png", "ring/cut.jpg", "ring/empty.png"]
    assert [line.endswith("it is left out") for line in lines] == [True, True, False, True]
    assert "cut off or damaged" in lines[2]


def test_pictures_are_converted_once_and_anew_when_they_change(tmp_path, monkeypatch):
    folder, converted, convert = write(tmp_path / "data", 5), [], folders.convert
    draw("bar", 6).save(folder / "bar/a.bmp")
    monkeypatch.setattr(folders, "convert", lambda *given: converted.append(given[2].name) or convert(*given))
    for one, other in zip(load(folder), load(folder), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
    assert len(converted) == 16
    draw("ring", 7).save(folder / "bar/a.bmp")  # as many bytes as before
    draw("ring", 8).save(folder / "bar/new.png")
    load(folder)
    assert sorted(converted[16:]) == ["a.bmp", "new.png"]
    (stored,) = (tmp_path / "keras/datasets/fashion-mnist-pictures").iterdir()
    stored.write_bytes(stored.read_bytes()[:-3000])
    load(folder)
    assert len(converted) == 18 + 17
    with np.load(stored) as arrays:
        older = dict(arrays) | {"code": "of an earlier version"}
    np.savez(stored, **older)
    load(folder)
    load(folder, resize=True)
    assert len(converted) == 18 + 3 * 17


def test_small_pictures_on_a_light_background_are_told(tmp_path, capsys):
    for image, path in zip(write_gray(tmp_path), sorted(tmp_path.glob("*/*")), strict=True):
        Image.fromarray(255 - image).save(path)
    Image.new("RGB", (60, 60), "white").save(tmp_path / "a/0.png")
    square = Image.new("RGB", (30, 30), "navy")  # which fills its image when it is cut out
    for folder in "ab":
        (picture := Image.new("RGB", (90, 90), "white")).paste(square, (30, 30))
        picture.save(tmp_path / folder / "large.png")
    for resize in True, False:
        load(tmp_path, resize=resize)
        told = re.findall(r"(\d+) of the pictures are 28x28 on a light", capsys.readouterr().err)
        assert sum(map(int, told)) == (0 if resize else 19)  # of 20, one is not 28x28 any more


def test_labels_are_numbered_by_the_names_of_the_model(tmp_path, capsys):
    write_gray(tmp_path / "data/train", ("a", "b"))
    write_gray(tmp_path / "data/test", ("b",))
    data = loading.Data(tmp_path / "data", known=("b", "c", "a"))
    assert set(data.part("test")[1]) == {0} and data.class_names(None) == ("b", "c", "a")
    assert "no pictures of c, a" in capsys.readouterr().out
    with pytest.raises(UserError, match="has a class 'b', but the model has only a, c; rename"):
        loading.Data(tmp_path / "data", known=("a", "c")).part("test")
    write_gray(tmp_path / "data/test", ("new",))
    with pytest.raises(UserError, match="has a class 'new', but the training data has only a, b; rename"):
        loading.load_part("test", tmp_path / "data")


def test_folders_that_are_no_classes(tmp_path, small_data):
    write_gray(small_data, ("images", "trial"))  # figures beside IDX files
    assert len(load(small_data, any_data=True)[0][0]) == 600
    write_gray(tmp_path / "one", ("a",))
    with pytest.raises(UserError, match="no folders with pictures of two or more classes; put the four IDX files"):
        loading.load_part("train", tmp_path / "one")
    write_gray(tmp_path / "many", [f"{k}" for k in range(101)], 1)
    with pytest.raises(UserError, match="has pictures of 101 class.*make one for each class: 2 to 100"):
        loading.load_part("train", tmp_path / "many")
    with pytest.raises(UserError, match="--resize is for pictures in a folder for each class"):
        loading.Data(tmp_path, resize=True).part("train")
    write_gray(tmp_path / "named")
    with pytest.raises(UserError, match="--class-names is for data without names"):
        loading.Data(tmp_path / "named").class_names("names.txt")


@pytest.mark.slow  # half a minute; the tests above are of its parts
def test_from_own_photos_to_a_prediction(tmp_path, monkeypatch, capsys):
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
    assert "train again" not in capsys.readouterr().err

    paths = [path for paths in folders.find(tmp_path / "photos").test.values() for path in paths]
    photos = fashion_mnist_loaded.main(["--image", *paths, "new.png"])
    names = [max(photo["probabilities"], key=photo["probabilities"].get) for photo in photos]
    right = [name == path.parent.name for name, path in zip(names, paths, strict=False)]
    assert np.mean(right) == result["accuracy"]  # the same network sees the same pixels
    assert "new.png: bar " in capsys.readouterr().out
    for path in paths:
        path.rename(path.with_name(f"renamed {path.name}"))
    fashion_mnist_loaded.main(["--data-dir", "photos"])
    assert "were added, removed or renamed after the training" in " ".join(capsys.readouterr().err.split())
