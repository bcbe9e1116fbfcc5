"""The three scripts as a user runs them: real processes on small real files, and on the genuine data."""

import json
import re

import numpy as np
import pytest
from test_explain import save_network

from conftest import ROOT, idx, pictures, write_data
from pyimagesearch.data import preparation
from pyimagesearch.data.idx import FILES
from pyimagesearch.evaluation import calibration, predict
from pyimagesearch.model_files import building, reading

NET = ["--model", "net.h5", "--data-dir", "data", "--any-data"]
SCRIPTS = ("fashion_mnist.py", "fashion_mnist_loaded.py", "initial_data_analysis.py")


def sentence(done, status):
    """Check that a run ended with `status` and one line on stderr, and return that line."""
    assert done.returncode == status, done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_train_evaluate_and_analyse(run, small_data, tmp_path):
    data = ("--data-dir", small_data, "--any-data")
    test_files = {path: path.read_bytes() for path in small_data.glob("t10k*")}
    for path in test_files:  # training reads none of them
        path.unlink()
    flags = "--epochs", 5, "--batch-size", 32, "--learning-rate", 0.05, "--seed", 7, "--images", "drawn"
    done = run("fashion_mnist.py", *data, *flags, check=0)
    assert done.stderr == ""
    for path, content in test_files.items():
        path.write_bytes(content)
    for text in ("(600, 28, 28)", "(550, 28, 28, 1)", "(50, 28, 28, 1)", "float32", "epoch 5/5"):
        assert text in done.stdout
    flags = f"--data-dir {small_data} --any-data"  # a suggestion works as it stands
    assert f"fashion_mnist_loaded.py --model fashion_model.h5 {flags} --images drawn\n" in done.stdout
    contents = reading.read(tmp_path / "fashion_model.h5")
    expected = {"recipe": "fast", "epochs": 5, "batch_size": 32, "seed": 7, "input_range": [0.0, 1.0]}
    expected |= {"training_images": 550, "validation_images": 50, "genuine_data": False}
    expected |= {"class_names": [f"class {number}" for number in range(10)]}
    assert contents.record | expected == contents.record
    images, labels = pictures(600, 1)
    _, (held_out, held_out_labels) = preparation.split(preparation.reshape(images), labels, seed=7)
    model = building.build(contents)
    probabilities = predict.predict(model, held_out)
    assert contents.record["validation_accuracy"] == np.mean(probabilities.argmax(axis=1) == held_out_labels)
    temperature = pytest.approx(calibration.fit_temperature(probabilities, held_out_labels), rel=1e-3)
    assert contents.record["temperature"] == temperature

    done = run("fashion_mnist_loaded.py", *data, "--json", "result.json", check=0)
    assert done.stderr == ""
    changed = "recipe 'fast', changed: epochs 5, batch size 32, learning rate 0.05; on 550 images, seed 7"
    assert changed in " ".join(done.stdout.split())
    result = json.loads((tmp_path / "result.json").read_text())
    assert "class 9" in done.stdout and "class 9" in result["report"]
    assert result["accuracy"] > 0.9
    images, labels = pictures(200, 2)
    probabilities = predict.predict(model, preparation.reshape(images))
    assert result["accuracy"] == np.mean(probabilities.argmax(axis=1) == labels)
    cross_entropy = -np.log(probabilities[np.arange(200), labels]).mean()
    assert result["cross_entropy"] == pytest.approx(cross_entropy, rel=1e-3)
    assert result["temperature"] == temperature
    assert f"accuracy {result['accuracy']:.2%} on 200 test images" in done.stdout
    assert f"fashion_mnist_loaded.py --model fashion_model.h5 {flags} --explain\n" in done.stdout
    drawn = {path.stem for path in (tmp_path / "images").iterdir()}
    assert drawn == {"confusion_matrix", "predictions", "playground", "reliability"}
    assert "interactive page: images/playground.html (" in done.stdout
    reading.add_record(tmp_path / "fashion_model.h5", contents.record | {"validation_accuracy": 1.5})
    done = run("fashion_mnist_loaded.py", *data, "--tta", "--json", "result.json", check=0)
    assert "had 150.00% on validation images" in done.stderr
    mirrored = json.loads((tmp_path / "result.json").read_text())
    assert mirrored == result | {"tta": mirrored["tta"]}  # beside, not instead
    assert mirrored["tta"]["cross_entropy"] != result["cross_entropy"]
    assert f"(horizontal flip): accuracy {mirrored['tta']['accuracy']:.2%}" in done.stdout

    done = run("initial_data_analysis.py", *data, "--images", "figures", check=0)
    assert done.stderr == ""
    assert f"fashion_mnist.py {flags} --images figures\n" in done.stdout
    assert "has an accuracy (fraction of correct predictions) of 10%" in " ".join(done.stdout.split())
    images = pictures(600, 1)[0]
    assert f"mean {images.mean():.2f}, standard deviation {images.std():.2f}" in done.stdout
    assert f"fraction of zero pixels: {(images == 0).mean():.1%}" in done.stdout and "people:" not in done.stdout
    drawn = {path.stem for path in (tmp_path / "figures").iterdir()}
    assert drawn == {"numbers", "samples", "class_means", "convolution", "augmentation", "suspicious_labels"}


