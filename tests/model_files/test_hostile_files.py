"""Hostile and damaged model files: refused in one sentence, or loaded correctly; nothing in them is run."""

import base64
import io
import json
import marshal
import zipfile

import h5py
import keras
import numpy as np
import pytest
from hypothesis import given, settings, strategies
from test_building import load

from pyimagesearch.errors import UserError
from pyimagesearch.model_files import building, child, file_types, reading, saving

RECORD = {"recipe": "fast", "seed": 1, "epochs": 2, "training_images": 3, "versions": {}}


def refusal(path):
    """Return the sentence with which a file is refused, in this process; the model if it is not."""
    try:
        return load(path)
    except Exception as error:
        return child.sentence(error, "it is damaged")


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A small good model file, its path."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input((28, 28, 1)), keras.layers.MaxPooling2D(4), keras.layers.Flatten()]
    path = tmp_path_factory.mktemp("good") / "good.h5"
    saving.save(keras.Sequential([*layers, keras.layers.Dense(10, activation="softmax")]), path, RECORD)
    return path


def without_checksum(good, path, change=None):
    """Copy the good file without its checksum (an attacker leaves it out), with its config changed in place."""
    path.write_bytes(good.read_bytes())
    with h5py.File(path, "r+") as file:
        del file.attrs["fashion_mnist_sha256"]
        if change:
            config = json.loads(file.attrs["model_config"])
            change(config["config"]["layers"])
            file.attrs["model_config"] = json.dumps(config)
    return path


def marshalled_lambda(layers):
    code = compile("lambda x: (open('marker', 'w').close(), x)[1]", "", "eval").co_consts[0]
    function = [base64.b64encode(marshal.dumps(code)).decode(), None, None]
    layers.insert(2, {"class_name": "Lambda", "config": {"name": "l", "function": function, "function_type": "lambda"}})


def keras3_lambda(layers):
    value = base64.b64encode(marshal.dumps(compile("lambda x: open('marker', 'w')", "", "eval").co_consts[0])).decode()
    function = {"class_name": "__lambda__", "config": {"code": value, "defaults": None, "closure": None}}
    layers.insert(2, {"class_name": "Lambda", "module": "keras.layers", "config": {"name": "l", "function": function}})


def nested(change):
    def inside(layers):
        inner = [layers[0], layers[1]]
        change(inner)
        layers[1:2] = [{"class_name": "Functional", "config": {"name": "inner", "layers": inner}}]

    return inside


def set_in(index, **values):
    return lambda layers: layers[index]["config"].update(values)


def deep(levels):
    value = 0
    for _ in range(levels):
        value = [value]
    return value


def function(name):
    return {"module": "os", "class_name": "function", "config": name, "registered_name": name}


CONFIGS = {
    "marshalled lambda": marshalled_lambda,
    "lambda of Keras 3": keras3_lambda,
    "lambda nested": nested(marshalled_lambda),
    "registered class": lambda layers: layers[1].update(registered_name="evil>Layer"),
    "another module": lambda layers: layers[1].update(module="evil.layers"),
    "function as activation": set_in(3, activation=function("system")),
    "function as initializer": set_in(3, kernel_initializer=function("system")),
    "TFSMLayer": lambda layers: layers.insert(1, {"class_name": "TFSMLayer", "config": {"filepath": "x"}}),
    "TorchModuleWrapper": lambda layers: layers.insert(1, {"class_name": "TorchModuleWrapper", "config": {}}),
    "negative input": set_in(0, batch_shape=[None, -4, 28, 1]),
    "deep": set_in(3, x=deep(200)),
    "very deep": set_in(3, x=deep(900)),
    "thousands of layers": lambda layers: layers.extend([layers[2]] * 3000),
    "names no array": set_in(3, name="other"),
    "other units": set_in(3, units=11),
    "no layers": lambda layers: layers.clear(),
    "a layer is a number": lambda layers: layers.append(7),
    "class is a list": lambda layers: layers[1].update(class_name=["Dense"]),
    "module is a number": lambda layers: layers[1].update(module=7),
    "code as text": set_in(3, activation="__import__('os').system('touch marker')"),
}


