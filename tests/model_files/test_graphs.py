"""graphs.py: networks of Keras 2 that call TensorFlow's functions."""

import numpy as np
import pytest
from scipy.special import softmax
from test_building import load, write

from pyimagesearch.errors import UserError

IMAGES = np.random.default_rng(0).random((5, 28, 28)).astype("float32")
WEIGHTS = np.random.default_rng(1).normal(size=(6, 10)).astype("float32")


def node(function, before, kind="TFOpLambda", **arguments):
    """Return the entry of a layer that calls a TensorFlow function on the layer `before`, as Keras 2.15 wrote it."""
    name = f"tf.{function}"
    config = {"name": name, "trainable": True, "dtype": "float32", "function": function}
    call = before if isinstance(before, list) else [before, 0, 0]
    return {"class_name": kind, "config": config, "name": name, "inbound_nodes": [[*call, arguments]]}


def network(*entries):
    """Return the config of a Functional model: the input, these entries, a Dense layer on the last of them."""
    start = {"batch_input_shape": [None, 28, 28], "dtype": "float32", "sparse": False, "name": "start"}
    dense = {"name": "out", "trainable": True, "dtype": "float32", "units": 10, "activation": "softmax"}
    dense["use_bias"] = False
    last = [[[entries[-1]["name"], 0, 0, {}]]]
    layers = [
        {"class_name": "InputLayer", "config": start, "name": "start", "inbound_nodes": []},
        *entries,
        {"class_name": "Dense", "config": dense, "name": "out", "inbound_nodes": last},
    ]
    ends = {"input_layers": [["start", 0, 0]], "output_layers": [["out", 0, 0]]}
    return {"class_name": "Functional", "config": {"name": "model", "layers": layers} | ends}


def test_arithmetic_slices_and_shapes_compute_what_tensorflow_does(tmp_path):
    twice = node("concat", "tf.expand_dims", axis=-1)
    twice["inbound_nodes"] = [twice["inbound_nodes"] * 2]  # called with a list of tensors
    config = network(
        node("cast", "start", dtype="float32"),
        node("math.truediv", "tf.cast", y=255.0, name=None),
        node("math.subtract", ["_CONSTANT_VALUE", -1, 1.0], y=["tf.math.truediv", 0, 0], name=None),  # 1 - x / 255
        node("expand_dims", "tf.math.subtract", axis=-1),
        twice,
        node("math.reduce_mean", "tf.concat", axis=[2, 3]),
        node(
            "__operators__.getitem",
            "tf.math.reduce_mean",
            "SlicingOpLambda",
            slice_spec=[{"start": None, "stop": None, "step": None}, {"start": 1, "stop": 25, "step": 4}],
        ),
        node("math.multiply", "tf.__operators__.getitem", y=["tf.__operators__.getitem", 0, 0], name=None),
    )
    write(tmp_path / "m.h5", config, {"out": {"out/kernel:0": WEIGHTS}})
    model = load(tmp_path / "m.h5")
    rows = (1 - IMAGES * 255 / 255).mean(axis=2)[:, 1:25:4]
    np.testing.assert_allclose(model(IMAGES * 255), softmax(rows**2 @ WEIGHTS, axis=1), atol=1e-5)


@pytest.mark.parametrize(
    "entry, words",
    [
        (node("py_function", "start", func="evil"), "calls the function 'py_function'"),
        (node("math.truediv", ["start", 0], y=2.0), "Keras cannot build it"),
    ],
)
def test_other_functions_are_refused_by_name(tmp_path, entry, words):
    write(tmp_path / "m.h5", network(entry), {"out": {"out/kernel:0": WEIGHTS}})
    with pytest.raises(UserError, match=words):
        load(tmp_path / "m.h5")
