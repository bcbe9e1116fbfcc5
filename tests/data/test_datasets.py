"""datasets.py finds good data anywhere, and uses no bad data ever."""

import gzip
import hashlib
import http.server
import re
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest

from conftest import ROOT, idx, pictures, write_data
from pyimagesearch.data import loading as datasets
from pyimagesearch.errors import UserError

IMAGES, LABELS = datasets.FILES["train"]


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A machine with nothing on it, for which the small data set is the genuine one. Returns the folder of sources."""
    source = write_data(tmp_path / "source")
    for name in datasets.GENUINE:
        content = gzip.decompress((source / f"{name}.gz").read_bytes())
        monkeypatch.setitem(datasets.GENUINE, name, hashlib.sha256(content).hexdigest())
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("FASHION_MNIST_DIR", raising=False)
    monkeypatch.setattr(datasets, "SYSTEM_FOLDER", tmp_path / "usr/share/datasets/fashion-mnist")
    monkeypatch.setattr(datasets, "URL", "http://127.0.0.1:9/")  # nobody listens there
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))  # no apt-get
    return source


@pytest.fixture
def server(world, monkeypatch):
    """The same machine with a download: the server answers with the small data set. `cut` bytes are held back."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        cut = 0
        served = []

        def do_GET(self):
            content = (world / self.path.lstrip("/")).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) - self.cut])
            self.served.append(self.path)

        def log_message(self, *arguments):
            pass

    Handler.served = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        monkeypatch.setattr(datasets, "URL", f"http://127.0.0.1:{httpd.server_port}/")
        yield Handler
        httpd.shutdown()


def assert_small_data(loaded):
    (images, labels), (test_images, test_labels) = loaded
    for array, expected in zip((images, labels), pictures(600, 1), strict=True):
        assert array.dtype == np.uint8
        np.testing.assert_array_equal(array, expected)
    for array, expected in zip((test_images, test_labels), pictures(200, 2), strict=True):
        np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("packed", [True, False])
def test_given_folder_plain_or_packed(tmp_path, packed, monkeypatch):
    folder = write_data(tmp_path / "data", packed=packed)
    assert_small_data(datasets.load(folder, any_data=True))
    monkeypatch.setenv("FASHION_MNIST_DIR", str(folder))
    assert_small_data(datasets.load(any_data=True))


def test_a_gz_that_the_browser_unpacked_is_read(tmp_path):
    folder = write_data(tmp_path / "data")
    (folder / f"{IMAGES}.gz").write_bytes(gzip.decompress((folder / f"{IMAGES}.gz").read_bytes()))
    assert_small_data(datasets.load(folder, any_data=True))


def test_other_data_are_refused_unless_accepted(small_data):
    with pytest.raises(UserError, match=f"{IMAGES}.gz: its content is not the genuine .*--any-data"):
        datasets.load(small_data)


def test_given_folder_is_the_only_one_tried(world, tmp_path):
    shutil.copytree(world, datasets.keras_cache())
    with pytest.raises(UserError, match="no such folder"):
        datasets.load(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=f"it has no {IMAGES} or {IMAGES}.gz"):
        datasets.load(tmp_path / "empty")


def test_only_the_part_asked_for_is_read(small_data):
    for name in datasets.FILES["test"]:
        (small_data / f"{name}.gz").unlink()
    images, labels = datasets.load_part("train", small_data, any_data=True)
    assert images.shape == (600, 28, 28)
    assert labels.shape == (600,)


def test_digits_and_swapped_files_are_recognised(world, monkeypatch):
    other = idx(pictures(600, 9)[0])
    monkeypatch.setattr(datasets, "DIGITS", {hashlib.sha256(other).hexdigest()})
    (world / f"{IMAGES}.gz").write_bytes(gzip.compress(other))
    with pytest.raises(UserError, match="it is MNIST, the handwritten digits"):
        datasets.load(world)
    shutil.copy(world / "t10k-images-idx3-ubyte.gz", world / f"{IMAGES}.gz")
    with pytest.raises(UserError, match="another file of the data set: t10k-images-idx3-ubyte"):
        datasets.load(world)


