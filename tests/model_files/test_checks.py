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
from pyimagesearch.model_files import checks, file_types


def refused(words, function, *arguments):
    with pytest.raises(UserError, match=words):
        function(*arguments)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, None),
        ({"compress_type": zipfile.ZIP_DEFLATED, "file_size": checks.MAX_PART}, None),
        ({"file_size": checks.MAX_PART + 1}, "has 300,000,001 bytes"),
        ({"filename": "config.json", "file_size": checks.MAX_CHARACTERS + 1}, "has 4,000,001 bytes"),
        ({"compress_type": zipfile.ZIP_BZIP2}, "in a way that Keras does not use"),
        ({"compress_type": zipfile.ZIP_LZMA}, "in a way that Keras does not use"),
        ({"flag_bits": 1}, "encrypted"),
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


@pytest.mark.parametrize("name", checks.REFUSED)
def test_each_class_that_is_refused(name):
    refused(f"class {name} is not loaded, because {re.escape(checks.REFUSED[name])}", checks.check_class, name)


def test_classes():
    checks.check_class("Dense", None, "keras.layers")
    checks.check_class("Dense", "Dense", "tensorflow.python.keras.layers")
    refused("custom code, 'mine>Dense'", checks.check_class, "Dense", "mine>Dense")
    refused("code outside Keras, from 'keras_evil.layers'", checks.check_class, "Dense", None, "keras_evil.layers")
    refused("is not the name of a layer", checks.check_class, ["Dense"])


def test_models_with_one_input_and_one_output():
    one, other = keras.Input((28, 28, 1)), keras.Input((28, 28, 1))
    flat = layers.Flatten()(one)
    first, second = layers.Dense(2)(flat), layers.Dense(3)(flat)
    refused("inputs: 1, outputs: 2", checks.check_model, keras.Model(one, [first, second]))
    both = layers.Dense(3)(layers.Flatten()(layers.Add()([one, other])))
    refused("inputs: 2, outputs: 1", checks.check_model, keras.Model([one, other], both))
    checks.check_model(keras.Model(one, first))


def test_the_largest_output_counts_models_inside_and_all_outputs_of_a_layer():
    start = keras.Input((4, 4, 1))
    inner = keras.Sequential([keras.Input((4, 4, 2)), layers.Conv2D(9, 3, padding="same"), layers.Flatten()])
    model = keras.Model(start, inner(layers.Conv2D(2, 3, padding="same")(start)))
    assert checks.largest_output(model) == 4 * 4 * 9
    rows = keras.Input((5, 3))
    states = layers.LSTM(6, return_state=True)(rows)
    assert checks.largest_output(keras.Model(rows, states[0])) == 18


def test_what_an_hdf5_file_holds_that_is_no_model():
    text = file_types.explain_hdf5({f"a{number}": (2, 3) for number in range(11)} | {"b": ()})
    assert "a0 (2x3), a1" in text and text.endswith("a7 (2x3) and 4 more; give a model file")
    assert "b (a number); give" in file_types.explain_hdf5({"b": ()})
