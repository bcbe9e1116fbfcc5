"""Models of any version of Keras give the probabilities that they give there, or are refused in a sentence."""

import json

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from scipy.special import softmax

from conftest import chain
from pyimagesearch.data.batches import scale
from pyimagesearch.errors import UserError
from pyimagesearch.evaluation.predict import predict
from pyimagesearch.model_files import building, configs, reading

IMAGES = np.random.default_rng(0).integers(0, 256, (8, 28, 28, 1), dtype=np.uint8)


def load(path, architecture=None):
    """Return the model at `path`, read and tried out in this process: what child.py does in another."""
    return building.try_out(reading.parse(path, architecture))


@pytest.fixture(scope="module")
def reference():
    """A small network with random weights, batch normalization's averages too."""
    keras.utils.set_random_seed(1)
    conv, pool = layers.Conv2D(4, 3, activation="relu", name="conv"), layers.MaxPooling2D(2)
    out = layers.Dense(10, activation="softmax", name="out")
    model = chain(conv, layers.BatchNormalization(name="bn"), pool, layers.Flatten(), out)
    model.get_layer("bn").set_weights([np.array(v, "f4") for v in ([1, 2, 1, 1], [0, 1, 0, 1], [1] * 4, [2] * 4)])
    return model


def write(path, config, weights, **attributes):
    """Write an HDF5 model as Keras 2 did. weights: {layer name: {weight name: array}}."""
    with h5py.File(path, "w") as file:
        file.attrs.update(attributes, model_config=json.dumps(config).encode())
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [name.encode() for name in weights]
        for layer, arrays in weights.items():
            inside = group.create_group(layer)
            inside.attrs["weight_names"] = [name.encode() for name in arrays]
            for name, array in arrays.items():
                inside[name] = array


def change_config(file, change):
    """Change the config in an h5py.File by change(config)."""
    config = json.loads(file.attrs["model_config"])
    change(config)
    file.attrs["model_config"] = json.dumps(config)


def weights_of(model):
    return {
        layer.name: {f"{layer.name}/{variable.name}:0": variable.numpy() for variable in layer.weights}
        for layer in model.layers
    }


def init(name, /, **config):
    return {"class_name": name, "config": config}


def keras_2(version):
    """Keras 2.0, 2.2.4, 2.4 or 2.15: one layer after the other, as Sequential."""
    if version == "2.0":
        return {"class_name": "Sequential", "config": keras_2("2.2.4")["config"]["layers"]}
    common, glorot = {"trainable": True, "dtype": "float32"}, init("GlorotUniform", seed=None)
    if version == "2.2.4":
        common, glorot = {"trainable": True}, init("VarianceScaling", scale=1.0, mode="fan_avg", distribution="uniform")
    if version == "2.15":
        policy = {"module": "keras.mixed_precision", "class_name": "Policy", "config": {"name": "mixed_float16"}}
        common["dtype"] = policy | {"registered_name": None}
    weighted = common | {"kernel_initializer": glorot, "bias_regularizer": init("L1L2", l2=0.01), "use_bias": True}
    conv = {"name": "conv", "batch_input_shape": [None, 28, 28, 1], "filters": 4, "kernel_size": [3, 3]}
    axis = -1 if version == "2.2.4" else [3]
    normalization = {"name": "bn", "axis": axis, "epsilon": 0.001, "gamma_initializer": init("Ones")}
    out = {"name": "out", "units": 10, "activation": "softmax_v2" if version == "2.4" else "softmax"}
    stack = [
        ("Conv2D", weighted | conv | {"activation": "relu"}),
        ("BatchNormalizationV1" if version == "2.2.4" else "BatchNormalization", common | normalization),
        ("MaxPooling2D", common | {"name": "pool", "pool_size": [2, 2]}),
        ("Dropout", common | {"name": "drop", "rate": 0.25, "seed": None}),
        ("Flatten", common | {"name": "flat"}),
        ("Dense", weighted | out | {"quantization_config": None}),
    ]
    entries = [init(name, **config) for name, config in stack]
    if version != "2.2.4":
        start = {"batch_input_shape": [64, 28, 28, 1], "dtype": "float32", "sparse": False, "ragged": False}
        entries.insert(0, init("InputLayer", **start, name="start", optional=False))
    if version == "2.15":
        for entry in entries:
            entry |= {"module": "keras.layers", "registered_name": None, "build_config": {"input_shape": [None, 1]}}
    return {"class_name": "Sequential", "config": {"name": "sequential", "layers": entries}}


