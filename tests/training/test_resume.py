"""A training that is stopped, killed or starved goes on as if nothing had happened, and nothing of the user's is lost.

The training runs are real ones on small data, in children of a process that has loaded the libraries (see warm.py).
"""

import contextlib
import errno
import json
import os
import shutil
import signal
import time
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import warm

from conftest import ROOT, file_size, small, write_data
from pyimagesearch.data import loading, preparation
from pyimagesearch.errors import UserError
from pyimagesearch.model_files import reading
from pyimagesearch.training import checkpoints
from pyimagesearch.training.network import build
from pyimagesearch.training.train import compiled, train

pytestmark = pytest.mark.skipif(not warm.POSSIBLE, reason="kills, forks and limits of processes")

EPOCHS = 5


def unfinished(folder):
    """Return how many epochs the training in a folder has stored."""
    try:
        with np.load(folder / "checkpoint.npz") as file:
            return len(json.loads(file["header"].tobytes())["history"]["loss"])
    except FileNotFoundError:
        return 0


class Trainer:
    """Runs fashion_mnist.py in a folder, again and again."""

    def __init__(self, folder, warm_start):
        self.folder, self.training, self.warm_start = folder, folder / ".fashion_model.h5.training", warm_start
        self.model = folder / "fashion_model.h5"
        write_data(folder / "data", train=240, test=10)

    def start(self, epochs=EPOCHS, resume=None, seed=1):
        """Start a training, which resumes one that is unfinished, and return its process number."""
        flags = ["--data-dir", "data", "--any-data", "--epochs", epochs, "--batch-size", 32, "--seed", seed]
        flags += ["--resume"] if (unfinished(self.training) if resume is None else resume) else []
        environment = {name: os.environ[name] for name in ("PATH", "KERAS_BACKEND")} | {"HOME": str(self.folder)}
        log, command = self.folder / "log", [ROOT / "fashion_mnist.py", *flags]
        self.child = self.warm_start(command, self.folder, environment, log, log)
        return self.child.pid

    def end(self):
        """Wait for the end of the training and return its status, negative for a signal."""
        self.child.join(600)
        return self.child.exitcode

    def log(self):
        return (self.folder / "log").read_text()

    def weights(self):
        """Return the weights in the saved model, as bytes, in order."""
        return [array.tobytes() for _, array in reading.parse(self.model).weights]

    def wait_for(self, condition):
        deadline = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.001)


@pytest.fixture
def trainer(tmp_path, warm_start):
    return Trainer(tmp_path, warm_start)


@pytest.mark.parametrize("kills", [2, pytest.param(12, marks=pytest.mark.slow)])
def test_killed_trainings_end_with_the_same_weights_bit_for_bit(trainer, kills):
    """One kill in three is inside a checkpoint's write."""
    rng = np.random.default_rng(0)
    trainer.start()
    assert trainer.end() == 0, trainer.log()
    assert not trainer.training.exists()
    expected = trainer.weights()
    trainer.model.unlink()
    for _ in range(kills):
        trainer.start()
        if rng.random() < 1 / 3:
            trainer.wait_for(lambda: list(trainer.training.glob(".*.tmp.npz")) or not trainer.child.is_alive())
        else:
            time.sleep(rng.uniform(0, 3))
        trainer.child.kill()
        assert trainer.end() in (0, -signal.SIGKILL), trainer.log()
    trainer.start()
    assert trainer.end() == 0, trainer.log()
    assert trainer.weights() == expected
    assert not trainer.training.exists()
    assert "Traceback" not in trainer.log()


def test_a_stopped_training_says_how_to_go_on_and_a_new_one_what_it_replaces(trainer):
    """The older model stays; other flags with --resume are refused by name."""
    trainer.model.write_bytes(b"an older model")
    process = trainer.start()
    trainer.wait_for(lambda: unfinished(trainer.training) >= 2)
    os.kill(process, signal.SIGTERM)
    assert trainer.end() == 143
    last = trainer.log().splitlines()[-1]
    assert last.startswith("fashion_mnist.py: stopped after epoch")
    assert last.endswith(f"of {EPOCHS}; to go on, add --resume to the same command")
    assert trainer.model.read_bytes() == b"an older model"
    assert not list(trainer.folder.glob(".*tmp*"))
    write_data(trainer.folder / "data", train=250, test=10)
    trainer.start(epochs=9)
    assert trainer.end() == 1
    last = trainer.log().splitlines()[-1]
    assert f"cannot resume: the unfinished training has epochs {EPOCHS}, not 9 and other training data;" in last
    trainer.start(epochs=1, resume=False, seed=42)
    assert trainer.end() == 0
    (line,) = [line for line in trainer.log().splitlines() if line.startswith("an unfinished training with")]
    for difference in ("other training data", f"epochs {EPOCHS}, not 1", "seed 1, not 42"):
        assert difference in line
    assert not trainer.training.exists()
    assert "Traceback" not in trainer.log()


