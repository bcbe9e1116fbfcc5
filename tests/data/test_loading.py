"""loading.py finds good data wherever it lies, and never uses bad data."""

import gzip
import hashlib
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from conftest import ROOT, assert_small_data, pictures, without_privileges, write_data
from conftest import idx as idx_file
from pyimagesearch.data import download, idx, kaggle, loading
from pyimagesearch.data.idx import FILES
from pyimagesearch.errors import UserError

IMAGES, LABELS = FILES["train"]


def rename(folder, change):
    for path in folder.iterdir():
        path.rename(path.with_name(change(path.name)))


def to_csv(folder, seed=None, packed=False):
    """Replace the IDX files of a folder by Kaggle's CSV files, with the images in another order if a seed is given."""
    for part, (images, labels) in zip(("train", "test"), loading.load(folder, any_data=True), strict=True):
        order = np.arange(len(labels)) if seed is None else np.random.default_rng(seed).permutation(len(labels))
        table = np.column_stack([labels, images.reshape(len(images), -1)])[order]
        header = ",".join(["label", *(f"pixel{k}" for k in range(1, 785))])
        np.savetxt(folder / kaggle.FILES[part], table, "%d", ",", header=header, comments="")
        if packed:
            content = (folder / kaggle.FILES[part]).read_bytes()
            (folder / f"{kaggle.FILES[part]}.gz").write_bytes(gzip.compress(content, 1))
            (folder / kaggle.FILES[part]).unlink()
        for name in FILES[part]:
            (folder / f"{name}.gz").unlink()


LAYOUTS = {
    "gzip": lambda folder: write_data(folder),
    "plain": lambda folder: write_data(folder, packed=False),
    "plain under the name .gz": lambda folder: rename(write_data(folder, packed=False), lambda name: f"{name}.gz"),
    "dots, gzip": lambda folder: rename(write_data(folder), lambda name: name.replace("-idx", ".idx")),
    "dots, plain": lambda folder: rename(write_data(folder, packed=False), lambda name: name.replace("-idx", ".idx")),
    "folders of the same names beside dots": lambda folder: [
        rename(write_data(folder), lambda name: name.replace("-idx", ".idx")),
        *((folder / name).mkdir() for part in FILES.values() for name in part),
    ],
    "CSV": lambda folder: to_csv(write_data(folder)),
    "CSV, gzip": lambda folder: to_csv(write_data(folder), packed=True),
}


@pytest.mark.parametrize("write", LAYOUTS.values(), ids=LAYOUTS)
def test_data_is_read_in_every_form_that_people_have_it(tmp_path, monkeypatch, write):
    write(tmp_path / "data")
    assert_small_data(loading.load(tmp_path / "data", any_data=True))
    monkeypatch.setenv("FASHION_MNIST_DIR", str(tmp_path / "data"))
    assert_small_data(loading.load(any_data=True))


@pytest.mark.parametrize("seed", [None, 3], ids=["same order", "other order"])
def test_genuine_csv_needs_no_flag_in_whatever_order(empty_machine, monkeypatch, capsys, seed):
    for part, (images, labels) in zip(("train", "test"), loading.load(empty_machine), strict=True):
        rows = sorted(bytes([label]) + image.tobytes() for image, label in zip(images, labels, strict=True))
        monkeypatch.setitem(kaggle.SHA256_SORTED, part, hashlib.sha256(b"".join(rows)).hexdigest())
    to_csv(empty_machine, seed)
    images, labels = loading.load_part("train", empty_machine)
    assert ("another order" in capsys.readouterr().out) == (seed is not None)
    expected, expected_labels = pictures(600, 1)
    order = np.arange(600) if seed is None else np.random.default_rng(seed).permutation(600)
    np.testing.assert_array_equal(images, expected[order])
    np.testing.assert_array_equal(labels, expected_labels[order])

    path = empty_machine / kaggle.FILES["train"]
    path.write_text(path.read_text().replace(",220,220,", ",220,221,", 1))
    with pytest.raises(UserError, match=f"{path.name}: its content is not the genuine train images.*--any-data"):
        loading.load_part("train", empty_machine)


def test_other_data_is_refused_unless_accepted(small_data):
    with pytest.raises(UserError, match=f"{IMAGES}.gz: its content is not the genuine .*--any-data"):
        loading.load(small_data)


