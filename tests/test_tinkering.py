"""A learner's edits hold: one file of a copy of this project is changed, and all three scripts go on with it."""

import json
import os
import shutil
import sys
import time
import types

import h5py
import pytest

import fashion_mnist
from conftest import ROOT, write_data
from pyimagesearch.errors import UserError

SCRIPTS = ("fashion_mnist.py", "fashion_mnist_loaded.py", "initial_data_analysis.py")
DATA = ("--data-dir", "data", "--any-data")
NETWORK, TRAIN = "minivggnet.py", "training/train.py"
NORMALIZATION = "model.add(layers.BatchNormalization(momentum=0.9))"
SOFTMAX = "layers.Dense(classes, activation='softmax')"
SGD = "SGD(rates, momentum=recipe.momentum, nesterov=recipe.nesterov, weight_decay=decay)"
NO_WHITENING = "no whitening: it needs a plain Conv2D and BatchNormalization at the start"
LEFT_OUT = "left out: the recipe's dropout=0, which MiniVGGNet.build does not take"
NO_FIGURES = "no figure of feature_maps and filters: the network has no 2D convolution"


def network(*added):
    """Return the text of a minivggnet.py of one's own, with these layers."""
    head = "import keras\nfrom keras import layers\n\n\nclass MiniVGGNet:\n    @staticmethod\n"
    head += "    def build(width, height, depth, classes):\n"
    return f"{head}        return keras.Sequential([{', '.join(added)}])\n"


SGD_VALUES = {"momentum": 0.9, "nesterov": True, "weight_decay": 1e-2, "learning_rate": 0.2, "schedule": "one cycle"}
ADAM_VALUES = {"learning_rate": pytest.approx(1e-3), "weight_decay": 0, "schedule": "constant"}

# The file that is edited, its new text or (old, new), and what the training prints.
EDITS = {
    "a third block": (
        NETWORK,
        ("filters=(32, 64)", "filters=(32, 64, 48)"),
        ["minivggnet.py says, the recipe sets dropout=0", "342,698 parameters"],
    ),
    "no batch normalization": (NETWORK, (NORMALIZATION, "pass"), [NO_WHITENING, "1,675,562 parameters"]),
    "a dense network": (
        NETWORK,
        network("layers.Flatten()", "layers.Dense(50, activation='relu')", SOFTMAX),
        [NO_WHITENING, LEFT_OUT, NO_FIGURES, "39,760 parameters"],
    ),
    "depthwise": (
        NETWORK,
        network(
            "layers.RandomTranslation(0.1, 0.1)",
            "layers.DepthwiseConv2D(5, strides=2, depth_multiplier=4)",
            "layers.BatchNormalization(scale=False)",
            "layers.SeparableConv2D(8, 3, activation='gelu')",
            "layers.GlobalAveragePooling2D()",
            "layers.Dense(classes)",
            "layers.Softmax()",
        ),
        [NO_WHITENING, LEFT_OUT, "no figure of filters:", "282 parameters"],
    ),
    "Adam": (TRAIN, (SGD, "Adam(1e-3)"), ["--learning-rate has no effect", "1,678,378 parameters"]),
}
SLOW = "no batch normalization", "a dense network"


def edit(folder, file, edit):
    """Copy the project to a folder, with one file edited."""
    shutil.copytree(ROOT / "pyimagesearch", folder / "pyimagesearch", ignore=shutil.ignore_patterns("__pycache__"))
    for script in SCRIPTS:
        shutil.copy(ROOT / script, folder)
    path = folder / "pyimagesearch" / file
    if isinstance(edit, tuple):
        text = path.read_text()
        assert edit[0] in text
        edit = text.replace(*edit)
    path.write_text(edit)


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in EDITS])
def test_an_edit_of_one_file_holds(run, tmp_path, name):
    *edited, printed = EDITS[name]
    edit(tmp_path, *edited)
    write_data(tmp_path / "data", 300, 100)

    def output(script, *flags):
        done = run(tmp_path / script, *DATA, *flags, check=0)
        assert done.stderr == ""
        return done.stdout

    rate = ("--learning-rate", 0.1) if name == "Adam" else ()
    trained = output("fashion_mnist.py", "--epochs", 1, "--batch-size", 32, *rate)
    for text in printed:
        assert text in trained
    for text in ("no whitening", "left out", "no figure"):
        assert (text in trained) == any(text in line for line in printed)
    drawn = {path.stem for path in (tmp_path / "images").iterdir()}
    missing = {word for word in ("filters", "feature_maps") if any("no figure" in p and word in p for p in printed)}
    assert {"plot", "minivggnet"} <= drawn
    assert {"filters", "feature_maps"} - drawn == missing

    with h5py.File(tmp_path / "fashion_model.h5") as file:
        record = json.loads(file.attrs["fashion_mnist"])
    assert record["whitening"] == (not any("no whitening" in text for text in printed))
    adam = name == "Adam"
    assert record["optimizer"] == ("Adam" if adam else "SGD")
    assert record | (ADAM_VALUES if adam else SGD_VALUES) == record
    assert ({"momentum", "nesterov"} & record.keys() == set()) == adam

    evaluated = output("fashion_mnist_loaded.py", "--json", "result.json")
    assert ("optimizer Adam" in evaluated) == adam
    assert "class 9" in json.loads((tmp_path / "result.json").read_text())["report"]
    assert "class 9" in output("initial_data_analysis.py", "--model", "fashion_model.h5", "--images", "figures")


def test_a_callback_and_a_layer_of_ones_own(run, tmp_path):
    """What is recorded is what happened; what cannot be loaded again is not advised to."""
    text = network("layers.Flatten()", "Double()", SOFTMAX)
    text += "\n\nclass Double(layers.Layer):\n    def call(self, inputs):\n        return 2 * inputs\n"
    edit(tmp_path, NETWORK, text)
    script = tmp_path / "fashion_mnist.py"
    stopping = "[keras.callbacks.EarlyStopping('val_cross_entropy', min_delta=100, patience=2), filters]"
    script.write_text(script.read_text().replace("[filters]", stopping))
    write_data(tmp_path / "data", 360, 100)
    done = run(script, *DATA, check=0)
    assert "will not load this network again" in done.stderr
    assert "next, evaluate" not in done.stdout
    assert "few images: epochs 15, batch size 16, learning rate 0.0125" in done.stdout and "epoch 4/" not in done.stdout
    with h5py.File(tmp_path / "fashion_model.h5") as file:
        record = json.loads(file.attrs["fashion_mnist"])
    assert (record["epochs"], record["planned"]["epochs"]) == (3, 15)
    assert record["changed"].startswith("epochs 3, batch size 16, learning rate 0.0125")
    assert record["changed"].endswith("edited minivggnet.py")


def test_a_file_that_was_edited_after_its_import_is_named(tmp_path, monkeypatch, capsys):
    """Python goes on with the old code, as in a notebook. A file that was imported after the edit is up to date."""
    file, module = tmp_path / "mine.py", types.ModuleType("pyimagesearch.mine")
    file.touch()
    module.__file__ = str(file)

    def warned():
        with pytest.raises(UserError, match="missing"):
            fashion_mnist.main(["--data-dir", tmp_path / "missing", "--model", tmp_path / "model.h5"])
        return f"{file} has changed since it was imported: restart" in capsys.readouterr().err

    assert not warned()
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert not warned()
    os.utime(file, (0, time.time()))
    assert warned()