def change_file(path, how):
    with h5py.File(path, "r+") as file:
        kernel = next(name for name in _arrays(file) if name.endswith("kernel"))
        how(file, kernel)
    return path


def _arrays(file):
    names = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return names


def replace(make):
    def how(file, kernel):
        del file[kernel]
        make(file, kernel)

    return how


def virtual(file, kernel):
    layout = h5py.VirtualLayout((49, 10), "f4")
    layout[:] = h5py.VirtualSource("outside.h5", "data", (49, 10))
    file.create_virtual_dataset(kernel, layout)


def claimed(file, kernel):
    file.create_dataset(kernel, (7_000_000, 1_000_000), "f4", chunks=(1000, 1000))


def not_finite(file, kernel):
    values = file[kernel][()]
    values[3, 3] = np.nan
    file[kernel][...] = values


def circle(file, kernel):
    file["model_weights/again"] = file["model_weights"]


def named_again(file, kernel):
    group = file["model_weights"][kernel.split("/")[1]]
    names = list(group.attrs["weight_names"])
    del group.attrs["weight_names"]
    for number in range(200):  # as Keras stores many names, in pieces
        group.attrs[f"weight_names{number}"] = names * 1000


FILES = {
    "named again": named_again,
    "external link": replace(lambda file, kernel: file.__setitem__(kernel, h5py.ExternalLink("outside.h5", "/data"))),
    "soft link": replace(lambda file, kernel: file.__setitem__(kernel, h5py.SoftLink("/elsewhere"))),
    "virtual": replace(virtual),
    "external numbers": replace(
        lambda file, kernel: file.create_dataset(kernel, (49, 10), "f4", external=[("secret.bin", 0, 1960)])
    ),
    "promised, not stored": replace(claimed),
    "not finite": not_finite,
    "other shape": replace(lambda file, kernel: file.create_dataset(kernel, data=np.zeros((49, 11), "f4"))),
    "strings": replace(lambda file, kernel: file.create_dataset(kernel, data=[b"x"] * 490)),
    "circle": circle,
    "weights only": lambda file, kernel: file.attrs.__delitem__("model_config"),
    "no weights": lambda file, kernel: file.__delitem__("model_weights"),
    "config is a number": lambda file, kernel: file.attrs.__setitem__("model_config", 7),
    "config is not JSON": lambda file, kernel: file.attrs.__setitem__("model_config", "{"),
    "config is 5 MB": lambda file, kernel: file.attrs.__setitem__("model_config", "[" + "1," * 2_500_000 + "1]"),
    "config is brackets": lambda file, kernel: file.attrs.__setitem__("model_config", "[" * 100_000),
    "record is brackets": lambda file, kernel: file.attrs.__setitem__("fashion_mnist", "[" * 100_000),
}


