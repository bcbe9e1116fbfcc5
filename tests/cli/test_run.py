"""How a script ends: exit status and one sentence on stderr; a quiet start of the libraries."""

import os
import platform
import signal
import subprocess
import sys

import pytest

from conftest import ROOT


def end_of(what, hangup=signal.SIG_DFL):
    """Run `run` on a main that does `what` in a process of its own. Returns its status and stderr."""
    code = (
        "import errno, os, signal, sys; from pyimagesearch import errors; from pyimagesearch.cli.run import run\n"
        f"def main(arguments):\n    {what}\nsys.argv = ['script.py']\nrun(main)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, hangup),
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "what, status, words",
    [
        ("pass", 0, ""),
        ("raise errors.UserError('no such thing; make one')", 1, "script.py: no such thing; make one\n"),
        ("raise errors.UserError('a \\x1b[31mname')", 1, "script.py: a ?[31mname\n"),
        ("raise KeyboardInterrupt", 130, "script.py: stopped\n"),
        ("raise KeyboardInterrupt('go on so')", 130, "script.py: go on so\n"),
        ("os.kill(os.getpid(), signal.SIGTERM)", 143, "script.py: stopped\n"),
        ("os.kill(os.getpid(), signal.SIGHUP)", 129, "script.py: stopped\n"),
        ("os.kill(os.getpid(), signal.SIGXCPU)", 128 + signal.SIGXCPU, "script.py: stopped\n"),
        ("raise MemoryError", 1, "script.py: there is not enough memory; close other programs, or try --limit\n"),
        (
            "raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), 'a.txt')",
            1,
            "script.py: the system refused: Too many open files (a.txt); try again\n",
        ),
    ],
)
def test_ends_in_one_sentence_with_the_right_status(what, status, words):
    assert end_of(what) == (status, words)


def test_nohup_goes_on_when_the_terminal_closes():
    what = "signal.raise_signal(signal.SIGHUP); print('went on', file=sys.stderr)"
    assert end_of(what, hangup=signal.SIG_IGN) == (0, "went on\n")


@pytest.mark.parametrize(
    "what", ["raise ValueError('ours')", "open('/no/such/file')", "import pyimagesearch.none", "import numpy.none"]
)
def test_a_bug_keeps_its_traceback(what):
    status, errors = end_of(what)
    assert status == 1
    assert "Traceback" in errors


@pytest.mark.skipif((sys.platform, platform.machine()) != ("linux", "x86_64"), reason="elsewhere TensorFlow decides")
def test_tensorflow_multiplies_with_onednn():
    """The tests have started it as the scripts do."""
    pytest.importorskip("tensorflow")
    from tensorflow.python.framework import test_util

    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == "0" or test_util.IsMklEnabled()
