"""loading.py finds good data wherever it lies, and never uses bad data."""

import gzip
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import ROOT, assert_small_data, load, pictures, without_privileges, write_data
from conftest import idx as idx_file
from pyimagesearch.data import download, idx, kaggle, loading
from pyimagesearch.data.idx import FILES
from pyimagesearch.errors import UserError

IMAGES, LABELS = FILES["train"]
HEADER = ",".join(["label", *(f"pixel{k}" for k in range(1, 785))])


def dotted(folder):
    for path in folder.iterdir():
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))


LAYOUTS = {
    "gzip": lambda folder: write_data(folder),
    "plain": lambda folder: write_data(folder, packed=False),
    "plain under the name .gz": lambda folder: [
        path.rename(f"{path}.gz") for path in write_data(folder, packed=False).iterdir()
    ],
    "folders of the same names beside names with dots": lambda folder: [
        dotted(write_data(folder, packed=False)),
        *((folder / name).mkdir() for part in FILES.values() for name in part),
    ],
}


@pytest.mark.parametrize("write", LAYOUTS.values(), ids=LAYOUTS)
def test_data_is_read_in_every_form_that_people_have_it(tmp_path, monkeypatch, write):
    write(tmp_path / "data")
    assert_small_data(load(tmp_path / "data", any_data=True))
    monkeypatch.setenv("FASHION_MNIST_DIR", str(tmp_path / "data"))
    assert_small_data(load(any_data=True))


WHOLE = {
    LABELS: idx_file(pictures(20)[1]),
    kaggle.FILES["train"]: "\n".join([HEADER, *(f"{k}" + ",7" * 784 for k in range(3))]).encode(),
}
WHOLE |= {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in WHOLE.items()}


@settings(deadline=None)
@given(st.data())
def test_any_bytes_given_as_a_data_file_are_read_or_end_in_a_sentence(data):
    name = data.draw(st.sampled_from(sorted(WHOLE)))
    whole = WHOLE[name]
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 30)) | st.just(len(whole)))
    content = data.draw(st.just(whole[:start]) | st.just(b"")) + data.draw(st.binary(max_size=50)) + whole[end:]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(content)
        if name.startswith(LABELS):
            (Path(folder) / IMAGES).write_bytes(idx_file(pictures(20)[0]))
        try:
            images, labels = loading.load_part("train", folder, any_data=True)
        except UserError as error:
            assert folder in str(error) and "\n" not in str(error)
        else:
            assert images.shape == (len(labels), 28, 28) and labels.max() < 100


def test_other_data_is_refused_unless_accepted_and_the_printed_line_says_which(small_data, empty_machine, capsys):
    with pytest.raises(UserError, match=f"{IMAGES}.gz: its content is not the genuine .*--any-data"):
        write_data(small_data, 601)
        load(small_data)
    load(small_data, any_data=True)
    assert capsys.readouterr().out.splitlines() == [
        f"{part} data: {small_data} (not verified)" for part in ("training", "test")
    ]
    loading.load_part("test", empty_machine)
    assert capsys.readouterr().out == f"test data: {empty_machine} (verified by SHA-256)\n"
    with pytest.raises(UserError, match="--any-data needs --data-dir"):
        loading.load_part("test", any_data=True)


NO_DATA = {
    "no folder": (lambda folder: None, "cannot read .*given: No such file or directory; check the path"),
    "empty folder": (lambda folder: folder.mkdir(), f"no files {IMAGES} or {IMAGES}.gz .* no fashion-mnist_train.csv"),
    "pipes for data files": (
        lambda folder: [folder.mkdir(), *(os.mkfifo(folder / name) for name in (IMAGES, kaggle.FILES["train"]))],
        "no data in .*given",
    ),
}


@pytest.mark.parametrize("write, message", NO_DATA.values(), ids=NO_DATA)
def test_given_folder_is_the_only_one_tried(empty_machine, tmp_path, write, message):
    shutil.copytree(empty_machine, download.keras_cache())
    write(tmp_path / "given")
    with pytest.raises(UserError, match=message):
        load(tmp_path / "given")


def test_a_bad_file_of_the_system_or_the_user_stays_where_it_is(empty_machine, tmp_path, capsys):
    for folder in (download.keras_cache(), download.PACKAGE_FOLDER, tmp_path / "given"):
        shutil.copytree(empty_machine, folder)
        (folder / f"{LABELS}.gz").write_bytes(b"bad")
    for given_folder in (None, tmp_path / "given"):
        with pytest.raises(UserError, match=f"{LABELS}.gz: truncated"):
            loading.load_part("train", given_folder)
    assert (download.PACKAGE_FOLDER / f"{LABELS}.gz").exists() and (tmp_path / f"given/{LABELS}.gz").exists()
    assert "not used" in capsys.readouterr().err
    assert (download.keras_cache() / f"{LABELS}.gz.corrupt").exists()


