"""Start the libraries quietly, and say in one sentence when one is missing or too old, or the system's limits are."""

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

BACKENDS = ("tensorflow", "jax")  # the default first
OLDEST_KERAS = (3, 12)  # as in requirements.txt
ADDRESS_SPACE = 5e9  # bytes; with less, TensorFlow and JAX end in an error of their own
THREADS = 16 + 4 * (os.cpu_count() or 1)  # that they start, at least
# TensorFlow's and JAX's errors have the type of any failed operation; that a GPU failed is only in their words.
GPU_FAILURES = r"DNN library is not found|CUDNN_STATUS_\w+|CUDA_ERROR_\w+|CUBLAS_STATUS_\w+"


def check():
    """Check that Keras is new enough and that there is a backend, without importing either.

    Sets KERAS_BACKEND to the backend to use. Raises UserError otherwise.
    """
    imported, chosen = sys.modules.get("keras"), os.environ.get("KERAS_BACKEND") or None
    if imported:  # by a caller; Keras does not change its backend any more
        chosen = imported.config.backend()
    if chosen not in (None, *BACKENDS):
        raise UserError(
            f"the backend of Keras is {chosen!r}, but this project needs TensorFlow or JAX; unset KERAS_BACKEND and "
            "start Python again"
        )
    installed = [name for name in BACKENDS if name in sys.modules or importlib.util.find_spec(name)]
    os.environ["KERAS_BACKEND"] = chosen or (installed or BACKENDS)[0]
    with contextlib.suppress(importlib.metadata.PackageNotFoundError, ValueError):
        version = importlib.metadata.version("keras")
        if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_KERAS:
            wanted = ".".join(map(str, OLDEST_KERAS))
            raise UserError(
                f"Keras {version} is installed for {sys.executable}, but this project needs Keras {wanted} or newer; "
                "run: pip install -r requirements.txt"
            )


def check_limits():
    """Check that the system's limits leave room for TensorFlow or JAX, which end the process where they do not."""
    with contextlib.suppress(ImportError):  # Windows has no such limits
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY and limit < ADDRESS_SPACE:
            used, needed = f"{limit / 1e9:.1f}", f"{ADDRESS_SPACE / 1e9:.0f}"
            raise UserError(f"the address space is limited to {used} GB (ulimit -v); {needed} GB are needed: raise it")
    all_started = threading.Event()
    try:
        for _ in range(THREADS):
            threading.Thread(target=all_started.wait, daemon=True).start()
    except RuntimeError as error:
        raise UserError(f"{THREADS} threads are needed, and the system starts fewer (ulimit -u): raise it") from error
    finally:
        all_started.set()


@contextlib.contextmanager
def quiet():
    """Import Keras and its backend inside this block: their start-up notices are not shown.

    Some of them are printed from C++ before any setting is read, so everything that is written to the standard streams
    is held back. It is shown if the import fails. Settings in ~/.keras/keras.json, which are often years old or meant
    for other work, are not read; those of a caller who has imported Keras already stay.
    """
    check()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # On Linux, TensorFlow uses oneDNN only on processors with VNNI; other x86 processors train twice as fast with it.
    if platform.machine() == "x86_64":
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    for name in ("absl", "jax", "tensorflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if "keras" in sys.modules:
        yield
        return
    check_limits()
    import pyimagesearch.figures  # noqa: F401  (Keras imports matplotlib too, and as it comes)

    try:
        notices = tempfile.TemporaryFile()  # noqa: SIM115
    except FileNotFoundError as error:
        raise UserError("no folder for temporary files can be written to: set TMPDIR to one that can") from error
    home = os.environ.get("KERAS_HOME")
    with notices, _held_back(notices):
        os.environ["KERAS_HOME"] = os.path.join(os.devnull, "none")  # where no keras.json can be
        try:
            import keras  # noqa: F401
        finally:
            del os.environ["KERAS_HOME"]
            if home is not None:
                os.environ["KERAS_HOME"] = home
        if importlib.util.find_spec("tensorflow"):  # which Keras may import later
            import tensorflow  # noqa: F401
        yield


@contextlib.contextmanager
def _held_back(notices):
    """Hold back what is written to stdout (1) and stderr (2) in this block; write it to stderr on an error."""
    for stream in (sys.stdout, sys.stderr):
        if stream:
            stream.flush()
    streams = {}
    for number in (1, 2):
        with contextlib.suppress(OSError):  # closed
            streams[number] = os.dup(number)
            os.dup2(notices.fileno(), number)
    try:
        yield
    except Exception as error:
        if 2 in streams and not isinstance(error, UserError):
            notices.seek(0)
            os.write(streams[2], notices.read())
        raise
    finally:
        for number, copy in streams.items():
            os.dup2(copy, number)
            os.close(copy)


def explain(error):
    """Return a sentence if an error of Python, TensorFlow or JAX says that memory or the GPU failed, else None."""
    if (
        isinstance(error, MemoryError)
        or type(error).__name__ == "ResourceExhaustedError"
        or str(error).startswith("RESOURCE_EXHAUSTED")  # JAX raises one class for everything
    ):
        return (
            "there is not enough memory: a training run needs about 1 GB, of the GPU where it uses one; close other "
            "programs, or try --limit or a smaller --batch-size"
        )
    words = re.search(GPU_FAILURES, str(error))
    if not words:
        return None
    cpu = "JAX_PLATFORMS=cpu" if os.environ.get("KERAS_BACKEND") == "jax" else "CUDA_VISIBLE_DEVICES=-1"
    return (
        f"the GPU cannot be used ({words[0]}); another program may hold its memory, or its libraries may not fit; "
        f"to run on the CPU, set {cpu}"
    )
