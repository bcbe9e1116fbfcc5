"""loading.py finds good data wherever it lies, and never uses bad data."""

import gzip
import shutil

import numpy as np
import pytest

from conftest import assert_small_data, write_data
from conftest import idx as idx_file
from pyimagesearch.data import download, loading
from pyimagesearch.data.idx import FILES
from pyimagesearch.errors import UserError

IMAGES, LABELS = FILES["train"]


@pytest.mark.parametrize("packed", [True, False])
def test_given_folder_plain_or_packed(tmp_path, packed, monkeypatch):
    folder = write_data(tmp_path / "data", packed=packed)
    assert_small_data(loading.load(folder, any_data=True))
    monkeypatch.setenv("FASHION_MNIST_DIR", str(folder))
    assert_small_data(loading.load(any_data=True))


def test_a_gz_that_the_browser_unpacked_is_read(tmp_path):
    folder = write_data(tmp_path / "data")
    (folder / f"{IMAGES}.gz").write_bytes(gzip.decompress((folder / f"{IMAGES}.gz").read_bytes()))
    assert_small_data(loading.load(folder, any_data=True))


def test_other_data_is_refused_unless_accepted(small_data):
    with pytest.raises(UserError, match=f"{IMAGES}.gz: its content is not the genuine .*--any-data"):
        loading.load(small_data)


def test_given_folder_is_the_only_one_tried(empty_machine, tmp_path):
    shutil.copytree(empty_machine, download.keras_cache())
    with pytest.raises(UserError, match="no such folder"):
        loading.load(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=f"it has no {IMAGES} or {IMAGES}.gz"):
        loading.load(tmp_path / "empty")


def test_only_the_part_asked_for_is_read(small_data):
    for name in FILES["test"]:
        (small_data / f"{name}.gz").unlink()
    images, labels = loading.load_part("train", small_data, any_data=True)
    assert images.shape == (600, 28, 28)
    assert labels.shape == (600,)


def test_labels_out_of_range_and_unequal_counts(tmp_path):
    folder = write_data(tmp_path / "data")
    (folder / f"{LABELS}.gz").write_bytes(gzip.compress(idx_file(np.full(600, 10, np.uint8))))
    with pytest.raises(UserError, match="it has the label 10; labels are 0 to 9"):
        loading.load(folder, any_data=True)
    (folder / f"{LABELS}.gz").write_bytes(gzip.compress(idx_file(np.zeros(599, np.uint8))))
    with pytest.raises(UserError, match="has 600 train images but 599 labels"):
        loading.load(folder, any_data=True)


def test_cache_then_system_folder(empty_machine):
    shutil.copytree(empty_machine, download.PACKAGE_FOLDER)
    assert_small_data(loading.load())
    assert not download.keras_cache().exists()
    shutil.copytree(empty_machine, download.keras_cache())
    shutil.rmtree(download.PACKAGE_FOLDER)
    assert_small_data(loading.load())
