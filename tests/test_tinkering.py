"""A learner's edits hold: one file of a copy of this project is changed, and all three scripts go on with it.

The copies are trained, evaluated and analyzed by children of two processes that have imported the libraries already.
"""

import concurrent.futures
import json
import os
import queue
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest

from conftest import QUIET_END, ROOT, idx, pictures
from pyimagesearch.data.idx import FILES

pytestmark = pytest.mark.skipif(os.name != "posix", reason="forks processes")

SCRIPTS = ("fashion_mnist.py", "fashion_mnist_loaded.py", "initial_data_analysis.py")
PARENT = f"""
import json, os, runpy, sys
sys.path.insert(0, {str(ROOT)!r})
from pyimagesearch.cli import libraries
with libraries.quiet():
    import h5py, keras, matplotlib.figure, scipy.optimize, scipy.stats, sklearn.manifold, sklearn.model_selection
for line in sys.stdin:
    folder, runs = json.loads(line)
    child = os.fork()
    if not child:
        os.chdir(folder)
        for name in [name for name in sys.modules if name.split(".")[0] == "pyimagesearch"]:
            del sys.modules[name]
        sys.path[0] = folder
        for number, (script, *flags) in enumerate(runs):
            for name, stream in (("out", 1), ("err", 2)):
                os.dup2(os.open(f"{{number}}.{{name}}", os.O_WRONLY | os.O_CREAT), stream)
            sys.argv = [script, *flags]
            try:
                runpy.run_path(script, run_name="__main__")
            except SystemExit as end:
                if end.code:
                    os._exit(number + 1)
            except BaseException:
                import traceback
                traceback.print_exc()
                os._exit(number + 1)
            sys.stdout.flush()
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
NETWORK, TRAIN = "minivggnet.py", "training/train.py"
NORMALIZATION = "model.add(layers.BatchNormalization(momentum=0.9))"
SOFTMAX = "layers.Dense(classes, activation='softmax')"
INPUT = "model.add(keras.Input((height, width, depth)))"
SGD = "SGD(rates, momentum=recipe.momentum, nesterov=recipe.nesterov, weight_decay=decay)"
NAMES = {"five classes": ("cat", "dog", "$x^2$", "a fish", "鳥"), "ten classes": tuple("零一二三四五六七八九")}
NO_WHITENING = "no whitening: the network does not start with Conv2D and BatchNormalization"
LEFT_OUT = "left out: the recipe's dropout=0, which MiniVGGNet.build does not take"
NO_FIGURES = "no figure of feature_maps and filters: the first layer is not a convolution"


def network(*added):
    """Return the text of a minivggnet.py of one's own, with these layers."""
    head = "import keras\nfrom keras import layers\n\n\nclass MiniVGGNet:\n    @staticmethod\n"
    return (
        f"{head}    def build(width, height, depth, classes):\n        return keras.Sequential([{', '.join(added)}])\n"
    )


