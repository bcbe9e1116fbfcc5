"""A training that is stopped, killed or starved goes on as if nothing had happened, and nothing of the user's is lost.

The trainings are real ones on small data. Most run in children of one process that has imported Keras already: what is
killed is a process in the middle of its work, without the seconds that the import takes.
"""

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

from conftest import ROOT, write_data
from pyimagesearch.data import loading as datasets
from pyimagesearch.data import preparation as preprocessing
from pyimagesearch.errors import UserError
from pyimagesearch.training import checkpoints

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills, forks and limits of processes")

EPOCHS = 8
PARENT = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from pyimagesearch import errors
from pyimagesearch.cli import arguments, libraries
from pyimagesearch.cli.run import run
with libraries.quiet():
    import h5py, matplotlib.figure, keras, scipy.stats, sklearn.model_selection
    from pyimagesearch.training import train as training
import fashion_mnist
for line in sys.stdin:
    child = os.fork()
    if not child:
        sys.argv = ["fashion_mnist.py", *line.split()]
        log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        try:
            run(fashion_mnist.main)
        except SystemExit as end:
            os._exit(end.code or 0)
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Trainer:
    """Runs fashion_mnist.py in a folder, again and again."""

    def __init__(self, folder):
        self.folder, self.training = folder, folder / ".fashion_model.h5.training"
        write_data(folder / "data", train=240, test=10)
        self.parent = subprocess.Popen(
            [sys.executable, "-c", PARENT], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, *flags, epochs=EPOCHS):
        """Start a training and return its process number."""
        resume = ["--resume"] if checkpoints.unfinished(self.training) else []
        command = ["--data-dir", "data", "--any-data", "--epochs", str(epochs), "--batch-size", "32", *resume, *flags]
        self.parent.stdin.write(" ".join(command) + "\n")
        self.parent.stdin.flush()
        return int(self.parent.stdout.readline())

    def end(self):
        """Wait for the end of the training and return its status, negative for a signal."""
        return int(self.parent.stdout.readline())

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
def trainer(tmp_path):
    trainer = Trainer(tmp_path)
    yield trainer
    trainer.parent.stdin.close()
    trainer.parent.wait(timeout=60)


def kill_and_resume(trainer, rng, seed, kills):
    """Kill a training `kills` times, a third of them inside a checkpoint's write. Returns its weights at the end."""
    seeded = ("--seed", str(seed))
    while kills:
        done = checkpoints.unfinished(trainer.training)
        process = trainer.start(*seeded)
        if rng.random() < 1 / 3:
            trainer.wait_for(lambda child=process: list(trainer.training.glob(".*.tmp.npz")) or _gone(child))
            time.sleep(rng.uniform(0, 0.02))
        elif rng.random() < 1 / 2:
            trainer.wait_for(lambda child=process, n=done: checkpoints.unfinished(trainer.training) > n or _gone(child))
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


def kill_test(trainer, kills):
    rng = np.random.default_rng(0)
    seed = 0
    while kills:
        seed += 1
        trainer.start("--seed", str(seed))
        assert trainer.end() == 0, trainer.log()
        assert not trainer.training.exists()
        expected = trainer.weights()
        (trainer.folder / "fashion_model.h5").unlink()
        wanted = min(kills, 9)
        left, weights = kill_and_resume(trainer, rng, seed, wanted)
        assert weights == expected
        assert not trainer.training.exists()
        kills -= wanted - left
    assert "Traceback" not in trainer.log()


def test_killed_trainings_end_with_the_same_weights_bit_for_bit(trainer):
    kill_test(trainer, 25)


@pytest.mark.skipif("KILLS" not in os.environ, reason="long; run it with KILLS=100")
def test_many_more_kills(trainer):
    kill_test(trainer, int(os.environ["KILLS"]))


def stop_after_an_epoch(trainer, sign):
    process = trainer.start("--seed", "1")
    trainer.wait_for(lambda: checkpoints.unfinished(trainer.training) >= 2)
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
        assert checkpoints.unfinished(trainer.training)
        shutil.rmtree(trainer.training)
    assert "Traceback" not in trainer.log()
    assert not list(trainer.folder.glob(".*tmp*"))