NO_DATA = {
    "no folder": (lambda folder: None, "there is no such folder"),
    "empty folder": (
        lambda folder: folder.mkdir(),
        f"it has no {IMAGES} or {IMAGES}.gz, and no fashion-mnist_train.csv",
    ),
    "a file": (lambda folder: folder.write_bytes(b""), "it is not a folder"),
    "a pipe": (lambda folder: os.mkfifo(folder), "it is not a folder"),
    "a pipe for a data file": (
        lambda folder: [folder.mkdir(), os.mkfifo(folder / f"{IMAGES}.gz")],
        f"{IMAGES}.gz is not a regular file",
    ),
    "a folder for a data file": (
        lambda folder: (folder / IMAGES).mkdir(parents=True),
        f"{IMAGES} is not a regular file",
    ),
    "a pipe for a CSV file": (
        lambda folder: [folder.mkdir(), os.mkfifo(folder / kaggle.FILES["train"])],
        f"{kaggle.FILES['train']} is not a regular file",
    ),
    "a loop of links": (lambda folder: folder.symlink_to(folder), "cannot read the folder .*; choose another"),
}


@pytest.mark.parametrize("write, message", NO_DATA.values(), ids=NO_DATA)
def test_given_folder_is_the_only_one_tried(empty_machine, tmp_path, write, message):
    shutil.copytree(empty_machine, download.keras_cache())
    write(tmp_path / "given")
    with pytest.raises(UserError, match=message):
        loading.load(tmp_path / "given")


def test_a_path_that_is_too_long_is_a_sentence():
    with pytest.raises(UserError, match="cannot read the folder x+: File name too long; choose another"):
        loading.load("x" * 300)


def test_only_the_part_asked_for_is_read(small_data):
    for name in FILES["test"]:
        (small_data / f"{name}.gz").unlink()
    images, labels = loading.load_part("train", small_data, any_data=True)
    assert images.shape == (600, 28, 28)
    assert labels.shape == (600,)


def write_labels(folder, labels):
    (folder / f"{LABELS}.gz").write_bytes(gzip.compress(idx_file(np.resize(np.uint8(labels), 600))))


def test_labels_go_to_99(small_data):
    write_labels(small_data, range(100))
    _, labels = loading.load_part("train", small_data, any_data=True)
    assert labels.tolist() == np.resize(np.arange(100), 600).tolist()


@pytest.mark.parametrize(
    "labels, message",
    [
        ([0, 100], f"{LABELS}.gz: it has the label 100; labels are 0 to 99"),
        ([7], "all training labels are 7; use data of two classes or more"),
    ],
)
def test_labels_that_no_network_can_learn(small_data, labels, message):
    write_labels(small_data, labels)
    with pytest.raises(UserError, match=message):
        loading.load(small_data, any_data=True)


def test_unequal_counts(small_data):
    (small_data / f"{LABELS}.gz").write_bytes(gzip.compress(idx_file(np.zeros(599, np.uint8))))
    with pytest.raises(UserError, match="has 600 train images but 599 labels"):
        loading.load(small_data, any_data=True)


def test_cache_then_system_folder(empty_machine):
    shutil.copytree(empty_machine, download.PACKAGE_FOLDER)
    assert_small_data(loading.load())
    assert not download.keras_cache().exists()
    shutil.copytree(empty_machine, download.keras_cache())
    shutil.rmtree(download.PACKAGE_FOLDER)
    assert_small_data(loading.load())