# What is edited: the file, its new text or [(old, new), ...]; what the training prints; the layers in the model file,
# each class with the numbers of its filters or units, its rates, or how many there are.
EDITS = {
    "a third block": (
        (NETWORK, [("filters=(32, 64)", "filters=(32, 64, 48)")]),
        ["the recipe sets dropout=0 (minivggnet.py: 0.25)"],
        {"Conv2D": [32, 32, 64, 64, 48, 48], "Dense": [512, 10], "BatchNormalization": 7},
    ),
    "other numbers": (
        (NETWORK, [("filters=(32, 64)", "filters=(5, 6)"), ("dense=512", "dense=40")]),
        [],
        {"Conv2D": [5, 5, 6, 6], "Dense": [40, 10], "BatchNormalization": 5},
    ),
    "another dropout": (
        (NETWORK, [("dropout=0.25", "dropout=0.4"), ("dense_dropout=0.5", "dense_dropout=0")]),
        ["the recipe sets dropout=0 (minivggnet.py: 0.4)"],
        {"Conv2D": [32, 32, 64, 64], "Dropout": [0, 0, 0]},
    ),
    "no batch normalization": (
        (NETWORK, [(NORMALIZATION, "pass")]),
        [NO_WHITENING],
        {"Conv2D": [32, 32, 64, 64], "Dense": [512, 10], "BatchNormalization": 0},
    ),
    "dropout in front": (
        (NETWORK, [(INPUT, f"{INPUT}\n        model.add(layers.Dropout(0.2))")]),
        [NO_WHITENING],
        {"Dropout": [0.2, 0, 0, 0], "BatchNormalization": 5},
    ),
    "a dense network": (
        (NETWORK, network("layers.Flatten()", "layers.Dense(50, activation='relu')", SOFTMAX)),
        [NO_WHITENING, LEFT_OUT, NO_FIGURES, "39,760 parameters"],
        {"Conv2D": [], "Dense": [50, 10]},
    ),
    "depthwise": (
        (
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
        ),
        [NO_WHITENING, LEFT_OUT, "no figure of filters:"],
        {"Dense": [10], "BatchNormalization": 1, "Softmax": 1},
    ),
    "row by row": (
        (NETWORK, network("layers.Reshape((height, width))", "layers.Conv1D(8, 3)", "layers.LSTM(12)", SOFTMAX)),
        [NO_WHITENING, LEFT_OUT, NO_FIGURES],
        {"LSTM": 1, "Dense": [10]},
    ),
    "Adam": ((TRAIN, [(SGD, "Adam(1e-3)")]), [], {"Conv2D": [32, 32, 64, 64]}),
    "RMSprop": ((TRAIN, [(SGD, "RMSprop(rates, weight_decay=decay)")]), [], {"Conv2D": [32, 32, 64, 64]}),
    "five classes": ((None, []), [], {"Dense": [512, 5]}),
    "ten classes": ((None, []), [], {"Dense": [512, 10]}),
}


def prepare(folder, name):
    """Copy the project to a folder, with one file edited, and write the data. Returns the runs of the scripts."""
    shutil.copytree(ROOT / "pyimagesearch", folder / "pyimagesearch", ignore=shutil.ignore_patterns("__pycache__"))
    for script in SCRIPTS:
        shutil.copy(ROOT / script, folder)
    file, edit = EDITS[name][0]
    if file:
        path = folder / "pyimagesearch" / file
        text = edit if isinstance(edit, str) else path.read_text()
        for old, new in [] if isinstance(edit, str) else edit:
            assert old in text, old
            text = text.replace(old, new)
        path.write_text(text)
    for part, count, seed in (("train", 300, 1), ("test", 100, 2)):
        images, labels = pictures(count, seed)
        chosen = labels < (5 if name == "five classes" else 10)
        for file, array in zip(FILES[part], (images[chosen], labels[chosen]), strict=True):
            (folder / file).write_bytes(idx(array))
    (folder / "names.txt").write_text("\n".join(NAMES.get(name, ())))
    data = ["--data-dir", ".", "--any-data"]
    digits = name == "ten classes"
    named = ["--class-names", "names.txt"] if name in NAMES else []
    return [
        ["fashion_mnist.py", *data, *named, *(["--no-flip"] if digits else []), "--epochs", "1", "--batch-size", "32"],
        ["fashion_mnist_loaded.py", *data, "--json", "result.json", *(["--tta"] if digits or name == "Adam" else [])],
        ["initial_data_analysis.py", *data, *named, "--model", "fashion_model.h5", "--images", "figures"],
    ]


