"""files.py: a file is written whole or not at all."""

import errno
import os
import time

import pytest

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
