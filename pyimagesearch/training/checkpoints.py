"""Checkpoints: store a training after each epoch, and resume it as if it had never stopped.

A checkpoint holds what decides the rest of a training: weights, optimizer state, the random state of dropout, the
history. (Shuffling and augmentation follow from seed and epoch.) Each file is complete or absent; two are kept, in a
hidden folder beside the model file. Of several processes, the first alone locks, writes and removes.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pyimagesearch.errors import UserError, reason, warn
from pyimagesearch.files import replacing
from pyimagesearch.training.processes import first_process

KEPT = 2
LARGEST_HEADER = 1_000_000  # bytes
# The rounding depends on these, which are the machine's. Another value gives as good a network, but not the same bits.
ENVIRONMENT = ("versions", "cores", "bfloat16")
NAMES = {"batch_size": "batch size", "learning_rate": "learning rate"}
OTHERS = {"data": "other training data", "layers": "another network"}  # their values are no words
# How reading a damaged file can fail.
DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, MemoryError, RuntimeError, zipfile.BadZipFile, zlib.error)
# How the system says that a lock is held by another process.
HELD = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK}
LOCKED_BYTE = 1000  # after the number of the process that holds the lock
FULL = {errno.ENOSPC, errno.EDQUOT}


class Damaged(Exception):
    """A checkpoint that cannot be used. Its text says why."""


def fingerprint(*arrays):
    """Return the SHA-256 of the arrays' shapes, dtypes and contents: the same data, or not."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(f"{array.shape} {array.dtype}".encode())
        total.update(np.ascontiguousarray(array))
    return total.hexdigest()


