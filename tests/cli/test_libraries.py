"""Libraries that are missing, too old, or die while they are imported: one sentence, and why."""

import os
import subprocess
import sys
import threading

import keras
import pytest

from conftest import ROOT
from pyimagesearch.cli import libraries
from pyimagesearch.errors import UserError

CODE = """
import sys; sys.argv = ["script.py"]
{before}
from pyimagesearch.cli import libraries
from pyimagesearch.cli.run import run
def main(arguments):
    with libraries.quiet():
        import keras
    print("imported")
run(main)
"""


def start(before="", folder=None, **variables):
    given = {key: value for key, value in os.environ.items() if not key.startswith(("KERAS", "PYTHON"))}
    path = os.pathsep.join([*([str(folder)] if folder else []), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-c", CODE.format(before=before)],
        capture_output=True,
        text=True,
        env=given | {"PYTHONPATH": path} | variables,
        timeout=120,
    )


def package(folder, name, code, version=None):
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(code)
    if version:
        (folder / f"{name}-{version}.dist-info").mkdir()
        (folder / f"{name}-{version}.dist-info/METADATA").write_text(f"Name: {name}\nVersion: {version}\n")


def test_a_library_that_cannot_be_imported_is_named_with_what_it_printed(tmp_path):
    package(tmp_path, "keras", "import h5py", "3.13.0")
    package(tmp_path, "h5py", "import os; os.write(1, b'loading\\n'); raise ImportError('no libhdf5.so\\nmore')")
    done = start(folder=tmp_path)
    assert done.returncode == 1
    notice, sentence = done.stderr.splitlines()
    assert notice == "loading"
    assert "h5py is installed" in sentence and "no libhdf5.so" in sentence


def test_keras_json_is_not_read_and_nothing_is_written_to_the_home(tmp_path):
    """In one process: a folder of that name, which Keras cannot open. A caller's own KERAS_HOME stays."""
    (tmp_path / "keras.json").mkdir()
    done = start(
        "import os, atexit; atexit.register(lambda: print(os.environ['KERAS_HOME']))", KERAS_HOME=str(tmp_path)
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"imported\n{tmp_path}\n"
    assert os.listdir(tmp_path) == ["keras.json"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other limits")
def test_a_limit_of_the_system_is_a_sentence_and_no_abort(monkeypatch):
    done = start("import resource; resource.setrlimit(resource.RLIMIT_AS, (2_000_000_000,) * 2)")
    assert done.returncode == 1
    assert "ulimit -v" in done.stderr and len(done.stderr.splitlines()) == 1

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)  # tests/container.py meets a real limit
    with pytest.raises(UserError, match="ulimit -u"):
        libraries.check_limits()


@pytest.mark.parametrize(
    "before, words",
    [
        ("sys.version_info = (3, 9, 1)", "This project needs Python 3.10 or newer, and this is Python 3.9."),
        ("sys.version_info = (3, 8, 0)", "This project needs Python 3.10 or newer, and this is Python 3.8."),
        (
            "import tempfile; tempfile.tempdir = None; tempfile._candidate_tempdir_list = lambda: ['/nowhere']",
            "script.py: no folder for temporary files can be written to: set TMPDIR to one that can",
        ),
        (
            "import pyimagesearch.cli.libraries as a; a.importlib.util.find_spec = lambda name: name == 'jax' or None\n"
            "import os; a.check(); sys.exit(os.environ['KERAS_BACKEND'])",
            "jax",
        ),
    ],
)
def test_a_machine_that_lacks_something_is_a_sentence(before, words):
    done = start(before)
    assert (done.returncode, done.stderr) == (1, words + "\n")


def test_a_keras_that_is_too_old_is_named_before_it_is_imported(run, tmp_path):
    package(tmp_path, "keras", "raise SystemError('imported')", "2.15.0")
    for name in ("fashion_mnist.py", "fashion_mnist_loaded.py", "initial_data_analysis.py"):
        done = run(name, check=1, PYTHONPATH=str(tmp_path))
        assert done.stderr.startswith(f"{name}: Keras 2.15.0 is installed for ")
        assert "needs Keras 3.12 or newer" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_caller_whose_keras_runs_on_another_backend_is_told(monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "torch")
    with pytest.raises(UserError, match="Keras runs on 'torch'"):
        libraries.check()


@pytest.mark.parametrize(
    "error",
    ["DNN library is not found.", "CUDNN_STATUS_NOT_INITIALIZED", "CUDA_ERROR_OUT_OF_MEMORY: out of memory"],
)
def test_a_gpu_that_fails_is_a_sentence_and_another_error_is_not(error):
    code = "from pyimagesearch.cli.run import run\ndef main(arguments): raise RuntimeError({!r})\nrun(main)"
    command = [sys.executable, "-c", code.format(error)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "the GPU cannot be used" in done.stderr and "CUDA_VISIBLE_DEVICES=-1" in done.stderr
    assert len(done.stderr.splitlines()) == 1