@pytest.mark.needs("jax")
def test_train_and_evaluate_on_jax(run, small_data, tmp_path):
    data = ("--data-dir", small_data, "--any-data")
    run("fashion_mnist.py", *data, "--epochs", 1, "--limit", 240, check=0, KERAS_BACKEND="jax")
    assert reading.read(tmp_path / "fashion_model.h5").record["versions"]["backend"] == "jax"
    for script in ("fashion_mnist_loaded.py", "initial_data_analysis.py"):
        assert run(script, *data, check=0, KERAS_BACKEND="jax").stderr == ""


def test_few_images_with_labels_from_10_to_17_of_which_some_are_missing_with_names_and_without_flips(run, tmp_path):
    for part, count, seed in (("train", 600, 1), ("test", 200, 2)):
        images, labels = pictures(count, seed)
        kept = np.isin(labels, [0, 1, 2, 4, 7])
        for name, array in zip(FILES[part], (images[kept], labels[kept] + np.uint8(10)), strict=True):
            (tmp_path / name).write_bytes(idx(array))
    names = ["cat", "dog", "$x^2$", "fish", "鳥"]
    lines = [*map(str, range(10)), *names[:3], "13", names[3], "15", "16", names[4]]
    (tmp_path / "names.txt").write_text("\n".join(lines))
    data = ("--data-dir", ".", "--any-data")
    flags = ("--class-names", "names.txt", "--no-flip", "--learning-rate", 0.02, "--limit", 250)
    done = run("fashion_mnist.py", *data, *flags, check=0)
    assert done.stderr == "" and "few images change the recipe: epochs 22, batch size 16;" in done.stdout
    record = reading.read(tmp_path / "fashion_model.h5").record
    assert record["training_images"] + record["validation_images"] == 250
    assert (record["flip"], record["learning_rate"], record["seed"]) == (False, 0.02, 42)
    done = run("fashion_mnist_loaded.py", *data, "--tta", "--json", "result.json", check=0)  # the model knows the names
    assert done.stderr == ""
    assert "no test-time augmentation" in done.stdout
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["accuracy"] > 0.9 and "tta" not in result
    assert set(names) <= set(result["report"]) and all(name in done.stdout for name in names)
    assert np.shape(result["confusion_matrix"]) == (18, 18)
    done = run("initial_data_analysis.py", *data, "--model", "fashion_model.h5", check=0)
    assert done.stderr == "" and all(name in done.stdout for name in names)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_missing_library_is_a_sentence(script, run):
    error = sentence(run(script, options=["-S"]), 1)  # -S: no installed libraries
    assert "is not installed for" in error and ".venv/bin/python" in error


@pytest.mark.parametrize("script", SCRIPTS)
def test_help(run, script):
    done = run(script, "--help", options=("-X", "importtime"), check=0)
    assert done.stdout.startswith("usage:")
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert "argparse" in imported
    assert not imported & {"keras", "tensorflow", "numpy", "sklearn", "matplotlib", "h5py"}