def test_a_model_that_cannot_be_written_can_be_resumed_to(trainer):
    """The disk is full when all epochs are done: the older model and the checkpoints stay."""
    import resource  # not on Windows

    trainer.model.write_bytes(b"an older model")
    process = trainer.start(epochs=2)
    trainer.wait_for(lambda: unfinished(trainer.training) == 2)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    assert trainer.end() == 1
    assert "cannot write fashion_model.h5" in trainer.log().splitlines()[-1]
    assert trainer.model.read_bytes() == b"an older model"
    assert not list(trainer.folder.rglob("*.tmp*"))
    trainer.start(epochs=2)
    assert trainer.end() == 0
    assert "Traceback" not in trainer.log()
    assert "will be replaced" in trainer.log()
    assert not trainer.training.exists()


def test_a_fingerprint_is_of_all_that_the_data_is():
    images, labels = np.zeros((4, 2), np.uint8), np.arange(4)
    same = checkpoints.fingerprint(images.copy(), labels.copy())
    assert checkpoints.fingerprint(images, labels) == same
    others = (images, labels[::-1]), (images + 1, labels), (images.reshape(2, 4), labels), (images.astype(bool), labels)
    assert same not in {checkpoints.fingerprint(*arrays) for arrays in others}


def test_one_training_of_a_model_at_a_time(tmp_path):
    """By whatever link."""
    model = tmp_path / "m.h5"
    (tmp_path / "link.h5").symlink_to(model.name)
    for _ in range(2):  # the lock ends with its training
        with checkpoints.locked(model) as checkpoint, pytest.raises(UserError, match=f"process {os.getpid()}"):
            checkpoints.locked(tmp_path / "link.h5").__enter__()
        assert not checkpoint.parent.exists()


def test_on_windows_the_lock_is_found_whatever_its_holder_has_written(tmp_path, monkeypatch):
    """There a lock is one of bytes: those from the place in the file on. What is locked cannot be read by others."""
    held = []

    def locking(descriptor, mode, count):
        place = os.lseek(descriptor, 0, os.SEEK_CUR)
        if place in held:
            raise PermissionError(errno.EACCES, "Permission denied")
        held.append(place)

    monkeypatch.setattr(checkpoints, "fcntl", None)
    monkeypatch.setattr(checkpoints, "msvcrt", SimpleNamespace(LK_NBLCK=2, locking=locking), raising=False)
    with checkpoints.locked(tmp_path / "m.h5") as checkpoint:
        assert held[0] > len((checkpoint.parent / "lock").read_bytes())
        with pytest.raises(UserError, match=f"process {os.getpid()}"):
            checkpoints.locked(tmp_path / "m.h5").__enter__()


def test_a_folder_without_locks_or_that_cannot_be_made_does_not_stop_a_training(tmp_path, monkeypatch, capsys):
    (tmp_path / ".m.h5.training").touch()  # in the way
    checkpoints.locked(tmp_path / "m.h5").__enter__()
    assert "cannot be resumed" in capsys.readouterr().err
    assert (tmp_path / ".m.h5.training").is_file()

    def flock(file, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(checkpoints.fcntl, "flock", flock)
    with checkpoints.locked(tmp_path / "other.h5") as checkpoint:
        assert checkpoint.parent.is_dir()
    assert capsys.readouterr().err.count("this file system has no locks") == 1
    assert not checkpoint.parent.exists()


def settings_of(folder, seed=0):
    """Return small data, split, and a recipe with dropout, whose random state must come back."""
    write_data(folder / "data", train=240)
    images, labels = loading.load_part("train", folder / "data", any_data=True)
    training, validation = preparation.split(preparation.reshape(images), labels, seed)
    return small("classic", epochs=3), training, validation, 10, seed


def stop(epoch, logs):
    if epoch == 1:
        raise KeyboardInterrupt


@pytest.fixture(scope="module")
def two_epochs(tmp_path_factory):
    """Return a checkpoint after two of three epochs, and a model to restore."""
    folder = tmp_path_factory.mktemp("training")
    recipe, training, *rest = settings_of(folder)
    kept = checkpoints.Checkpoints(folder / "checkpoint.npz", {"seed": 0})
    with contextlib.suppress(KeyboardInterrupt):
        train(recipe, training, *rest, kept, more_callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=stop)])
    return kept.path, compiled(recipe, build(recipe, 10, 0), training[0], 0, 18)


