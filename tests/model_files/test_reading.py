"""Files of other kinds are recognized; odd names, JSON beside weights open; what is saved is what is loaded."""

import gzip
import io
import json
import os
import pickle
import tempfile
import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from test_building import load

from conftest import RECORD, chain, data, file_size
from pyimagesearch.errors import UserError
from pyimagesearch.evaluation.predict import predict
from pyimagesearch.minivggnet import MiniVGGNet
from pyimagesearch.model_files import building, reading, saving

IMAGES = np.random.default_rng(0).random((4, 28, 28, 1), np.float32)


def archive(parts):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in parts.items():
            file.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty \\(0 bytes\\)"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9\n", "Git LFS pointer.*git lfs pull"),
        (b"\n<!DOCTYPE html>\n<html></html>", "web page"),
        (b"\x1c\x00\x00\x00TFL3" + bytes(64), "TensorFlow Lite"),
        (b"\x08\x01\x12\x04\x0a\x02\x08\x01", "a TensorFlow graph"),
        (b"\x08\x08\x12\x07pytorch", "ONNX"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "PyTorch file"),
        (archive({"archive/data.pkl": b"x"}), "PyTorch file"),
        *((pickle.dumps([1], protocol=number), "a pickle.*never loaded") for number in (0, 2, 5)),
        (bytes(257) + b"ustar", "a tar archive.*unpack it"),
        ((2).to_bytes(8, "little") + b"{}", "safetensors"),
        (archive({"arr_0.npy": b"x"}), "NumPy arrays"),
        (archive({"arr_0.npy": b"x", "readme": b"x"}), "not a .keras file: config.json is not in it"),
        (archive({"model.h5": b"x"}), "contains model.h5; unpack it"),
        (gzip.compress(b"x", mtime=0), "gzip file.*unpack it"),  # mtime: the same test name in every process
        (b'{"class_name": "Sequential", "config": {}}', "network without weights"),
        (b'{"modelTopology": {"class_name": "Sequential"}}', "TensorFlow.js.*tensorflowjs_converter"),
        (b"hello\n", "text file"),
        (bytes(100), "nothing but zeros"),
        (b"\x01\x02\x00\x03" * 9, "neither an HDF5 file nor a .keras file"),
    ],
)
def test_files_of_other_kinds_are_named(tmp_path, content, words):
    path = tmp_path / "model.h5"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"^it .*{words}"):
        reading.parse(path)


def test_paths_that_are_no_files_are_named(tmp_path):
    (tmp_path / "saved_model.pb").touch()
    paths = {"": "SavedModel", "n" * 300: "cannot read .*name too long"}
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.h5")
        paths["pipe.h5"] = "a pipe or a device"
    for name, words in paths.items():
        with pytest.raises(UserError, match=words):
            reading.read(tmp_path / name)


@pytest.fixture(scope="module")
def model():
    """A compiled network with a nested one, dropout and two layers of a class, trained for a step."""
    keras.utils.set_random_seed(0)
    inner = keras.Sequential([layers.Conv2D(3, 3, strides=4), layers.Dropout(0.1)], name="inner")
    last = layers.Dense(12, activation="relu"), layers.Dense(10, activation="softmax")
    model = chain(inner, layers.Flatten(), *last)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 9)), own_loss, metrics=["accuracy"])
    model.fit(IMAGES, np.arange(4), verbose=0)
    return model


@keras.saving.register_keras_serializable("mine")
def own_loss(labels, outputs):
    return keras.losses.sparse_categorical_crossentropy(labels, outputs)


def check_same(path, model, **options):
    loaded = load(path, **options)
    np.testing.assert_allclose(loaded.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0), atol=1e-5)


