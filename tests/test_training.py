"""Whole training runs: stopped, killed, starved or with a caller's settings, they end as if nothing had happened."""

import json
import os
import signal
import time

import keras
import numpy as np
import pytest
import warm

import fashion_mnist
from conftest import RECORD, ROOT, write_data
from pyimagesearch.errors import UserError
from pyimagesearch.figures import style
from pyimagesearch.minivggnet import MiniVGGNet
from pyimagesearch.model_files import reading, saving
from pyimagesearch.training.settings import trained

FLAGS = ("--data-dir", "data", "--any-data", "--batch-size", 32, "--seed", 1, "--epochs", 4)


@pytest.fixture
def interrupted(tmp_path, warm_start):
    """Run fashion_mnist.py: interrupted(epochs, act) -> its status, negative for a signal, and the last line printed.

    It resumes a training that is unfinished. When it has stored so many epochs, act(process) is called.
    """
    log, environment = tmp_path / "log", {name: os.environ[name] for name in ("PATH", "KERAS_BACKEND")}

    def stored():
        try:
            with np.load(tmp_path / ".fashion_model.h5.training/checkpoint.npz") as file:
                return len(json.loads(file["header"].tobytes())["history"]["loss"])
        except FileNotFoundError:
            return 0

    def start(epochs, act):
        environment["HOME"] = str(tmp_path)
        process = warm_start([ROOT / "fashion_mnist.py", *FLAGS, "--resume"], tmp_path, environment, log, log)
        while stored() < epochs:
            assert process.is_alive(), log.read_text()
            time.sleep(0.001)
        act(process)
        process.join(600)
        return process.exitcode, log.read_text().splitlines()[-1]

    return start


@pytest.mark.skipif(not warm.POSSIBLE, reason="kills, forks and limits of processes")
def test_an_interrupted_training_ends_with_the_same_weights_and_the_older_model_stays(run, interrupted, tmp_path):
    import resource  # not on Windows

    model, checkpoints = tmp_path / "fashion_model.h5", tmp_path / ".fashion_model.h5.training"

    def weights():
        run("fashion_mnist.py", *FLAGS, "--resume", check=0)
        assert not checkpoints.exists()
        return [array.tobytes() for _, array in reading.parse(model).weights]

    def assert_unchanged():
        assert model.read_bytes() == b"an older model"
        assert not list(tmp_path.glob("*.tmp*"))

    def kill_inside_a_write(process):
        while process.is_alive() and not list(checkpoints.glob(".*.tmp.npz")):
            time.sleep(0.001)
        process.kill()

    def fill_the_disk(process):
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    write_data(tmp_path / "data", train=240, test=10)
    expected = weights()
    model.write_bytes(b"an older model")

    status, line = interrupted(2, lambda process: process.terminate())
    assert status == 128 + signal.SIGTERM and line.startswith("fashion_mnist.py: stopped after epoch")
    assert line.endswith("of 4; to go on, add --resume to the same command")
    assert_unchanged()

    write_data(tmp_path / "data", train=250, test=10)
    done = run("fashion_mnist.py", *FLAGS[:-1], 9, "--resume", check=1)
    assert "cannot resume: the unfinished training has epochs 4, not 9 and other training data;" in done.stderr
    write_data(tmp_path / "data", train=240, test=10)

    assert interrupted(2, kill_inside_a_write)[0] in (0, -signal.SIGKILL)
    status, line = interrupted(4, fill_the_disk)
    assert status == 1 and "cannot write fashion_model.h5" in line
    assert_unchanged()
    assert weights() == expected


@pytest.fixture
def quick(tmp_path, monkeypatch):
    """Let fashion_mnist.main() train a small network, without figures. Returns flags for small data."""
    write_data(tmp_path / "data", train=240, test=10)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(MiniVGGNet.build, "__defaults__", ((8, 8), 16, 0.25, 0.5))
    monkeypatch.setattr(style, "save", lambda folder, **figures: [])
    return ["--data-dir", "data", "--any-data"]


CALLER = {"floatx": "float16", "dtype_policy": keras.DTypePolicy("mixed_float16"), "epsilon": 0.1, "max_epochs": 1}
CALLER |= {"max_steps_per_epoch": 1, "image_data_format": "channels_first"}


def configure(values):
    """Set Keras's settings to these values, and return those before."""
    before = {name: getattr(keras.config, name)() for name in values}
    for name, value in values.items():
        getattr(keras.config, f"set_{name}")(value)
    return before


def test_a_caller_gets_the_same_network_whatever_its_settings_and_keeps_them(quick, tmp_path, capsys):
    """And --resume after the end, as a scheduler starts a job again, changes nothing."""
    arguments = [*quick, "--epochs", 2, "--batch-size", 64]
    expected, history = fashion_mnist.main(arguments)
    file = (tmp_path / "fashion_model.h5").read_bytes()
    capsys.readouterr()
    again, _ = fashion_mnist.main([*arguments, "--resume"])
    assert "this training has ended" in capsys.readouterr().out
    assert (tmp_path / "fashion_model.h5").read_bytes() == file
    before = configure(CALLER)
    try:
        model, other = fashion_mnist.main(arguments)
    finally:
        after = configure(before)
    assert after == CALLER
    assert len(other["loss"]) == len(history["loss"]) == 2
    for one, two, three in zip(expected.get_weights(), model.get_weights(), again.get_weights(), strict=True):
        assert (one == two).all() and (one == three).all()
    assert {layer.dtype_policy.name for layer in model.layers} == {"float32"}
    assert trained(tmp_path / "fashion_model.h5", {"seed": 43}) is None
    assert trained(tmp_path / "no_model.h5", {}) is None


def test_training_starts_from_another_network_except_its_last_layer(quick, tmp_path, capsys):
    other = MiniVGGNet.build(28, 28, 1, 7)
    rng = np.random.default_rng(0)
    other.set_weights([rng.uniform(0.5, 1, weight.shape).astype(np.float32) for weight in other.get_weights()])
    saving.save(other, tmp_path / "other.h5", RECORD | {"input_range": saving.INPUT_RANGE})
    flags = [*quick, "--epochs", 1, "--learning-rate", 1e-9, "--start-from", tmp_path / "other.h5"]
    model, _ = fashion_mnist.main(flags)
    assert "no whitening" in " ".join(capsys.readouterr().out.split())
    for mine, theirs in zip(model.layers[:-1], other.layers[:-1], strict=True):
        for weight, variable in zip(mine.get_weights(), theirs.weights, strict=True):
            if "moving" not in variable.name:  # running averages go on
                np.testing.assert_allclose(weight, variable, rtol=1e-4)
    assert model.layers[-1].get_weights()[0].shape == (16, 10)
    assert f"starting from {tmp_path}/other.h5" in saving.describe_file(tmp_path / "fashion_model.h5")
    for filters, pixels, words in ((8, 16), saving.INPUT_RANGE, "layers"), ((8, 8), [0, 255], "no record"):
        other = MiniVGGNet.build(28, 28, 1, 10, filters=filters)
        saving.save(other, tmp_path / "other.h5", RECORD | {"input_range": pixels})
        with pytest.raises(UserError, match=f"cannot start from .*other.h5: it.*{words}"):
            fashion_mnist.main(flags)
