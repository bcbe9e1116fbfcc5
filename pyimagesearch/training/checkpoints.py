"""Checkpoints: store a training run after each epoch, and resume it as if it had never stopped.

A checkpoint holds what decides the rest of a run: weights, optimizer state, the random state of dropout, the history.
(Shuffling and augmentation follow from seed and epoch.) Each file is complete or absent; two are kept, in a hidden
folder beside the model file.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pyimagesearch.errors import UserError, reason, warn
from pyimagesearch.files import replacing

try:
    import fcntl
except ModuleNotFoundError:  # Windows, where nobody else can read a byte that is locked
    import msvcrt

    fcntl = None

KEPT = 2
# The rounding depends on these, which are the machine's. Another value gives as good a network, but not the same bits.
ENVIRONMENT = ("versions", "cores", "bfloat16")
WORDS = {"data": "other training data", "layers": "another network"}  # where the values say nothing to a reader
FULL = {errno.ENOSPC, errno.EDQUOT}
# How reading a damaged file can fail.
BROKEN = (OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, MemoryError, RuntimeError)
BROKEN += (zipfile.BadZipFile,)


def fingerprint(*arrays):
    """Return the SHA-256 of the arrays' shapes, dtypes and contents: the same data, or not."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(f"{array.shape} {array.dtype}".encode())
        total.update(np.ascontiguousarray(array))
    return total.hexdigest()


