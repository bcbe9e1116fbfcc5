"""Start the libraries quietly, and say in one sentence when one is missing or too old."""

import contextlib
import importlib.metadata
import importlib.util
import logging
import os
import platform
import re
import sys
import tempfile
import threading

from pyimagesearch.errors import UserError
from pyimagesearch.training.processes import OTHERS_ENDED, several_processes

BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX"}  # the default first
OLDEST_KERAS = (3, 12)  # as in requirements.txt
GPU_FAILURES = r"DNN library is not found|CUDNN_STATUS_\w+|CUDA_ERROR_\w+|CUBLAS_STATUS_\w+|OOM when allocating"


def check():
    """Check that Keras is new enough and that there is a backend, without importing either.

    Sets KERAS_BACKEND to the backend to use. Raises UserError otherwise.
    """
    chosen = os.environ.get("KERAS_BACKEND")
    if chosen and chosen not in BACKENDS:
        raise UserError(f"KERAS_BACKEND is {chosen!r}, but this project runs on {' or '.join(BACKENDS)}; unset it")
    installed = [name for name in BACKENDS if name in sys.modules or importlib.util.find_spec(name)]
    os.environ["KERAS_BACKEND"] = chosen or (installed or list(BACKENDS))[0]
    with contextlib.suppress(importlib.metadata.PackageNotFoundError, ValueError):
        version = importlib.metadata.version("keras")
        if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_KERAS:
            wanted = ".".join(map(str, OLDEST_KERAS))
            raise UserError(
                f"Keras {version} is installed for {sys.executable}, but this project needs Keras {wanted} or newer; "
                "run: pip install -r requirements.txt"
            )


@contextlib.contextmanager
def quiet():
    """Import Keras and its backend inside this block: their start-up notices are not shown.

    Some of them are printed from C++ before any setting is read, so everything that is written to the standard streams
    is held back. It is shown if the import fails or ends the process.
    """
    check()
    first = "keras" not in sys.modules
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # On Linux, TensorFlow uses oneDNN only on processors with VNNI; other x86 processors train twice as fast with it.
    if platform.machine() == "x86_64":
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    for name in ("absl", "jax", "tensorflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    import pyimagesearch.figures  # noqa: F401  (imports matplotlib safely; Keras would import it as the user has set it)

    with _held_back(first):
        yield
        if first and "keras" in sys.modules:
            _default_settings()


@contextlib.contextmanager
def _held_back(may_die):
    """Hold back what is written to the standard streams in this block; write it to stderr if the block fails."""
    for stream in (sys.stdout, sys.stderr):
        if stream:
            stream.flush()
    streams = {}
    for number in (1, 2):
        with contextlib.suppress(OSError):  # closed
            streams[number] = os.dup(number)
    with _temporary_file() as notices:
        survived = _last_words(notices) if may_die and hasattr(os, "fork") else lambda: None
        for number in streams:
            os.dup2(notices.fileno(), number)
        try:
            yield
        except UserError:
            raise
        except Exception:
            if 2 in streams:
                notices.seek(0)
                os.write(streams[2], notices.read())
            raise
        finally:
            survived()
            for number, copy in streams.items():
                os.dup2(copy, number)
                os.close(copy)


def _temporary_file():
    try:
        return tempfile.TemporaryFile()
    except FileNotFoundError as error:
        raise UserError("no folder for temporary files can be written to: set TMPDIR to one that can") from error


def gpu_failure(error):
    """Return a sentence if an error of TensorFlow or JAX means that the GPU cannot be used, else None."""
    words = re.search(GPU_FAILURES, str(error))
    if not words or isinstance(error, UserError):
        return None
    cpu = "JAX_PLATFORMS=cpu" if os.environ.get("KERAS_BACKEND") == "jax" else "CUDA_VISIBLE_DEVICES=-1"
    return (
        f"the GPU cannot be used ({words[0]}); another program may hold its memory, or its libraries may not fit; "
        f"to run on the CPU, set {cpu}"
    )


def _last_words(notices):
    """Watch, from a second process, for an end of this one that no Python code survives: an abort in native code.

    The second process then writes to stderr what `notices` holds, and a sentence. Returns a function that ends it.
    """
    if threading.active_count() > 1:  # a fork would copy locks that no thread of the copy releases
        return lambda: None
    reader, writer = os.pipe()
    if child := os.fork():
        os.close(reader)

        def survived():
            os.write(writer, b"!")
            os.close(writer)
            os.waitpid(child, 0)

        return survived
    os.close(writer)
    if not os.read(reader, 1):
        name = BACKENDS[os.environ["KERAS_BACKEND"]]
        words = (
            f"the import of {name} ended this process; a processor without the instructions that {name} was built for "
            "(AVX) is the usual cause; what it printed is above. On another backend: pip install jax, then set "
            "KERAS_BACKEND=jax\n"
        )
        notices.seek(0)
        # JAX aborts a process, with a stack trace, when another one of the same training has ended.
        os.write(2, f"{OTHERS_ENDED}\n".encode() if several_processes() else notices.read() + words.encode())
    os._exit(0)


def _default_settings():
    """Undo ~/.keras/keras.json, which is often years old or meant for other work, and what Keras does late."""
    import keras

    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.utils.set_random_seed(0)  # imports TensorFlow where that is installed, on JAX too
