"""A training that is stopped, killed or starved goes on as if nothing had happened, and nothing of the user's is lost.

The training runs are real ones on small data, in children of a process that has loaded the libraries (see warm.py).
"""

import contextlib
import dataclasses
import errno
import json
import os
import shutil
import signal
import time
import zipfile
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import warm

from conftest import ROOT, write_data
from pyimagesearch.data import loading, preparation
from pyimagesearch.errors import UserError
from pyimagesearch.recipes import RECIPES
from pyimagesearch.training import checkpoints
from pyimagesearch.training.network import build
from pyimagesearch.training.train import compiled, train

pytestmark = pytest.mark.skipif(not warm.POSSIBLE, reason="kills, forks and limits of processes")

EPOCHS = 5


def unfinished(folder):
    """Return how many epochs the training in a folder has stored."""
    return next((epoch for epoch, _ in checkpoints.stored(folder)), 0)


class Trainer:
    """Runs fashion_mnist.py in a folder, again and again."""

    def __init__(self, folder, server):
        self.folder, self.training, self.server = folder, folder / ".fashion_model.h5.training", server
        write_data(folder / "data", train=240, test=10)

    def start(self, *flags, epochs=EPOCHS, resume=None):
        """Start a training, which resumes one that is unfinished, and return its process number."""
        flags = ["--data-dir", "data", "--any-data", "--epochs", epochs, "--batch-size", 32, *flags]
        flags += ["--resume"] if (unfinished(self.training) if resume is None else resume) else []
        environment = {name: os.environ[name] for name in ("PATH", "KERAS_BACKEND")} | {"HOME": str(self.folder)}
        with (self.folder / "log").open("a") as log:
            self.child = self.server.start([ROOT / "fashion_mnist.py", *flags], self.folder, environment, log, log)
        return self.child.pid

    def end(self):
        """Wait for the end of the training and return its status, negative for a signal."""
        return self.child.wait()

    def log(self):
        return (self.folder / "log").read_text()

    def weights(self):
        """Return the weights in fashion_model.h5, as bytes, in order."""
        found = []
        with h5py.File(self.folder / "fashion_model.h5") as file:
            file["model_weights"].visititems(
                lambda name, item: found.append(item[()].tobytes()) if isinstance(item, h5py.Dataset) else None
            )
        return found

    def wait_for(self, condition):
        deadline = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.001)


@pytest.fixture
def trainer(tmp_path, server):
    return Trainer(tmp_path, server(os.environ["KERAS_BACKEND"]))


def kill_and_resume(trainer, rng, seed, kills):
    """Kill a training `kills` times, a third of them inside a checkpoint's write. Returns its weights at the end."""
    seeded = ("--seed", str(seed))
    while kills:
        done = unfinished(trainer.training)
        process = trainer.start(*seeded)
        if rng.random() < 1 / 3:
            trainer.wait_for(lambda child=process: list(trainer.training.glob(".*.tmp.npz")) or _gone(child))
            time.sleep(rng.uniform(0, 0.02))
        elif rng.random() < 1 / 2:
            trainer.wait_for(lambda child=process, n=done: unfinished(trainer.training) > n or _gone(child))
            time.sleep(rng.uniform(0, 0.15))
        else:
            time.sleep(rng.uniform(0, 3))
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        status = trainer.end()
        if status == 0:  # it was faster than the killer
            return kills, trainer.weights()
        assert status == -signal.SIGKILL, trainer.log()
        kills -= 1
    trainer.start(*seeded)
    assert trainer.end() == 0, trainer.log()
    return kills, trainer.weights()


def _gone(process):
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rsplit(")")[-1].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("kills", [2, pytest.param(12, marks=pytest.mark.slow)])
def test_killed_trainings_end_with_the_same_weights_bit_for_bit(trainer, kills):
    rng = np.random.default_rng(0)
    seed = 0
    while kills:
        seed += 1
        trainer.start("--seed", str(seed))
        assert trainer.end() == 0, trainer.log()
        assert not trainer.training.exists()
        expected = trainer.weights()
        (trainer.folder / "fashion_model.h5").unlink()
        wanted = min(kills, 6)
        left, weights = kill_and_resume(trainer, rng, seed, wanted)
        assert weights == expected
        assert not trainer.training.exists()
        kills -= wanted - left
    assert "Traceback" not in trainer.log()