@pytest.mark.parametrize(
    "labels, message",
    [
        (np.resize(np.arange(100), 600), None),
        ([1, 3] * 300, None),
        ([0, 100] * 300, f"{LABELS}.gz: it has the label 100; labels are 0 to 99"),
        ([7] * 600, "all training labels are 7; use data of two classes or more"),
        ([0, 1], "has 600 train images but 2 labels"),
    ],
)
def test_labels_are_0_to_99_of_two_classes_and_as_many_as_images(small_data, labels, message, capsys):
    (small_data / f"{LABELS}.gz").write_bytes(gzip.compress(idx_file(np.uint8(labels))))
    if message:
        with pytest.raises(UserError, match=message):
            load(small_data, any_data=True)
    else:
        np.testing.assert_array_equal(loading.load_part("train", small_data, any_data=True)[1], labels)
        empty = ", ".join(map(str, {*range(max(labels))} - {*labels}))
        assert bool(empty) == (f"no training image has the label {empty};" in capsys.readouterr().err)


def test_cache_then_system_folder(empty_machine):
    shutil.copytree(empty_machine, download.PACKAGE_FOLDER)
    assert_small_data(load())
    assert not download.keras_cache().exists()
    shutil.copytree(empty_machine, download.keras_cache())
    shutil.rmtree(download.PACKAGE_FOLDER)
    assert_small_data(load())


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
@pytest.mark.parametrize("closed, mode", [("", 0o444), (f"{IMAGES}.gz", 0)])
def test_an_unreadable_cache_stays_as_it_is_and_the_next_source_is_tried(empty_machine, chmod, closed, mode):
    cache = download.keras_cache()
    shutil.copytree(empty_machine, cache)
    before = sorted(cache.iterdir())
    shutil.copytree(empty_machine, download.PACKAGE_FOLDER)
    chmod(cache / closed, mode)
    done = as_user("print(loading.load_part('train')[0].sum())")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(pictures(600, 1)[0].sum())
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"cannot read {cache}") and "Permission denied; trying the next source" in line
    cache.chmod(0o755)
    assert sorted(cache.iterdir()) == before


@pytest.mark.skipif(sys.platform == "win32", reason="file modes")
@pytest.mark.parametrize("closed", [".", "..", f"{LABELS}.gz"])
def test_unreadable_given_data_is_a_sentence_that_helps(tmp_path, chmod, closed):
    folder = write_data(tmp_path / "above/data")
    chmod((folder / closed).resolve(), 0)
    last = as_user(f"loading.load_part('train', {str(folder)!r}, any_data=True)").stderr.splitlines()[-1]
    assert f"UserError: cannot read {folder / closed if 'gz' in closed else folder}: Permission denied" in last
    assert last.endswith("give yourself permission to read it")


NAMES = {
    "with a BOM, spaces and blank lines at the end": ("\ufeffcat \r\n dog\r\n\r\n", [0, 1], ("cat", "dog")),
    "more names than labels, in UTF-8": ("Kleid\nHöschen\n靴", [0, 1], ("Kleid", "Höschen", "靴")),
    "control characters": ("a\x1b[31m\nb", [1], ("a?[31m", "b")),
}


@pytest.mark.parametrize("content, labels, expected", NAMES.values(), ids=NAMES)
def test_class_names(tmp_path, content, labels, expected):
    (tmp_path / "names.txt").write_bytes(content.encode())
    assert loading.Data().class_names(tmp_path / "names.txt", np.uint8([0]), np.uint8(labels)) == expected


def test_only_fashion_mnist_has_names_of_clothes(tmp_path):
    assert loading.Data().class_names(None, np.uint8([0, 1])) == loading.CLASS_NAMES
    names = loading.Data(tmp_path, any_data=True).class_names(None, np.uint8([0]), np.uint8([0, 1]))
    assert names == ("class 0", "class 1")


BAD_NAMES = {
    "missing": (lambda path: None, "No such file or directory"),
    "a pipe": (lambda path: os.mkfifo(path), "it is not a regular file"),
    "empty": (lambda path: path.write_text("\n"), "it has 0 names"),
    "too many": (lambda path: path.write_text("\n".join(map(str, range(101)))), "it has 101 names, and 2 to 100"),
    "too few": (lambda path: path.write_text("a\nb\nc\nd"), "it has 4 names, but the labels go up to 4"),
    "twice": (lambda path: path.write_text("a\nb\nc\nb\n"), "lines 2 and 4 are the same name, 'b'"),
    "long": (lambda path: path.write_text("a\n" + "b" * 51), "line 2 .* over 50 characters"),
    "not text": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n\0"), "it is not text in UTF-8"),
}


@pytest.mark.parametrize("write, message", BAD_NAMES.values(), ids=BAD_NAMES)
def test_bad_class_names_are_a_sentence(tmp_path, write, message):
    write(tmp_path / "names.txt")
    with pytest.raises(UserError, match=f"cannot use .*names.txt for class names: .*{message}.*; give a text file"):
        loading.Data().class_names(tmp_path / "names.txt", np.uint8([0, 4]))
