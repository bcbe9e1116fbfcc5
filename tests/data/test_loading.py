"""loading.py and idx.py find good data wherever it lies, and refuse bad data with the reason; download.py: once."""

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import ROOT, WITH_PIPES, assert_small_data, load, pictures, write_data
from conftest import idx as idx_file
from pyimagesearch.data import download, idx, kaggle, loading
from pyimagesearch.data.idx import FILES
from pyimagesearch.errors import UserError

(IMAGES, LABELS), CSV = FILES["train"], kaggle.FILES["train"]
SETPRIV = shutil.which("setpriv")  # here: some tests empty the PATH


@pytest.mark.parametrize("packed, name", [(True, "{}"), (False, "{}"), (False, "{}.gz"), (False, "dotted")])
def test_data_is_read_in_every_form_that_people_have_it(tmp_path, monkeypatch, packed, name):
    for path in list(write_data(tmp_path / "data", packed=packed).iterdir()):
        if name == "dotted":
            path.rename(path.with_name(path.name.replace("-idx", ".idx")))
            path.mkdir()  # a folder of the published name
        else:
            path.rename(name.format(path))
    assert_small_data(load(tmp_path / "data", any_data=True))
    monkeypatch.setenv("FASHION_MNIST_DIR", str(tmp_path / "data"))
    assert_small_data(load(any_data=True))


@settings(deadline=None)
@given(st.sampled_from([LABELS, f"{LABELS}.gz", CSV]), st.floats(0, 1), st.binary(max_size=50), st.booleans())
def test_any_bytes_given_as_a_data_file_are_read_or_end_in_a_sentence(name, place, inserted, cut):
    content = b"\n".join([b"3" + b",7" * 784] * 20) if name == CSV else idx_file(pictures(20)[1])
    content = gzip.compress(content, mtime=0) if name.endswith(".gz") else content
    start = int(place * len(content))
    content = content[:start] + inserted + (b"" if cut else content[start + len(inserted) // 2 :])
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, name).write_bytes(content)
        Path(folder, IMAGES).write_bytes(idx_file(pictures(20)[0]))
        try:
            images, labels = loading.load_part("train", folder, any_data=True)
            assert images.shape == (len(labels), 28, 28) and labels.max() < 100
        except UserError as error:
            assert folder in str(error) and "\n" not in str(error)


def test_other_data_is_refused_unless_accepted_and_the_printed_line_says_which(small_data, empty_machine, capsys):
    with pytest.raises(UserError, match=f"{IMAGES}.gz: its content is not the genuine .*--any-data"):
        write_data(small_data, 601)
        load(small_data)
    images, _ = pictures(601, 1)
    known = [loading.Data(small_data, any_data=True).holds(one) for one in (images[:9].repeat(3, 0), 255 - images)]
    assert known == [True, False] and capsys.readouterr().out == ""
    load(small_data, any_data=True)
    loading.load_part("test", empty_machine)
    assert capsys.readouterr().out.splitlines() == [
        f"training data: {small_data} (not verified)",
        f"test data: {small_data} (not verified)",
        f"test data: {empty_machine} (verified by SHA-256)",
    ]


@pytest.mark.parametrize(
    "write, message",
    [
        (lambda folder: folder.rmdir(), "cannot read .*given: No such file or directory; check the path"),
        (lambda folder: None, f"no files {IMAGES} or {IMAGES}.gz .* no fashion-mnist_train.csv"),
        pytest.param(lambda folder: os.mkfifo(folder / IMAGES), "no data in .*given", marks=WITH_PIPES),
        pytest.param(lambda folder: os.mkfifo(folder / CSV), "no data in .*given", marks=WITH_PIPES),
    ],
)
def test_given_folder_is_the_only_one_tried(empty_machine, tmp_path, write, message):
    shutil.copytree(empty_machine, download.keras_cache())
    (tmp_path / "given").mkdir()
    write(tmp_path / "given")
    with pytest.raises(UserError, match=message):
        load(tmp_path / "given")


def test_a_bad_file_of_the_system_or_the_user_stays_where_it_is(empty_machine, tmp_path):
    for folder, given_folder in (download.PACKAGE_FOLDER, None), (tmp_path / "given", tmp_path / "given"):
        shutil.copytree(empty_machine, folder)
        (folder / f"{LABELS}.gz").write_bytes(b"bad")
        with pytest.raises(UserError, match=f"{LABELS}.gz: truncated"):
            loading.load_part("train", given_folder)
        assert (folder / f"{LABELS}.gz").exists()


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
        assert bool(empty) == (f"no training image has the label {empty};" in capsys.readouterr().out)


def as_user(code, path):
    """Run Python code that file permissions bind, while they close `path`. Returns (stdout, stderr), as lines."""
    setup = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\nfrom pyimagesearch.data import download, idx, loading\n"
        f"idx.SHA256.update({idx.SHA256!r}); download.PACKAGE_FOLDER = Path({str(download.PACKAGE_FOLDER)!r})\n"
    )
    command = [sys.executable, "-c", setup + code]
    if os.geteuid() == 0:  # give up the privileges of root
        if not SETPRIV:
            pytest.skip("root, and no setpriv to give up its privileges")
        command[:0] = [SETPRIV, "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search,-fowner"]
    before = path.stat().st_mode
    path.chmod(0)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    finally:
        path.chmod(before)  # so that the folder can be removed
    return done.stdout.splitlines(), done.stderr.splitlines()


