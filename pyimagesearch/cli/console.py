"""What the three scripts share on the command line: flags, one-sentence errors, quiet libraries, an orderly end."""

import argparse
import atexit
import contextlib
import errno
import functools
import importlib.util
import logging
import os
import platform
import signal
import sys
import tempfile
import traceback
from pathlib import Path

# Errors that any step can meet and no step can mend: out of file handles, disk full, quota, read-only, broken disk.
MACHINE = {errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}

# The libraries that a script may miss: the name to import, and that to install.
LIBRARIES = {name: name for name in ("h5py", "jax", "keras", "matplotlib", "numpy", "scipy", "tensorflow")}
LIBRARIES |= {"PIL": "pillow", "sklearn": "scikit-learn"}

BACKENDS = ("tensorflow", "jax")  # the default first

OTHERS_ENDED = "a process of this training has ended, see its message; to go on, start all again with --resume"


class UserError(Exception):
    """A mistake of the user or the machine. Its text is one sentence that says what is wrong and what to do."""


class Parser(argparse.ArgumentParser):
    """argparse with the script's docstring as help, and usage errors of one sentence (exit status 2)."""

    def __init__(self, description):
        super().__init__(
            description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
        )

    def error(self, message):
        self.exit(2, f"{self.prog}: {message} (--help lists the flags)\n")

    def add_data_flags(self):
        """Add --data-dir and --any-data, which every script has."""
        self.add_argument(
            "--data-dir",
            type=Path,
            metavar="DIR",
            help="folder with the four IDX files, plain or .gz (default: found or downloaded)",
        )
        self.add_argument(
            "--any-data", action="store_true", help="accept files in DIR that are not the genuine Fashion-MNIST"
        )

    def add_images_flag(self):
        """Add --images, where the figures go."""
        folder = Path("images")
        self.add_argument(
            "--images", type=Path, default=folder, metavar="DIR", help="for the figures (default: images)"
        )


def number(kind, low, high, above_low=False):
    """Return an argparse type: a `kind` (int or float) from `low` (itself excluded if `above_low`) to `high`."""

    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high or (above_low and value == low):
            name = "a whole number" if kind is int else "a number"
            start = f"above {low}" if above_low else f"from {low}"
            raise argparse.ArgumentTypeError(f"{text!r} is not {name} {start} to {high}")
        return value

    return parse


class Terminated(BaseException):
    """SIGTERM: like KeyboardInterrupt, it passes through `except Exception`."""


def _terminate(number, frame):
    raise Terminated


def several_processes():
    """Whether this is one of several processes of a training (Keras's environment variables say so)."""
    return any(name.startswith("KERAS_DISTRIBUTION_") for name in os.environ)


def first_process():
    """Whether this process is the one that speaks and writes."""
    return not several_processes() or os.environ.get("KERAS_DISTRIBUTION_PROCESS_ID") == "0"


def run(main):
    """Run a script's `main()` and exit: status 0, 1 (UserError), 130 (Ctrl-C), 143 (SIGTERM).

    A bug of ours keeps its traceback.
    """
    if not several_processes():
        _run(main)
        return
    farewell = _watch()
    try:
        _run(main)
    except BaseException as stop:
        if not isinstance(stop, SystemExit):
            traceback.print_exc()
        sys.stdout.flush()
        farewell()
        # An orderly exit would wait for the other processes, and these for this one.
        os._exit(stop.code if isinstance(stop, SystemExit) else 1)


def _watch():
    """Say it in one sentence if JAX aborts this process, as it does, with a stack trace, when another one has ended.

    Nothing here runs after an abort, so a second process waits for the end of this one. Returns a function to be called
    before an end that needs no word. Does nothing where there is no fork (Windows).
    """
    if not hasattr(os, "fork"):
        return lambda: None
    reader, writer = os.pipe()
    if os.fork():
        sys.stderr = open(os.dup(2), "w", buffering=1)  # noqa: SIM115
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what libraries print around Python
        farewell = functools.partial(os.write, writer, b"!")
        atexit.register(farewell)
        return farewell
    os.close(writer)
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    if not os.read(reader, 1):
        warn(f"{Path(sys.argv[0]).name}: {OTHERS_ENDED}")
    os._exit(0)