def test_starting_anew_says_so_and_other_flags_are_refused_by_name(trainer):
    stop_after_an_epoch(trainer, signal.SIGTERM)
    trainer.start("--seed", "2")
    assert trainer.end() == 1
    assert "cannot resume: the unfinished training has the seed 1, this one 2" in trainer.log().splitlines()[-1]
    trainer.start("--seed", "1", epochs=9)
    assert trainer.end() == 1
    assert f"has the epochs {EPOCHS}, this one 9" in trainer.log().splitlines()[-1]
    write_data(trainer.folder / "data", train=250, test=10)
    trainer.start("--seed", "1")
    assert trainer.end() == 1
    assert "the unfinished training has the data " in trainer.log().splitlines()[-1]
    command = ["--data-dir", "data", "--any-data", "--epochs", "1", "--batch-size", "32"]
    trainer.parent.stdin.write(" ".join(command) + "\n")
    trainer.parent.stdin.flush()
    trainer.parent.stdout.readline()
    assert trainer.end() == 0
    assert "an unfinished training (stopped after epoch" in trainer.log()
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
    assert f"{files[-1].name} is damaged" in trainer.log()
    assert trainer.weights() == expected


def test_two_trainings_of_one_model(trainer):
    first = trainer.start("--seed", "1", epochs=1000)
    trainer.wait_for(lambda: checkpoints.unfinished(trainer.training))
    running = f"another training of the same model is running \\(process {first}\\)"
    with pytest.raises(UserError, match=running), checkpoints.locked(trainer.training):
        pass
    os.kill(first, signal.SIGKILL)
    trainer.end()
    with checkpoints.locked(trainer.training):  # a stale lock is no lock
        assert (trainer.training / "lock").read_text() == f"{os.getpid()}\n"


def limit_file_size(process, most):
    """Give a running process a disk that is full for files over `most` bytes."""
    resource.prlimit(process, resource.RLIMIT_FSIZE, (most, most))


def test_a_full_disk_is_a_sentence_and_loses_nothing(trainer):
    """In the first checkpoint, then in the model, then in a figure; after each the training goes on."""
    old = b"an older model"
    (trainer.folder / "fashion_model.h5").write_bytes(old)
    (trainer.folder / "images").mkdir()
    (trainer.folder / "images/plot.png").write_bytes(b"an older figure")

    limit_file_size(trainer.start("--seed", "1"), 1_000_000)
    assert trainer.end() == 1
    assert "cannot write .fashion_model.h5.training/epoch-00001.npz: File too large" in trainer.log().splitlines()[-1]
    assert (trainer.folder / "fashion_model.h5").read_bytes() == old

    process = trainer.start("--seed", "1")
    trainer.wait_for(lambda: checkpoints.unfinished(trainer.training) == EPOCHS)
    limit_file_size(process, 1_000_000)
    assert trainer.end() == 1
    assert "cannot write fashion_model.h5" in trainer.log().splitlines()[-1]
    assert (trainer.folder / "fashion_model.h5").read_bytes() == old

    process = trainer.start("--seed", "1")  # resumes, though all epochs are done
    trainer.wait_for(lambda: (trainer.folder / "fashion_model.h5").read_bytes() != old)
    limit_file_size(process, 10_000)
    assert trainer.end() == 1
    assert "cannot write images/plot.png" in trainer.log().splitlines()[-1]
    assert (trainer.folder / "images/plot.png").read_bytes() == b"an older figure"
    weights = trainer.weights()

    assert not list(trainer.folder.rglob("*.tmp*"))
    trainer.start("--seed", "1")
    assert trainer.end() == 0
    assert trainer.weights() == weights
    assert "Traceback" not in trainer.log()


def test_a_loss_that_is_no_number_keeps_the_checkpoints_before_it(trainer):
    trainer.start("--seed", "1", "--learning-rate", "100000")
    assert trainer.end() == 1
    assert "the loss is not a number" in trainer.log().splitlines()[-1]
    assert not (trainer.folder / "fashion_model.h5").exists()


def test_in_one_process_a_resumed_training_has_the_whole_history(tmp_path):
    import dataclasses

    from pyimagesearch.recipes import RECIPES
    from pyimagesearch.training.train import train

    write_data(tmp_path / "data", train=240)
    images, labels = datasets.load_part("train", tmp_path / "data", any_data=True)
    training, validation = preprocessing.split(preprocessing.reshape(images), labels, 0)
    recipe = dataclasses.replace(RECIPES["classic"], epochs=3)  # with dropout, whose random state must come back
    expected, _ = train(recipe, training, validation, 10, 0, tmp_path, {"a": [1]})
    (tmp_path / "epoch-00003.npz").unlink()
    resumed, history = train(recipe, training, validation, 10, 0, tmp_path, {"a": [1]}, resume=True)
    assert all(len(values) == 3 for values in history.values())
    for one, other in zip(expected.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(UserError, match=r"has the a \[1\], this one \[2\]"):
        train(recipe, training, validation, 10, 0, tmp_path, {"a": [2]}, resume=True)