def as_functional(sequential):
    """The same layers as a Functional model of Keras 2, with its nodes as nested lists."""
    entries = sequential["config"]["layers"]
    for before, entry in zip([None, *entries], entries, strict=False):
        entry["name"] = entry["config"]["name"]
        entry["inbound_nodes"] = [[[before["name"], 0, 0, {}]]] if before else []
    config = {"name": "model", "layers": entries, "input_layers": [["start", 0, 0]], "output_layers": [["out", 0, 0]]}
    return {"class_name": "Model", "config": config}


@pytest.mark.parametrize("version", ["2.0", "2.2.4", "2.4", "2.15"])
def test_models_of_keras_2(reference, tmp_path, version):
    # Losses and optimizers that Keras 3 does not know.
    training = json.dumps({"loss": init("MyLoss"), "optimizer_config": init("RectifiedAdam", lr=0.1, decay=0.0)})
    attributes = {"keras_version": version, "training_config": training}
    check(tmp_path / "m.hdf5", keras_2(version), weights_of(reference), reference, **attributes)


def check(path, config, weights, reference, **attributes):
    write(path, config, weights, **attributes)
    expected = np.asarray(reference(scale(IMAGES), training=False))
    np.testing.assert_allclose(predict(load(path), IMAGES), expected, atol=1e-6)


def test_functional_and_nested_models(reference, tmp_path):
    weights = weights_of(reference)
    check(tmp_path / "functional.h5", as_functional(keras_2("2.4")), weights, reference)

    inner = keras_2("2.4")
    last = inner["config"]["layers"].pop()
    inner["config"]["name"] = "inner"
    arrays = weights["conv"] | weights["bn"]  # a nested model's weights: first all that are trained, then the others
    order = ("conv/kernel:0", "conv/bias:0", "bn/gamma:0", "bn/beta:0", "bn/moving_mean:0", "bn/moving_variance:0")
    weights = {"inner": {name: arrays[name] for name in order}, "out": weights["out"]}
    outer = {"class_name": "Sequential", "config": {"name": "outer", "layers": [inner, last]}}
    check(tmp_path / "nested.h5", outer, weights, reference)

    start = init("InputLayer", name="start", batch_input_shape=[None, 28, 28, 1])
    entries = [start | {"inbound_nodes": []}, inner | {"inbound_nodes": [[["start", 0, 0, {}]]]}]
    entries.append(last | {"inbound_nodes": [[["inner", 1, 0, {}]]]})  # Keras 2 counted the model's own graph as a call
    config = as_functional({"config": {"layers": entries[:1]}})["config"]
    config["layers"] = [entry | {"name": entry["config"]["name"]} for entry in entries]
    check(tmp_path / "both.h5", {"class_name": "Model", "config": config}, weights, reference)


def two_inputs():
    one, other = keras.Input((28, 28, 1)), keras.Input((28, 28, 1))
    return keras.Model([one, other], layers.Flatten()(layers.Add()([one, other])))


def quantized():
    model = chain(layers.Flatten(), layers.Dense(10))
    model.quantize("int8")
    return model


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: chain(layers.Flatten(), layers.Dense(10), shape=(28, 28, 2)), "input is 28x28x2"),
        (lambda: chain(layers.Dense(10)), "its output is 28x28x10"),
        (lambda: chain(layers.ReLU()), "an autoencoder"),
        (two_inputs, "inputs: 2, outputs: 1"),
        (quantized, "it is quantized"),
    ],
)
def test_networks_for_something_else_are_refused_by_name(tmp_path, make, words):
    make().save(tmp_path / "m.h5")
    with pytest.raises(UserError, match=words):
        load(tmp_path / "m.h5")


