"""A learner's edits hold: files of a copy of this project are changed, and all three scripts go on with it."""

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
SOFTMAX = "layers.Dense(classes, activation='softmax')"
SGD = "SGD(rates, momentum=recipe.momentum, nesterov=recipe.nesterov, weight_decay=decay)"
NO_WHITENING = "no whitening: it needs a Sequential with a plain Conv2D"
LEFT_OUT = "left out: the recipe's dropout=0, which MiniVGGNet.build does not take"


def network(*added):
    """Return the text of a minivggnet.py of one's own, with these layers."""
    head = "import keras\nfrom keras import layers\n\n\nclass MiniVGGNet:\n    @staticmethod\n"
    head += "    def build(width, height, depth, classes):\n"
    return f"{head}        return keras.Sequential([{', '.join(added)}])\n"


def edit(folder, edits):
    """Copy the project to a folder, with some files edited."""
    shutil.copytree(ROOT / "pyimagesearch", folder / "pyimagesearch", ignore=shutil.ignore_patterns("__pycache__"))
    for script in SCRIPTS:
        shutil.copy(ROOT / script, folder)
    for file, change in edits.items():
        path = folder / "pyimagesearch" / file
        if isinstance(change, tuple):
            text = path.read_text()
            assert change[0] in text
            change = text.replace(*change)
        path.write_text(change)


def read_record(folder):
    with h5py.File(folder / "fashion_model.h5") as file:
        return json.loads(file.attrs["fashion_mnist"])


BLOCK = {NETWORK: ("filters=(32, 64)", "filters=(32, 64, 48)")}
DEPTHWISE = network(
    "layers.RandomTranslation(0.1, 0.1)",
    "layers.DepthwiseConv2D(5, strides=2, depth_multiplier=4)",
    "layers.BatchNormalization(scale=False)",
    "layers.SeparableConv2D(8, 3, activation='gelu')",
    "layers.GlobalAveragePooling2D()",
    "layers.Dense(classes)",
    "layers.Softmax()",
)
BLOCK_PRINTS = ["minivggnet.py says, the recipe sets dropout=0", "342,698 parameters"]
DEPTHWISE_PRINTS = [NO_WHITENING, LEFT_OUT, "no figure of filters:", "282 parameters", "--learning-rate does not count"]
SGD_RECORD = {"optimizer": "SGD", "learning_rate": 0.1, "schedule": "one cycle", "momentum": 0.9, "nesterov": True}
ADAM_RECORD = {"optimizer": "Adam", "learning_rate": pytest.approx(1e-3), "schedule": "constant", "weight_decay": 0}


@pytest.mark.parametrize(
    "edits, printed, record",
    [
        (BLOCK, BLOCK_PRINTS, SGD_RECORD),
        ({NETWORK: DEPTHWISE, TRAIN: (SGD, "Adam(1e-3)")}, DEPTHWISE_PRINTS, ADAM_RECORD),
    ],
    ids=["a third block", "depthwise, with Adam"],
)
def test_an_edit_holds(run, tmp_path, edits, printed, record):
    edit(tmp_path, edits)
    write_data(tmp_path / "data", 300, 100)
    (tmp_path / "images").mkdir()
    for name in "filters.png", "playground.html":
        (tmp_path / "images" / name).write_text("of another network")
    adam = record is ADAM_RECORD

    def output(script, *flags):
        done = run(tmp_path / script, *DATA, *flags, check=0)
        assert done.stderr == ""
        return done.stdout

    trained = output("fashion_mnist.py", "--epochs", 1, "--batch-size", 32, "--learning-rate", 0.1)
    for text in printed:
        assert text in trained
    for text in ("no whitening", "left out", "no figure", "does not count"):
        assert (text in trained) == adam
    found = read_record(tmp_path)
    assert found | record == found
    assert found["whitening"] == ("momentum" in found) == ("nesterov" in found) == (not adam)

    evaluated = output("fashion_mnist_loaded.py", "--json", "result.json")
    assert ("optimizer Adam" in evaluated) == adam
    drawn = {"plot", "minivggnet", "feature_maps", "confusion_matrix", "predictions", "reliability"}
    drawn |= set() if adam else {"filters", "playground"}
    assert {path.stem for path in (tmp_path / "images").iterdir()} == drawn
    assert "class 9" in json.loads((tmp_path / "result.json").read_text())["report"]
    analysis = output("initial_data_analysis.py", "--model", "fashion_model.h5", "--images", "figures")
    assert "class 9" in analysis and "edited minivggnet.py" in " ".join(analysis.split())
    assert (tmp_path / "figures/suspicious_labels_by_network.png").exists()


def test_a_callback_and_a_layer_of_ones_own(run, tmp_path):
    """What is recorded is what happened; what cannot be loaded again is not advised to."""
    text = network("layers.Flatten()", "Double()", SOFTMAX)
    text += "\n\nclass Double(layers.Layer):\n    def call(self, inputs):\n        return 2 * inputs\n"
    edit(tmp_path, {NETWORK: text})
    script = tmp_path / "fashion_mnist.py"
    stopping = "yours = [keras.callbacks.EarlyStopping('val_cross_entropy', min_delta=100, patience=2)]"
    script.write_text(script.read_text().replace("yours = []", stopping))
    write_data(tmp_path / "data", 360, 100)
    done = run(script, *DATA, check=0)
    assert "will not load this network again" in done.stderr
    assert "next, evaluate" not in done.stdout
    for text in (NO_WHITENING, LEFT_OUT, "no figure of feature_maps and filters: the network has no"):
        assert text in done.stdout
    assert (
        "few images change the recipe: epochs 15, batch size 16, learning rate 0.0125" in done.stdout
        and "epoch 4/" not in done.stdout
    )
    record = read_record(tmp_path)
    assert (record["epochs"], record["planned"]["epochs"]) == (3, 15)
    assert record["changed"].startswith("epochs 3, batch size 16, learning rate 0.0125")
    assert record["changed"].endswith("callbacks EarlyStopping, edited minivggnet.py, edited fashion_mnist.py")


def test_a_file_that_was_edited_after_its_import_is_named(tmp_path, monkeypatch, capsys):
    """Python goes on with the old code, as in a notebook. A file that was imported after the edit is up to date."""
    file, module = tmp_path / "mine.py", types.ModuleType("pyimagesearch.mine")
    file.touch()
    module.__file__ = str(file)

    def warned():
        with pytest.raises(UserError, match="missing"):
            fashion_mnist.main(["--data-dir", tmp_path / "missing", "--model", tmp_path / "model.h5"])
        return f"{file} has changed since its first import: restart" in capsys.readouterr().err

    assert not warned()
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert not warned()
    os.utime(file, (0, time.time()))
    assert warned()
