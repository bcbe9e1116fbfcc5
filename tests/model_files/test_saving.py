"""saving.py: what is saved is what is loaded, and an old model is never lost."""

import json
import tempfile
import zipfile

import h5py
import numpy as np
import pytest

from conftest import RECORD, data, file_size
from pyimagesearch.errors import UserError
from pyimagesearch.evaluation.predict import predict
from pyimagesearch.minivggnet import MiniVGGNet
from pyimagesearch.model_files import building, reading, saving


@pytest.fixture(scope="module")
def model():
    return MiniVGGNet.build(28, 28, 1, 10, filters=(8, 8), dense=64)


@pytest.mark.parametrize("name", ["m.h5", "m.keras"])
def test_save_and_load_give_the_same_predictions_and_record(model, tmp_path, name):
    saving.save(model, tmp_path / name, RECORD)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    contents, (images, _) = reading.read(tmp_path / name), data(20)
    np.testing.assert_array_equal(predict(building.build(contents), images), predict(model, images))
    assert contents.record == RECORD


def test_what_a_record_says_is_used_only_if_it_is_plausible():
    for stored, used in ((0.5, 0.5), (0.01, 1.0), (100.0, 1.0), ("2", 1.0), (None, 1.0)):
        assert saving.temperature({"temperature": stored}) == used
    assert saving.class_names({"class_names": ["\x1b[31mshoe", "bag"]}) == ("?[31mshoe", "bag")
    for stored in (["shoe"], ["shoe", "shoe"], ["shoe", ""], ["shoe", 3], ["shoe", "b" * 10_000], "shoe bag"):
        assert saving.class_names({"class_names": stored}) == ()


def test_on_a_full_disk_the_old_file_stays_and_the_process_lives(model, tmp_path):
    """HDF5 ends the process when a write of its fails."""
    saving.save(model, tmp_path / "m.h5", RECORD)
    before = (tmp_path / "m.h5").read_bytes()
    for most in (10_000, len(before) - 1):
        with file_size(most), pytest.raises(UserError, match="cannot write"):
            saving.save(model, tmp_path / "m.h5", {})
    assert (tmp_path / "m.h5").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["m.h5"]


@pytest.mark.parametrize("folder_is_full", [False, True])
def test_a_model_that_cannot_take_its_place_is_saved_in_another(model, tmp_path, monkeypatch, folder_is_full):
    place, other = tmp_path / "place", tmp_path / "other"
    place.mkdir(), other.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(other))
    (place / "m.h5").mkdir()  # made by another program while the network was trained
    if folder_is_full:
        real, full = saving.replacing, other / "no/such/folder/m.h5"
        monkeypatch.setattr(saving, "replacing", lambda path: real(full if path.parent == place else path))
    with pytest.raises(UserError) as error:
        saving.save(model, place / "m.h5", RECORD)
    (saved,) = (other if folder_is_full else place).glob("m-*.h5")
    assert str(error.value).endswith(f"saved as {saved}")
    assert reading.parse(saved).record == RECORD


def change_a_weight(file):
    name, weights = next(iter(file["model_weights"].items()))
    weights[weights.attrs["weight_names"][0]][0] += 0.5


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.attrs.update(fashion_mnist=json.dumps(RECORD | {"epochs": 3})),
        lambda file: file.attrs.update(model_config=file.attrs["model_config"].replace('"same"', '"valid"')),
        change_a_weight,
    ],
)
def test_a_file_that_has_changed_since_it_was_saved_is_refused(model, tmp_path, change):
    saving.save(model, tmp_path / "m.h5", RECORD)
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        change(file)
    with pytest.raises(UserError, match="has changed since it was saved"):
        reading.parse(tmp_path / "m.h5")


@pytest.mark.parametrize("other", ['{"fashion_mnist": "{}"', json.dumps({"fashion_mnist_sha256": "0"})])
def test_a_keras_file_whose_record_does_not_belong_to_it_is_refused(model, tmp_path, other):
    model.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras", "a") as archive:
        archive.writestr("fashion_mnist.json", other)
    with pytest.raises(UserError, match="damaged|has changed since it was saved"):
        reading.read(tmp_path / "m.keras")
