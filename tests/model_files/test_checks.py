"""checks.py, check by check: what is just allowed, and what is just refused."""

import io
import re
import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from pyimagesearch.errors import UserError
from pyimagesearch.model_files import checks, file_types, layer_classes


def refused(words, function, *arguments):
    with pytest.raises(UserError, match=words):
        function(*arguments)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, None),
        ({"compress_type": zipfile.ZIP_DEFLATED, "file_size": checks.MAX_BYTES}, None),
        ({"compress_type": zipfile.ZIP_DEFLATED, "file_size": checks.MAX_BYTES + 1}, "unpacks to 200,000,001 bytes"),
        ({"file_size": checks.MAX_BYTES + 1}, None),  # stored, not packed: the file itself is as large
        ({"filename": "config.json", "file_size": checks.MAX_CHARACTERS + 1}, "unpacks to 4,000,001 bytes"),
        ({"compress_type": zipfile.ZIP_BZIP2}, "in a way that Keras does not use"),
        ({"compress_type": zipfile.ZIP_LZMA}, "in a way that Keras does not use"),
        ({"flag_bits": 1}, "is encrypted"),
    ],
)
def test_members_of_an_archive(values, words):
    info = zipfile.ZipInfo("model.weights.h5")
    for key, value in values.items():
        setattr(info, key, value)
    if words:
        refused(words, checks.check_member, info)
    else:
        checks.check_member(info)


def test_links():
    with h5py.File(io.BytesIO(), "w") as file:
        file["array"] = np.zeros(3)
        file["soft"], file["external"] = h5py.SoftLink("/array"), h5py.ExternalLink("other.h5", "/array")
        assert checks.check_link(file, "array") == file["array"]
        for name in ("soft", "external", "missing"):
            refused(f"a link, '{name}', to another place", checks.check_link, file, name)


