"""How a script ends: exit status and one sentence on stderr, whatever the standard streams and the libraries are."""

import os
import platform
import signal
import subprocess
import sys
import threading
from unittest import mock

import keras
import pytest

from conftest import ROOT
from pyimagesearch.cli import libraries
from pyimagesearch.errors import UserError

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


def package(folder, name, code, version):
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(code)
    (folder / f"{name}-{version}.dist-info").mkdir()
    (folder / f"{name}-{version}.dist-info/METADATA").write_text(f"Name: {name}\nVersion: {version}\n")


def test_a_library_that_cannot_be_imported_is_named_with_what_it_printed(tmp_path):
    package(tmp_path, "keras", "import h5py", "3.13.0")
    failure = "import os; os.write(1, b'loading\\n'); raise ImportError('no libhdf5.so\\nmore')"
    (tmp_path / "h5py.py").write_text(failure)
    status, _, error = end_of(tmp_path, WORK)
    notice, sentence = error.splitlines()
    assert (status, notice) == (1, "loading")
    assert "h5py cannot be imported" in sentence and "no libhdf5.so" in sentence


def test_the_real_libraries_start_without_streams_say_nothing_and_leave_the_home_alone(tmp_path):
    """A folder has the name of Keras's file there, which cannot be read then. A caller's own KERAS_HOME stays."""
    home = tmp_path / "home"
    (home / "keras.json").mkdir(parents=True)
    before = f"os.environ['KERAS_HOME'] = home = {str(home)!r}; os.environ.pop('TF_ENABLE_ONEDNN_OPTS', 0)"
    onednn = "1" if platform.machine() == "x86_64" else None  # elsewhere TensorFlow decides
    kept = f"assert (os.environ['KERAS_HOME'], os.environ.get('TF_ENABLE_ONEDNN_OPTS')) == (home, {onednn!r})"
    done = end_of(tmp_path, f"{WORK}; {kept}", before, "<&- >&-")
    assert done == (0, "", "") and (tmp_path / "done").exists()
    assert os.listdir(home) == ["keras.json"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other limits")
def test_a_limit_of_the_system_is_a_sentence_and_no_abort(tmp_path, monkeypatch):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (2_000_000_000,) * 2)"
    status, _, error = end_of(tmp_path, WORK, limit)
    assert status == 1 and "ulimit -v" in error and error.count("\n") == 1

    monkeypatch.setattr(threading.Thread, "start", mock.Mock(side_effect=RuntimeError("can't start new thread")))
    with pytest.raises(UserError, match="ulimit -u"):
        libraries.check_limits()


NO_FOLDER = "import tempfile; tempfile._candidate_tempdir_list = lambda: ['/nowhere']"
JAX_ALONE = "import importlib.util; importlib.util.find_spec = lambda name: name == 'jax' or None"


@pytest.mark.parametrize(
    "what, before, words",
    [
        ("pass", "sys.version_info = (3, 8, 0)", "needs Python 3.10 or newer, and this is Python 3.8."),
        (WORK, NO_FOLDER, "no folder for temporary files can be written to: set TMPDIR"),
        ("libraries.check(); sys.exit(os.environ['KERAS_BACKEND'])", JAX_ALONE, "jax"),
    ],
)
def test_a_machine_that_lacks_something_is_a_sentence(tmp_path, what, before, words):
    status, _, error = end_of(tmp_path, what, f"os.environ.pop('KERAS_BACKEND', None); {before}")
    assert (status, error.count("\n")) == (1, 1) and words in error


def test_a_keras_that_is_too_old_is_named_before_it_is_imported(tmp_path):
    package(tmp_path, "keras", "raise SystemError('imported')", "2.15.0")
    status, _, error = end_of(tmp_path, "Parser('').parse_args([])", "from pyimagesearch.cli.arguments import Parser")
    assert error.startswith("script.py: Keras 2.15.0 is installed for ") and (status, error.count("\n")) == (1, 1)
    assert "needs Keras 3.12 or newer" in error


def test_a_caller_whose_keras_runs_on_another_backend_is_told(monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "torch")
    with pytest.raises(UserError, match="the backend of Keras is 'torch'"):
        libraries.check()


def test_memory_or_a_gpu_that_fails_is_a_sentence_and_another_error_is_not():
    of_tensorflow = type("ResourceExhaustedError", (Exception,), {})("OOM when allocating tensor")
    # The last is of the class from which JAX's own is made.
    for error in MemoryError(), of_tensorflow, RuntimeError("RESOURCE_EXHAUSTED: Out of memory"):
        assert "there is not enough memory: a training run needs about 1 GB" in libraries.explain(error)
    for words in ("DNN library is not found.", "CUDA_ERROR_OUT_OF_MEMORY: out of memory"):
        assert "the GPU cannot be used" in libraries.explain(RuntimeError(words))
    assert libraries.explain(ValueError("ours")) is None
