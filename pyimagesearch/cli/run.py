"""Run a script: exit statuses, one-sentence errors, standard streams that may be missing."""

import contextlib
import errno
import importlib.util
import os
import signal
import sys
import traceback
import warnings
from pathlib import Path

from pyimagesearch.cli import libraries
from pyimagesearch.errors import STOP_SIGNALS, Terminated, UserError, first_line, printable, reason

# Errors of the machine, which any step can meet: no file handles, disk full, quota, read-only, broken disk.
MACHINE = {errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}

# The libraries that may be missing: the name to import, and that to install.
LIBRARIES = {name: name for name in ("h5py", "jax", "keras", "matplotlib", "numpy", "rich", "scipy")}
LIBRARIES |= {"tensorboard": "tensorboard", "tensorflow": "tensorflow"}
LIBRARIES |= {"PIL": "pillow", "cv2": "opencv-python-headless", "sklearn": "scikit-learn", "joblib": "scikit-learn"}


def run(main):
    """Call `main` with the command line's arguments. Exits with status 1 (UserError), 130 (Ctrl-C), or 128 plus the
    number of the signal (STOP_SIGNALS). A bug of ours keeps its traceback.
    """
    script = Path(sys.argv[0]).name
    _prepare_streams()
    with contextlib.suppress(ValueError):  # not the main thread, as in some notebooks
        for number in STOP_SIGNALS:
            if signal.getsignal(number) == signal.SIG_DFL:  # nohup, for example, ignores SIGHUP
                signal.signal(number, _terminate)
    warnings.filterwarnings("ignore", "(?s).*joblib will operate in serial mode")  # without a usable /dev/shm
    try:
        main(sys.argv[1:])
        sys.stdout.flush()
        return
    except SystemExit:
        raise
    except BaseException as error:
        message = _explain(error)
        if message is None:
            raise
        status = 128 + getattr(error, "number", signal.SIGINT) if not isinstance(error, Exception) else 1
    if message:
        with contextlib.suppress(OSError):  # the terminal may be gone
            print(f"{script}: {message}", file=sys.stderr)
    sys.exit(status)


def _explain(error):
    """Return one sentence for an error, "" if nothing need be said; None if it is a bug of ours."""
    if isinstance(error, UserError):
        return printable(str(error))
    if isinstance(error, (KeyboardInterrupt, Terminated)):
        return str(error) or "stopped"
    if sentence := _explain_import(error) or libraries.explain(error):
        return sentence
    if not isinstance(error, OSError):
        return None
    if _output_failed(error):
        return "" if error.errno == errno.EPIPE else f"cannot write the output: {reason(error)}"
    if error.errno in MACHINE:
        where = f" ({error.filename})" if error.filename else ""
        return f"the system refused: {reason(error)}{where}; try again"
    return None


def _explain_import(error):
    """Return a sentence if a library is missing, or an error ended its import; else None."""
    library, what = (getattr(error, "name", None) or "").partition(".")[0], "is not installed"
    if type(error).__name__ == "TBNotInstalledError":  # TensorFlow's, where a callback of Keras needs TensorBoard
        return f"tensorboard is not installed; run: {sys.executable} -m pip install tensorboard"
    if not isinstance(error, ModuleNotFoundError) or library not in LIBRARIES or importlib.util.find_spec(library):
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_code.co_name == "<module>"]
        importing = [frame.f_globals.get("__name__", "").partition(".")[0] for frame in frames]
        library = next((name for name in reversed(importing) if name in LIBRARIES), None)
        what = f"cannot be imported ({type(error).__name__}: {first_line(error)})"
    return library and (
        f"{LIBRARIES[library]} {what} for {sys.executable}; run the script with the Python that has it "
        f"(.venv/bin/python after the README's command), or run: pip install --force-reinstall {LIBRARIES[library]}"
    )


def _terminate(number, frame):
    raise Terminated(number=number)


def _prepare_streams():
    """Make stdout and stderr line-buffered, so that a log shows lines at once, and let no file name break them."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:  # closed: the next file that is opened would take its number, and get what is printed
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w" if number else "r"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a notebook's has not
            stream.reconfigure(line_buffering=True, errors="backslashreplace")


def _output_failed(error):
    """Return whether an OSError came from writing to stdout; then send what is left in its buffer nowhere."""
    if error.filename is not None:
        return False
    try:
        if error.errno != errno.EPIPE:
            os.write(1, b"\n")
            return False
    except OSError:
        pass
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return True