@pytest.fixture
def model(two_epochs, tmp_path):
    """The model to restore; its checkpoint lies in tmp_path."""
    shutil.copy(two_epochs[0], tmp_path)
    return two_epochs[1]


def test_in_one_process_a_resumed_training_has_the_whole_history(model, tmp_path, capsys):
    arguments = settings_of(tmp_path)
    expected, _ = train(*arguments)
    kept = checkpoints.Checkpoints(tmp_path / "checkpoint.npz", {"seed": 0}, resume=True)
    resumed, history = train(*arguments, kept)
    assert "resuming the unfinished training after epoch 2" in capsys.readouterr().out
    assert ({len(values) for values in history.values()}, kept.epochs) == ({3}, 3)
    for one, other in zip(expected.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    kept.remove()
    train(*arguments, kept)
    assert "no checkpoint to resume from: starting a new training" in capsys.readouterr().out


def test_a_checkpoint_that_cannot_be_written_is_told_once_and_costs_no_other(model, tmp_path, capsys):
    kept = checkpoints.Checkpoints(tmp_path / "checkpoint.npz", {"seed": 0})
    before = kept.path.read_bytes()
    with file_size(10_000):
        for epochs in (3, 4):
            kept.save(model, {"loss": [1.0] * epochs})
    assert os.listdir(tmp_path) == ["checkpoint.npz"] and kept.path.read_bytes() == before
    error = capsys.readouterr().err
    assert (kept.epochs, error.count("File too large"), error.count("cannot be resumed after epoch 3")) == (0, 1, 1)
    kept.save(model, {"loss": [1.0]})  # that of another training goes when this one has its own
    assert (kept.epochs, unfinished(tmp_path)) == (1, 1)


def change_header(path, change):
    with np.load(path) as file:
        arrays = dict(file)
    header = change(json.loads(arrays["header"].tobytes()))
    np.savez(path, **arrays | {"header": np.frombuffer(json.dumps(header).encode(), np.uint8)})


def flip_bits(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


SPOILED = {
    "not a header": lambda path: change_header(path, lambda header: []),
    "another network's": lambda path: np.savez(path, **dict(list(np.load(path).items())[:-1])),
    "flipped bits": flip_bits,
    "half": lambda path: path.write_bytes(path.read_bytes()[:5000]),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_a_damaged_checkpoint_is_named_and_a_new_training_starts(model, tmp_path, spoil, capsys):
    path = tmp_path / "checkpoint.npz"
    spoil(path)
    before = model.get_weights()
    assert checkpoints.Checkpoints(path, {"seed": 0}, resume=True).restore(model) == {}
    assert f"the checkpoint {path} cannot be used" in capsys.readouterr().err
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def restored(model, path, theirs, ours, **options):
    """Restore a checkpoint with their settings in a training with ours. Returns (history, epochs)."""
    change_header(path, lambda header: header | {"settings": theirs})
    kept = checkpoints.Checkpoints(path, ours, **options)
    return kept.restore(model), kept.epochs


def test_another_machine_is_told_and_resumed(model, tmp_path, capsys):
    theirs = {"seed": 0, "cores": 2, "versions": {"keras": "3.12.0"}, "bfloat16": True}
    ours = theirs | {"cores": 4, "bfloat16": False}
    history, epochs = restored(model, tmp_path / "checkpoint.npz", theirs, ours, resume=True)
    assert len(history["loss"]) == epochs == 2
    told = capsys.readouterr().err
    assert "has cores 2, not 4" in told and "has bfloat16 True, not False" in told


def test_another_version_network_or_optimizer_is_refused_and_does_not_stop_a_new_training(model, tmp_path):
    path, ours = tmp_path / "checkpoint.npz", {"seed": 0, "layers": "one", "optimizer": "Adam"}
    with pytest.raises(UserError, match="has another network and optimizer SGD, not Adam; use the same"):
        restored(model, path, ours | {"layers": "another", "optimizer": "SGD"}, ours, resume=True)
    with pytest.raises(UserError, match="cannot resume: the unfinished training has settings of another version"):
        restored(model, path, {"seed": 0}, ours, resume=True)
    assert restored(model, path, {"seed": 0}, ours) == ({}, 0)
