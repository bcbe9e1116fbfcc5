"""Write a model as HDF5 with a record of what made it, and read that record.

Keras is imported in the functions that need it, so that reading a record is quick.
"""

import os
import platform
import secrets
import sys
import tempfile
from pathlib import Path

import numpy as np

from pyimagesearch.data.idx import MAX_CLASSES, MAX_NAME
from pyimagesearch.errors import UserError, printable
from pyimagesearch.files import replacing
from pyimagesearch.model_files import reading

INPUT_RANGE = (0.0, 1.0)  # the pixels that the networks of this project are trained on


def environment():
    """Return what the weights depend on besides data and settings: "versions", a dict of strings, and "cores", an int.

    TensorFlow splits some sums over the cores, and the order of a sum decides its last bits.
    """
    import keras

    versions = {
        "python": platform.python_version(),
        "keras": keras.version(),
        "backend": keras.backend.backend(),
        "numpy": np.__version__,
    }
    if "tensorflow" in sys.modules:
        versions["tensorflow"] = sys.modules["tensorflow"].__version__
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"versions": versions, "cores": cores}


def save(model, path, record):
    """Write a Keras model to `path`, .h5 or .keras, which keras.models.load_model opens without this project.

    record: what made the model, a dict that JSON can hold. It is stored in the file, next to a checksum of the record,
    the config and the weights: see reading.add_record().
    Raises UserError if the file cannot be written; an older file at `path` is then unchanged, and the model is saved in
    another place, if there is one, which the error names.
    """
    try:
        _write(model, path, record)
    except UserError as error:
        for folder in (path.parent, Path(tempfile.gettempdir())):
            other = folder / f"{path.stem[:100]}-{secrets.token_hex(4)}{path.suffix}"
            try:
                _write(model, other, record)
            except UserError:
                continue
            raise UserError(f"{error}; the network is saved as {other}") from error
        raise


def _write(model, path, record):
    with replacing(path) as temporary:
        # On a disk that is full, HDF5 may end the process: see first whether there is room.
        temporary.write_bytes(bytes(sum(weight.nbytes for weight in model.get_weights()) + 200_000))
        try:
            model.save(temporary, include_optimizer=False)
        except RuntimeError as error:  # HDF5 reports a full disk so, when it closes a file
            raise OSError(str(error)) from error
        reading.add_record(temporary, record)


def describe_file(path):
    """Return what is known of the model file at `path`: what made it and how accurate it is, as describe() does."""
    try:
        record = reading.read(path).record
    except UserError:
        record = {}
    accuracy = record.get("validation_accuracy")
    accuracy = f", validation accuracy {accuracy:.2%}" if isinstance(accuracy, float) else ""
    epochs = f", {record['epochs']} epoch{'s' if record['epochs'] > 1 else ''}" if record else ""
    return f"{describe(record)}{epochs}{accuracy}"


def is_ours(record):
    """Return whether a record is of a network that this project trained, on pixels from 0.0 to 1.0."""
    return record.get("input_range") == list(INPUT_RANGE)


def temperature(record):
    """Return the temperature in a record (see evaluation/calibration.py); 1.0 if there is none or it is implausible."""
    value = record.get("temperature")
    return value if isinstance(value, float) and 0.05 < value < 20 else 1.0


def class_names(record):
    """Return the names of the classes in a model's record, a tuple of str; () if it has no valid ones."""
    names = record.get("class_names")
    if not isinstance(names, list) or not 2 <= len(names) <= MAX_CLASSES or not all(isinstance(n, str) for n in names):
        return ()
    valid = all(0 < len(name) <= MAX_NAME for name in names) and len(set(names)) == len(names)
    return tuple(map(printable, names)) if valid else ()


def checked_names(names, labels):
    """Return names of classes as a list, as a record has them. Raises UserError if they cannot be those of labels (N,).

    A list in an edited script may have any length and values.
    """
    names = [*names]
    if class_names({"class_names": names}) != tuple(names) or labels.max() >= len(names):
        raise UserError(
            f"the names of the classes, {names}, must be 2 to {MAX_CLASSES} different texts of at most {MAX_NAME} "
            f"characters, one for each label from 0 to {labels.max()}"
        )
    return names


def check_labels(path, class_names, labels):
    """Check that the model at `path`, which knows these classes, can be used with labels (N,). Raises UserError."""
    if labels.max() >= len(class_names):
        raise UserError(
            f"{path} knows {len(class_names)} classes, but the labels of this data go up to {labels.max()}; use the "
            "data that it was trained on"
        )


def describe(record):
    """Return what made a model, from its record, as one sentence without a subject or a full stop."""
    if not record:
        return "a model without a record of its training"
    changed = f", changed: {record['changed']};" if record.get("changed") else ""
    start = f", starting from {record['start_from']}," if record.get("start_from") else ""
    return (
        f"trained with the recipe {record['recipe']!r}{changed}{start} on {record['training_images']:,} images, "
        f"seed {record['seed']}, Keras {record['versions'].get('keras')} on {record['versions'].get('backend')}"
    )
