"""Checkpoints: store a training run after each epoch, and resume it as if it had never stopped.

A checkpoint holds what decides the rest of a run: weights, optimizer state, the random state of dropout, the history.
(Shuffling and augmentation follow from seed and epoch.) There is one, in a hidden folder beside the model file. It is
replaced in one step, so that the one before stays until the next is complete.
"""

import contextlib
import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pyimagesearch.errors import UserError, first_line, reason, warn
from pyimagesearch.files import replacing

try:
    import fcntl
except ModuleNotFoundError:  # Windows, where nobody else can read a byte that is locked
    import msvcrt

    fcntl = None

# The rounding depends on these, which are the machine's. Another value gives as good a network, but not the same bits.
ENVIRONMENT = ("versions", "cores", "bfloat16")
# Words for settings whose values say nothing to a reader.
WORDS = {"data": "other training data", "layers": "another network", "code": "other code"}


def fingerprint(*arrays):
    """Return the SHA-256 of the arrays' shapes, dtypes and contents: the same data, or not."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(f"{array.shape} {array.dtype}".encode())
        total.update(np.ascontiguousarray(array))
    return total.hexdigest()


@contextlib.contextmanager
def locked(model_path):
    """Hold the hidden folder of a model, and yield the path of the checkpoint in it.

    The lock is the operating system's: it ends with its process, however that ends. A folder without a checkpoint is
    removed at the end. Where the folder cannot be used, a warning says so, and the training goes on without. Raises
    UserError if another process holds the folder.
    """
    model = Path(os.path.realpath(model_path))  # a link to a model is not another model
    folder, lock = model.with_name(f".{model.name}.training"), None
    checkpoint = folder / "checkpoint.npz"
    try:
        lock = _lock(folder)
    except OSError as error:
        warn(f"cannot use the folder {folder}: {reason(error)}; if this training is stopped, it cannot be resumed")
    try:
        yield checkpoint
    finally:
        if lock:
            if not checkpoint.exists():
                shutil.rmtree(folder, ignore_errors=True)
            lock.close()


def _lock(folder):
    """Make a folder, and return its lock file, which this process holds. Raises UserError if another does."""
    while True:
        folder.mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # a training that just ended removed the folder
            file = open(folder / "lock", "a+")  # noqa: SIM115
            _hold(file)
            if os.path.samestat(os.fstat(file.fileno()), os.stat(folder / "lock")):
                file.truncate(0)
                os.write(file.fileno(), f"{os.getpid()}\n".encode())  # unbuffered: close() has nothing left to write
                return file


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


@dataclass
class Checkpoints:
    """The checkpoint of one training run.

    path       of its file, which locked() yields
    settings   what decides the weights (data, recipe, seed, ...) and their rounding (ENVIRONMENT): a dict for JSON
    resume     whether to go on from the checkpoint that is there
    epochs     after how many epochs this run, not another one of the same model, can be resumed; 0: it cannot
    """

    path: Path
    settings: dict
    resume: bool = False
    epochs: int = 0
    warned: bool = False

    def save(self, model, history):
        """Store a compiled model and its history after an epoch. If it cannot be stored, a warning says so, once."""
        if not self.path.parent.is_dir():  # locked() has said that it cannot be used
            return
        header = json.dumps({"settings": self.settings, "history": history}).encode()
        arrays = {f"variable{number}": np.asarray(variable) for number, variable in enumerate(_variables(model))}
        try:
            with replacing(self.path) as temporary:
                np.savez(temporary, header=np.frombuffer(header, np.uint8), **arrays)
            self.epochs = len(history["loss"])
        except UserError as error:
            if not self.warned:
                warn(f"{error}; the training goes on, but cannot be resumed after epoch {len(history['loss'])}")
            self.warned = True

    def restore(self, model):
        """Bring a compiled model to the state of the checkpoint, and return the history until then.

        Without `resume`, only says what will be replaced. A damaged checkpoint is named, and a new training starts.
        Raises UserError if the checkpoint is of another run; it names what differs.
        """
        if not self.path.is_file():
            if self.resume:
                print("no checkpoint to resume from: starting a new training")
            return {}
        variables = _variables(model)
        try:
            with np.load(self.path) as file:
                arrays = dict(file)
            header = json.loads(arrays.pop("header").tobytes())
            history, differences = header["history"], _differences(header["settings"], self.settings)
            fatal = [words for name, words in differences.items() if name not in ENVIRONMENT]
            values = [arrays[f"variable{number}"] for number in range(len(arrays))]
            if not fatal and [value.shape for value in values] != [tuple(variable.shape) for variable in variables]:
                raise ValueError("it has other variables than the network and the optimizer")
        except Exception as error:  # there are many ways to be damaged
            warn(f"the checkpoint {self.path} cannot be used ({first_line(error)}): starting a new training")
            return {}
        epochs = len(history["loss"])
        if not self.resume:
            words = f" with {' and '.join(list(differences.values())[:3])}" if differences else ""
            print(f"an unfinished training{words}, stopped after epoch {epochs}, is replaced after one epoch")
            if not differences:
                print("to go on with it instead, stop now and add --resume to the same command")
                self.epochs = epochs
            return {}
        if fatal:
            raise UserError(
                f"cannot resume: the unfinished training has {' and '.join(fatal[:3])}; use the same settings, "
                "or start a new training without --resume"
            )
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        print(f"resuming the unfinished training after epoch {epochs}")
        for words in differences.values():
            warn(f"the unfinished training has {words}: the weights may differ slightly")
        self.epochs = epochs
        return history

    def remove(self):
        """Remove the checkpoint of a run that ended well."""
        self.path.unlink(missing_ok=True)


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