@pytest.fixture(scope="module")
def tried(request, tmp_path_factory):
    """Return a function: the name of an edit -> (folder in which it was tried, number of the script that failed or 0).

    Two edits are tried at a time, from the start those that have a test of their own in this run.
    """
    parents = queue.Queue()
    for _ in range(2):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        environment = os.environ | QUIET_END
        parents.put(subprocess.Popen([sys.executable, "-c", PARENT], **pipes, env=environment))

    def attempt(name):
        folder = tmp_path_factory.mktemp(name.replace(" ", "_"))
        runs, parent = prepare(folder, name), parents.get()
        try:
            parent.stdin.write(json.dumps([str(folder), runs]) + "\n")
            parent.stdin.flush()
            return folder, int(parent.stdout.readline())
        finally:
            parents.put(parent)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        selected = [getattr(item, "callspec", None) for item in request.session.items if item.module is request.module]
        attempts = {spec.params["name"]: pool.submit(attempt, spec.params["name"]) for spec in selected if spec}

        def result(name):
            if name not in attempts:
                attempts[name] = pool.submit(attempt, name)
            return attempts[name].result()

        yield result
        pool.shutdown(cancel_futures=True)
    while not parents.empty():
        with parents.get() as parent:
            parent.stdin.close()


def layers(config):
    """Return {class of a layer: [its filters, units or rate, or None]}."""
    found = {}
    for layer in config["config"]["layers"]:
        values = layer["config"]
        number = values.get("filters", values.get("units", values.get("rate")))
        found.setdefault(layer["class_name"], []).append(number)
    return found


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_of_one_file_holds(tried, name):
    folder, failed = tried(name)
    outputs = [path.read_text() for path in sorted(folder.glob("?.out"))]
    errors = [path.read_text() for path in sorted(folder.glob("?.err"))]
    assert (failed, errors) == (0, [""] * 3), outputs
    _, printed, expected = EDITS[name]
    for text in printed:
        assert text in outputs[0]
    for text in ("no whitening", "left out", "no figure"):
        assert (text in outputs[0]) == any(text in line for line in printed)

    with h5py.File(folder / "fashion_model.h5") as file:
        record, found = json.loads(file.attrs["fashion_mnist"]), layers(json.loads(file.attrs["model_config"]))
    for kind, values in expected.items():
        assert len(found.get(kind, [])) == values if isinstance(values, int) else found.get(kind, []) == values
    assert record["whitening"] == (not any("no whitening" in text for text in printed))
    assert record["optimizer"] == (name if name in ("Adam", "RMSprop") else "SGD")

    names = NAMES.get(name, tuple(f"class {number}" for number in range(10)))
    result = json.loads((folder / "result.json").read_text())
    assert set(names) <= set(result["report"])
    assert np.shape(result["confusion_matrix"]) == (len(names), len(names))
    for class_name in names:
        assert class_name in outputs[1]
        assert class_name in outputs[2]
    drawn = {path.stem for path in (folder / "images").iterdir()}
    assert {"plot", "minivggnet", "confusion_matrix"} <= drawn
    missing = {word for word in ("filters", "feature_maps") if any("no figure" in p and word in p for p in printed)}
    assert {"filters", "feature_maps"} - drawn == missing


def test_the_record_says_what_the_optimizer_does(tried):
    def record(name):
        with h5py.File(tried(name)[0] / "fashion_model.h5") as file:
            return json.loads(file.attrs["fashion_mnist"])

    sgd, adam, rmsprop = map(record, ("other numbers", "Adam", "RMSprop"))
    assert (sgd["momentum"], sgd["nesterov"], sgd["weight_decay"]) == (0.9, True, 1e-2)
    assert (sgd["learning_rate"], sgd["schedule"]) == (0.2, "one cycle")
    assert not {"momentum", "nesterov"} & adam.keys()
    assert (adam["learning_rate"], adam["schedule"], adam["weight_decay"]) == (pytest.approx(1e-3), "constant", 0)
    assert (rmsprop["momentum"], rmsprop["weight_decay"], rmsprop["schedule"]) == (0, 1e-2, "one cycle")
    assert "optimizer Adam" in (tried("Adam")[0] / "1.out").read_text()


def test_a_network_trained_without_flips_is_not_evaluated_with_flips(tried):
    folder, _ = tried("ten classes")
    with h5py.File(folder / "fashion_model.h5") as file:
        assert json.loads(file.attrs["fashion_mnist"])["flip"] is False
    assert "no test-time augmentation" in (folder / "1.out").read_text()
    assert "tta" not in json.loads((folder / "result.json").read_text())
    assert "tta" in json.loads((tried("Adam")[0] / "result.json").read_text())