GOOD = idx(pictures(600, 1)[0])
DAMAGED = {
    "empty": (b"", "truncated: 0 bytes"),
    "short": (GOOD[:-1], "truncated: 470399 of 470400 bytes"),
    "long": (GOOD + b"x", "more bytes than its header promises"),
    "magic": (b"\0\0\x0d\x03" + GOOD[4:], "not an IDX file"),
    "html": (b"<html>sign in to this network</html>", "not an IDX file"),
    "other shape": (idx(np.zeros((600, 32, 32), np.uint8)), r"the shape \(600, 32, 32\)"),
    "absurd count": (GOOD[:4] + b"\xff" * 4 + GOOD[8:], r"the shape \(4294967295, 28, 28\)"),
    "cut gzip": (gzip.compress(GOOD)[:-20], "cannot be decompressed"),
    "bad gzip": (gzip.compress(GOOD)[:200] + b"\0" * 200, "cannot be decompressed"),
    "gzip bomb": (gzip.compress(GOOD[:16] + bytes(10**8)), "more bytes than its header promises"),
}


@pytest.mark.parametrize("content, message", DAMAGED.values(), ids=DAMAGED)
def test_damaged_files_are_named_with_the_reason(tmp_path, content, message):
    folder = write_data(tmp_path / "data")
    (folder / f"{IMAGES}.gz").write_bytes(content)
    with pytest.raises(UserError, match=f"{IMAGES}.gz: .*{message}"):
        datasets.load(folder, any_data=True)


def test_labels_out_of_range_and_unequal_counts(tmp_path):
    folder = write_data(tmp_path / "data")
    (folder / f"{LABELS}.gz").write_bytes(gzip.compress(idx(np.full(600, 10, np.uint8))))
    with pytest.raises(UserError, match="it has a label 10; labels are 0 to 9"):
        datasets.load(folder, any_data=True)
    (folder / f"{LABELS}.gz").write_bytes(gzip.compress(idx(np.zeros(599, np.uint8))))
    with pytest.raises(UserError, match="600 train images but 599 labels"):
        datasets.load(folder, any_data=True)


def test_cache_then_system_folder(world):
    shutil.copytree(world, datasets.SYSTEM_FOLDER)
    assert_small_data(datasets.load())
    assert not datasets.keras_cache().exists()
    shutil.copytree(world, datasets.keras_cache())
    shutil.rmtree(datasets.SYSTEM_FOLDER)
    assert_small_data(datasets.load())


def test_download_into_the_cache_once(server):
    assert_small_data(datasets.load())
    assert sorted(path.name for path in datasets.keras_cache().iterdir()) == sorted(f"{n}.gz" for n in datasets.GENUINE)
    assert_small_data(datasets.load())
    assert len(server.served) == 4


def test_bad_file_in_the_cache_is_set_aside_and_fetched_again(world, server, capsys):
    cache = datasets.keras_cache()
    shutil.copytree(world, cache)
    bad = (cache / f"{IMAGES}.gz").read_bytes()[:1000]
    (cache / f"{IMAGES}.gz").write_bytes(bad)
    assert_small_data(datasets.load())
    assert (cache / f"{IMAGES}.gz.corrupt").read_bytes() == bad
    assert (cache / f"{IMAGES}.gz").read_bytes() == (world / f"{IMAGES}.gz").read_bytes()
    assert re.search(f"{IMAGES}.gz: truncated.*set aside as {IMAGES}.gz.corrupt", capsys.readouterr().err)


@pytest.mark.parametrize("cut", [1, 20000])
def test_cut_off_download_leaves_nothing_and_tells_the_ways_out(server, cut):
    server.cut = cut
    with pytest.raises(UserError) as caught:
        datasets.load()
    assert not list(datasets.keras_cache().glob("*"))
    message = str(caught.value)
    for part in (str(datasets.keras_cache()), str(datasets.SYSTEM_FOLDER), datasets.URL, "connect to the internet",
                 "install the package dataset-fashion-mnist", "--data-dir or FASHION_MNIST_DIR"):  # fmt: skip
        assert part in message


def test_wrong_answer_to_the_download_is_not_kept(world, server):
    (world / f"{IMAGES}.gz").write_bytes(b"<html>sign in to this network</html>")
    with pytest.raises(UserError, match=re.escape(datasets.URL)):
        datasets.load()
    assert not list(datasets.keras_cache().glob("*"))


