"""files.py: a file is written whole or not at all."""

import errno
import os
import stat
import subprocess
import sys
import time

import pytest

from conftest import ROOT
from pyimagesearch import errors, files


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file.txt"
    with files.replacing(path) as temporary:
        temporary.write_text("first")
    assert path.read_text() == "first"
    with pytest.raises(ValueError, match="a bug"), files.replacing(path) as temporary:
        temporary.write_text("second")
        raise ValueError("a bug")
    with pytest.raises(errors.UserError, match="cannot write .*: No space left"), files.replacing(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_text() == "first"
    (tmp_path / ".file.7.tmp.txt").write_text("half of a killed process's file, from yesterday")
    os.utime(tmp_path / ".file.7.tmp.txt", (time.time() - 86400,) * 2)
    with files.replacing(path) as temporary:
        temporary.write_text("third")
    assert [item.name for item in tmp_path.iterdir()] == ["file.txt"]


def test_a_link_stays_a_link_and_its_target_is_replaced(tmp_path):
    target, link = tmp_path / "there" / "target.json", tmp_path / "link.json"
    target.parent.mkdir()
    link.symlink_to(target)
    for value in (1, 2):  # first the link points nowhere
        files.check_target(link)
        files.write_json(link, value)
        assert link.is_symlink()
        assert target.read_text() == f"{value}\n"
    assert os.listdir(target.parent) == ["target.json"]


def test_a_pipe_and_a_device_are_written_into(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        files.check_target(pipe, stream=True)
        files.write_json(pipe, [1])
        assert reader.communicate()[0] == b"[\n  1\n]\n"
    assert pipe.is_fifo()
    with pytest.raises(errors.UserError, match="it is a device, a pipe or a socket"):
        files.check_target(pipe)
    try:
        os.mknod(tmp_path / "null", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        (tmp_path / "null").write_bytes(b"")
    except OSError:
        pytest.skip("only root may make a device, and not everywhere")
    files.check_target(tmp_path / "null", stream=True)
    files.write_json(tmp_path / "null", 1)
    assert (tmp_path / "null").is_char_device()


def test_a_pipe_that_nobody_reads_from_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "WAIT", 0.2)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(errors.UserError, match="cannot write to .*pipe: nobody reads from this pipe"):
        files.write_text(tmp_path / "pipe", "text")


@pytest.mark.parametrize("name", ["/dev/stdout", "same file"])
def test_the_file_that_stdout_goes_to_gets_everything_in_order(tmp_path, name):
    out = tmp_path / "out.txt"
    path = out if name == "same file" else name
    program = (
        f"from pyimagesearch import files; print('before'); files.write_text({str(path)!r}, 'text\\n'); print('after')"
    )
    with out.open("w") as file:
        subprocess.run([sys.executable, "-c", program], stdout=file, cwd=ROOT, check=True)
    assert out.read_text() == "before\ntext\nafter\n"


@pytest.mark.parametrize("name", ["a" * 300, "loop", "missing/x.json", "folder"])
def test_a_target_that_cannot_be_written_is_one_sentence(tmp_path, name):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    with pytest.raises(errors.UserError, match="cannot write"):
        files.check_target(tmp_path / name, stream=True)
