"""Libraries that are missing, too old, or die while they are imported: one sentence, and why."""

import os
import sys
import threading

import keras
import pytest
from test_run import WORK, end_of

from pyimagesearch.cli import libraries
from pyimagesearch.errors import UserError


def package(folder, name, code, version):
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(code)
    (folder / f"{name}-{version}.dist-info").mkdir()
    (folder / f"{name}-{version}.dist-info/METADATA").write_text(f"Name: {name}\nVersion: {version}\n")


def test_a_library_that_cannot_be_imported_is_named_with_what_it_printed(tmp_path):
    package(tmp_path, "keras", "import h5py", "3.13.0")
    (tmp_path / "h5py.py").write_text(
        "import os; os.write(1, b'loading\\n'); raise ImportError('no libhdf5.so\\nmore')"
    )
    status, _, error = end_of(tmp_path, WORK)
    notice, sentence = error.splitlines()
    assert (status, notice) == (1, "loading")
    assert "h5py cannot be imported" in sentence and "no libhdf5.so" in sentence


def test_the_real_libraries_start_without_streams_say_nothing_and_leave_the_home_alone(tmp_path):
    """A folder has the name of Keras's file there, which cannot be read then. A caller's own KERAS_HOME stays."""
    home = tmp_path / "home"
    (home / "keras.json").mkdir(parents=True)
    before = f"os.environ['KERAS_HOME'] = home = {str(home)!r}"
    done = end_of(tmp_path, f"{WORK}; assert os.environ['KERAS_HOME'] == home", before, "<&- >&-")
    assert done == (0, "", "") and (tmp_path / "done").exists()
    assert os.listdir(home) == ["keras.json"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other limits")
def test_a_limit_of_the_system_is_a_sentence_and_no_abort(tmp_path, monkeypatch):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (2_000_000_000,) * 2)"
    status, _, error = end_of(tmp_path, WORK, limit)
    assert status == 1 and "ulimit -v" in error and error.count("\n") == 1

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
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
    errors = [MemoryError(), RuntimeError("RESOURCE_EXHAUSTED: Out of memory")]  # the latter: the base of JAX's own
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        errors.append(tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"))
    for error in errors:
        assert "there is not enough memory: a training run needs about 1 GB" in libraries.explain(error)
    for words in ("DNN library is not found.", "CUDA_ERROR_OUT_OF_MEMORY: out of memory"):
        assert "the GPU cannot be used" in libraries.explain(RuntimeError(words))
    assert libraries.explain(ValueError("ours")) is None