@pytest.mark.parametrize(
    "script, arguments, status, text",
    [
        ("fashion_mnist.py", ["--recipe", "slow"], 2, "invalid choice: 'slow'"),
        ("fashion_mnist.py", ["--learning-rate", "0"], 2, "'0' is not a number above 0"),
        ("fashion_mnist.py", ["--learning-rate", "nan"], 2, "'nan' is not a number above 0"),
        ("fashion_mnist.py", ["--epochs", "10001"], 2, "'10001' is not a whole number from 1 to 10000"),
        ("fashion_mnist.py", ["--limit", "5"], 2, "'5' is not a whole number from 240"),
        ("fashion_mnist.py", ["--model", "model.onnx"], 2, "must end in .h5"),
        ("fashion_mnist.py", ["--model", "nowhere/m.h5"], 1, "the folder nowhere does not exist"),
        ("fashion_mnist.py", ["--images", "a_file"], 1, "cannot write to the folder a_file"),
        ("fashion_mnist.py", ["--data-dir", "nowhere"], 1, "nowhere: No such file"),
        ("fashion_mnist.py", ["--data-dir", "data"], 1, "not the genuine"),
        ("fashion_mnist.py", ["--any-data"], 1, "--any-data needs --data-dir"),
        ("fashion_mnist.py", ["--data-dir", "data", "--any-data"], 1, "too few images for training and validation"),
        ("fashion_mnist_loaded.py", [], 1, "fashion_mnist.py --model fashion_model.h5"),
        ("fashion_mnist_loaded.py", ["--model", "a.h5", "--data-dir", "b c"], 1, "--model a.h5 --data-dir 'b c'"),
        ("fashion_mnist_loaded.py", ["--model", "theirs.keras"], 1, "there is no model theirs.keras\n"),
        ("initial_data_analysis.py", ["--model", "a.h5", "--data-dir", "b"], 1, "--model a.h5 --data-dir b"),
        ("fashion_mnist_loaded.py", ["--model", "a_file"], 1, "it is a text file (1 bytes)"),
        ("fashion_mnist_loaded.py", ["--explain", *map(str, range(13))], 2, "13 numbers are too many; give at most 12"),
        ("fashion_mnist_loaded.py", ["--image", "a.png", "--explain", "3"], 2, "no numbers with --image"),
        ("fashion_mnist_loaded.py", ["--model", "net.h5", "--image", "none.jpg"], 1, "there is no file none.jpg"),
        ("fashion_mnist_loaded.py", [*NET, "--image", "x.jpg", "--resize"], 1, "net.h5 was not trained with --resize"),
        ("fashion_mnist_loaded.py", [*NET, "--explain", "20"], 1, "no test image 20: they are numbered 0 to 19"),
    ],
)
def test_user_errors_are_one_sentence_before_keras_is_imported(run, tmp_path, script, arguments, status, text):
    write_data(tmp_path / "data", train=9, test=20)
    (tmp_path / "a_file").write_text("x")
    if "net.h5" in arguments:
        save_network(tmp_path / "net.h5")
    # With Keras out of reach, a run that imports it ends with a traceback.
    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked/keras.py").write_text("raise SystemError('Keras was imported')")
    line = sentence(run(script, *arguments, PYTHONPATH=str(tmp_path / "blocked")), status)
    assert text in line + "\n"
    assert line.startswith(f"{script}: ")


def test_a_figure_that_cannot_be_written_does_not_undo_the_training(run, small_data, tmp_path):
    (tmp_path / "images" / "plot.png" / "in the way").mkdir(parents=True)
    done = run("fashion_mnist.py", "--data-dir", small_data, "--any-data", "--epochs", 1)
    assert "cannot write" in sentence(done, 1)
    assert "plot.png" in done.stderr
    assert reading.read(tmp_path / "fashion_model.h5").record["epochs"] == 1
    assert [path.name for path in tmp_path.glob(".*")] == []  # nothing that the next run would call unfinished


@pytest.mark.real_data
def test_a_short_training_learns(run, genuine, tmp_path):
    data = ("--data-dir", genuine)
    trained = run("fashion_mnist.py", *data, "--limit", 4000, "--epochs", 2, "--batch-size", 64, check=0)
    evaluated = run("fashion_mnist_loaded.py", *data, "--json", "result.json", check=0)
    assert (trained.stderr, evaluated.stderr) == ("", "")
    result = json.loads((tmp_path / "result.json").read_text())
    assert reading.read(tmp_path / "fashion_model.h5").record["genuine_data"] is True
    assert result["accuracy"] > 0.75 and "Ankle boot" in result["report"]


@pytest.mark.real_data
def test_the_first_look_prints_the_published_numbers_and_those_of_the_lesson(run, genuine, tmp_path):
    done = run("initial_data_analysis.py", "--data-dir", genuine, check=0)
    assert done.stderr == ""
    for text in ("(60000, 28, 28)", "6,000", "mean 72.94, standard deviation 90.02", "pixels: 50.2%", "people: 83.5%"):
        assert text in done.stdout
    lesson, labels = ((ROOT / page).read_text() for page in ("README.md", "pyimagesearch/evaluation/README.md"))
    for method, printed in ("average each", "nearest class mean"), ("let the five nearest", "5 nearest neighbors"):
        accuracy = re.search(rf"- ([0-9.]+%) of .*: {method}", lesson)[1]
        assert f"{printed}: {accuracy} of" in done.stdout
    for part in re.search(r"For (\d+ of 60,000) training images and (\d+ of 10,000) test images", labels).groups():
        assert f"{part} images" in done.stdout
    assert (tmp_path / "images/samples.png").exists()