def as_user(code):
    """Run Python code that file permissions bind, even if the tests run as root. Returns the CompletedProcess."""
    setup = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\nfrom pyimagesearch.data import download, idx, loading\n"
        f"idx.SHA256.update({idx.SHA256!r}); download.PACKAGE_FOLDER = Path({str(download.PACKAGE_FOLDER)!r})\n"
    )
    command = [*without_privileges(), sys.executable, "-c", setup + code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.fixture
def chmod():
    """chmod(path, mode), undone after the test so that the folder can be removed."""
    changed = []

    def change(path, mode):
        changed.append((path, path.stat().st_mode))
        path.chmod(mode)

    yield change
    for path, mode in reversed(changed):
        path.chmod(mode)


@pytest.mark.skipif(sys.platform == "win32", reason="file modes")
@pytest.mark.parametrize(
    "closed, mode",
    [("keras", 0), ("keras/datasets", 0), ("keras/datasets/fashion-mnist", 0), ("keras/datasets/fashion-mnist", 0o444),
     (f"keras/datasets/fashion-mnist/{IMAGES}.gz", 0)],
)  # fmt: skip
def test_an_unreadable_cache_stays_as_it_is_and_the_next_source_is_tried(empty_machine, tmp_path, chmod, closed, mode):
    cache = download.keras_cache()
    shutil.copytree(empty_machine, cache)
    before = sorted(cache.iterdir())
    shutil.copytree(empty_machine, download.PACKAGE_FOLDER)
    chmod(tmp_path / closed, mode)
    done = as_user("print(loading.load()[0][0].sum())")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(pictures(600, 1)[0].sum())
    unreadable = tmp_path / closed if closed.endswith(".gz") else cache
    assert done.stderr == f"cannot read {unreadable}: Permission denied; trying the next source\n"
    chmod(tmp_path / closed, 0o755)
    assert sorted(cache.iterdir()) == before


@pytest.mark.skipif(sys.platform == "win32", reason="file modes")
@pytest.mark.parametrize(
    "closed, mode, what",
    [("", 0, "the folder {0}"), ("", 0o444, "the folder {0}"), ("..", 0, "the folder {0}"),
     (f"{LABELS}.gz", 0, "{0}/" + LABELS + ".gz")],
)  # fmt: skip
def test_unreadable_given_data_is_a_sentence_that_helps(tmp_path, chmod, closed, mode, what):
    folder = write_data(tmp_path / "above/data")
    chmod((folder / closed).resolve(), mode)
    done = as_user(f"loading.load({str(folder)!r}, any_data=True)")
    last = done.stderr.splitlines()[-1]
    assert last.endswith(
        f"UserError: cannot read {what.format(folder)}: Permission denied; give yourself permission to read it"
    )


TEN = "\n".join(f"kind {k}" for k in range(10))
NAMES = {
    "with a BOM, spaces and blank lines at the end": ("\ufeffcat \r\n dog\r\n\r\n", [0, 1], ("cat", "dog")),
    "more names than labels": (TEN, [0, 3], tuple(TEN.splitlines())),
    "control characters": ("a\x1b[31m\nb", [1], ("a?[31m", "b")),
    "UTF-8": ("Kleid\nHöschen\n靴", [0, 2], ("Kleid", "Höschen", "靴")),
}


@pytest.mark.parametrize("content, labels, expected", NAMES.values(), ids=NAMES)
def test_class_names(tmp_path, content, labels, expected):
    (tmp_path / "names.txt").write_bytes(content.encode())
    assert loading.class_names(tmp_path / "names.txt", np.uint8([0]), np.uint8(labels)) == expected


def test_only_fashion_mnist_has_names_of_clothes():
    assert loading.class_names(None, np.uint8([0, 1])) == loading.CLASS_NAMES
    assert loading.class_names(None, np.uint8([0]), np.uint8([0, 1]), any_data=True) == ("class 0", "class 1")


BAD_NAMES = {
    "missing": (lambda path: None, "No such file or directory"),
    "a folder": (lambda path: path.mkdir(), "it is not a regular file"),
    "a pipe": (lambda path: os.mkfifo(path), "it is not a regular file"),
    "empty": (lambda path: path.write_text("\n"), "it is empty"),
    "one name": (lambda path: path.write_text("cat\n"), "it has 1 names, and 2 to 100 classes are supported"),
    "too many": (
        lambda path: path.write_text("\n".join(map(str, range(101)))),
        "it has 101 names, and 2 to 100 classes are supported",
    ),
    "too few": (lambda path: path.write_text("a\nb\nc"), "it has 3 names, but the labels go up to 4"),
    "twice": (lambda path: path.write_text("a\nb\nc\nb\n"), "lines 2 and 4 are the same name, 'b'"),
    "blank": (lambda path: path.write_text("a\n\nb\n"), "line 2 is empty"),
    "long": (lambda path: path.write_text("a\n" + "b" * 51), "line 2 has over 50 characters"),
    "not text": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n\0"), "it is not text in UTF-8"),
    "huge": (lambda path: path.write_bytes(bytes(10**6)), "it is too large"),
}


@pytest.mark.parametrize("write, message", BAD_NAMES.values(), ids=BAD_NAMES)
def test_bad_class_names_are_a_sentence(tmp_path, write, message):
    write(tmp_path / "names.txt")
    with pytest.raises(UserError, match=f"cannot use .*names.txt for class names: {message}; give a text file"):
        loading.class_names(tmp_path / "names.txt", np.uint8([0, 4]))
