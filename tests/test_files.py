"""files.py: a file is written whole or not at all."""

import errno
import os
import stat
import subprocess
import sys
import time
from unittest import mock

import pytest

from conftest import ROOT, WITH_PIPES, file_size
from pyimagesearch import errors, files


def run_code(code, path, **streams):
    """Run code in a process, with `path`."""
    imports = "import os, sys; from pathlib import Path; from pyimagesearch import files; path = Path(sys.argv[1])\n"
    return subprocess.run([sys.executable, "-c", imports + code, path], cwd=ROOT, text=True, **streams)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file.txt"
    files.write_text(path, "first")
    with pytest.raises(ValueError, match="a bug"), files.replacing(path) as temporary:
        temporary.write_text("second")
        raise ValueError("a bug")
    with pytest.raises(errors.UserError, match="cannot write .*: No space left"), files.replacing(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_text() == "first"
    for name, age in (("yesterday", 86400), ("now", 0)):  # of a process that was killed, and one that is at work
        (tmp_path / f"{files.TEMPORARY}{name}.tmp.txt").write_text("half of a file")
        os.utime(tmp_path / f"{files.TEMPORARY}{name}.tmp.txt", (time.time() - age,) * 2)
    files.write_text(path, "third")
    assert path.read_text() == "third"
    assert sorted(item.name for item in tmp_path.iterdir()) == [f"{files.TEMPORARY}now.tmp.txt", "file.txt"]


@pytest.mark.skipif(os.name != "posix", reason="permissions")
def test_permissions_and_owner_stay(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("private")
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 12, 34)
    before = path.stat()
    with files.replacing(path) as temporary:
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o640  # already while it is written
        temporary.write_text("new")
    after = path.stat()
    assert path.read_text() == "new"
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


def test_a_file_that_cannot_be_replaced_is_written_to(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    path.write_text("a longer text than the new one")
    inode = path.stat().st_ino

    monkeypatch.setattr(os, "replace", mock.Mock(side_effect=OSError(errno.EBUSY, os.strerror(errno.EBUSY))))
    files.write_text(path, "new")
    assert (path.read_text(), path.stat().st_ino) == ("new", inode)
    assert os.listdir(tmp_path) == ["file.txt"]
    with pytest.raises(errors.UserError, match="cannot write .*new.txt: Device or resource busy"):
        files.write_text(tmp_path / "new.txt", "new")


def test_a_link_stays_a_link_and_its_target_is_replaced(tmp_path):
    target, link = tmp_path / "there" / "target.json", tmp_path / "link.json"
    target.parent.mkdir()
    link.symlink_to(target)
    for value in (1, 2):  # first the link points nowhere
        files.check_target(link)
        files.write_json(link, value)
        assert link.is_symlink() and target.read_text() == f"{value}\n"
    assert os.listdir(target.parent) == ["target.json"]


@WITH_PIPES
def test_a_pipe_is_written_into(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        files.check_target(pipe, stream=True)
        files.write_json(pipe, [1])
        assert reader.communicate()[0] == b"[\n  1\n]\n"
    assert pipe.is_fifo()
    with pytest.raises(errors.UserError, match="it is a device, a pipe or a socket"):
        files.check_target(pipe)


@pytest.mark.parametrize("name", ["/dev/stdout", "out.txt"])
def test_the_file_that_stdout_goes_to_gets_everything_in_order(tmp_path, name):
    out = tmp_path / "out.txt"
    with out.open("w") as file:
        run_code("print('before'); files.write_text(path, 'text\\n'); print('after')", tmp_path / name, stdout=file)
    assert out.read_text() == "before\ntext\nafter\n"


@pytest.mark.parametrize("name", ["a" * 300, "loop", "missing/x.json", "folder", "precious.txt"])
def test_a_target_that_cannot_be_written_is_one_sentence(tmp_path, name):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    (tmp_path / "precious.txt").write_text("precious")
    (tmp_path / "precious.txt").chmod(0o444)  # for a superuser, too
    with pytest.raises(errors.UserError, match="cannot write"):
        files.check_target(tmp_path / name, stream=True)
    with pytest.raises(errors.UserError, match="cannot write .*precious.txt: it is read-only"):
        files.write_text(tmp_path / "precious.txt", "new")
    assert (tmp_path / "precious.txt").read_text() == "precious"
    assert sorted(os.listdir(tmp_path)) == ["folder", "loop", "precious.txt"]
    with file_size(10_000), pytest.raises(errors.UserError, match="cannot write to the folder"):  # an empty file fits
        files.check_folder(tmp_path)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may make files of other users")
@pytest.mark.parametrize("mode, refused", [(0o644, True), (0o666, False)])
def test_another_users_file_in_a_folder_for_all(tmp_path, mode, refused):
    """As in /tmp: it cannot be replaced; it is written to if its permissions allow that."""
    path = tmp_path / "all" / "file.txt"
    path.parent.mkdir()
    path.write_text("theirs")
    path.chmod(mode)
    path.parent.chmod(0o1777)
    for folder in path.parents[1:5]:  # up to those of pytest
        folder.chmod(folder.stat().st_mode | 0o711)
    code = "os.setgid(65534); os.setuid(65534); files.check_target(path); print('checked')\n"
    done = run_code(f"{code}files.write_text(path, 'ours')", path, capture_output=True)
    assert (done.stdout, "read-only" in done.stderr) == (("", True) if refused else ("checked\n", False)), done.stderr
    assert path.read_text() == ("theirs" if refused else "ours")
    assert os.listdir(path.parent) == ["file.txt"]
