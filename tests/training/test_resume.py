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
    for sign, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGXCPU, 128 + signal.SIGXCPU)):
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
    trainer.start("--seed", "1", epochs=9)
    assert trainer.end() == 1
    assert f"has epochs {EPOCHS}, not 9" in trainer.log().splitlines()[-1]
    write_data(trainer.folder / "data", train=250, test=10)
    trainer.start("--seed", "1")
    assert trainer.end() == 1
    assert "the unfinished training has other training data;" in trainer.log().splitlines()[-1]
    trainer.start(epochs=1, resume=False)
    assert trainer.end() == 0
    (line,) = [line for line in trainer.log().splitlines() if line.startswith("an unfinished training with")]
    for difference in ("other training data", f"epochs {EPOCHS}, not 1", "seed 1, not 42"):
        assert difference in line
    assert not trainer.training.exists()


def test_a_damaged_checkpoint_falls_back_to_the_one_before(trainer):
    trainer.start("--seed", "1")
    assert trainer.end() == 0
    expected = trainer.weights()
    stop_after_an_epoch(trainer, signal.SIGKILL)
    files = sorted(trainer.training.glob("epoch-*.npz"))
    assert len(files) == 2
    content = bytearray(files[-1].read_bytes())
    content[len(content) // 2] ^= 255
    files[-1].write_bytes(content)
    trainer.start("--seed", "1")
    assert trainer.end() == 0
    assert f"{files[-1].name} cannot be used" in trainer.log()
    assert trainer.weights() == expected


def test_two_trainings_of_one_model(trainer):
    first = trainer.start("--seed", "1", epochs=1000)
    trainer.wait_for(lambda: unfinished(trainer.training))
    running = f"another training of the same model is running \\(process {first}\\)"
    with pytest.raises(UserError, match=running), checkpoints.locked(trainer.folder / "fashion_model.h5"):
        pass
    os.kill(first, signal.SIGKILL)
    trainer.end()
    with checkpoints.locked(trainer.folder / "fashion_model.h5"):  # a stale lock is no lock
        assert (trainer.training / "lock").read_text() == f"{os.getpid()}\n"


def test_a_model_that_cannot_be_written_can_be_resumed_to(trainer):
    import resource  # not on Windows

    """The disk is full when all epochs are done: the older model and the checkpoints stay."""
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


def full_disk(monkeypatch, times, number=errno.ENOSPC):
    """The next `times` checkpoints cannot be written."""
    real, left = np.savez, iter(range(times))

    def savez(path, **arrays):
        if next(left, None) is not None:
            raise OSError(number, os.strerror(number))
        real(path, **arrays)

    monkeypatch.setattr(np, "savez", savez)


@pytest.mark.parametrize("times, expected", [(1, [4, 3]), (2, [4]), (3, [])])
def test_older_checkpoints_make_room_for_a_new_one(three_epochs, tmp_path, monkeypatch, capsys, times, expected):
    folder, model, _ = three_epochs
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    kept = checkpoints.Checkpoints(tmp_path, {"seed": 0})
    full_disk(monkeypatch, times)
    kept.save(model, {"loss": [1.0] * 4})
    assert [epoch for epoch, _ in checkpoints.stored(tmp_path)] == expected
    assert ("No space left" in capsys.readouterr().err) == (not expected)


def test_the_checkpoints_of_another_training_go_when_this_one_has_its_own(three_epochs, tmp_path):
    _, model, _ = three_epochs
    (tmp_path / "epoch-00007.npz").touch()
    checkpoints.Checkpoints(tmp_path, {"seed": 0}).save(model, {"loss": [1.0]})
    assert [epoch for epoch, _ in checkpoints.stored(tmp_path)] == [1]


def test_a_checkpoint_that_cannot_be_written_is_told_once_and_costs_no_other(
    three_epochs, tmp_path, monkeypatch, capsys
):
    folder, model, _ = three_epochs
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    kept = checkpoints.Checkpoints(tmp_path, {"seed": 0})
    full_disk(monkeypatch, 2, errno.EIO)
    for epochs in (4, 5):
        kept.save(model, {"loss": [1.0] * epochs})
    assert [epoch for epoch, _ in checkpoints.stored(tmp_path)] == [3, 2]
    assert capsys.readouterr().err.count("cannot be resumed") == 1


def test_a_fingerprint_is_of_all_that_the_data_is():
    images, labels = np.zeros((4, 2), np.uint8), np.arange(4)
    same = checkpoints.fingerprint(images.copy(), labels.copy())
    assert checkpoints.fingerprint(images, labels) == same
    others = (images, labels[::-1]), (images + 1, labels), (images.reshape(2, 4), labels), (images.astype(bool), labels)
    assert same not in {checkpoints.fingerprint(*arrays) for arrays in others}


def test_a_folder_that_cannot_be_made_does_not_stop_a_training(tmp_path, capsys):
    (tmp_path / ".m.h5.training").touch()  # in the way
    with checkpoints.locked(tmp_path / "m.h5"):
        pass
    assert "cannot be resumed" in capsys.readouterr().err
    assert (tmp_path / ".m.h5.training").is_file()


def test_the_name_of_a_model_may_be_as_long_as_can_be(tmp_path):
    with checkpoints.locked(tmp_path / ("m" * 252 + ".h5")) as folder:
        assert folder.is_dir()
    assert not folder.exists()


def test_a_link_to_a_model_does_not_evade_its_lock(tmp_path):
    (tmp_path / "link.h5").symlink_to("m.h5")
    for _ in range(2):  # the lock ends with its training
        with checkpoints.locked(tmp_path / "m.h5") as folder, pytest.raises(UserError, match="another training"):
            checkpoints.locked(tmp_path / "link.h5").__enter__()
        assert not folder.exists()


def test_on_windows_the_lock_is_found_whatever_its_holder_has_written(tmp_path, monkeypatch):
    """There a lock is one of bytes: those from the place in the file on. What is locked cannot be read by others."""
    locked = []

    class Windows:
        LK_NBLCK = 2

        @staticmethod
        def locking(descriptor, mode, count):
            place = os.lseek(descriptor, 0, os.SEEK_CUR)
            if place in locked:
                raise PermissionError(errno.EACCES, "Permission denied")
            locked.append(place)

    monkeypatch.setattr(checkpoints, "fcntl", None)
    monkeypatch.setattr(checkpoints, "msvcrt", Windows, raising=False)
    with checkpoints.locked(tmp_path / "m.h5") as folder:
        (place,) = locked
        assert place > len((folder / "lock").read_bytes())
        with pytest.raises(UserError, match=f"process {os.getpid()}"), checkpoints.locked(tmp_path / "m.h5"):
            pass


def test_a_loss_that_is_no_number_keeps_the_checkpoints_before_it(trainer):
    trainer.start("--seed", "1", "--learning-rate", "100000")
    assert trainer.end() == 1
    assert "the loss is not a number" in trainer.log().splitlines()[-1]
    assert not (trainer.folder / "fashion_model.h5").exists()


def settings_of(folder, seed=0):
    """Return small data, split, and a recipe with dropout, whose random state must come back."""
    write_data(folder / "data", train=240)
    images, labels = loading.load_part("train", folder / "data", any_data=True)
    training, validation = preparation.split(preparation.reshape(images), labels, seed)
    return dataclasses.replace(RECIPES["classic"], epochs=3), training, validation, 10, seed


def test_in_one_process_a_resumed_training_has_the_whole_history(tmp_path):
    arguments = settings_of(tmp_path)
    kept = checkpoints.Checkpoints(tmp_path, {"a": [1]}, resume=True)
    expected, _ = train(*arguments, kept)
    assert kept.finished() == 3
    (tmp_path / "epoch-00003.npz").unlink()
    resumed, history = train(*arguments, kept)
    assert all(len(history[name]) == 3 for name in history if name != "learning_rates")
    for one, other in zip(expected.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    other = checkpoints.Checkpoints(tmp_path, {"a": [2]}, resume=True)
    assert other.finished() == 0
    with pytest.raises(UserError, match=r"has a \[1\], not \[2\]"):
        train(*arguments, other)


def test_another_machine_is_told_and_resumed(three_epochs, tmp_path, capsys):
    folder, model, _ = three_epochs
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    theirs = {"seed": 0, "cores": 2, "versions": {"keras": "3.12.0"}, "bfloat16": True}
    for _, path in checkpoints.stored(tmp_path):
        damage(lambda header: header | {"settings": theirs})(path)
    other = checkpoints.Checkpoints(tmp_path, theirs | {"cores": 4, "bfloat16": False}, resume=True)
    assert other.finished() == 3
    assert len(other.restore(model)["loss"]) == 3
    told = capsys.readouterr().err
    assert "has cores 2, not 4" in told and "has bfloat16 True, not False" in told


def test_resume_on_a_first_start_starts(tmp_path, capsys):
    _, history = train(*settings_of(tmp_path), checkpoints.Checkpoints(tmp_path, {}, resume=True))
    assert len(history["loss"]) == 3
    assert "no checkpoint to resume from: starting a new training" in capsys.readouterr().out


def damage(change):
    """Return a function that rewrites a checkpoint's header by `change`."""

    def rewrite(path):
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        header = change(json.loads(arrays["header"].tobytes()))
        arrays["header"] = np.frombuffer(header if isinstance(header, bytes) else json.dumps(header).encode(), np.uint8)
        np.savez(path, **arrays)

    return rewrite


def with_nan(path):
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["variable3"] = np.full_like(arrays["variable3"], np.nan)
    np.savez(path, **arrays)


def inflating(path):
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    parts["header.npy"] = np.lib.format.magic(1, 0) + b"\0" * 50_000_000
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name, content)


@pytest.fixture(scope="module")
def three_epochs(tmp_path_factory):
    """Return a folder with the checkpoints after epochs 2 and 3, a model to restore, the weights after epoch 2."""
    folder = tmp_path_factory.mktemp("training")
    recipe, training, *rest = settings_of(folder)
    train(recipe, training, *rest, checkpoints.Checkpoints(folder, {"seed": 0}))
    shutil.rmtree(folder / "data")
    model = compiled(recipe, build(recipe, 10, 0), training[0], 0, 18)
    second = folder.with_name("second")
    shutil.copytree(folder, second)
    (second / "epoch-00003.npz").unlink()
    checkpoints.Checkpoints(second, {"seed": 0}, resume=True).restore(model)
    return folder, model, model.get_weights()


@pytest.mark.parametrize(
    "spoil",
    [
        damage(lambda header: []),
        damage(lambda header: 3),
        damage(lambda header: None),
        damage(lambda header: {}),
        damage(lambda header: header | {"history": {"loss": [1.0]}}),
        damage(lambda header: header | {"history": {"loss": ["a", "b", "c"]}}),
        damage(lambda header: header | {"settings": 7}),
        damage(lambda header: b"[" * 100_000),
        damage(lambda header: b"\xff\xfe"),
        with_nan,
        inflating,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        lambda path: np.save(path.open("wb"), np.zeros(3)),
        lambda path: (path.unlink(), os.mkfifo(path)),
    ],
)
def test_a_checkpoint_that_makes_no_sense_falls_back_to_the_one_before(three_epochs, tmp_path, spoil):
    folder, model, weights = three_epochs
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    spoil(tmp_path / "epoch-00003.npz")
    for name in ("epoch-abc.npz", "epoch-00002 (copy).npz"):  # not ours
        (tmp_path / name).touch()
    history = checkpoints.Checkpoints(tmp_path, {"seed": 0}, resume=True).restore(model)
    assert len(history["loss"]) == 2
    for one, other in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_checkpoint_of_another_version_is_refused_and_does_not_stop_a_new_training(three_epochs, tmp_path):
    folder, model, _ = three_epochs
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    for _, path in checkpoints.stored(tmp_path):
        damage(lambda header: {"facts": header["settings"], "history": header["history"]})(path)
    with pytest.raises(UserError, match="cannot resume: the unfinished training has settings of another version"):
        checkpoints.Checkpoints(tmp_path, {"seed": 0}, resume=True).restore(model)
    assert checkpoints.Checkpoints(tmp_path, {"seed": 0}).restore(model) == {}


def test_a_checkpoint_of_another_network_or_optimizer_is_refused(three_epochs, tmp_path):
    folder, model, _ = three_epochs
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    ours = {"seed": 0, "layers": "one", "optimizer": "Adam"}
    for _, path in checkpoints.stored(tmp_path):
        damage(lambda header: header | {"settings": ours | {"layers": "another", "optimizer": "SGD"}})(path)
    with pytest.raises(UserError, match="has another network and optimizer SGD, not Adam; use the same"):
        checkpoints.Checkpoints(tmp_path, ours, resume=True).restore(model)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_told_once(tmp_path, monkeypatch, capsys, number):
    import fcntl

    def flock(file, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with checkpoints.locked(tmp_path / "m.h5") as folder:
        assert folder.is_dir()
    assert capsys.readouterr().err.count("this file system has no locks") == 1
    assert not folder.exists()