def _run(main):
    script = Path(sys.argv[0]).name
    signal.signal(signal.SIGTERM, _terminate)
    if not first_process():
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):  # so that lines appear at once in a log, and never fail on a name
        stream.reconfigure(line_buffering=True, errors="backslashreplace")
    try:
        main()
    except UserError as error:
        print(f"{script}: {printable(str(error))}", file=sys.stderr)
        sys.exit(1)
    except (KeyboardInterrupt, Terminated) as stop:
        print(f"{script}: {str(stop) or 'stopped'}", file=sys.stderr)
        sys.exit(130 if isinstance(stop, KeyboardInterrupt) else 143)
    except MemoryError:
        print(f"{script}: there is not enough memory; close other programs, or try --limit", file=sys.stderr)
        sys.exit(1)
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in LIBRARIES or importlib.util.find_spec(library):
            raise
        print(
            f"{script}: {LIBRARIES[library]} is not installed for {sys.executable}; run the script by the Python that "
            "has it (.venv/bin/python, if that was made as the README says), or install it there with pip",
            file=sys.stderr,
        )
        sys.exit(1)
    except BrokenPipeError:  # the reader of our output (`| head`) has gone; there is nobody left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if error.errno not in MACHINE:
            raise
        where = f" ({error.filename})" if error.filename else ""
        print(f"{script}: the machine is at its limit: {reason(error)}{where}; try again", file=sys.stderr)
        sys.exit(1)


def printable(text):
    """Return `text` without control characters: a name in a file from elsewhere must not command the terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def warn(message):
    """Print one line to stderr: something is wrong, the work goes on."""
    print(message, file=sys.stderr)


@contextlib.contextmanager
def quiet_import():
    """Import Keras inside this block: its back end's start-up notices are not for the reader.

    TensorFlow prints some of them from C++ before any setting is read, hence the redirection of all output.
    If the import fails, everything is shown. Raises UserError if KERAS_BACKEND names a backend that is not in BACKENDS.
    """
    os.environ["KERAS_BACKEND"] = backend = os.environ.get("KERAS_BACKEND") or BACKENDS[0]
    if backend not in BACKENDS:
        raise UserError(f"KERAS_BACKEND is {backend!r}, and this runs on {' or '.join(BACKENDS)} only; set or unset it")
    first = "keras" not in sys.modules
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # TensorFlow keeps oneDNN's kernels for processors with VNNI, on Linux; others of x86 train twice as fast with them.
    if platform.machine() == "x86_64":
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    for name in ("absl", "jax", "tensorflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if sys.stdout:  # None where there is no terminal, on Windows
        sys.stdout.flush()
    with tempfile.TemporaryFile() as notices:
        kept = {number: os.dup(number) for number in (1, 2)}
        for number in kept:
            os.dup2(notices.fileno(), number)
        try:
            yield
            if first and "keras" in sys.modules:
                _plain_settings()
        except UserError:
            raise
        except Exception:
            notices.seek(0)
            os.write(kept[2], notices.read())
            raise
        finally:
            for number, terminal in kept.items():
                os.dup2(terminal, number)
                os.close(terminal)


def _plain_settings():
    """Undo ~/.keras/keras.json, often years old or meant for other work (Theano, channels first, float16)."""
    from keras import config

    config.set_floatx("float32")
    config.set_dtype_policy("float32")
    config.set_epsilon(1e-7)
    config.set_image_data_format("channels_last")


def reason(error):
    """Return the plain words of an OSError: 'No space left on device', 'Permission denied'."""
    return error.strerror or str(error)


def progress(work, total, unit):
    """Return a list of what the iterator `work` yields; on a terminal, count along: "photo 3 of 40"."""
    done = []
    for item in work:
        done.append(item)
        if sys.stdout.isatty():
            print(f"\r{unit} {len(done)} of {total}", end="\n" if len(done) == total else "", flush=True)
    return done
