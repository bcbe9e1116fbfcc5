"""Hostile and damaged model files: refused in one sentence, or loaded correctly; nothing in them is run.

The files are loaded in processes of their own, so that a crash of a library is seen and the memory can be measured.
"""

import base64
import json
import marshal
import subprocess
import sys

import h5py
import keras
import numpy as np
import pytest

from conftest import ROOT
from pyimagesearch.model_files import saving

RECORD = {"recipe": "fast", "seed": 1, "epochs": 2, "training_images": 3, "versions": {}}

LOADER = f"""
import json, resource, sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
import numpy as np
from pyimagesearch import errors
from pyimagesearch.cli import arguments, libraries
from pyimagesearch.cli.run import run
from pyimagesearch.model_files import building, reading
with libraries.quiet():
    import keras
picture = np.linspace(0, 1, 784, dtype=np.float32).reshape(1, 28, 28, 1)
start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for line in sys.stdin:
    try:
        model = building.build(reading.read(Path(line.strip())))
        answer = ["right", np.asarray(model(picture)).tolist()]
    except errors.UserError as error:
        answer = ["refused", str(error)]
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) / 1024
    print(json.dumps(answer + [grown]), flush=True)
"""


def load_all(paths, cwd):
    """Load each file in one other process. Returns [(answer, detail)], and fails on a crash or over 1 GB."""
    process = subprocess.Popen(
        [sys.executable, "-c", LOADER], cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    answers = []
    output, errors = process.communicate("\n".join(map(str, paths)), timeout=20 * len(paths) + 60)
    for line in output.splitlines():
        answer, detail, grown = json.loads(line)
        assert grown < 1000, paths[len(answers)]
        answers.append((answer, detail))
    assert len(answers) == len(paths), f"it died on {paths[len(answers)]}: {errors[-2000:]}"
    assert process.returncode == 0
    return answers


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
    "billions of units": set_in(3, units=4_000_000_000),
    "gigantic input": set_in(0, batch_shape=[None, 400_000, 400_000, 1]),
    "negative input": set_in(0, batch_shape=[None, -4, 28, 1]),
    "gigantic output": lambda layers: layers.__setitem__(
        slice(1, 1),
        [
            {"class_name": "UpSampling2D", "config": {"name": "up", "size": [2000, 2000]}},
            {"class_name": "MaxPooling2D", "config": {"name": "down", "pool_size": [2000, 2000]}},
        ],
    ),
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


def test_hostile_files_are_refused_and_nothing_is_run(good, tmp_path):
    (tmp_path / "secret.bin").write_bytes(bytes(1960))
    with h5py.File(tmp_path / "outside.h5", "w") as file:
        file["data"] = np.zeros((49, 10), "f4")
    paths = {name: tmp_path / f"{name}.h5" for name in CONFIGS | FILES}
    for name, change in CONFIGS.items():
        without_checksum(good, paths[name], change)
    for name, how in FILES.items():
        change_file(without_checksum(good, paths[name]), how)
    answers = dict(zip(paths, load_all(paths.values(), tmp_path), strict=True))
    assert {name: answer for name, answer in answers.items() if answer[0] != "refused"} == {}
    assert not (tmp_path / "marker").exists()
    for name, (_, sentence) in answers.items():
        assert str(paths[name]) in sentence
        assert "\n" not in sentence
    for name, words in {
        "marshalled lambda": "class Lambda is not loaded, because it can run any code",
        "registered class": "custom code, 'evil>Layer'",
        "another module": "code outside Keras, from 'evil.layers'",
        "billions of units": "need more weights than the file stores",
        "gigantic input": "need more weights than the file stores",
        "gigantic output": "more than 4,000,000 numbers from one image",
        "external link": "to another place",
        "soft link": "to another place",
        "virtual": "stores its numbers in another file",
        "external numbers": "stores its numbers in another file",
        "not finite": "not all finite",
        "weights only": "only weights",
    }.items():
        assert words in answers[name][1]


def test_the_unharmed_file_is_read_with_and_without_checksum(good, tmp_path):
    paths = [good, without_checksum(good, tmp_path / "foreign.h5")]
    (first, one), (second, two) = load_all(paths, tmp_path)
    assert (first, second) == ("right", "right")
    assert one == two


def test_damaged_files_are_refused_or_right(good, tmp_path):
    """50 truncations and 500 flipped bytes of a good file."""
    rng = np.random.default_rng(0)
    content = good.read_bytes()
    variants = [content[:length] for length in np.linspace(0, len(content) - 1, 50).astype(int)]
    for place in rng.integers(0, len(content), 500):
        changed = bytearray(content)
        changed[place] ^= int(rng.integers(1, 256))
        variants.append(bytes(changed))
    paths = []
    for number, variant in enumerate(variants):
        paths.append(tmp_path / f"{number}.h5")
        paths[-1].write_bytes(variant)
    (_, expected), *answers = load_all([good, *paths], tmp_path)
    assert {answer for answer, _ in answers[:50]} == {"refused"}
    wrong = [path.name for path, (answer, detail) in zip(paths, answers, strict=True)
             if answer == "right" and detail != expected]  # fmt: skip
    assert wrong == []
    assert all("\n" not in detail for answer, detail in answers if answer == "refused")
