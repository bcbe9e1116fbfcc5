"""checkpoints.py: a training that was stopped goes on as if it had not been; one training of a model at a time."""

import errno
import json
import os
import shutil
from unittest import mock

import keras
import numpy as np
import pytest

from conftest import data, file_size, small
from pyimagesearch.errors import UserError
from pyimagesearch.training import checkpoints
from pyimagesearch.training.network import build
from pyimagesearch.training.train import compiled, train

ALL_AT_RANDOM = {"dropout": 0.25, "dense_dropout": 0.5}  # and CutMix, flips, shifts
ARGUMENTS = small("best", epochs=3, batch_size=64, bfloat16=False, network=ALL_AT_RANDOM), data(200), data(20, 1), 10, 7


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return the weights and the history of a training of three epochs, and its checkpoint after two."""
    path = tmp_path_factory.mktemp("training") / "checkpoint.npz"
    kept, copy = checkpoints.Checkpoints(path, {"seed": 0}), path.with_name("after_two.npz")

    def end(epoch, logs):
        if epoch == 1:
            shutil.copy(path, copy)

    model, history = train(*ARGUMENTS, kept, more_callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=end)])
    return model.get_weights(), history, copy


@pytest.fixture
def path(trained, tmp_path):
    """The path of the checkpoint after two epochs, in a folder of its own."""
    return shutil.copy(trained[2], tmp_path / "checkpoint.npz")


@pytest.fixture(scope="module")
def model():
    """A model to restore, as at the start of the training."""
    recipe, (images, _), *_ = ARGUMENTS
    return compiled(recipe, build(recipe, 10, 0), images, 0, 9)


def test_a_resumed_training_ends_with_the_same_weights_bit_for_bit_and_the_whole_history(trained, path, capsys):
    weights, history, _ = trained
    kept = checkpoints.Checkpoints(path, {"seed": 0}, resume=True)
    resumed, its_history = train(*ARGUMENTS, kept)
    assert "resuming the unfinished training after epoch 2" in capsys.readouterr().out
    for one, other in zip(weights, resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (its_history["loss"], its_history["val_loss"]) == (history["loss"], history["val_loss"])
    assert ({len(values) for values in its_history.values()}, kept.epochs) == ({3}, 3)


def test_a_checkpoint_that_cannot_be_written_is_told_once_and_costs_no_other(model, path, capsys):
    kept = checkpoints.Checkpoints(path, {"seed": 0})
    before = path.read_bytes()
    with file_size(10_000):
        for epochs in (3, 4):
            kept.save(model, {"loss": [1.0] * epochs})
    assert os.listdir(path.parent) == ["checkpoint.npz"] and path.read_bytes() == before
    error = capsys.readouterr().err
    assert (kept.epochs, error.count("File too large"), error.count("cannot be resumed after epoch 3")) == (0, 1, 1)
    kept.save(model, {"loss": [1.0]})  # that of another training goes when this one has its own
    assert kept.epochs == 1 and path.read_bytes() != before


def change_header(path, change):
    with np.load(path) as file:
        arrays = dict(file)
    header = change(json.loads(arrays["header"].tobytes()))
    np.savez(path, **arrays | {"header": np.frombuffer(json.dumps(header).encode(), np.uint8)})


def flip_bits(path):
    content, arrays = bytearray(path.read_bytes()), dict(np.load(path)).values()
    content[content.index(max(arrays, key=lambda array: array.nbytes).tobytes())] ^= 255
    path.write_bytes(content)


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda path: checkpoints.Checkpoints(path, {}).remove(), "no checkpoint to resume from: starting a new"),
        (lambda path: change_header(path, lambda header: []), "checkpoint.npz cannot be used"),
        (lambda path: np.savez(path, **dict(list(np.load(path).items())[:-1])), "cannot be used"),  # another network's
        (flip_bits, "cannot be used"),
    ],
)
def test_a_checkpoint_that_is_damaged_or_missing_is_told_and_a_new_training_starts(model, path, spoil, words, capsys):
    spoil(path)
    before = model.get_weights()
    assert checkpoints.Checkpoints(path, {"seed": 0}, resume=True).restore(model) == {}
    assert words in "".join(capsys.readouterr())
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def restored(model, path, theirs, ours, resume=True):
    """Restore a checkpoint with their settings for a training with ours. Returns the history and its epochs."""
    change_header(path, lambda header: header | {"settings": theirs})
    kept = checkpoints.Checkpoints(path, ours, resume)
    return kept.restore(model), kept.epochs


def test_another_machine_is_told_and_resumed(model, path, capsys):
    theirs = {"seed": 0, "cores": 2, "versions": {"keras": "3.12.0"}, "bfloat16": True}
    history, epochs = restored(model, path, theirs, theirs | {"cores": 4, "bfloat16": False})
    assert len(history["loss"]) == epochs == 2
    told = capsys.readouterr().err
    assert "has cores 2, not 4" in told and "has bfloat16 True, not False" in told


def test_another_training_is_refused_by_name_unless_it_may_be_replaced(model, path, capsys):
    ours = {"seed": 0, "layers": "one", "optimizer": "Adam"}
    theirs = ours | {"layers": "another", "optimizer": "SGD"}
    with pytest.raises(UserError, match="has another network and optimizer SGD, not Adam; use the same"):
        restored(model, path, theirs, ours)
    with pytest.raises(UserError, match="cannot resume: the unfinished training has settings of another version"):
        restored(model, path, {"seed": 0}, ours)
    assert restored(model, path, theirs, ours, resume=False) == ({}, 0)
    replaced = "with another network and optimizer SGD, not Adam, stopped after epoch 2, is replaced"
    assert replaced in "".join(capsys.readouterr())
    assert restored(model, path, ours, ours, resume=False) == ({}, 2)
    assert "to go on with it instead, stop now and add --resume" in "".join(capsys.readouterr())


def test_a_fingerprint_is_of_all_that_the_data_is():
    images, labels = np.zeros((4, 2), np.uint8), np.arange(4)
    same = checkpoints.fingerprint(images.copy(), labels.copy())
    assert checkpoints.fingerprint(images, labels) == same
    others = (images, labels[::-1]), (images + 1, labels), (images.reshape(2, 4), labels), (images.astype(bool), labels)
    assert same not in {checkpoints.fingerprint(*arrays) for arrays in others}


def test_one_training_of_a_model_at_a_time(tmp_path):
    model = tmp_path / "m.h5"
    (tmp_path / "link.h5").symlink_to(model.name)
    for _ in range(2):  # the lock ends with its training
        with checkpoints.locked(model) as checkpoint, pytest.raises(UserError, match=f"process {os.getpid()}"):
            checkpoints.locked(tmp_path / "link.h5").__enter__()
        assert not checkpoint.parent.exists()


def test_a_folder_that_cannot_be_made_or_locked_does_not_stop_a_training(tmp_path, monkeypatch, capsys):
    (tmp_path / ".m.h5.training").touch()  # in the way
    with checkpoints.locked(tmp_path / "m.h5"):
        assert "cannot be resumed" in capsys.readouterr().err
    assert (tmp_path / ".m.h5.training").is_file()

    no_locks = mock.Mock(side_effect=OSError(errno.ENOLCK, os.strerror(errno.ENOLCK)))
    monkeypatch.setattr(pytest.importorskip("fcntl"), "flock", no_locks)
    with checkpoints.locked(tmp_path / "other.h5") as checkpoint:
        assert checkpoint.parent.is_dir()
    assert capsys.readouterr().err.count("this file system has no locks") == 1
    assert not checkpoint.parent.exists()