def virtual(file):
    layout = h5py.VirtualLayout((2,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "data", (2,))
    return file.create_virtual_dataset("a", layout)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda file: file.create_dataset("a", data=np.zeros(10, "f4")), None),
        (lambda file: file.create_dataset("a", data=np.zeros(10, "?")), None),
        (lambda file: file.create_dataset("a", data=np.zeros(10, "V2")), None),  # bfloat16
        (lambda file: file.create_dataset("a", data=np.zeros(10, "V3")), "is not an array of numbers"),
        (lambda file: file.create_dataset("a", data=np.zeros(10, "c8")), "is not an array of numbers"),
        (lambda file: file.create_dataset("a", data=[b"text"]), "is not an array of numbers"),
        (lambda file: file.create_group("a"), "is not an array of numbers"),
        (
            lambda file: file.create_dataset("a", data=np.zeros(10), compression="gzip", shuffle=True, fletcher32=True),
            None,
        ),
        (lambda file: file.create_dataset("a", data=np.zeros(10), compression="lzf"), "needs a plugin"),
        (lambda file: file.create_dataset("a", data=np.zeros(10, "i4"), scaleoffset=0), "needs a plugin"),
        (virtual, "stores its numbers in another file"),
        (lambda file: file.create_dataset("a", (2,), "f4", external=[("x.bin", 0, 8)]), "in another file"),
        (lambda file: file.create_dataset("a", (2,), "f4"), "declared but not stored"),
        (lambda file: file.create_dataset("a", (0,), "f4"), None),
        (lambda file: file.create_dataset("a", (10**8,), "f4", chunks=(10**6,)), "take more than 200,000,000 bytes"),
        (
            lambda file: file.create_dataset("a", data=np.zeros(2, "f4"), chunks=(500_000,), maxshape=(None,)),
            "take more than 200,000,000 bytes",
        ),
    ],
)
def test_arrays(make, words, tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        item = make(file)
        if words:
            refused(words, checks.check_array, "a", item, 0)
        else:
            assert checks.check_array("a", item, 7) == 7 + item.size * max(4, item.dtype.itemsize)


def test_the_sizes_of_all_arrays_add_up():
    with h5py.File(io.BytesIO(), "w") as file:
        item = file.create_dataset("a", data=np.zeros(10, "f4"))
        assert checks.check_array("a", item, checks.MAX_BYTES - 40) == checks.MAX_BYTES
        refused("take more than", checks.check_array, "a", item, checks.MAX_BYTES - 39)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite(number):
    refused("the weights 'a' are not all finite", checks.check_finite, "a", np.float32([0, number]))
    refused("not finite numbers", checks.check_outputs, np.float32([[0, number]]))


@pytest.mark.parametrize("name", checks.REFUSED)
def test_each_class_that_is_refused(name):
    refused(f"class {name} is not loaded, because {re.escape(checks.REFUSED[name])}", checks.check_class, name)


def test_classes():
    checks.check_class("Dense", None, "keras.layers")
    checks.check_class("Dense", "Dense", "tensorflow.python.keras.layers")
    refused("custom code, 'mine>Dense'", checks.check_class, "Dense", "mine>Dense")
    refused("code outside Keras, from 'keras_evil.layers'", checks.check_class, "Dense", None, "keras_evil.layers")
    refused("is not the name of a layer", checks.check_class, ["Dense"])


def test_models_with_one_input_and_one_output_of_bounded_size(monkeypatch):
    one, other = keras.Input((4, 4, 1)), keras.Input((4, 4, 1))
    first, second = layers.Conv2D(2, 3, name="first")(one), layers.Dense(3, name="second")(one)
    inner = keras.Sequential([keras.Input((4, 4, 2)), layers.Flatten(), layers.Dense(5, name="inside")], name="inner")
    refused("1 inputs and 2 outputs", checks.check_model, keras.Model(one, [first, second]))
    refused("2 inputs and 1 outputs", checks.check_model, keras.Model([one, other], layers.Add()([one, other])))
    model = keras.Model(one, inner(layers.Conv2D(2, 3, padding="same")(one)))
    names = [layer.name for layer in checks.every_layer(model)]
    assert "inside" in names and "inner" not in names
    checks.check_model(model)
    assert checks.largest_output(model) == 4 * 4 * 2
    operations = sum(checks._operations(layer) for layer in checks.every_layer(model))
    for limit, enough, words in (
        ("MAX_OUTPUTS", 32, "computes more than 31 numbers"),
        ("MAX_OPERATIONS", operations, "multiplications for one image"),
        ("MAX_LAYERS", len(names), "more than .* layers"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(checks, limit, enough)
            checks.check_model(model)
            patch.setattr(checks, limit, enough - 1)
            refused(words, checks.check_model, model)


@pytest.mark.parametrize(
    ("shape", "layer", "operations"),
    [
        ((8, 8, 2), layers.Conv2D(3, 3, padding="same"), (9 * 2 * 3 + 3) * 64 + 64 * 3),
        ((2, 8, 8), layers.Conv2D(3, 3, padding="same", data_format="channels_first"), (9 * 2 * 3 + 3) * 64 + 64 * 3),
        ((None, None, 1), layers.Conv2D(3, 1), (3 + 3) * 64 * 64 + 64 * 64 * 3),  # any size: that of a large image
        ((6,), layers.Dense(4), 7 * 4 + 4),
        ((8, 8, 2), layers.MaxPooling2D(4), 2 * 2 * 2 * 16),
        ((5, 3), layers.SimpleRNN(2), (3 * 2 + 2 * 2 + 2 + 100_000) * 5),
    ],
)
def test_operations_of_a_layer_by_hand(shape, layer, operations):
    layer(keras.Input(shape))
    assert checks._operations(layer) == operations


def test_attention_costs_the_square_of_the_positions():
    start = keras.Input((50, 4))
    layer = layers.MultiHeadAttention(2, 2)
    layer(start, start)
    assert checks._operations(layer) >= 2 * 50 * 50 * 4


def test_a_layer_with_several_outputs_computes_all_of_them():
    states = layers.LSTM(6, return_state=True)(keras.Input((5, 3)))
    assert checks._numbers(states) == 18


def test_the_deadline_counts_processor_time(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(checks.time, "process_time", lambda: now[0])
    deadline = checks.Deadline()
    now[0] += checks.MAX_SECONDS
    deadline.check()
    now[0] += 0.1
    refused("takes more than 10 s", deadline.check)


def test_operations_that_derive_from_other_operations_are_known():
    derived = {
        kind.__name__
        for kind in layer_classes.operations().values()
        if keras.Operation not in kind.__bases__ and kind.__module__.startswith("keras.src.ops.")
    }
    assert derived


def test_what_an_hdf5_file_holds_that_is_no_model():
    text = file_types.explain_hdf5({f"a{number}": (2, 3) for number in range(11)} | {"b": ()})
    assert "a0 (2x3), a1" in text and text.endswith("a7 (2x3) and 4 more; give a model file")
    assert "b (a number); give" in file_types.explain_hdf5({"b": ()})