@pytest.mark.skipif(sys.platform == "win32", reason="file modes")
def test_an_unreadable_cache_stays_as_it_is_and_the_next_source_is_tried(empty_machine):
    cache = download.keras_cache()
    for folder in (cache, download.PACKAGE_FOLDER):
        shutil.copytree(empty_machine, folder)
    output, (line,) = as_user("print(loading.load_part('train')[0].sum())", cache / f"{IMAGES}.gz")
    assert output[-1] == str(pictures(600, 1)[0].sum())
    assert line.startswith(f"cannot read {cache / IMAGES}.gz: Permission denied; trying the next source")
    assert sorted(path.name for path in cache.iterdir()) == sorted(path.name for path in empty_machine.iterdir())
    _, lines = as_user(f"loading.load_part('train', {str(cache)!r})", cache.parent)  # data that is given
    assert f"UserError: cannot read {cache}: Permission denied" in lines[-1]
    assert lines[-1].endswith("give yourself permission to read it")


@pytest.mark.parametrize(
    "content, labels, expected",
    [
        ("\ufeffcat \r\n dog\r\n\r\n", [0, 1], ("cat", "dog")),
        ("Kleid\nHöschen\n靴", [0, 1], ("Kleid", "Höschen", "靴")),  # more names than labels
        ("a\x1b[31m\nb", [1], ("a?[31m", "b")),
    ],
)
def test_class_names(tmp_path, content, labels, expected):
    (tmp_path / "names.txt").write_bytes(content.encode())
    assert loading.Data().class_names(tmp_path / "names.txt", np.uint8([0]), np.uint8(labels)) == expected


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "No such file or directory"),
        ("\n".join(map(str, range(101))).encode(), "it has 101 names, and 2 to 100"),
        (b"a\nb\nc\nd", "it has 4 names, but the labels go up to 4"),
        (b"a\nb\nc\nb\n", "lines 2 and 4 are the same name, 'b'"),
        (b"a\n" + b"b" * 51, "line 2 .* over 50 characters"),
        (b"\x89PNG\r\n\x1a\n\0", "it is not text in UTF-8"),
        pytest.param("a pipe", "it is not a regular file", marks=WITH_PIPES),
    ],
)
def test_bad_class_names_are_a_sentence(tmp_path, content, message):
    if content == "a pipe":  # not to be waited for
        os.mkfifo(tmp_path / "names.txt")
    elif content:
        (tmp_path / "names.txt").write_bytes(content)
    with pytest.raises(UserError, match=f"cannot use .*names.txt for class names: .*{message}.*; give a text file"):
        loading.Data().class_names(tmp_path / "names.txt", np.uint8([0, 4]))


def test_digits_and_swapped_files_are_recognized(empty_machine, monkeypatch):
    other = idx_file(pictures(600, 9)[0])
    monkeypatch.setattr(idx, "DIGITS", {hashlib.sha256(other).hexdigest()})
    (empty_machine / f"{IMAGES}.gz").write_bytes(gzip.compress(other))
    with pytest.raises(UserError, match="this is MNIST, the handwritten digits"):
        load(empty_machine)
    shutil.copy(empty_machine / "t10k-images-idx3-ubyte.gz", empty_machine / f"{IMAGES}.gz")
    with pytest.raises(UserError, match="another file of the data set: t10k-images-idx3-ubyte"):
        load(empty_machine)


