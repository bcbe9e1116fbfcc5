"""Files that are written whole or not at all, and checked beforehand that they can be."""

import contextlib
import glob
import json
import os
import tempfile
import time
from pathlib import Path

from pyimagesearch.errors import UserError, reason


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


def check_target(path):
    """Check that a file can be written at `path`. Raises UserError otherwise."""
    if path.is_dir():
        raise UserError(f"cannot write {path}: it is a folder; give the name of a file")
    if not path.parent.is_dir():
        raise UserError(f"cannot write {path}: the folder {path.parent} does not exist; make it first")
    check_folder(path.parent)


@contextlib.contextmanager
def replacing(path):
    """Yield a temporary path beside `path`; at the end of the block it takes `path`'s place in one step.

    If the block fails, `path` stays as it was. An OSError (disk full, no permission) becomes a UserError.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    for left_over in path.parent.glob(f".{glob.escape(path.stem)}.*.tmp{path.suffix}"):  # of a process that was killed
        with contextlib.suppress(OSError):
            if time.time() - left_over.stat().st_mtime > 3600:
                left_over.unlink()
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {reason(error)}; what was there before is unchanged") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path, value):
    """Write a value to `path` as JSON, in one step, and say so."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n")
    print(f"written: {path}")