@contextlib.contextmanager
def locked(model_path):
    """Hold the folder for the checkpoints of a model, and yield it. Raises UserError if another training holds it.

    The lock is the operating system's: it ends with its process, however that ends. A folder without checkpoints is
    removed at the end. Where the folder cannot be used, a warning says so, and the training goes on without.
    """
    model = Path(os.path.realpath(model_path))  # a link to a model is not another model
    name = os.fsencode(model.name)
    folder = model.with_name(f".{model.name if len(name) < 240 else hashlib.sha256(name).hexdigest()}.training")
    file = _lock(folder) if first_process() else None
    with file or contextlib.nullcontext():
        try:
            yield folder
        finally:
            if file and not stored(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _lock(folder):
    """Make the folder and return its lock file, open and locked; None if that cannot be."""
    path = folder / "lock"
    try:
        while True:
            folder.mkdir(exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # a training that just ended removed the folder
                file = open(path, "a+")  # noqa: SIM115
                _hold(file)
                if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    break
                file.close()
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        return file
    except OSError as error:
        warn(f"cannot use the folder {folder}: {reason(error)}; if this training is stopped, it cannot be resumed")
        return None


def _hold(file):
    try:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ModuleNotFoundError:  # Windows, where nobody else can read a byte that is locked
            import msvcrt

            file.seek(LOCKED_BYTE)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except OSError as error:
        if error.errno not in HELD:
            warn(f"this file system has no locks ({reason(error)}): do not train the same model twice at a time")
            return
        file.seek(0)
        holder = file.read().strip() or "unknown"
        raise UserError(
            f"another training of the same model is running (process {holder}); wait for it, or choose another --model"
        ) from None


def stored(folder):
    """Return the checkpoint files in a folder, the newest first, as a list of (epoch, path)."""
    found = []
    for path in folder.glob("epoch-*.npz"):
        number = re.fullmatch(r"epoch-(\d{5,9})\.npz", path.name)
        if number and path.is_file():
            found.append((int(number[1]), path))
    return sorted(found, reverse=True)


@dataclass
class Checkpoints:
    """The checkpoints of one training.

    folder     what locked() yields
    settings   what decides the weights (data, recipe, seed, ...) and their rounding (ENVIRONMENT): a dict for JSON
    resume     whether to go on from the newest checkpoint
    """

    folder: Path
    settings: dict
    resume: bool = False
    warned: bool = False

    def finished(self):
        """Return how many epochs this training, not another one in the same folder, has stored; 0 for none."""
        for epoch, path in stored(self.folder):
            with contextlib.suppress(Damaged):
                if not _differences(_header(path)["settings"], self.settings, but=ENVIRONMENT):
                    return epoch
        return 0

    def save(self, model, history):
        """Store a compiled model and its history after an epoch.

        If the disk is full, older checkpoints make room. If it cannot be stored, a warning says so, once.
        """
        if not first_process():
            return
        epochs = len(history["loss"])
        header = json.dumps({"settings": self.settings, "history": history})
        arrays = {f"variable{number}": np.asarray(variable) for number, variable in enumerate(_variables(model))}
        arrays["header"] = np.frombuffer(header.encode(), np.uint8)
        older = [path for epoch, path in stored(self.folder) if epoch != epochs]
        while True:
            try:
                with replacing(self.folder / f"epoch-{epochs:05d}.npz") as temporary:
                    np.savez(temporary, **arrays)
                break
            except UserError as error:
                if getattr(error.__cause__, "errno", None) in FULL and older:
                    older.pop().unlink(missing_ok=True)
                elif self.warned:
                    return
                else:
                    warn(f"{error}; the training goes on, but cannot be resumed after epoch {epochs}")
                    self.warned = True
                    return
        # Only now may older ones go: all of this training but the one before, and all of another training.
        for epoch, path in stored(self.folder):
            if not 0 <= epochs - epoch < KEPT:
                path.unlink(missing_ok=True)

    def restore(self, model):
        """Bring a compiled model to the state of the newest good checkpoint, and return the history until then.

        Without `resume`, only says what will be replaced. A damaged checkpoint is named, and the one before it is used.
        Raises UserError if a checkpoint is of another training; it names what differs.
        """
        for epoch, path in stored(self.folder):
            try:
                header = _header(path)
                differences = _differences(header["settings"], self.settings)
                if not self.resume:
                    _announce(epoch, differences)
                    return {}
                return self._resume(model, path, header, differences)
            except Damaged as error:
                warn(f"the checkpoint {path} cannot be used ({error}); trying the one before")
        if self.resume:
            print("no checkpoint to resume from: starting a new training")
        return {}

    def _resume(self, model, path, header, differences):
        fatal = [words for name, words in differences.items() if name not in ENVIRONMENT]
        if fatal:
            raise UserError(
                f"cannot resume: the unfinished training has {' and '.join(fatal[:3])}; use the same settings, "
                "or start a new training without --resume"
            )
        variables = _variables(model)
        for variable, array in zip(variables, _arrays(path, variables), strict=True):
            variable.assign(array)
        print(f"resuming the unfinished training after epoch {len(header['history']['loss'])}")
        for words in differences.values():
            warn(f"the unfinished training has {words}: the weights may differ slightly")
        return header["history"]

    def remove(self):
        """Remove the checkpoints of a training that ended well."""
        for _, path in stored(self.folder) if first_process() else ():
            path.unlink(missing_ok=True)


def _announce(epoch, differences):
    settings = f" with {' and '.join(list(differences.values())[:3])}" if differences else ""
    advice = "" if differences else "; to go on with it instead, stop now and add --resume to the same command"
    print(
        f"an unfinished training{settings}, stopped after epoch {epoch}, is replaced when the first epoch of this one "
        f"ends{advice}"
    )


def _differences(theirs, ours, but=()):
    """Return {name: words} of the settings that differ, such as {"seed": "seed 1, not 2"}."""
    ours = json.loads(json.dumps(ours))
    if theirs.keys() != ours.keys():
        return {"version": "settings of another version of this project"}
    return {
        name: OTHERS.get(name) or f"{NAMES.get(name, name)} {theirs[name]}, not {value}"
        for name, value in ours.items()
        if name not in but and theirs[name] != value
    }


def _variables(model):
    model.optimizer.build(model.trainable_variables)
    return model.variables + model.optimizer.variables


def _header(path):
    """Return a checkpoint's header, {"settings": dict, "history": {name: [a number per epoch]}}. Raises Damaged."""
    try:
        header = json.loads(_read(path, "header.npy", LARGEST_HEADER).tobytes())
        history, settings = header["history"], dict(header.get("settings", {}))
        epochs = len(history["loss"])
        complete = all([type(value) for value in values] == [float] * epochs for values in history.values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Damaged("it has no settings or no history") from error
    if not complete or path.name != f"epoch-{epochs:05d}.npz":
        raise Damaged("its history is not that of its epochs")
    return {"settings": settings, "history": history}


def _arrays(path, variables):
    return [
        _read(path, f"variable{number}.npy", np.asarray(variable).nbytes + 10_000, tuple(variable.shape))
        for number, variable in enumerate(variables)
    ]


def _read(path, name, most, shape=None):
    """Return an array of a checkpoint; it may take `most` bytes and must have the shape. Raises Damaged."""
    try:
        with zipfile.ZipFile(path) as file, file.open(name) as part:
            if file.getinfo(name).file_size > most:
                raise Damaged(f"{name} is too large")
            array = np.lib.format.read_array(part, allow_pickle=False)
    except DAMAGE as error:
        raise Damaged(str(error) or type(error).__name__) from error
    if shape is not None and (array.shape != shape or not np.isfinite(array).all()):
        raise Damaged(f"{name} is not an array of the shape {shape} with finite numbers")
    return array
