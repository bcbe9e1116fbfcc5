"""How a script ends: exit status and one sentence on stderr, whatever the standard streams are."""

import os
import platform
import signal
import subprocess
import sys

import pytest

from conftest import ROOT

SCRIPT = """
import errno, os, signal, sys; sys.path.insert(0, {root!r})
{before}
from pyimagesearch import errors
from pyimagesearch.cli import libraries
from pyimagesearch.cli.run import run
def main(arguments):
    {what}
run(main)
"""
WORK = """from pyimagesearch import progress; progress.DELAY = 0
    print("a line", *arguments)
    for _ in progress.track([1, 2], "importing"): pass
    with libraries.quiet():
        import keras
    open("done", "w").close()
    print("another line")"""


def end_of(folder, what, before="", redirection=""):
    """Let a shell run a script whose main does `what`. Returns its status, stdout and stderr."""
    (folder / "script.py").write_text(SCRIPT.format(root=str(ROOT), what=what, before=before))
    command = f"'{sys.executable}' script.py {redirection}"
    done = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, timeout=600)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "what, status, words",
    [
        ("pass", 0, ""),
        ("raise errors.UserError('a \\x1b[31mname')", 1, "script.py: a ?[31mname\n"),
        ("raise KeyboardInterrupt", 130, "script.py: stopped\n"),
        ("os.kill(os.getpid(), signal.SIGTERM)", 143, "script.py: stopped\n"),
        ("os.kill(os.getpid(), signal.SIGXCPU)", 128 + signal.SIGXCPU, "script.py: stopped\n"),
        ("raise type('TBNotInstalledError', (Exception,), {})", 1, "script.py: tensorboard is not installed"),
        ("raise MemoryError", 1, "script.py: there is not enough memory"),
        ("raise OSError(errno.EMFILE, 'Too many open files', 'a.txt')", 1, "refused: Too many open files (a.txt)"),
        ("raise ValueError('ours')", 1, "Traceback"),
        ("open('/no/such/file')", 1, "Traceback"),
        ("import numpy.none", 1, "Traceback"),
    ],
)
def test_ends_in_one_sentence_with_the_right_status_and_a_bug_in_a_traceback(tmp_path, what, status, words):
    ended, _, error = end_of(tmp_path, what)
    assert ended == status and words in error
    assert error.count("\n") == bool(words) or words == "Traceback"


def test_nohup_goes_on_when_the_terminal_closes(tmp_path):
    what = "signal.raise_signal(signal.SIGHUP); print('went on')"
    assert end_of(tmp_path, what, "signal.signal(signal.SIGHUP, signal.SIG_IGN)") == (0, "went on\n", "")
    assert end_of(tmp_path, what, "signal.signal(signal.SIGHUP, signal.SIG_DFL)")[0] == 129


@pytest.mark.skipif((sys.platform, platform.machine()) != ("linux", "x86_64"), reason="elsewhere TensorFlow decides")
def test_tensorflow_multiplies_with_onednn():
    """The tests have started it as the scripts do."""
    pytest.importorskip("tensorflow")
    from tensorflow.python.framework import test_util

    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == "0" or test_util.IsMklEnabled()


@pytest.fixture
def empty_libraries(tmp_path):
    """Empty modules beside the script in place of the libraries, which take seconds to import."""
    for name in ("keras", "tensorflow"):
        (tmp_path / f"{name}.py").touch()


LOGGERS = """
class Logger:
    def __init__(self, stream): self.write, self.flush = stream.write, stream.flush
sys.stdout, sys.stderr = Logger(sys.stdout), Logger(sys.stderr)
"""


@pytest.mark.parametrize(
    "redirection, before, words",
    [
        ("<&- >&- 2>&-", "", ""),
        ("", LOGGERS, "a line\nanother line\n"),
        ("", "sys.stdout = sys.stderr = None", ""),
        ("", "sys.argv.append('\\udcff')", None),
    ],
)
def test_a_run_goes_on_whatever_the_streams_are(tmp_path, empty_libraries, redirection, before, words):
    status, output, error = end_of(tmp_path, WORK, before, redirection)
    assert (status, error) == (0, "") and words in (None, output)
    assert (tmp_path / "done").exists()


def test_output_that_cannot_be_written_is_a_sentence_and_a_reader_that_has_gone_is_no_error(tmp_path, empty_libraries):
    full = "script.py: cannot write the output: No space left on device\n"
    assert end_of(tmp_path, WORK, redirection="> /dev/full") == (1, "", full)
    assert end_of(tmp_path, WORK, redirection="| true")[2] == ""