def stop_after_an_epoch(trainer, sign):
    process = trainer.start("--seed", "1")
    trainer.wait_for(lambda: unfinished(trainer.training) >= 2)
    os.kill(process, sign)
    return trainer.end()


def test_stopped_trainings_say_how_to_go_on_and_leave_the_model_alone(trainer):
    (trainer.folder / "fashion_model.h5").write_bytes(b"an older model")
    for sign, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        assert stop_after_an_epoch(trainer, sign) == status
        last = trainer.log().splitlines()[-1]
        assert last.startswith("fashion_mnist.py: stopped after epoch")
        assert last.endswith(f"of {EPOCHS}; to go on, add --resume to the same command")
        assert (trainer.folder / "fashion_model.h5").read_bytes() == b"an older model"
        assert unfinished(trainer.training)
        shutil.rmtree(trainer.training)
    assert "Traceback" not in trainer.log()
    assert not list(trainer.folder.glob(".*tmp*"))


def test_starting_anew_says_so_and_other_flags_are_refused_by_name(trainer):
    stop_after_an_epoch(trainer, signal.SIGTERM)
    trainer.start("--seed", "2")
    assert trainer.end() == 1
    assert "cannot resume: the unfinished training has seed 1, not 2" in trainer.log().splitlines()[-1]
    write_data(trainer.folder / "data", train=250, test=10)
    trainer.start("--seed", "1", epochs=9)
    assert trainer.end() == 1
    assert f"has epochs {EPOCHS}, not 9 and other training data;" in trainer.log().splitlines()[-1]
    trainer.start(epochs=1, resume=False)
    assert trainer.end() == 0
    (line,) = [line for line in trainer.log().splitlines() if line.startswith("an unfinished training with")]
    for difference in ("other training data", f"epochs {EPOCHS}, not 1", "seed 1, not 42"):
        assert difference in line
    assert not trainer.training.exists()


def test_a_model_that_cannot_be_written_can_be_resumed_to(trainer):
    """The disk is full when all epochs are done: the older model and the checkpoints stay."""
    import resource  # not on Windows

    (trainer.folder / "fashion_model.h5").write_bytes(b"an older model")
    process = trainer.start("--seed", "1", epochs=2)
    trainer.wait_for(lambda: unfinished(trainer.training) == 2)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    assert trainer.end() == 1
    assert "cannot write fashion_model.h5" in trainer.log().splitlines()[-1]
    assert (trainer.folder / "fashion_model.h5").read_bytes() == b"an older model"
    assert not list(trainer.folder.rglob("*.tmp*"))
    trainer.start("--seed", "1", epochs=2)
    assert trainer.end() == 0
    assert "Traceback" not in trainer.log()
    assert "will be replaced" in trainer.log()
    weights, log = (trainer.folder / "fashion_model.h5").read_bytes(), len(trainer.log())
    trainer.start("--seed", "1", epochs=2, resume=True)  # a job that is started again
    assert trainer.end() == 0
    assert "has ended" in trainer.log()[log:]
    assert (trainer.folder / "fashion_model.h5").read_bytes() == weights
    assert not trainer.training.exists()


def test_a_fingerprint_is_of_all_that_the_data_is():
    images, labels = np.zeros((4, 2), np.uint8), np.arange(4)
    same = checkpoints.fingerprint(images.copy(), labels.copy())
    assert checkpoints.fingerprint(images, labels) == same
    others = (images, labels[::-1]), (images + 1, labels), (images.reshape(2, 4), labels), (images.astype(bool), labels)
    assert same not in {checkpoints.fingerprint(*arrays) for arrays in others}


def test_one_training_of_a_model_at_a_time(tmp_path):
    """Whatever the length of its name, and by whatever link."""
    model = tmp_path / ("m" * 252 + ".h5")
    (tmp_path / "link.h5").symlink_to(model.name)
    for _ in range(2):  # the lock ends with its training
        with checkpoints.locked(model) as folder, pytest.raises(UserError, match=f"process {os.getpid()}"):
            checkpoints.locked(tmp_path / "link.h5").__enter__()
        assert not folder.exists()