def test_names_of_layers_with_a_slash_as_keras_applications_of_keras_2_has_them(reference, tmp_path):
    config = json.loads(json.dumps(as_functional(keras_2("2.4"))).replace('"conv"', '"block/conv"'))
    weights = {name.replace("conv", "block/conv"): arrays for name, arrays in weights_of(reference).items()}
    check(tmp_path / "m.h5", config, weights, reference)


def test_of_several_outputs_the_one_for_ten_classes_is_measured(tmp_path):
    start = keras.Input((28, 28, 1))
    one, other, third = (layers.Dense(units)(layers.Flatten()(start)) for units in (3, 10, 10))
    keras.Model(start, [one, other]).save(tmp_path / "m.keras")
    np.testing.assert_allclose(load(tmp_path / "m.keras")(IMAGES), keras.Model(start, other)(IMAGES), rtol=1e-5)
    keras.Model(start, [other, third]).save(tmp_path / "m.keras")
    with pytest.raises(UserError, match="outputs: 2"):
        load(tmp_path / "m.keras")


@pytest.mark.parametrize("place", ["InputLayer", "build_input_shape"])
def test_an_input_shape_of_nothing_but_none_is_that_of_the_data(reference, tmp_path, place):
    """As a Sequential of TensorFlow 2 without an input shape has it that was fitted from a generator."""
    config = keras_2("2.4")
    if place == "InputLayer":
        config["config"]["layers"][0]["config"]["batch_input_shape"] = [None] * 4
    else:
        del config["config"]["layers"][0], config["config"]["layers"][0]["config"]["batch_input_shape"]
        config["config"]["build_input_shape"] = [None] * 4
    check(tmp_path / "m.h5", config, weights_of(reference), reference)


def test_a_gru_of_keras_before_2_1_5_computes_by_the_older_formula(tmp_path):
    model = chain(layers.GRU(10, reset_after=False), shape=(28, 28))
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        change_config(file, lambda config: config["config"]["layers"][1]["config"].pop("reset_after"))
    rows = IMAGES[..., 0] / 255
    np.testing.assert_allclose(load(tmp_path / "m.h5")(rows), model(rows), atol=1e-5)


@pytest.mark.needs("tf_keras")
def test_real_files_of_keras_2(tmp_path):
    """Written by tf_keras, which is Keras 2 itself."""
    import tf_keras

    tf_keras.utils.set_random_seed(0)
    theirs, start = tf_keras.layers, tf_keras.Input((28, 28, 1))
    left, right = (theirs.Conv2D(4, 3, activation="relu", kernel_regularizer="l2")(start) for _ in range(2))
    inner = tf_keras.Sequential([theirs.BatchNormalization(), theirs.MaxPooling2D(4)])
    both = inner(theirs.Add()([left, theirs.LeakyReLU()(right)]))
    model = tf_keras.Model(start, theirs.Dense(10, "softmax")(theirs.Flatten()(both)))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(scale(IMAGES), np.arange(8), verbose=0)
    model.save(tmp_path / "m.h5")
    expected = model.predict(scale(IMAGES), verbose=0)
    np.testing.assert_allclose(predict(load(tmp_path / "m.h5"), IMAGES), expected, atol=1e-6)


def node(function, before, kind="TFOpLambda", **arguments):
    """Return the entry of a layer that calls a TensorFlow function on the layer `before`, as Keras 2.15 wrote it."""
    config = {"name": f"tf.{function}", "trainable": True, "dtype": "float32", "function": function}
    call = before if isinstance(before, list) else [before, 0, 0]
    return {"class_name": kind, "config": config, "name": config["name"], "inbound_nodes": [[*call, arguments]]}


def network(*entries):
    """Return the config of a Functional model: the input, these entries, a Dense layer on the last of them."""
    start = init("InputLayer", batch_input_shape=[None, 28, 28], name="start")
    dense = init("Dense", name="out", trainable=True, units=10, activation="softmax", use_bias=False)
    last = [[[entries[-1]["name"], 0, 0, {}]]]
    ends = {"input_layers": [["start", 0, 0]], "output_layers": [["out", 0, 0]]}
    layers = [start | {"name": "start", "inbound_nodes": []}, *entries, dense | {"name": "out", "inbound_nodes": last}]
    return {"class_name": "Functional", "config": {"name": "model", "layers": layers} | ends}


