"""Read a model file: a checked config and checked weights, with h5py alone. Keras is not needed.

A model file from elsewhere can contain code that runs on loading (a Lambda layer: CVE-2025-9905), refer to other files,
or declare more data than a machine can hold. Whatever is not known to be harmless is refused.
"""

import contextlib
import hashlib
import io
import json
import os
import signal
import time
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from pyimagesearch.errors import UserError
from pyimagesearch.model_files import configs

RECORD = "fashion_mnist"  # the HDF5 attribute that says what made the model, as JSON
RECORD_TYPES = {"recipe": str, "epochs": int, "seed": int, "training_images": int, "versions": dict}
OLD_RECORD_KEYS = {"training_pictures": "training_images", "validation_pictures": "validation_images"}
DIGEST = "fashion_mnist_sha256"  # the HDF5 attribute with the checksum of record, config and weights

# Bounds: far above any network for 28x28 images, far below what a machine can hold.
MOST_PARAMETERS = 50_000_000
MOST_OBJECTS = 20_000
DEEPEST = 40
LONGEST = 10  # seconds that reading may take; a good file takes less than one

# What reading a damaged file can raise.
DAMAGE = (OSError, KeyError, ValueError, TypeError, RuntimeError, OverflowError, AttributeError, IndexError, EOFError)
DAMAGE += (zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Contents:
    """What a model file contains.

    path      of the file
    config    the model as Keras describes it, plain values; None if the file contains only weights
    record    what made the model, a dict; empty if this project did not
    weights   {layer name: [arrays]} in the order of the file
    packed    for a .keras file: its weights as bytes, an HDF5 file of its own
    """

    path: Path
    config: dict | None
    record: dict
    weights: dict
    packed: bytes = b""


def check(path):
    """Check that there is a model file at `path`: HDF5 (.h5) or ZIP (.keras). Raises UserError if not."""
    if not path.exists():
        raise UserError(f"there is no model {path}; train one first: python fashion_mnist.py --model {path}")
    if path.is_dir():
        raise UserError(f"{path} is a folder; give a model file, .h5 or .keras")
    if not os.access(path, os.R_OK):
        raise UserError(f"cannot read {path}: permission denied")
    if not path.is_file() or not (h5py.is_hdf5(path) or zipfile.is_zipfile(path)):
        raise UserError(f"{path} is not an HDF5 file (damaged, or another format); train one: python fashion_mnist.py")


def read(path):
    """Return the Contents of the model file at `path`.

    Raises UserError if the file is missing, damaged, or contains anything that is not needed to run a network of
    Keras's built-in layers.
    """
    check(path)
    _try_first(path)
    return _read(path)


def _try_first(path):
    """Read the file in a child process, because the HDF5 library hangs or crashes on some damaged files.

    Raises UserError if it does. Without os.fork (Windows) nothing is tried.
    """
    if not hasattr(os, "fork"):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "fork may deadlock with threads": the child only reads the file
        child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            _read(path)
        os._exit(0)
    deadline, ended = time.monotonic() + LONGEST, (0, 0)
    try:
        while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
            time.sleep(0.002)
    finally:
        if ended == (0, 0):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    if ended == (0, 0) or ended[1] != 0:
        raise UserError(f"{path} is damaged: the HDF5 library hangs or crashes on it")


def _read(path):
    try:
        if not h5py.is_hdf5(path):
            return _read_archive(path)
        with h5py.File(path) as file:
            _check_objects(file)
            config, record, weights = _read_config(file), _read_record(file), _read_weights(file)
            if DIGEST in file.attrs and _text(file.attrs, DIGEST) != _digest(config, record, weights):
                raise UserError("it has changed since it was saved (its checksum differs)")
            return Contents(path, config, _current_record(record), weights)
    except UserError as error:
        raise UserError(f"cannot load {path}: {error}") from error
    except DAMAGE as error:
        words = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"{path} is damaged: {words[0]}") from error


def _read_archive(path):
    """Read a .keras file: a ZIP with the config as JSON and the weights as HDF5."""
    with zipfile.ZipFile(path) as archive:
        sizes = {item.filename: item.file_size for item in archive.infolist()}
        if not {"config.json", "model.weights.h5"} <= sizes.keys():
            raise UserError("it is a ZIP file, but not a .keras file")
        if sizes["config.json"] > configs.MOST_CHARACTERS or sizes["model.weights.h5"] > 8 * MOST_PARAMETERS:
            raise UserError("it unpacks to more data than any network for 28x28 images has")
        config, packed = archive.read("config.json").decode(), archive.read("model.weights.h5")
    with h5py.File(io.BytesIO(packed)) as file:
        _check_objects(file)
        weights = _read_every_array(file)
    return Contents(path, configs.parse(config), {}, weights, packed)


