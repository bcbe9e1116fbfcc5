"""Run a script: exit statuses, one-sentence errors, standard streams that may be missing."""

import contextlib
import errno
import importlib.util
import os
import signal
import sys
import traceback
from pathlib import Path

from pyimagesearch.cli import libraries
from pyimagesearch.errors import STOP_SIGNALS, Terminated, UserError, printable, reason
from pyimagesearch.training.processes import first_process, several_processes

# Errors of the machine, which any step can meet: no file handles, disk full, quota, read-only, broken disk.
MACHINE = {errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}

# The libraries that may be missing: the name to import, and that to install.
LIBRARIES = {name: name for name in ("h5py", "jax", "keras", "matplotlib", "numpy", "rich", "scipy", "tensorflow")}
LIBRARIES |= {"PIL": "pillow", "cv2": "opencv-python-headless", "sklearn": "scikit-learn", "joblib": "scikit-learn"}


def run(main):
    """Call `main` with the command line's arguments. Exits with status 1 (UserError), 130 (Ctrl-C), or 128 plus the
    number of the signal (STOP_SIGNALS).

    A bug of ours keeps its traceback.
    """
    try:
        _run(main)
    except BaseException as stop:
        if not several_processes():
            raise
        # An orderly exit would wait for the other processes of the training, and these for this one.
        if not isinstance(stop, SystemExit):
            traceback.print_exc()
        os._exit(stop.code if isinstance(stop, SystemExit) else 1)


def _run(main):
    script = Path(sys.argv[0]).name
    _prepare_streams()
    with contextlib.suppress(ValueError):  # not the main thread, as in some notebooks
        for number in STOP_SIGNALS:
            if signal.getsignal(number) == signal.SIG_DFL:  # nohup, for example, ignores SIGHUP
                signal.signal(number, _terminate)
    status, message = 1, ""
    try:
        main(sys.argv[1:])
        sys.stdout.flush()
        return
    except UserError as error:
        message = printable(str(error))
    except (KeyboardInterrupt, Terminated) as stop:
        number = stop.number if isinstance(stop, Terminated) else signal.SIGINT
        status, message = 128 + number, str(stop) or "stopped"
    except MemoryError:
        message = "there is not enough memory; close other programs, or try --limit"
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in LIBRARIES or importlib.util.find_spec(library):
            raise
        message = (
            f"{LIBRARIES[library]} is not installed for {sys.executable}; run the script with the Python that has it "
            "(.venv/bin/python after the README's command), or install it with pip"
        )
    except Exception as error:
        if failure := libraries.gpu_failure(error):
            message = failure
        elif not isinstance(error, OSError):
            raise
        elif _output_failed(error):
            message = "" if error.errno == errno.EPIPE else f"cannot write the output: {reason(error)}"
        elif error.errno in MACHINE:
            where = f" ({error.filename})" if error.filename else ""
            message = f"the machine is at its limit: {reason(error)}{where}; try again"
        else:
            raise
    if message:
        with contextlib.suppress(OSError):  # the terminal may be gone
            print(f"{script}: {message}", file=sys.stderr)
    sys.exit(status)


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
    if not first_process():
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a notebook's has not
            stream.reconfigure(line_buffering=True, errors="backslashreplace")


def _output_failed(error):
    """Return whether an OSError came from writing to stdout; then send what is left in its buffer nowhere."""
    if error.filename is not None:
        return False
    try:
        if error.errno != errno.EPIPE:
            os.write(sys.stdout.fileno(), b"\n")
            return False
    except (OSError, ValueError):
        pass
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return True
