"""Files that are written whole or not at all, and checked beforehand that they can be."""

import contextlib
import errno
import glob
import json
import os
import stat
import sys
import tempfile
import time
from pathlib import Path

from pyimagesearch.errors import UserError, reason

WAIT = 10  # seconds for the other end of a pipe


def check_folder(folder):
    """Make `folder` if it is missing and check that a file can be written there.

    Raises UserError otherwise: better now than after the training.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"cannot write to the folder {folder}: {reason(error)}; choose another") from error


def check_target(path, stream=False):
    """Check that a file can be written at `path`; with `stream`, also into a pipe or a device. Raises UserError."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG
    except OSError as error:
        raise UserError(f"cannot write {path}: {reason(error)}; choose another") from error
    if stat.S_ISDIR(mode):
        raise UserError(f"cannot write {path}: it is a folder; give the name of a file")
    if stat.S_ISREG(mode):
        folder = Path(os.path.realpath(path)).parent
        if not folder.is_dir():
            shown = folder if os.path.islink(path) else Path(path).parent
            raise UserError(f"cannot write {path}: the folder {shown} does not exist; make it first")
        check_folder(folder)
    elif not (stream and (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode))):
        raise UserError(f"cannot write {path}: it is a device, a pipe or a socket; give the name of a file")
    elif not os.access(path, os.W_OK):
        raise UserError(f"cannot write {path}: Permission denied; choose another")


@contextlib.contextmanager
def replacing(path):
    """Yield a temporary path beside `path`; at the end of the block it takes `path`'s place in one step.

    If `path` is a link, it stays one, and the file that it points to is replaced. If the block fails, `path` stays as
    it was. An OSError (disk full, no permission) becomes a UserError.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.stem}.{os.getpid()}.tmp{target.suffix}")
    try:
        pattern = f".{glob.escape(target.stem)}.*.tmp{target.suffix}"
        for left_over in target.parent.glob(pattern):  # of a process that was killed
            with contextlib.suppress(OSError):
                if time.time() - left_over.stat().st_mtime > 3600:
                    left_over.unlink()
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:
        raise UserError(f"cannot write {path}: {reason(error)}; what was there before is unchanged") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def write_text(path, text):
    """Write a text to `path`, in one step. What is not a regular file (a pipe, /dev/null, /dev/stdout) is written into.

    So is the file that stdout or stderr goes to: another in its place would not get what is printed later.
    Raises UserError.
    """
    found = os.stat(path) if os.path.exists(path) else None
    printed_to = [number for number in (1, 2) if found and _is_same(found, number)]
    if not found or (stat.S_ISREG(found.st_mode) and not printed_to):
        with replacing(path) as temporary:
            temporary.write_bytes(text.encode())
        return
    try:
        sys.stdout.flush()
        with os.fdopen(os.dup(printed_to[0]) if printed_to else _open_stream(path), "wb") as file:
            file.write(text.encode())
    except OSError as error:
        why = "nobody reads from this pipe" if error.errno in (errno.ENXIO, errno.EPIPE) else reason(error)
        raise UserError(f"cannot write to {path}: {why}") from error


def write_json(path, value):
    """Write a value to `path` as JSON, as write_text() does, and say so."""
    write_text(path, json.dumps(value, indent=2) + "\n")
    print(f"written: {path}")


def _is_same(found, number):
    """Return whether the file of this os.stat() is the one behind an open file descriptor."""
    try:
        return os.path.samestat(found, os.fstat(number))
    except OSError:
        return False


def _open_stream(path):
    """Return a descriptor to write to a pipe or device; wait at most WAIT seconds until somebody reads from a pipe."""
    end = time.monotonic() + WAIT
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            os.set_blocking(descriptor, True)
            return descriptor
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() > end:
                raise
            time.sleep(0.1)