def rename(path, change):
    """Write the .keras file anew, with change(name) for the name of each array in it, and without empty groups."""
    with zipfile.ZipFile(path) as file:
        config, weights = file.read("config.json"), file.read("model.weights.h5")
    buffer = io.BytesIO()
    with h5py.File(io.BytesIO(weights)) as old, h5py.File(buffer, "w") as new:
        arrays = {}
        old.visititems(lambda name, item: arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
        for name, array in arrays.items():
            if "seed_generator" not in name:
                new[change(name)] = array
        new[change("layers/dropout_9/seed_generator/vars/0")] = np.zeros(2, np.uint32)  # of a random seed
    path.write_bytes(archive({"config.json": config, "model.weights.h5": buffer.getvalue()}))


@pytest.mark.parametrize(
    "change",
    [
        lambda name: name.replace("/", "\\"),
        lambda name: name.replace("layers/", "_layer_checkpoint_dependencies\\", 1),
        lambda name: name.replace("dense_1/", "dense_2/"),
        lambda name: name.replace("dense/", "dense_4/").replace("dense_1/", "dense_11/"),
    ],
)
def test_compiled_keras_files_and_odd_group_names(model, tmp_path, change):
    model.save(tmp_path / "m.keras")
    check_same(tmp_path / "m.keras", model)
    rename(tmp_path / "m.keras", change)
    check_same(tmp_path / "m.keras", model)


def test_weights_with_their_architecture_beside_them(model, tmp_path):
    weights, network = tmp_path / "net.weights.h5", tmp_path / "net.json"
    model.save_weights(weights)
    (tmp_path / "history.json").write_text(json.dumps({"loss": [1]}))
    with pytest.raises(UserError, match="only weights.*history.json beside it is not.*--architecture"):
        check_same(weights, model)
    network.write_text(model.to_json())
    check_same(weights, model)
    for text in (json.dumps(model.to_json()), "\ufeff" + model.to_json()):  # a text in a text; a byte order mark
        network.write_text(text, encoding="utf-8")
        check_same(weights, model)
    check_same(weights, model, architecture=network)
    network.rename(tmp_path / "one.json")
    check_same(weights, model)  # the only network in the folder
    (tmp_path / "two.json").write_text(model.to_json())
    with pytest.raises(UserError, match="several networks .*one.json, two.json.*--architecture"):
        check_same(weights, model)
    (tmp_path / "two.json").write_text("{")
    with pytest.raises(UserError, match="architecture .*two.json is not JSON"):
        check_same(weights, model, architecture=tmp_path / "two.json")


def test_weights_of_layers_with_other_names_are_taken_by_order(tmp_path):
    model = chain(layers.Flatten(), layers.Dense(12, name="z"), layers.Dense(10))
    (tmp_path / "net.json").write_text(model.to_json())
    with h5py.File(tmp_path / "net.h5", "w") as file:
        file.attrs["layer_names"] = [b"first", b"second"]
        for name, layer in zip(("first", "second"), model.layers[1:], strict=True):
            group = file.create_group(name)
            group.attrs["weight_names"] = [b"kernel", b"bias"]
            group["kernel"], group["bias"] = layer.get_weights()
    check_same(tmp_path / "net.h5", model)


def test_operations(tmp_path):
    start = keras.Input((28, 28, 1))
    flat = layers.Flatten()(keras.ops.relu(start[:, 2:-2] * 2.0 - 1.0) / np.float32(3))
    model = keras.Model(start, layers.Dense(10, activation="softmax")(flat))
    for name in ("m.keras", "m.h5"):
        model.save(tmp_path / name)
        check_same(tmp_path / name, model)


@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
def test_weights_of_other_precisions_become_float32(tmp_path, dtype):
    model = keras.Sequential([keras.Input((28, 28, 1), dtype=dtype), layers.Flatten(), layers.Dense(10, dtype=dtype)])
    kernel = np.random.default_rng(0).normal(size=(784, 10))
    model.layers[-1].set_weights([kernel, np.arange(10) - 4.5])
    model.save(tmp_path / "m.keras")
    read = {array.ndim: array for _, array in reading.parse(tmp_path / "m.keras").weights}
    assert {array.dtype for array in read.values()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(read[1], np.arange(10) - 4.5)
    np.testing.assert_allclose(read[2], kernel, rtol=2**-8 if dtype == "bfloat16" else 2**-23)


def test_lists_of_names_that_keras_has_split(tmp_path):
    """An HDF5 attribute holds 64 KiB, so Keras writes a long list of names as layer_names0, layer_names1, ..."""
    model = chain(layers.Flatten(), layers.Dense(3), layers.Dense(10))
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        weights = file["model_weights"]
        for group, name in [(weights, "layer_names"), (weights[model.layers[-1].name], "weight_names")]:
            names = group.attrs.pop(name)
            group.attrs[f"{name}0"], group.attrs[f"{name}1"] = names[:1], names[1:]
    check_same(tmp_path / "m.h5", model)


@pytest.fixture(scope="module")
def ours():
    return MiniVGGNet.build(28, 28, 1, 10, filters=(8, 8), dense=64)


@pytest.mark.parametrize("name", ["m.h5", "m.keras"])
def test_save_and_load_give_the_same_predictions_and_record(ours, tmp_path, name):
    saving.save(ours, tmp_path / name, RECORD)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    contents, (images, _) = reading.read(tmp_path / name), data(20)
    np.testing.assert_array_equal(predict(building.build(contents), images), predict(ours, images))
    assert contents.record == RECORD


def test_what_a_record_says_is_used_only_if_it_is_plausible():
    for stored, used in ((0.5, 0.5), (0.01, 1.0), (100.0, 1.0), ("2", 1.0), (None, 1.0)):
        assert saving.temperature({"temperature": stored}) == used
    assert saving.class_names({"class_names": ["\x1b[31mshoe", "bag"]}) == ("?[31mshoe", "bag")
    for stored in (["shoe"], ["shoe", "shoe"], ["shoe", ""], ["shoe", 3], ["shoe", "b" * 10_000]):
        assert saving.class_names({"class_names": stored}) == ()
        with pytest.raises(UserError, match="different texts of at most 50 characters, one for each label from 0 to 1"):
            saving.checked_names(stored, np.array([0, 1]))
    assert saving.class_names({"class_names": "shoe bag"}) == ()
    assert saving.checked_names(np.array(["shoe", "bag"]), np.array([0, 1])) == ["shoe", "bag"]


def test_on_a_full_disk_the_old_file_stays_and_the_process_lives(ours, tmp_path):
    """HDF5 ends the process when a write of its fails."""
    saving.save(ours, tmp_path / "m.h5", RECORD)
    before = (tmp_path / "m.h5").read_bytes()
    for most in (10_000, len(before) - 1):
        with file_size(most), pytest.raises(UserError, match="cannot write"):
            saving.save(ours, tmp_path / "m.h5", {})
    assert (tmp_path / "m.h5").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["m.h5"]


@pytest.mark.parametrize("folder_is_full", [False, True])
def test_a_model_that_cannot_take_its_place_is_saved_in_another(ours, tmp_path, monkeypatch, folder_is_full):
    place, other = tmp_path / "place", tmp_path / "other"
    place.mkdir(), other.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(other))
    (place / "m.h5").mkdir()  # made by another program while the network was trained
    if folder_is_full:
        real, full = saving.replacing, other / "no/such/folder/m.h5"
        monkeypatch.setattr(saving, "replacing", lambda path: real(full if path.parent == place else path))
    with pytest.raises(UserError) as error:
        saving.save(ours, place / "m.h5", RECORD)
    (saved,) = (other if folder_is_full else place).glob("m-*.h5")
    assert str(error.value).endswith(f"saved as {saved}")
    assert reading.parse(saved).record == RECORD


def change_a_weight(file):
    name, weights = next(iter(file["model_weights"].items()))
    weights[weights.attrs["weight_names"][0]][0] += 0.5


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.attrs.update(fashion_mnist=json.dumps(RECORD | {"epochs": 3})),
        lambda file: file.attrs.update(model_config=file.attrs["model_config"].replace('"same"', '"valid"')),
        change_a_weight,
    ],
)
def test_a_file_that_has_changed_since_it_was_saved_is_refused(ours, tmp_path, change):
    saving.save(ours, tmp_path / "m.h5", RECORD)
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        change(file)
    with pytest.raises(UserError, match="has changed since it was saved"):
        reading.parse(tmp_path / "m.h5")


@pytest.mark.parametrize("other", ['{"fashion_mnist": "{}"', json.dumps({"fashion_mnist_sha256": "0"})])
def test_a_keras_file_whose_record_does_not_belong_to_it_is_refused(ours, tmp_path, other):
    ours.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras", "a") as archive:
        archive.writestr("fashion_mnist.json", other)
    with pytest.raises(UserError, match="damaged|has changed since it was saved"):
        reading.read(tmp_path / "m.keras")
