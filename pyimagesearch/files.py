"""Files that are written whole or not at all, and checked beforehand that they can be."""

import contextlib
import errno
import json
import os
import secrets
import shutil
import stat
import sys
import tempfile
import time
from pathlib import Path

from pyimagesearch.errors import UserError, reason, warn

TRIAL = 100_000  # bytes, about those of a figure
SCRIPTS = ("fashion_mnist", "fashion_mnist_loaded", "initial_data_analysis")
IMPORTED = {None: time.time()}  # module: a time when it was imported already; None: those that were not seen yet
CHANGED = set()  # modules whose files changed after that; whether the new code runs is not known
TEMPORARY = ".fashion_mnist_"  # how the names of temporary files begin


def check_folder(folder):
    """Make `folder` if it is missing and check that a file can be written there.

    Raises UserError otherwise: better now than after the training.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(TRIAL))  # a full disk takes an empty file
    except OSError as error:
        raise UserError(f"cannot write to the folder {folder}: {reason(error)}; choose another") from error


def check_target(path, stream=False):
    """Check that a file can be written at `path`; with `stream`, also into a pipe or a device. Raises UserError."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError as error:
        folder = Path(os.path.realpath(path)).parent
        if not folder.is_dir():
            shown = folder if os.path.islink(path) else Path(path).parent
            raise UserError(f"cannot write {path}: the folder {shown} does not exist; make it first") from error
        return check_folder(folder)
    except OSError as error:
        raise UserError(f"cannot write {path}: {reason(error)}; choose another") from error
    if stat.S_ISDIR(mode):
        raise UserError(f"cannot write {path}: it is a folder; give the name of a file")
    if not stat.S_ISREG(mode) and not (stream and (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode))):
        raise UserError(f"cannot write {path}: it is a device, a pipe or a socket; give the name of a file")
    if not mode & 0o222 or not os.access(path, os.W_OK):  # the superuser has access to a read-only file, too
        raise UserError(f"cannot write {path}: it is read-only; choose another name")
    if stat.S_ISREG(mode):
        check_folder(_folder_for_temporary(Path(os.path.realpath(path))))


def _folder_for_temporary(target):
    """Return the folder of a file or, where no other file can be made there, that of the system."""
    return target.parent if os.access(target.parent, os.W_OK) else Path(tempfile.gettempdir())


@contextlib.contextmanager
def replacing(path):
    """Yield a temporary path beside `path`; at the end of the block it takes `path`'s place in one step.

    A link stays one, and the file that it points to is replaced; owner and permissions stay. A file that can be written
    to and not replaced (mounted into a container, for example) is written to. If the block fails, `path` stays as it
    was. An OSError (disk full, no permission) becomes a UserError.
    """
    try:
        target = Path(os.path.realpath(path))
        folder = _folder_for_temporary(target)
        for left_over in folder.glob(f"{TEMPORARY}*"):  # of a process that was killed
            with contextlib.suppress(OSError):
                if time.time() - left_over.stat().st_mtime > 3600:
                    left_over.unlink()
        temporary = folder / f"{TEMPORARY}{secrets.token_hex(4)}.tmp{target.suffix[:20]}"
        try:
            open(temporary, "xb").close()
            if target.exists():
                if not target.stat().st_mode & 0o222:
                    raise PermissionError(errno.EACCES, "it is read-only")
                with contextlib.suppress(OSError, AttributeError):  # only a superuser's; not on Windows
                    os.chown(temporary, target.stat().st_uid, target.stat().st_gid)
                shutil.copymode(target, temporary)
            yield temporary
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            try:
                os.replace(temporary, target)
            except OSError:
                if not target.is_file():
                    raise
                _write_into(target, temporary)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
    except OSError as error:
        raise UserError(f"cannot write {path}: {reason(error)}; what was there before is unchanged") from error


def _write_into(target, source):
    with open(source, "rb") as new, open(target, "rb+") as file:
        with contextlib.suppress(AttributeError):  # Linux has it; if there is no room, nothing has been written
            os.posix_fallocate(file.fileno(), 0, max(1, os.path.getsize(source)))
        shutil.copyfileobj(new, file)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def write_text(path, text):
    """Write a text to `path`, in one step. What is not a regular file (a pipe, /dev/null, /dev/stdout) is written into.

    So is the file that stdout or stderr goes to: another in its place would not get what is printed later.
    Raises UserError.
    """
    printed_to = [number for number in (1, 2) if _is_open_as(path, number)]
    if not printed_to and (os.path.isfile(path) or not os.path.exists(path)):
        with replacing(path) as temporary:
            temporary.write_bytes(text.encode())
        return
    try:
        if sys.stdout:
            sys.stdout.flush()
        with os.fdopen(os.dup(printed_to[0]), "wb") if printed_to else open(path, "wb") as file:
            file.write(text.encode())
    except OSError as error:
        raise UserError(f"cannot write to {path}: {reason(error)}") from error


def remove(path):
    """Remove an older output, which would be taken for one of today, if there is one and it can be removed."""
    with contextlib.suppress(OSError):
        path.unlink()


def write_json(path, value):
    """Write a value to `path` as JSON, as write_text() does, and say so."""
    write_text(path, json.dumps(value, indent=2) + "\n")
    print(f"written: {path}")


def _is_open_as(path, number):
    """Return whether the file at `path` is the one behind an open file descriptor."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(number))
    except OSError:
        return False


def warn_of_edits():
    """Warn of each file of this project that was edited after it was imported, as happens in a notebook."""
    now = time.time()
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ("pyimagesearch", *SCRIPTS) and getattr(module, "__file__", None):
            imported = IMPORTED.setdefault(name, IMPORTED[None])
            with contextlib.suppress(OSError):  # it was deleted
                if imported < os.stat(module.__file__).st_mtime <= now:
                    CHANGED.add(name)
                    warn(f"{module.__file__} has changed since its first import: restart the kernel to be sure of it")
    IMPORTED[None] = now