@contextlib.contextmanager
def locked(model_path):
    """Hold the folder for the checkpoints of a model, and yield it. Raises UserError if another process holds it.

    The lock is the operating system's: it ends with its process, however that ends. A folder without checkpoints is
    removed at the end. Where the folder cannot be used, a warning says so, and the training goes on without.
    """
    model = Path(os.path.realpath(model_path))  # a link to a model is not another model
    name = os.fsencode(model.name)
    folder = model.with_name(f".{model.name if len(name) < 240 else hashlib.sha256(name).hexdigest()}.training")
    file = None
    try:
        while not file:
            folder.mkdir(exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # a training that just ended removed the folder
                opened = open(folder / "lock", "a+")  # noqa: SIM115
                _hold(opened)
                if os.path.samestat(os.fstat(opened.fileno()), os.stat(folder / "lock")):
                    file = opened
        file.truncate(0)
        os.write(file.fileno(), f"{os.getpid()}\n".encode())  # unbuffered: close() has nothing left to write
    except OSError as error:
        warn(f"cannot use the folder {folder}: {reason(error)}; if this training is stopped, it cannot be resumed")
    try:
        yield folder
    finally:
        if file:
            if not stored(folder):
                shutil.rmtree(folder, ignore_errors=True)
            file.close()


def _hold(file):
    """Lock an open file. Raises UserError if another process has."""
    try:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            file.seek(1000)  # after the number of the process that holds the lock
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except (BlockingIOError, PermissionError):
        file.seek(0)
        holder = file.read().strip() or "unknown"
        raise UserError(
            f"another training of the same model is running (process {holder}); wait for it, or choose another --model"
        ) from None
    except OSError as error:
        warn(f"this file system has no locks ({reason(error)}): do not train the same model twice at a time")


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
    """The checkpoints of one training run.

    folder     what locked() yields
    settings   what decides the weights (data, recipe, seed, ...) and their rounding (ENVIRONMENT): a dict for JSON
    resume     whether to go on from the newest checkpoint
    epochs     after how many epochs this run, not another one in the same folder, can be resumed; 0: it cannot
    """

    folder: Path
    settings: dict
    resume: bool = False
    epochs: int = 0
    warned: bool = False

    def save(self, model, history):
        """Store a compiled model and its history after an epoch.

        If the disk is full, older checkpoints make room. If it cannot be stored, a warning says so, once.
        """
        if not self.folder.is_dir():  # locked() has said that it cannot be used
            return
        epochs = len(history["loss"])
        header = json.dumps({"settings": self.settings, "history": history})
        arrays = {f"variable{number}": np.asarray(variable) for number, variable in enumerate(_variables(model))}
        older = [path for epoch, path in stored(self.folder) if epoch != epochs]
        while True:
            try:
                with replacing(self.folder / f"epoch-{epochs:05d}.npz") as temporary:
                    np.savez(temporary, header=np.frombuffer(header.encode(), np.uint8), **arrays)
                break
            except UserError as error:
                if older and error.__cause__.errno in FULL:
                    older.pop().unlink(missing_ok=True)
                    continue
                if not self.warned:
                    warn(f"{error}; the training goes on, but cannot be resumed after epoch {epochs}")
                self.warned = True
                return
        self.epochs = epochs
        # Only now may older ones go: all of this run but the one before, and all of another run.
        for epoch, path in stored(self.folder):
            if not 0 <= epochs - epoch < KEPT:
                path.unlink(missing_ok=True)

    def restore(self, model):
        """Bring a compiled model to the state of the newest good checkpoint, and return the history until then.

        Without `resume`, only says what will be replaced. A damaged checkpoint is named, and the one before it is used.
        Raises UserError if a checkpoint is of another run; it names what differs.
        """
        for epoch, path in stored(self.folder):
            try:
                settings, history, arrays = _load(path)
                differences = _differences(settings, self.settings)
                if not self.resume:
                    words = f" with {' and '.join(list(differences.values())[:3])}" if differences else ""
                    print(f"an unfinished training{words}, stopped after epoch {epoch}, is replaced after one epoch")
                    if not differences:
                        print("to go on with it instead, stop now and add --resume to the same command")
                        self.epochs = epoch
                    return {}
                fatal = [words for name, words in differences.items() if name not in ENVIRONMENT]
                if fatal:
                    raise UserError(
                        f"cannot resume: the unfinished training has {' and '.join(fatal[:3])}; use the same settings, "
                        "or start a new training without --resume"
                    )
                _assign(_variables(model), arrays)
            except BROKEN as error:
                why = str(error) or type(error).__name__
                warn(f"the checkpoint {path} cannot be used ({why}); trying the one before")
                continue
            print(f"resuming the unfinished training after epoch {epoch}")
            for words in differences.values():
                warn(f"the unfinished training has {words}: the weights may differ slightly")
            self.epochs = epoch
            return history
        if self.resume:
            print("no checkpoint to resume from: starting a new training")
        return {}

    def remove(self):
        """Remove the checkpoints of a run that ended well."""
        for _, path in stored(self.folder):
            path.unlink(missing_ok=True)


def _differences(theirs, ours):
    """Return {name: words} of the settings that differ, such as {"seed": "seed 1, not 2"}."""
    ours = json.loads(json.dumps(ours))
    if theirs.keys() != ours.keys():
        return {"version": "settings of another version of this project"}
    return {
        name: WORDS.get(name) or f"{name.replace('_', ' ')} {theirs[name]}, not {value}"
        for name, value in ours.items()
        if theirs[name] != value
    }


def _variables(model):
    model.optimizer.build(model.trainable_variables)
    return model.variables + model.optimizer.variables


def _load(path):
    """Return a checkpoint's settings, a dict, its history, {name: [a value per epoch]}, and its arrays, {name: array}.

    Raises one of BROKEN. What is read is not larger than the file, whatever the file declares.
    """
    with zipfile.ZipFile(path) as file:
        if any(part.compress_type for part in file.infolist()):
            raise ValueError("it is compressed")
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(arrays["header"].tobytes())
    history, settings = header["history"], dict(header.get("settings", {}))
    lengths = {len(np.asarray(values, float)) for values in history.values()}
    if path.name != f"epoch-{len(history['loss']):05d}.npz" or len(lengths) != 1:
        raise ValueError("its history is not that of its epochs")
    return settings, history, arrays


def _assign(variables, arrays):
    """Give the variables the values of a checkpoint, all or none. Raises ValueError."""
    values = [arrays.get(f"variable{number}") for number in range(len(variables))]
    for variable, value in zip(variables, values, strict=True):
        if value is None or value.shape != tuple(variable.shape) or not np.isfinite(value).all():
            raise ValueError(f"it has no finite numbers for {variable.path}")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
