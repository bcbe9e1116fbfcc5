"""Write and read .h5 models, with a record of what made them.

Keras is imported in the functions that need it, so that check() answers at once.
"""

import json
import os
import platform
import sys

import h5py
import numpy as np

from pyimagesearch.console import UserError, quiet_import, reason, replacing

RECORD = "fashion_mnist"  # the HDF5 attribute with the record, as JSON
INPUT_RANGE = (0.0, 1.0)  # what preprocessing.scale makes


def versions():
    """Return the versions that a result depends on, as a dict of strings."""
    import keras

    return {
        "python": platform.python_version(),
        "keras": keras.version(),
        "backend": keras.backend.backend(),
        "numpy": np.__version__,
    } | ({"tensorflow": sys.modules["tensorflow"].__version__} if "tensorflow" in sys.modules else {})


def save(model, path, record):
    """Write a Keras model to `path` as HDF5, which keras.models.load_model opens without this project.

    record: what made the model, a dict that JSON can hold; kept in the file's attribute "fashion_mnist".
    Raises UserError if it cannot be written; an older file at `path` is then unchanged.
    """
    with replacing(path) as temporary:
        model.save(temporary, include_optimizer=False)
        with h5py.File(temporary, "r+") as file:
            file.attrs[RECORD] = json.dumps(record)


def check(path):
    """Check that an HDF5 file lies at `path`, without Keras. Raises UserError if not."""
    if not path.exists():
        raise UserError(f"there is no model {path}; train one first: python fashion_mnist.py --model {path}")
    if path.is_dir():
        raise UserError(f"{path} is a folder; give the .h5 file in it")
    if not os.access(path, os.R_OK):
        raise UserError(f"{path} cannot be read: permission denied")
    if not h5py.is_hdf5(path):
        raise UserError(f"{path} is not an HDF5 file (damaged, or another format); train one: python fashion_mnist.py")


def load(path):
    """Return the model at `path`, uncompiled, and its record (empty if this project did not make the file).

    Raises UserError if the file is not a model that Keras can read.
    """
    check(path)
    with quiet_import():
        import keras

    try:
        with h5py.File(path) as file:
            record = json.loads(file.attrs.get(RECORD, "{}"))
            if "model_config" not in file.attrs:
                raise UserError(f"{path} holds no Keras model (weights alone, or other data)")
        return keras.models.load_model(path, compile=False, safe_mode=True), record
    except OSError as error:
        raise UserError(f"{path} is damaged: {reason(error)}") from error
    except (ValueError, TypeError, KeyError) as error:
        words = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"{path} is not a model that Keras can read: {words[0]}") from error