def test_a_cache_that_cannot_be_written_is_no_obstacle(server, tmp_path, capsys):
    (tmp_path / "keras").write_text("a file where the folder should be")
    assert_small_data(datasets.load())
    assert "could not be kept" in capsys.readouterr().err


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="no dpkg-deb here")
def test_debian_package_without_download(world, tmp_path, monkeypatch):
    binaries = tmp_path / "bin"  # an apt-get that has the package, and the real dpkg-deb
    monkeypatch.setenv("PATH", f"{binaries}:/usr/bin:/bin")
    package = tmp_path / "package"
    shutil.copytree(world, package / datasets.SYSTEM_FOLDER.relative_to("/"))
    (package / "DEBIAN").mkdir()
    (package / "DEBIAN/control").write_text(
        "Package: dataset-fashion-mnist\nVersion: 1\nArchitecture: all\nMaintainer: T <t@t>\nDescription: t\n"
    )
    subprocess.run(["dpkg-deb", "--build", package, tmp_path / "p.deb"], check=True, capture_output=True)
    binaries.mkdir()
    (binaries / "apt-get").write_text(f'#!/bin/sh\ncase "$*" in *download*) cp {tmp_path}/p.deb d.deb;; esac\n')
    (binaries / "apt-get").chmod(0o755)
    assert_small_data(datasets.load())
    shutil.rmtree(binaries)
    assert_small_data(datasets.load())  # from the cache


def test_two_processes_at_the_same_time(server, tmp_path):
    shutil.copytree(tmp_path / "source", datasets.keras_cache())
    (datasets.keras_cache() / f"{IMAGES}.gz").write_bytes(b"bad")
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\nfrom pyimagesearch.data import loading as datasets\n"
        f"datasets.URL = {datasets.URL!r}; datasets.GENUINE.update({datasets.GENUINE!r})\n"
        f"datasets.SYSTEM_FOLDER = Path({str(datasets.SYSTEM_FOLDER)!r})\n"
        "print(datasets.load()[0][0].sum())"
    )
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for process in both:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert output.splitlines()[-1] == str(pictures(600, 1)[0].sum())
    assert not [path for path in datasets.keras_cache().iterdir() if "tmp" in path.name]


def mutations(rng, content):
    """Yield damaged versions of a file's content without end."""
    while True:
        changed = bytearray(content)
        kind = rng.integers(6)
        if kind == 0:  # flipped bytes
            for place in rng.integers(0, len(content), rng.integers(1, 4)):
                changed[place] ^= int(rng.integers(1, 256))
        elif kind == 1:  # a header that lies
            changed[int(rng.integers(0, 16))] = int(rng.integers(256))
        elif kind == 2:  # cut off
            del changed[int(rng.integers(0, len(content))) :]
        elif kind == 3:  # something behind the end: rubbish, zeros or a second member
            changed += [rng.bytes(9), bytes(9), gzip.compress(rng.bytes(9))][rng.integers(3)]
        elif kind == 4:  # a piece gone
            start = int(rng.integers(0, len(content)))
            del changed[start : start + int(rng.integers(1, 100))]
        else:  # a piece twice
            start = int(rng.integers(0, len(content)))
            changed[start:start] = content[start : start + int(rng.integers(1, 100))]
        yield bytes(changed)


def test_a_thousand_damaged_files_are_refused_or_read_right(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    array, path = pictures(20)[0], tmp_path / IMAGES
    monkeypatch.setitem(datasets.GENUINE, IMAGES, hashlib.sha256(idx(array)).hexdigest())
    plain, packed = mutations(rng, idx(array)), mutations(rng, gzip.compress(idx(array), mtime=0))
    packed_inside = (gzip.compress(content, 1) for content in mutations(rng, idx(array)))
    refused = 0
    for source in (plain, packed, packed_inside):
        for _ in range(400):
            path.write_bytes(next(source))
            try:
                np.testing.assert_array_equal(datasets._read(path, IMAGES), array)
            except datasets.BadFile as bad:
                assert "\n" not in str(bad)
                refused += 1
    assert 1000 < refused < 1200  # a few do no harm, such as zeros behind a gzip file