def add_record(path, record):
    """Add a record of what made the model, a dict, to the HDF5 file at `path`, and a checksum of everything in it."""
    with h5py.File(path, "r+") as file:
        file.attrs[RECORD] = json.dumps(record)
        _check_objects(file)
        file.attrs[DIGEST] = _digest(_read_config(file), _read_record(file), _read_weights(file))


def _digest(config, record, weights):
    """Return the SHA-256 of a model, hexadecimal. A flipped bit in a weight gives a network that runs and is wrong."""
    total = hashlib.sha256(json.dumps([config, record], sort_keys=True).encode())
    for layer, arrays in weights.items():
        for array in arrays:
            total.update(f"{layer} {array.shape} {array.dtype.name}".encode())
            total.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
    return total.hexdigest()


def _check_objects(file):
    """Check all groups and arrays: only hard links, nothing outside the file, bounded sizes."""
    seen, numbers = set(), 0
    groups = [(file, 0)]
    while groups:
        group, depth = groups.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise UserError(f"it contains a link, {name!r}, to another place")
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen or depth > DEEPEST or len(seen) > MOST_OBJECTS:
                raise UserError("its groups are nested in a circle or too deep")
            seen.add(address)
            if isinstance(item, h5py.Group):
                groups.append((item, depth + 1))
                continue
            if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiu":
                raise UserError(f"{name!r} is not an array of numbers")
            layout = item.id.get_create_plist()
            if layout.get_layout() == h5py.h5d.VIRTUAL or layout.get_external_count():
                raise UserError(f"the array {name!r} stores its numbers in another file")
            # deflate, shuffle and checksums come with HDF5; any other filter would load a plugin
            if any(layout.get_filter(i)[0] not in (1, 2, 3) for i in range(layout.get_nfilters())):
                raise UserError(f"the array {name!r} needs a plugin to be read")
            numbers += item.size
            if numbers > MOST_PARAMETERS:
                raise UserError(f"it has more than {MOST_PARAMETERS:,} parameters")
            if item.size and not item.id.get_storage_size():  # HDF5 reads such an array as zeros
                raise UserError(f"the array {name!r} is declared but not stored")


def _text(attributes, name):
    value = attributes[name]
    text = value.decode() if isinstance(value, bytes) else value
    if not isinstance(text, str) or len(text) > configs.MOST_CHARACTERS:
        raise UserError(f"its {name} is not a text, or too long")
    return text


def _read_record(file):
    """Return the record in the file, as it is stored; {} if there is none."""
    record = json.loads(_text(file.attrs, RECORD)) if RECORD in file.attrs else {}
    return record if isinstance(record, dict) else {}


def _current_record(record):
    """Return a record with today's keys; {} if one that is needed is missing or of another type."""
    record = {OLD_RECORD_KEYS.get(key, key): value for key, value in record.items()}
    complete = all(isinstance(record.get(key), kind) for key, kind in RECORD_TYPES.items())
    return record if complete else {}


def _read_config(file):
    """Return the config of the model as checked plain values; None if there is none."""
    return configs.parse(_text(file.attrs, "model_config")) if "model_config" in file.attrs else None


def _names(attributes, key):
    """Return a list of names from an attribute, which Keras splits into key0, key1, ... if it is long."""
    names = []
    for part in (key, *(f"{key}{number}" for number in range(len(attributes)))):
        if part in attributes:
            names += [name.decode() if isinstance(name, bytes) else str(name) for name in attributes[part]]
    return names


def _read_weights(file):
    """Return {layer name: [arrays]} in the order of the file; all numbers are finite."""
    top = file.get("model_weights", file)  # the latter in a file that contains only weights
    if top is file and "model_config" in file.attrs:
        raise UserError("it has no weights")
    if top is file and "layer_names" not in file.attrs:
        return _read_every_array(file)
    weights, numbers = {}, 0
    for layer in _names(top.attrs, "layer_names"):
        group = top[layer]
        names = _names(group.attrs, "weight_names")
        numbers += sum(group[name].size for name in names)
        if numbers > MOST_PARAMETERS or layer in weights:  # a small array may be named many times
            raise UserError("it names the same weights many times")
        arrays = [np.asarray(group[name][()]) for name in names]
        weights[layer] = _finite(layer, arrays)
    return weights


def _read_every_array(file):
    """Return {name: [array]} for all arrays in the file, which is the layout of Keras 3."""
    arrays = {}
    file.visititems(lambda name, item: arrays.update({name: item}) if isinstance(item, h5py.Dataset) else None)
    return {name: _finite(name, [np.asarray(item[()])]) for name, item in arrays.items()}


def _finite(layer, arrays):
    if not all(np.isfinite(array).all() for array in arrays):
        raise UserError(f"the weights of the layer {layer!r} are not all finite numbers")
    return arrays