GOOD = idx_file(pictures(600, 1)[0])
DAMAGED = {
    "short": (GOOD[:-1], "truncated: 470399 of 470400 bytes"),
    "html": (b"<html>sign in to this network</html>", "not an IDX file of 28x28 gray images"),
    "other shape": (idx_file(np.zeros((600, 64, 64), np.uint8)), "images are 64x64, and 28x28 gray images are needed"),
    "white is 1": (idx_file(pictures(600)[0] // 200), "the largest pixel is 1, and white is 255; multiply .* 255"),
    "white is 14": (idx_file(pictures(600)[0] // 15), "the largest pixel is 14, and white is 255; multiply .* 18"),
    "no images": (idx_file(np.zeros((0, 28, 28), np.uint8)), "promises 0 28x28 gray images"),
    "too many": (GOOD[:4] + (1_000_001).to_bytes(4, "big") + GOOD[8:], "promises 1,000,001 .*1 to 1,000,000"),
    "bad gzip": (gzip.compress(GOOD)[:200] + b"\0" * 200, "cannot be decompressed"),
    "gzip bomb": (gzip.compress(GOOD[:16] + bytes(10**8)), "more bytes than its header promises"),
}


@pytest.mark.parametrize("content, message", DAMAGED.values(), ids=DAMAGED)
def test_damaged_files_are_named_with_the_reason(small_data, content, message):
    (small_data / f"{IMAGES}.gz").write_bytes(content)
    with pytest.raises(UserError, match=f"({IMAGES}.gz|{small_data}): .*{message}") as caught:
        load(small_data, any_data=True)
    assert "genuine" not in str(caught.value)  # other data was asked for


@pytest.fixture
def server(empty_machine, monkeypatch):
    """An empty machine from which the small data set can be downloaded. Returns the folder that is the server."""
    monkeypatch.setattr(download, "URL", f"{empty_machine.as_uri()}/")
    return empty_machine


def test_download_into_the_cache_once_with_sizes_and_a_bar(server, monkeypatch, capsys):
    bars = []
    monkeypatch.setattr(download, "CHUNK", 10_000)
    monkeypatch.setattr(download.progress, "track", lambda parts, name, total: bars.append((name, total)) or parts)
    assert_small_data(load())
    printed = capsys.readouterr().out
    for name in idx.SHA256:
        size = (server / f"{name}.gz").stat().st_size
        assert f"downloading {name}.gz ({size / 1e6:.1f} MB)" in printed
        assert (f"{name}.gz", max(1, size // 10_000)) in bars
    assert sorted(path.name for path in download.keras_cache().iterdir()) == sorted(f"{n}.gz" for n in idx.SHA256)
    shutil.rmtree(server)
    assert_small_data(load())


def test_bad_file_in_the_cache_is_set_aside_and_fetched_again(server, capsys):
    cache = download.keras_cache()
    shutil.copytree(server, cache)
    bad = (cache / f"{IMAGES}.gz").read_bytes()[:1000]
    (cache / f"{IMAGES}.gz").write_bytes(bad)
    assert_small_data(load())
    assert (cache / f"{IMAGES}.gz.corrupt").read_bytes() == bad
    assert (cache / f"{IMAGES}.gz").read_bytes() == (server / f"{IMAGES}.gz").read_bytes()
    assert re.search(f"{IMAGES}.gz: truncated.*renamed to {IMAGES}.gz.corrupt", capsys.readouterr().err)


def test_a_bad_download_leaves_nothing_and_names_what_to_do(server):
    shutil.copy(server / f"{FILES['test'][0]}.gz", server / f"{IMAGES}.gz")
    with pytest.raises(UserError) as caught:
        load()
    assert not list(download.keras_cache().glob("*"))
    places = [download.keras_cache(), download.PACKAGE_FOLDER, download.URL, "Connect to the internet"]
    for place in (*places, "install the package dataset-fashion-mnist", "--data-dir or FASHION_MNIST_DIR"):
        assert str(place) in str(caught.value)


def test_a_cache_that_cannot_be_written_does_not_stop_a_run(server, tmp_path, capsys):
    (tmp_path / "keras").write_text("a file where the folder should be")
    assert_small_data(load())
    assert "cannot be stored" in capsys.readouterr().err


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="no dpkg-deb here")
def test_debian_package_without_download(empty_machine, tmp_path, monkeypatch):
    binaries = tmp_path / "bin"  # an apt-get that has the package, and the real dpkg-deb
    monkeypatch.setenv("PATH", f"{binaries}:/usr/bin:/bin")
    package = tmp_path / "package"
    shutil.copytree(empty_machine, package / download.PACKAGE_FOLDER.relative_to("/"))
    (package / "DEBIAN").mkdir()
    control = "Package: dataset-fashion-mnist\nVersion: 1\nArchitecture: all\nMaintainer: T <t@t>\nDescription: t\n"
    (package / "DEBIAN/control").write_text(control)
    subprocess.run(["dpkg-deb", "--build", package, tmp_path / "p.deb"], check=True, capture_output=True)
    binaries.mkdir()
    (binaries / "apt-get").write_text(f'#!/bin/sh\ncase "$*" in *download*) cp {tmp_path}/p.deb d.deb;; esac\n')
    (binaries / "apt-get").chmod(0o755)
    assert_small_data(load())
    shutil.rmtree(binaries)
    assert_small_data(load())  # from the cache


@pytest.mark.parametrize("proxy", ["http:/proxy:8080", "http://127.0.0.1:99999"])
def test_a_malformed_proxy_is_told_and_the_next_source_is_tried(empty_machine, monkeypatch, capsys, proxy):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setattr(download, "from_package", lambda cache: {"the next": "source"})
    with pytest.raises(KeyError):  # it has other files
        load()
    assert "cannot fetch the data from http" in capsys.readouterr().err
