"""Keep an unfinished training in a hidden folder beside the model, and go on from it as if nothing had happened.

What decides the rest of a training is in the file: weights, optimizer with its slots and step, the random states of
dropout, the history. Shuffle and flips follow from seed and epoch. Each file is complete or absent; two are kept.
Of a training in several processes, the first alone locks, writes and removes.
"""

import contextlib
import hashlib
import json
import os
import shutil
import zipfile

import numpy as np

from pyimagesearch.errors import UserError, reason, warn
from pyimagesearch.files import replacing
from pyimagesearch.training.processes import first_process

KEPT = 2


def folder_of(model_path):
    """Return the folder for the unfinished training of a model: .NAME.training beside it."""
    return model_path.with_name(f".{model_path.name}.training")


def fingerprint(*arrays):
    """Return the SHA-256 of some arrays: the same data, or not."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(f"{array.shape} {array.dtype}".encode())
        total.update(np.ascontiguousarray(array))
    return total.hexdigest()


@contextlib.contextmanager
def locked(folder):
    """Hold the folder for this process alone. Raises UserError if another training holds it.

    The lock is the operating system's, so it ends with its process however that ends.
    """
    if not first_process():
        yield
        return
    path = folder / "lock"
    try:
        while True:
            folder.mkdir(exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # a training that just ended took the folder away
                file = open(path, "a+")  # noqa: SIM115
                if not _lock(file):
                    file.seek(0)
                    holder = file.read().strip() or "unknown"
                    raise UserError(
                        f"another training of the same model is running (process {holder}); "
                        "wait for it, or give this one another --model"
                    )
                if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    break
                file.close()
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
    except OSError as error:
        raise UserError(f"cannot use the folder {folder}: {reason(error)}") from error
    with file:
        try:
            yield
        finally:
            if not unfinished(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _lock(file):
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _variables(model):
    model.optimizer.build(model.trainable_variables)
    # Pictures that the network carries along (see resident.py) are no part of what it has learned.
    return [variable for variable in model.variables if variable.dtype != "uint8"] + model.optimizer.variables


def save(folder, model, facts, history):
    """Write the state of a compiled model after an epoch. Raises UserError if it cannot be written.

    facts: what the training is of (data, recipe, seed, versions), a dict that JSON can hold.
    history: Keras's dict of lists, a value an epoch.
    """
    if not first_process():
        return
    epochs = len(history["loss"])
    header = json.dumps({"facts": facts, "history": history})
    arrays = {f"variable{number}": np.asarray(variable) for number, variable in enumerate(_variables(model))}
    path = folder / f"epoch-{epochs:05d}.npz"
    with replacing(path) as temporary:
        np.savez(temporary, header=np.frombuffer(header.encode(), np.uint8), **arrays)
    # Only now may the older ones go: those of this training but for the one before, and all of another training.
    for other in _files(folder):
        if not 0 <= epochs - _epoch(other) < KEPT:
            other.unlink(missing_ok=True)


def _epoch(path):
    return int(path.stem.removeprefix("epoch-"))


def _files(folder):
    return sorted(folder.glob("epoch-*.npz"), key=_epoch, reverse=True)


def unfinished(folder):
    """Return how many epochs the unfinished training in the folder has done; 0 if there is none."""
    return next((_epoch(path) for path in _files(folder)), 0)


def announce(folder, resume):
    """Say what will become of an unfinished training in the folder. Raises UserError if there is none to resume."""
    epochs = unfinished(folder)
    if resume and not epochs:
        raise UserError("there is no unfinished training to resume; start one without --resume")
    if resume:
        print(f"resuming the unfinished training after epoch {epochs}")
    elif epochs:
        print(
            f"an unfinished training (stopped after epoch {epochs}) is there and will be replaced when the first epoch "
            "of this one ends; to go on with it instead, stop now and add --resume to its command"
        )


def restore(folder, model, facts):
    """Bring a compiled model to the state of the newest good checkpoint and return the history until then.

    Says so when the newest one is damaged and an older one serves. Raises UserError if there is no good one, or if it
    is of another training: what differs is named.
    """
    for path in _files(folder):
        try:
            with np.load(path) as stored:
                header = json.loads(stored["header"].tobytes())
                arrays = [stored[f"variable{number}"] for number in range(len(stored.files) - 1)]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            warn(f"the checkpoint {path} is damaged ({error}); trying the one before")
            continue
        now = json.loads(json.dumps(facts))
        for name, value in header["facts"].items():
            if now.get(name) != value:
                raise UserError(
                    f"cannot resume: the unfinished training has the {name} {value}, this one {now.get(name)}; "
                    "make them equal, or start anew without --resume"
                )
        variables = _variables(model)
        if [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
            raise UserError("cannot resume: the network is not the same; start anew without --resume")
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
        return header["history"]
    raise UserError(f"no checkpoint in {folder} is good; start anew without --resume")


def remove(folder):
    """Remove the checkpoints of a training that ended well; the folder goes when its lock is given back."""
    for path in _files(folder) if first_process() else ():
        path.unlink(missing_ok=True)
