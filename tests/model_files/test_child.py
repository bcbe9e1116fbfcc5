"""child.py: whatever the process that reads a model file comes to, the user gets a sentence."""

import sys
import threading

import keras
import pytest
from keras import layers

from pyimagesearch.errors import UserError
from pyimagesearch.model_files import building, child, reading, saving

RECORD = {"recipe": "fast", "seed": 1, "epochs": 2, "training_images": 3, "versions": {}}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two files of a network: one that this project saved, and one that is somebody else's."""
    folder = tmp_path_factory.mktemp("files")
    model = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10)])
    saving.save(model, folder / "ours.h5", RECORD)
    model.save(folder / "theirs.h5")
    return folder / "ours.h5", folder / "theirs.h5"


@pytest.mark.parametrize(
    ("does", "words"),
    [
        ("import os; os.abort()", "the HDF5 library crashes"),
        ("raise MemoryError", "memory"),
        pytest.param("while True: pass", "too much processor time", marks=pytest.mark.slow),
        pytest.param("x = [bytearray(b'x' * 10**8) for _ in range(9)]", "memory", marks=pytest.mark.slow),
    ],
)
def test_a_file_on_which_hdf5_fails_is_refused(files, tmp_path, monkeypatch, does, words):
    """As HDF5 does on some damaged files: it takes the process along, never comes back, or wants all memory."""
    (tmp_path / "h5py.py").write_text(f"def __getattr__(name):\n    {does}\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=f"cannot load .*theirs.h5: .*{words}"):
        reading.read(files[1])


def test_only_files_of_others_are_tried_out(files, tmp_path, monkeypatch):
    (tmp_path / "keras.py").write_text("raise ValueError('tried out')")
    monkeypatch.syspath_prepend(tmp_path)
    ours, theirs = map(reading.read, files)
    assert ours.record and building.build(ours)
    with pytest.raises(UserError, match="cannot load .*theirs.h5: .*tried out"):
        building.build(theirs)


def test_reading_that_takes_long_is_told_and_a_process_that_does_not_start(files, monkeypatch, capsys):
    reading.read(files[0])
    waiting = [one for one in threading.enumerate() if isinstance(one, threading.Timer) and not one.finished.is_set()]
    assert not waiting  # to say ten seconds later what is no longer true
    monkeypatch.setattr(child, "PATIENCE", 0.001)
    reading.read(files[0])
    assert "ours.h5 takes long" in capsys.readouterr().err
    monkeypatch.setattr(sys, "executable", "/no/python")
    with pytest.raises(UserError, match="cannot load .*ours.h5: .*No such file"):
        reading.read(files[0])
