"""console.py: how a script ends, and files that are whole or not there."""

import errno
import os
import platform
import subprocess
import sys
import time

import pytest

from conftest import ROOT
from pyimagesearch import files
from pyimagesearch.cli import console


def end_of(what):
    """Run `console.run` on a main that does `what` in a process of its own. Returns its status and stderr."""
    code = (
        "import errno, os, signal, sys; from pyimagesearch.cli import console\n"
        f"def main():\n    {what}\nsys.argv = ['script.py']\nconsole.run(main)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "what, status, words",
    [
        ("pass", 0, ""),
        ("raise console.UserError('no such thing; make one')", 1, "script.py: no such thing; make one\n"),
        ("raise console.UserError('a \\x1b[31mname')", 1, "script.py: a ?[31mname\n"),
        ("raise KeyboardInterrupt", 130, "script.py: stopped\n"),
        ("raise KeyboardInterrupt('go on so')", 130, "script.py: go on so\n"),
        ("os.kill(os.getpid(), signal.SIGTERM)", 143, "script.py: stopped\n"),
        ("raise MemoryError", 1, "script.py: there is not enough memory; close other programs, or try --limit\n"),
        (
            "raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), 'a.txt')",
            1,
            "script.py: the machine is at its limit: Too many open files (a.txt); try again\n",
        ),
    ],
)
def test_ends_in_one_sentence_with_the_right_status(what, status, words):
    assert end_of(what) == (status, words)


@pytest.mark.parametrize(
    "what", ["raise ValueError('ours')", "open('/no/such/file')", "import pyimagesearch.none", "import numpy.none"]
)
def test_a_bug_keeps_its_traceback(what):
    status, errors = end_of(what)
    assert status == 1
    assert "Traceback" in errors


@pytest.mark.skipif((sys.platform, platform.machine()) != ("linux", "x86_64"), reason="elsewhere TensorFlow decides")
@pytest.mark.parametrize("setting, expected", [({}, "True"), ({"TF_ENABLE_ONEDNN_OPTS": "0"}, "False")])
def test_tensorflow_multiplies_with_onednn_unless_it_is_told_not_to(setting, expected):
    pytest.importorskip("tensorflow")
    code = (
        "from pyimagesearch.cli import console\n"
        "with console.quiet_import():\n"
        "    import keras\n"
        "    from tensorflow.python.framework import test_util\n"
        "print(test_util.IsMklEnabled())"
    )
    given = {key: value for key, value in os.environ.items() if key != "TF_ENABLE_ONEDNN_OPTS"}
    variables = given | {"KERAS_BACKEND": "tensorflow"} | setting
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, env=variables)
    assert done.stdout.split() == [expected], done.stderr


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file.txt"
    with files.replacing(path) as temporary:
        temporary.write_text("first")
    assert path.read_text() == "first"
    with pytest.raises(ValueError, match="a bug"), files.replacing(path) as temporary:
        temporary.write_text("second")
        raise ValueError("a bug")
    with pytest.raises(console.UserError, match="cannot write .*: No space left"), files.replacing(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_text() == "first"
    (tmp_path / ".file.7.tmp.txt").write_text("half of a killed process's file, from yesterday")
    os.utime(tmp_path / ".file.7.tmp.txt", (time.time() - 86400,) * 2)
    with files.replacing(path) as temporary:
        temporary.write_text("third")
    assert [item.name for item in tmp_path.iterdir()] == ["file.txt"]
