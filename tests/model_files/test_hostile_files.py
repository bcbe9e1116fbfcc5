"""Hostile and damaged model files are refused in one sentence, or loaded correctly; nothing in them is run."""

import base64
import functools
import json
import marshal
import sys
import threading
import zipfile

import h5py
import keras
import numpy as np
import pytest
from test_building import change_config, load

from conftest import RECORD, chain
from pyimagesearch.errors import UserError
from pyimagesearch.model_files import building, child, reading, saving


def refusal(path):
    """Return the sentence with which a file is refused, in this process."""
    with pytest.raises(Exception) as caught:  # noqa: B017, PT011
        load(path)
    return child.sentence(caught.value, "it is damaged")


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A small good model file, its path."""
    keras.utils.set_random_seed(0)
    layers, path = keras.layers, tmp_path_factory.mktemp("good") / "good.h5"
    model = chain(layers.MaxPooling2D(4), layers.Flatten(), layers.Dense(10, activation="softmax"))
    saving.save(model, path, RECORD)
    return path


def without_checksum(good, path, change):
    """Copy the good file without its checksum (an attacker leaves it out), changed by change(h5py.File, its kernel)."""
    path.write_bytes(good.read_bytes())
    with h5py.File(path, "r+") as file:
        del file.attrs["fashion_mnist_sha256"]
        names = []
        file.visititems(lambda name, item: names.append(name))
        change(file, next(name for name in names if name.endswith("kernel")))
    return path


def config(change):
    """Return a change of a file in which change(list of the layers' configs) is made."""
    return lambda file, kernel: change_config(file, lambda config: change(config["config"]["layers"]))


def set_in(index, **values):
    return config(lambda layers: layers[index]["config"].update(values))


def nested_lambda(layers):
    code = compile("lambda x: (open('marker', 'w').close(), x)[1]", "", "eval").co_consts[0]
    function = [base64.b64encode(marshal.dumps(code)).decode(), None, None]
    evil = {"class_name": "Lambda", "config": {"name": "l", "function": function, "function_type": "lambda"}}
    layers[1:2] = [{"class_name": "Functional", "config": {"name": "inner", "layers": [*layers[:2], evil]}}]


def replace(make):
    return lambda file, kernel: (file.pop(kernel), make(file, kernel))


def virtual(file, kernel):
    layout = h5py.VirtualLayout((49, 10), "f4")
    layout[:] = h5py.VirtualSource("outside.h5", "data", (49, 10))
    file.create_virtual_dataset(kernel, layout)


SYSTEM = {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}
DEEP = functools.reduce(lambda value, _: [value], range(900), 0)
HOSTILE = {  # change of a file, words of the refusal
    "nested lambda": (config(nested_lambda), "class Lambda is not loaded, because it can run any code"),
    "registered class": (config(lambda layers: layers[1].update(registered_name="evil>A")), "custom code, 'evil>A'"),
    "another module": (config(lambda layers: layers[1].update(module="evil.a")), "code outside Keras, from 'evil.a'"),
    "function as activation": (set_in(3, activation=SYSTEM), "system"),
    "code as text": (set_in(3, activation="__import__('os').system('touch marker')"), "Keras cannot build it"),
    "object": (set_in(3, rule={"class_name": "Rule", "config": {}}), "Dense is given an object of class 'Rule'"),
    "model class": (lambda file, kernel: change_config(file, lambda it: it.update(class_name="A")), "author's, 'A'"),
    "deep": (set_in(3, x=DEEP), "nested too deep"),
    "other units": (set_in(3, units=11), "do not fit"),
    "no layers": (config(lambda layers: layers.clear()), "the shape of its input"),
    "a layer is a number": (config(lambda layers: layers.append(7)), "where a layer should be"),
    "link": (replace(lambda file, kernel: file.update({kernel: h5py.ExternalLink("outside.h5", "/data")})), "link"),
    "virtual": (replace(virtual), "stores its numbers in another file"),
    "external": (
        replace(lambda file, kernel: file.create_dataset(kernel, (49, 10), "f4", external=[("secret.bin", 0, 1960)])),
        "stores its numbers in another file",
    ),
    "not stored": (replace(lambda file, kernel: file.create_dataset(kernel, (7_000_000, 10**6), "f4")), "not stored"),
    "not finite": (lambda file, kernel: file[kernel].write_direct(np.full((49, 10), np.nan, "f4")), "not all finite"),
    "strings": (replace(lambda file, kernel: file.update({kernel: [b"x"] * 490})), "is not an array of numbers"),
    "weights only": (lambda file, kernel: file.attrs.pop("model_config"), "only weights"),
    "no weights": (lambda file, kernel: file.pop("model_weights"), "no weights"),
    "config is brackets": (lambda file, kernel: file.attrs.update(model_config="[" * 100_000), "nested too deep"),
}


@pytest.mark.parametrize("change, words", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_are_refused_and_nothing_is_run(good, tmp_path, monkeypatch, change, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.bin").write_bytes(bytes(1960))
    with h5py.File(tmp_path / "outside.h5", "w") as file:
        file["data"] = np.zeros((49, 10), "f4")
    answer = refusal(without_checksum(good, tmp_path / "m.h5", change))
    assert "\n" not in answer and words in answer
    assert not (tmp_path / "marker").exists()


def test_a_network_that_fails_is_refused_by_the_process_that_tries_it_out(good, tmp_path):
    for values, words in ({"units": 4_000_000}, "it takes more than 500"), ({"activation": "no"}, "Keras cannot"):
        path = without_checksum(good, tmp_path / "m.h5", set_in(3, **values))
        with pytest.raises(UserError, match=f"cannot load .*m.h5: {words}"):
            building.build(reading.read(path))


@pytest.mark.parametrize("count", [6, pytest.param(500, marks=pytest.mark.slow)])
def test_damaged_files_are_refused_or_right(good, tmp_path, count):
    rng, content = np.random.default_rng(0), good.read_bytes()
    whole = reading.parse(good)
    for length in np.linspace(0, len(content) - 1, max(2, count // 10)).astype(int):
        (tmp_path / "m.h5").write_bytes(content[:length])
        with pytest.raises(UserError, match="cannot load .*m.h5: it is (empty|cut off: )"):
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
        for (name, read), (expected_name, expected) in zip(contents.weights, whole.weights, strict=True):
            assert name == expected_name and (read == expected).all()


def test_a_part_that_is_longer_than_it_declares_is_not_unpacked(tmp_path):
    path, size = tmp_path / "m.keras", 10_000_000
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("config.json", json.dumps({"class_name": "Sequential", "config": {"layers": []}}))
        file.writestr("model.weights.h5", bytes(size))
    path.write_bytes(path.read_bytes().replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    assert "damaged" in refusal(path)


@pytest.mark.parametrize(
    ("does", "words"),
    [
        ("import os; os.abort()", "the HDF5 library crashes"),
        ("raise MemoryError", "memory"),
        pytest.param("while True: pass", "too much processor time", marks=pytest.mark.slow),
    ],
)
def test_a_file_on_which_hdf5_fails_is_refused(good, tmp_path, monkeypatch, does, words):
    """As HDF5 does on some damaged files: it takes the process along, never comes back, or wants all memory."""
    (tmp_path / "h5py.py").write_text(f"def __getattr__(name):\n    {does}\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=f"cannot load .*good.h5: .*{words}"):
        reading.read(good)


def test_only_files_of_others_are_tried_out(good, tmp_path, monkeypatch):
    (tmp_path / "keras.py").write_text("raise ValueError('tried out')")
    monkeypatch.syspath_prepend(tmp_path)
    ours, theirs = map(reading.read, (good, without_checksum(good, tmp_path / "theirs.h5", lambda file, kernel: None)))
    assert (ours.record, theirs.record) == (RECORD, {})
    assert building.build(ours)
    with pytest.raises(UserError, match="cannot load .*theirs.h5: .*tried out"):
        building.build(theirs)


def test_reading_that_takes_long_is_told_and_a_process_that_does_not_start(good, monkeypatch, capsys):
    monkeypatch.setattr(child, "PATIENCE", 1000)  # longer than a busy machine takes
    reading.read(good)
    waiting = [one for one in threading.enumerate() if isinstance(one, threading.Timer) and not one.finished.is_set()]
    assert not waiting  # to say ten seconds later what is no longer true
    monkeypatch.setattr(child, "PATIENCE", 0.001)
    reading.read(good)
    assert "good.h5 takes long" in capsys.readouterr().err
    monkeypatch.setattr(sys, "executable", "/no/python")
    with pytest.raises(UserError, match="cannot load .*good.h5: .*No such file"):
        reading.read(good)