def test_arithmetic_slices_and_shapes_compute_what_tensorflow_does(tmp_path):
    slices = [{"start": None, "stop": None, "step": None}, {"start": 1, "stop": 25, "step": 4}]
    twice = node("concat", "tf.expand_dims", axis=-1)
    twice["inbound_nodes"] = [twice["inbound_nodes"] * 2]  # called with a list of tensors
    config = network(
        node("cast", "start", dtype="float32"),
        node("math.truediv", "tf.cast", y=255.0, name=None),
        node("math.subtract", ["_CONSTANT_VALUE", -1, 1.0], y=["tf.math.truediv", 0, 0], name=None),  # 1 - x / 255
        node("expand_dims", "tf.math.subtract", axis=-1),
        twice,
        node("math.reduce_mean", "tf.concat", axis=[2, 3]),
        node("__operators__.getitem", "tf.math.reduce_mean", "SlicingOpLambda", slice_spec=slices),
        node("math.multiply", "tf.__operators__.getitem", y=["tf.__operators__.getitem", 0, 0], name=None),
    )
    weights = np.random.default_rng(1).normal(size=(6, 10)).astype("float32")
    write(tmp_path / "m.h5", config, {"out": {"out/kernel:0": weights}})
    rows = (1 - IMAGES[..., 0] / 255).mean(axis=2)[:, 1:25:4]
    np.testing.assert_allclose(load(tmp_path / "m.h5")(IMAGES[..., 0]), softmax(rows**2 @ weights, axis=1), atol=1e-5)


def test_other_functions_are_refused_by_name(tmp_path):
    other, damaged = node("py_function", "start", func="evil"), node("math.truediv", ["start", 0], y=2.0)
    for entry, words in (other, "calls the function 'py_function'"), (damaged, "Keras cannot build it"):
        write(tmp_path / "m.h5", network(entry), {"out": {"out/kernel:0": np.zeros((28, 10), "f4")}})
        with pytest.raises(UserError, match=words):
            load(tmp_path / "m.h5")


AS_ROWS = layers.Reshape((28, 28))


def normalization():
    layer = layers.Normalization()
    layer.adapt(np.random.default_rng(1).random((50, 28, 28, 1)))
    return layer


CHAINS = {  # of a kind of layer each: with a layer inside, with weights of its own kind, with several dimensions, ...
    "Normalization": lambda: [normalization()],
    "Bidirectional": lambda: [AS_ROWS, layers.Bidirectional(layers.GRU(3))],
    "RNN": lambda: [AS_ROWS, layers.Masking(), layers.RNN([layers.LSTMCell(3), layers.GRUCell(3)])],
    "TimeDistributed": lambda: [AS_ROWS, layers.TimeDistributed(layers.Dense(3, activation=layers.LeakyReLU(0.1)))],
    "SpectralNormalization": lambda: [AS_ROWS, layers.SpectralNormalization(layers.Conv1D(2, 3))],
    "ConvLSTM2D": lambda: [layers.Reshape((4, 7, 28, 1)), layers.ConvLSTM2D(2, 3)],
    "Random": lambda: [layers.RandomFlip(), layers.RandomCrop(28, 28), layers.LayerNormalization()],
    "Embedding": lambda: [layers.Flatten(), layers.Rescaling(9.0), layers.Embedding(10, 2)],
    "PReLU": lambda: [layers.Resizing(14, 14), layers.PReLU(), layers.ELU(0.3), layers.ReLU(6.0)],
}


@pytest.mark.parametrize("members", CHAINS.values(), ids=CHAINS)
def test_layers_that_compute_are_loaded(members, tmp_path):
    model = chain(*members(), layers.Flatten(), layers.Dense(10))
    model.save(tmp_path / "m.keras")
    loaded = load(tmp_path / "m.keras")
    np.testing.assert_allclose(loaded(scale(IMAGES), training=False), model(scale(IMAGES), training=False), atol=1e-5)


def test_layers_that_are_given_code_or_files_are_not_among_them():
    assert not {*configs.REFUSED, "Layer", "Wrapper"} & configs.layers().keys()
    assert len(set(configs.layers().values())) > 120
