"""Libraries that are missing, too old, or die while they are imported: one sentence, and why."""

import os
import subprocess
import sys

import pytest

from conftest import ROOT

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


@pytest.mark.parametrize(
    "code, shown",
    [
        ("import os, sys; os.write(2, b'no AVX here\\n'); os.abort()", "no AVX here\n"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", ""),
    ],
)
def test_a_backend_that_kills_the_process_is_a_sentence_with_its_last_words(tmp_path, code, shown):
    package(tmp_path, "tensorflow", code)
    done = start(folder=tmp_path, KERAS_BACKEND="tensorflow")
    assert done.returncode < 0
    assert done.stderr.startswith(shown + "the import of TensorFlow ended this process")
    assert "KERAS_BACKEND=jax" in done.stderr


def test_what_a_failing_import_prints_is_shown(tmp_path):
    package(tmp_path, "keras", "import os; os.write(1, b'DLL load failed\\n'); raise ValueError('no')", "3.13.0")
    done = start(folder=tmp_path)
    assert done.returncode == 1
    assert "DLL load failed" in done.stderr and "ValueError: no" in done.stderr


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


@pytest.mark.skipif(sys.platform != "linux", reason="asks lscpu for the number of cores")
def test_a_machine_that_does_not_say_how_many_cores_it_has(run, small_data, tmp_path):
    (tmp_path / "lscpu").write_text("#!/bin/sh\n")
    (tmp_path / "lscpu").chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = run("initial_data_analysis.py", "--data-dir", small_data, "--any-data", check=0, PATH=path)
    assert done.stderr == ""