def test_on_windows_the_lock_is_found_whatever_its_holder_has_written(tmp_path, monkeypatch):
    """There a lock is one of bytes: those from the place in the file on. What is locked cannot be read by others."""
    held = []

    def locking(descriptor, mode, count):
        place = os.lseek(descriptor, 0, os.SEEK_CUR)
        if place in held:
            raise PermissionError(errno.EACCES, "Permission denied")
        held.append(place)

    monkeypatch.setattr(checkpoints, "fcntl", None)
    windows = SimpleNamespace(LK_NBLCK=2, locking=locking)
    monkeypatch.setattr(checkpoints, "msvcrt", windows, raising=False)
    with checkpoints.locked(tmp_path / "m.h5") as folder:
        assert held[0] > len((folder / "lock").read_bytes())
        with pytest.raises(UserError, match=f"process {os.getpid()}"), checkpoints.locked(tmp_path / "m.h5"):
            pass


def test_a_folder_without_locks_or_that_cannot_be_made_does_not_stop_a_training(tmp_path, monkeypatch, capsys):
    (tmp_path / ".m.h5.training").touch()  # in the way
    with checkpoints.locked(tmp_path / "m.h5"):
        pass
    assert "cannot be resumed" in capsys.readouterr().err
    assert (tmp_path / ".m.h5.training").is_file()

    def flock(file, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(checkpoints.fcntl, "flock", flock)
    with checkpoints.locked(tmp_path / "other.h5") as folder:
        assert folder.is_dir()
    assert capsys.readouterr().err.count("this file system has no locks") == 1
    assert not folder.exists()


def settings_of(folder, seed=0):
    """Return small data, split, and a recipe with dropout, whose random state must come back."""
    write_data(folder / "data", train=240)
    images, labels = loading.load_part("train", folder / "data", any_data=True)
    training, validation = preparation.split(preparation.reshape(images), labels, seed)
    return dataclasses.replace(RECIPES["classic"], epochs=3), training, validation, 10, seed


def test_in_one_process_a_resumed_training_has_the_whole_history(tmp_path, capsys):
    arguments = settings_of(tmp_path)
    kept = checkpoints.Checkpoints(tmp_path, {"a": [1]}, resume=True)
    expected, _ = train(*arguments, kept)
    assert "no checkpoint to resume from: starting a new training" in capsys.readouterr().out
    assert kept.epochs == 3
    (tmp_path / "epoch-00003.npz").unlink()
    resumed, history = train(*arguments, kept)
    assert {len(values) for values in history.values()} == {3}
    for one, other in zip(expected.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    other = checkpoints.Checkpoints(tmp_path, {"a": [2]}, resume=True)
    with pytest.raises(UserError, match=r"has a \[1\], not \[2\]"):
        train(*arguments, other)
    assert other.epochs == 0


@pytest.fixture(scope="module")
def three_epochs(tmp_path_factory):
    """Return a folder with the checkpoints after epochs 2 and 3, and a model to restore."""
    folder = tmp_path_factory.mktemp("training")
    recipe, training, *rest = settings_of(folder)
    train(recipe, training, *rest, checkpoints.Checkpoints(folder, {"seed": 0}))
    shutil.rmtree(folder / "data")
    return folder, compiled(recipe, build(recipe, 10, 0), training[0], 0, 18)


@pytest.fixture
def model(three_epochs, tmp_path):
    """The model to restore; its checkpoints after epochs 2 and 3 lie in tmp_path."""
    shutil.copytree(three_epochs[0], tmp_path, dirs_exist_ok=True)
    return three_epochs[1]


def full_disk(monkeypatch, times, number=errno.ENOSPC):
    """The next `times` checkpoints cannot be written."""
    real, left = np.savez, iter(range(times))

    def savez(path, **arrays):
        if next(left, None) is not None:
            raise OSError(number, os.strerror(number))
        real(path, **arrays)

    monkeypatch.setattr(np, "savez", savez)


@pytest.mark.parametrize("times, expected", [(1, [4, 3]), (2, [4]), (3, [])])
def test_older_checkpoints_make_room_for_a_new_one(model, tmp_path, monkeypatch, capsys, times, expected):
    full_disk(monkeypatch, times)
    checkpoints.Checkpoints(tmp_path, {"seed": 0}).save(model, {"loss": [1.0] * 4})
    assert [epoch for epoch, _ in checkpoints.stored(tmp_path)] == expected
    assert ("No space left" in capsys.readouterr().err) == (not expected)


def test_a_checkpoint_that_cannot_be_written_is_told_once_and_costs_no_other(model, tmp_path, monkeypatch, capsys):
    kept = checkpoints.Checkpoints(tmp_path, {"seed": 0})
    full_disk(monkeypatch, 2, errno.EIO)
    for epochs in (4, 5):
        kept.save(model, {"loss": [1.0] * epochs})
    assert [epoch for epoch, _ in checkpoints.stored(tmp_path)] == [3, 2]
    assert (kept.epochs, capsys.readouterr().err.count("cannot be resumed")) == (0, 1)
    kept.save(model, {"loss": [1.0]})  # those of another training go when this one has its own
    assert [epoch for epoch, _ in checkpoints.stored(tmp_path)] == [1]


def damage(change):
    """Return a function that rewrites a checkpoint's header by `change`."""

    def rewrite(path):
        with np.load(path) as file:
            arrays = dict(file)
        header = change(json.loads(arrays["header"].tobytes()))
        arrays["header"] = np.frombuffer(header if isinstance(header, bytes) else json.dumps(header).encode(), np.uint8)
        np.savez(path, **arrays)

    return rewrite


def with_nan(path):
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **arrays | {"variable3": np.full_like(arrays["variable3"], np.nan)})


def inflating(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("header.npy", np.lib.format.magic(1, 0) + b"\0" * 50_000_000)


def flipped_bits(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


SPOILED = {
    "a list": damage(lambda header: []),
    "null": damage(lambda header: None),
    "empty": damage(lambda header: {}),
    "history of one epoch": damage(lambda header: header | {"history": {"loss": [1.0]}}),
    "history of words": damage(lambda header: header | {"history": {"loss": ["a", "b", "c"]}}),
    "settings that are a number": damage(lambda header: header | {"settings": 7}),
    "nested without end": damage(lambda header: b"[" * 100_000),
    "no text": damage(lambda header: b"\xff\xfe"),
    "weights that are no numbers": with_nan,
    "compressed": inflating,
    "flipped bits": flipped_bits,
    "nothing": lambda path: path.write_bytes(b""),
    "half": lambda path: path.write_bytes(path.read_bytes()[:5000]),
    "an array": lambda path: np.save(path.open("wb"), np.zeros(3)),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_checkpoint_that_makes_no_sense_falls_back_to_the_one_before(model, tmp_path, name, capsys):
    SPOILED[name](tmp_path / "epoch-00003.npz")
    for other in ("epoch-abc.npz", "epoch-00002 (copy).npz"):  # not ours
        (tmp_path / other).touch()
    history = checkpoints.Checkpoints(tmp_path, {"seed": 0}, resume=True).restore(model)
    assert len(history["loss"]) == 2
    assert ("epoch-00003.npz cannot be used" in capsys.readouterr().err) == (name != "a pipe")
    with np.load(tmp_path / "epoch-00002.npz") as file:
        np.testing.assert_array_equal(model.variables[0], file["variable0"])


def stored_with(folder, settings, name="settings"):
    """Give the checkpoints in a folder these settings."""
    for _, path in checkpoints.stored(folder):
        damage(lambda header: {name: settings, "history": header["history"]})(path)


def test_another_machine_is_told_and_resumed(model, tmp_path, capsys):
    theirs = {"seed": 0, "cores": 2, "versions": {"keras": "3.12.0"}, "bfloat16": True}
    stored_with(tmp_path, theirs)
    other = checkpoints.Checkpoints(tmp_path, theirs | {"cores": 4, "bfloat16": False}, resume=True)
    assert len(other.restore(model)["loss"]) == other.epochs == 3
    told = capsys.readouterr().err
    assert "has cores 2, not 4" in told and "has bfloat16 True, not False" in told


def test_another_version_network_or_optimizer_is_refused_and_does_not_stop_a_new_training(model, tmp_path):
    ours = {"seed": 0, "layers": "one", "optimizer": "Adam"}
    stored_with(tmp_path, ours | {"layers": "another", "optimizer": "SGD"})
    with pytest.raises(UserError, match="has another network and optimizer SGD, not Adam; use the same"):
        checkpoints.Checkpoints(tmp_path, ours, resume=True).restore(model)
    stored_with(tmp_path, ours, "facts")
    with pytest.raises(UserError, match="cannot resume: the unfinished training has settings of another version"):
        checkpoints.Checkpoints(tmp_path, ours, resume=True).restore(model)
    assert checkpoints.Checkpoints(tmp_path, ours).restore(model) == {}