@pytest.mark.parametrize("name", CONFIGS | FILES)
def test_hostile_files_are_refused_and_nothing_is_run(good, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.bin").write_bytes(bytes(1960))
    with h5py.File(tmp_path / "outside.h5", "w") as file:
        file["data"] = np.zeros((49, 10), "f4")
    path = without_checksum(good, tmp_path / "m.h5", CONFIGS.get(name))
    if name in FILES:
        change_file(path, FILES[name])
    answer = refusal(path)
    assert isinstance(answer, str) and "\n" not in answer
    assert WORDS.get(name, "") in answer
    assert not (tmp_path / "marker").exists()


WORDS = {
    "marshalled lambda": "class Lambda is not loaded, because it can run any code",
    "registered class": "custom code, 'evil>Layer'",
    "another module": "code outside Keras, from 'evil.layers'",
    "external link": "to another place",
    "soft link": "to another place",
    "virtual": "stores its numbers in another file",
    "external numbers": "stores its numbers in another file",
    "not finite": "not all finite",
    "weights only": "only weights",
    "very deep": "nested too deep",
    "circle": "in a circle",
}


UP = {"class_name": "UpSampling2D", "config": {"name": "up", "size": [2000, 2000]}}
DOWN = {"class_name": "MaxPooling2D", "config": {"name": "down", "pool_size": [2000, 2000]}}


@pytest.mark.parametrize(
    "change",
    [
        set_in(3, units=8_000_000),  # 1.6 GB
        set_in(0, batch_shape=[None, 400_000, 400_000, 1]),
        lambda layers: layers.__setitem__(slice(1, 1), [UP, DOWN]),
    ],
    ids=["weights", "input", "outputs"],
)
def test_a_network_that_takes_too_much_is_refused_by_the_process_that_tries_it_out(good, tmp_path, change):
    with pytest.raises(UserError, match="cannot load .*m.h5: .*memory"):
        building.build(reading.read(without_checksum(good, tmp_path / "m.h5", change)))


def test_the_unharmed_file_is_read_with_and_without_checksum(good, tmp_path):
    image = np.linspace(0, 1, 784, dtype=np.float32).reshape(1, 28, 28, 1)
    ours, foreign = reading.read(good), reading.read(without_checksum(good, tmp_path / "foreign.h5"))
    assert (ours.verified, foreign.verified) == (True, False)
    outputs = [np.asarray(building.build(one)(image)) for one in (ours, foreign)]
    np.testing.assert_array_equal(*outputs)


@pytest.mark.parametrize("count", [6, pytest.param(500, marks=pytest.mark.slow)])
def test_damaged_files_are_refused_or_right(good, tmp_path, count):
    """Truncations and flipped bytes of a good file."""
    rng, content = np.random.default_rng(0), good.read_bytes()
    whole = reading.parse(good)
    for length in np.linspace(0, len(content) - 1, max(2, count // 10)).astype(int):
        (tmp_path / "m.h5").write_bytes(content[:length])
        with pytest.raises(UserError, match="cannot load"):
            reading.read(tmp_path / "m.h5")
    for place in rng.integers(0, len(content), count):
        changed = bytearray(content)
        changed[place] ^= int(rng.integers(1, 256))
        (tmp_path / "m.h5").write_bytes(changed)
        try:
            contents = reading.read(tmp_path / "m.h5")
        except UserError as error:
            assert "\n" not in str(error)
            continue
        assert contents.config == whole.config
        for (name, array), (other, expected) in zip(contents.weights, whole.weights, strict=True):
            assert name == other
            np.testing.assert_array_equal(array, expected)


def packed(**parts):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in parts.items():
            file.writestr({"config": "config.json", "weights": "model.weights.h5"}[name], data)
    return buffer.getvalue()


def test_a_part_that_is_longer_than_it_declares_is_not_unpacked(tmp_path):
    path, weights = tmp_path / "m.keras", bytes(10_000_000)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("config.json", json.dumps({"class_name": "Sequential", "config": {"layers": []}}))
        file.writestr("model.weights.h5", weights)
    path.write_bytes(path.read_bytes().replace(len(weights).to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    assert "damaged" in refusal(path)


SIGNATURES = [file_types.HDF5, file_types.ZIP, b"\x80\x04", b"\x93NUMPY", b"\x08\x08", b"\n", b"{", b"<", b""]
ANY_BYTES = strategies.builds(
    lambda start, rest: start + rest, strategies.sampled_from(SIGNATURES), strategies.binary()
)
KEYS = strategies.sampled_from(["class_name", "config", "layers", "name", "module", "inbound_nodes", "activation"])
ANY_JSON = strategies.recursive(
    strategies.none() | strategies.integers() | strategies.text() | strategies.sampled_from(["Sequential", "Dense"]),
    lambda inner: strategies.lists(inner) | strategies.dictionaries(KEYS | strategies.text(), inner),
)
MODELS = strategies.dictionaries(KEYS, ANY_JSON).map(lambda config: {"class_name": "Sequential", "config": config})


@settings(derandomize=True, deadline=None, max_examples=50)
@given(content=ANY_BYTES | strategies.builds(packed, config=MODELS.map(json.dumps), weights=ANY_BYTES))
def test_any_bytes_end_in_a_sentence(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "m.h5"
    path.write_bytes(content)
    answer = refusal(path)
    assert isinstance(answer, str) and answer and "\n" not in answer and "\x1b" not in answer
