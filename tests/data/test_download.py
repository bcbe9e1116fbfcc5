"""download.py fills the cache with verified files, once, whatever happens on the way."""

import os
import re
import shutil
import subprocess

import pytest

from conftest import assert_small_data, load
from pyimagesearch.data import download, idx
from pyimagesearch.data.idx import FILES
from pyimagesearch.errors import UserError

IMAGES = FILES["train"][0]


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


BAD = {
    "cut off": lambda server: os.truncate(server / f"{IMAGES}.gz", 1000),
    "of a network that wants a login": lambda server: (server / f"{IMAGES}.gz").write_bytes(b"<html>sign in"),
    "other data": lambda server: shutil.copy(server / f"{FILES['test'][0]}.gz", server / f"{IMAGES}.gz"),
}


@pytest.mark.parametrize("spoil", BAD.values(), ids=BAD)
def test_a_bad_download_leaves_nothing_and_names_what_to_do(server, spoil):
    spoil(server)
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
    (package / "DEBIAN/control").write_text(
        "Package: dataset-fashion-mnist\nVersion: 1\nArchitecture: all\nMaintainer: T <t@t>\nDescription: t\n"
    )
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
