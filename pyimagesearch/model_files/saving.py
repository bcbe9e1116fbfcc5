"""Write and read .h5 models, with a record of what made them. A file is not trusted until it has been checked.

Keras is imported in the functions that need it, so that check() answers at once.
"""

import contextlib
import json
import math
import os
import platform
import sys
import tempfile
import zipfile

import h5py
import numpy as np

from pyimagesearch.errors import UserError
from pyimagesearch.files import replacing
from pyimagesearch.model_files import foreign, inspection

INPUT_RANGE = (0.0, 1.0)  # what preprocessing.scale makes

MOST_OUTPUTS = 20_000_000  # of one layer, for one picture


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

    record: what made the model, a dict that JSON can hold; kept in the file's attribute
    "fashion_mnist", beside a checksum of it, the config and the weights.
    Raises UserError if it cannot be written; an older file at `path` is then unchanged.
    """
    with replacing(path) as temporary:
        try:
            model.save(temporary, include_optimizer=False)
        except RuntimeError as error:  # how HDF5 tells of a full disk when it closes a file
            raise OSError(str(error)) from error
        with h5py.File(temporary, "r+") as file:
            file.attrs[inspection.RECORD] = json.dumps(record)
        checksum = inspection.digest(inspection.read(temporary))
        with h5py.File(temporary, "r+") as file:
            file.attrs[inspection.DIGEST] = checksum


def is_ours(record):
    """Say whether a model's record is of one that was trained here, on pixels from 0.0 to 1.0."""
    return record.get("input_range") == list(INPUT_RANGE)


def temperature(record):
    """Return the temperature in a model's record (see evaluation.fit_temperature), 1.0 if there is none of sense."""
    value = record.get("temperature")
    return value if isinstance(value, float) and 0.05 < value < 20 else 1.0


def describe(record):
    """Return in one sentence what made a model, from its record."""
    if not record:
        return "it does not say what made it"
    return (
        f"trained by the recipe {record['recipe']!r} for {record['epochs']} epochs on "
        f"{record['training_pictures']:,} pictures, seed {record['seed']}, "
        f"with Keras {record['versions'].get('keras')} on {record['versions'].get('backend')}"
    )


def check(path):
    """Check that an HDF5 file (.h5) or a ZIP file (.keras) lies at `path`, without Keras. Raises UserError if not."""
    if not path.exists():
        raise UserError(f"there is no model {path}; train one first: python fashion_mnist.py --model {path}")
    if path.is_dir():
        raise UserError(f"{path} is a folder; give a model file, .h5 or .keras")
    if not os.access(path, os.R_OK):
        raise UserError(f"{path} cannot be read: permission denied")
    if not path.is_file() or not (h5py.is_hdf5(path) or zipfile.is_zipfile(path)):
        raise UserError(f"{path} is not an HDF5 file (damaged, or another format); train one: python fashion_mnist.py")


def load(path):
    """Return the model at `path`, uncompiled, and its record (empty if this project did not make the file).

    Nothing is built from the file before inspection.py has passed it. Raises UserError, with the reason, if it is
    damaged, hostile, or not a model of Keras's built-in layers.
    """
    check(path)
    contents = inspection.read(path)
    try:
        model = _minivggnet(path, contents.weights) if contents.config is None else _build(contents)
        foreign.check_task(model)
        return model, contents.record
    except UserError as error:
        raise UserError(f"{path} is refused: {error}") from error


@contextlib.contextmanager
def _no_more_weights_than(most):
    """Inside this block, a layer that would bring the weights of all layers over `most` numbers is refused.

    A config can ask for a billion units in a line; this refuses before the memory is taken.
    """
    import keras

    add_weight, total = keras.layers.Layer.add_weight, 0

    def bounded(layer, shape=None, *arguments, **options):
        nonlocal total
        total += math.prod(shape or ())
        if total > most:
            raise UserError("its layers need more weights than it stores")
        return add_weight(layer, shape, *arguments, **options)

    keras.layers.Layer.add_weight = bounded
    try:
        yield
    finally:
        keras.layers.Layer.add_weight = add_weight


def _minivggnet(path, weights):
    """Return a MiniVGGNet with the weights of a file that holds nothing else. Raises UserError if they do not fit."""
    from pyimagesearch.minivggnet import MiniVGGNet

    arrays = [array for group in weights.values() for array in group]
    kernels = [array.shape for array in arrays if array.ndim > 1]
    if not kernels:
        raise UserError("it holds no Keras model")
    model = MiniVGGNet.build(28, 28, 1, 10)
    try:
        if any(len(group) > 1 for group in weights.values()):
            model.set_weights(arrays)
        else:  # the layout of Keras 3: each array by itself, in the order of their names
            model.load_weights(path)
    except Exception as error:
        names = [f"Dense {s[1]}" if len(s) == 2 else f"{'x'.join(map(str, s[:-2]))} filters, {s[-1]}" for s in kernels]
        raise UserError(
            f"it holds weights alone, not the network that they belong to (they suggest {'; '.join(names[:20])}); "
            "save the whole model, with model.save"
        ) from error
    return model


def _build(contents):
    """Return the model of the Contents, which inspection.py has passed."""
    import keras

    try:
        config = foreign.modern(contents.config)
        kind = keras.Sequential if config["class_name"] == "Sequential" else keras.Model
        weights = contents.weights
        with _no_more_weights_than(sum(array.size for arrays in weights.values() for array in arrays)):
            model = kind.from_config(config["config"])
        if not model.built:
            raise UserError("its configuration does not say the shape of its input")
        for layer in model.layers:
            outputs = layer.output if isinstance(layer.output, list) else [layer.output]
            if any(math.prod(size or 1 for size in tensor.shape) > MOST_OUTPUTS for tensor in outputs):
                raise UserError(f"the layer {layer.name!r} makes more numbers of a picture than is sensible")
    except UserError:
        raise
    except Exception as error:  # Keras raises whatever it likes on a config that makes no sense
        words = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"Keras cannot build it: {words[0]}") from error
    if contents.packed:
        _load_packed(model, contents.packed)
        return model
    for layer in model.layers:
        stored, wanted = weights.get(layer.name, []), layer.trainable_weights + layer.non_trainable_weights
        shapes = [tuple(variable.shape) for variable in wanted]
        # Keras 1 stored the kernels of networks with channels first as (filters, channels, rows, columns).
        turned = [array.transpose(2, 3, 1, 0) if array.ndim == 4 else array for array in stored]
        if [array.shape for array in stored] != shapes == [array.shape for array in turned]:
            stored = turned
        if [array.shape for array in stored] != shapes:
            raise UserError(f"the weights stored for the layer {layer.name!r} do not fit it")
        for variable, array in zip(wanted, stored, strict=True):
            variable.assign(array)
    return model


def _load_packed(model, packed):
    """Give the model the weights of a .keras file; these are numbers alone, checked before."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.weights.h5")
        with open(path, "wb") as file:
            file.write(packed)
        try:
            model.load_weights(path)
        except Exception as error:
            raise UserError(f"the weights do not fit the layers: {str(error).strip().splitlines()[0]}") from error
