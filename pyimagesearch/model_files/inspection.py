"""A model file in, a checked config and checked arrays out: h5py alone, and nothing in the file is ever run.

A .h5 from elsewhere can name code to run on load (a Lambda layer: CVE-2025-9905), point to other files, or promise more
than a machine can hold. What is not known to be harmless is refused.
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

import h5py
import numpy as np

from pyimagesearch.errors import UserError
from pyimagesearch.model_files import configs

RECORD = "fashion_mnist"  # the HDF5 attribute with what made the model, as JSON
RECORD_TYPES = {"recipe": str, "epochs": int, "seed": int, "training_pictures": int, "versions": dict}
DIGEST = "fashion_mnist_sha256"  # and the one with the checksum of everything that counts

# Bounds for files from elsewhere: far above any network for 28 x 28 pictures, far below what a machine can hold.
MOST_PARAMETERS = 50_000_000
MOST_OBJECTS = 20_000
DEEPEST = 40
LONGEST = 10  # seconds to read it; a good one takes less than one

# How reading a damaged file can fail.
DAMAGE = (OSError, KeyError, ValueError, TypeError, RuntimeError, OverflowError, AttributeError, IndexError, EOFError)
DAMAGE += (zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Contents:
    """What a model file holds.

    config    Keras's description of the model, plain values; None if the file holds weights alone
    record    what made the model; {} if this project did not
    weights   {layer name: [arrays]} in the file's order
    packed    instead of that, for a .keras file: its weights, an HDF5 file of its own, as bytes
    """

    config: dict | None
    record: dict
    weights: dict
    packed: bytes = b""


def read(path):
    """Return the Contents of the model file at `path`. Raises UserError, with the reason, if it must not be used."""
    _try_first(path)
    return _read(path)


def _try_first(path):
    """Read the file in a process of its own: on some damaged files the HDF5 library runs in circles, or crashes.

    Raises UserError then. Does nothing where there is no fork (Windows).
    """
    if not hasattr(os, "fork"):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "fork may deadlock with threads": the child reads the file and nothing else
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
        raise UserError(f"{path} is damaged: the HDF5 library does not come to an end with it")


def _read(path):
    try:
        if not h5py.is_hdf5(path):
            return _read_archive(path)
        with h5py.File(path) as file:
            _check_objects(file)
            contents = Contents(_read_config(file), _read_record(file), _read_weights(file))
            if DIGEST in file.attrs and _text(file.attrs, DIGEST) != digest(contents):
                raise UserError("its content is not what was saved (the checksum differs)")
            return contents
    except UserError as error:
        raise UserError(f"{path} is refused: {error}") from error
    except DAMAGE as error:
        words = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"{path} is damaged: {words[0]}") from error


def _read_archive(path):
    """Read a .keras file: a ZIP with the config as JSON and the weights as HDF5."""
    with zipfile.ZipFile(path) as archive:
        sizes = {item.filename: item.file_size for item in archive.infolist()}
        if not {"config.json", "model.weights.h5"} <= sizes.keys():
            raise UserError("it is a ZIP file, but not one that Keras made")
        if sizes["config.json"] > configs.MOST_CHARACTERS or sizes["model.weights.h5"] > 8 * MOST_PARAMETERS:
            raise UserError("it unpacks to more than is sensible")
        config, packed = archive.read("config.json").decode(), archive.read("model.weights.h5")
    with h5py.File(io.BytesIO(packed)) as file:
        _check_objects(file)
        weights = _read_every_array(file)
    return Contents(configs.parse(config), {}, weights, packed)


def digest(contents):
    """Return the SHA-256 of the contents: flipped bits in a weight give a model that runs and is wrong."""
    total = hashlib.sha256(json.dumps([contents.config, contents.record], sort_keys=True).encode())
    for layer, arrays in contents.weights.items():
        for array in arrays:
            total.update(f"{layer} {array.shape} {array.dtype.name}".encode())
            total.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
    return total.hexdigest()


def _check_objects(file):
    """Walk through all groups and arrays: hard links only, nothing outside the file, bounded sizes."""
    seen, numbers = set(), 0
    groups = [(file, 0)]
    while groups:
        group, depth = groups.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise UserError(f"it has a link, {name!r}, that leads elsewhere")
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen or depth > DEEPEST or len(seen) > MOST_OBJECTS:
                raise UserError("its groups are nested in a circle or without end")
            seen.add(address)
            if isinstance(item, h5py.Group):
                groups.append((item, depth + 1))
                continue
            if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiu":
                raise UserError(f"{name!r} is not an array of numbers")
            layout = item.id.get_create_plist()
            if layout.get_layout() == h5py.h5d.VIRTUAL or layout.get_external_count():
                raise UserError(f"the array {name!r} keeps its numbers elsewhere")
            # deflate, shuffle and checksums come with HDF5; any other filter would load a plug-in
            if any(layout.get_filter(i)[0] not in (1, 2, 3) for i in range(layout.get_nfilters())):
                raise UserError(f"the array {name!r} needs a plug-in to be read")
            numbers += item.size
            if numbers > MOST_PARAMETERS:
                raise UserError(f"it has more than {MOST_PARAMETERS:,} parameters")
            if item.size and not item.id.get_storage_size():  # HDF5 reads such an array as zeros
                raise UserError(f"the array {name!r} is promised but not stored")


def _text(attributes, name):
    value = attributes[name]
    text = value.decode() if isinstance(value, bytes) else value
    if not isinstance(text, str) or len(text) > configs.MOST_CHARACTERS:
        raise UserError(f"its {name} is not a text of sensible size")
    return text


def _read_record(file):
    record = json.loads(_text(file.attrs, RECORD)) if RECORD in file.attrs else {}
    known = isinstance(record, dict) and all(isinstance(record.get(key), kind) for key, kind in RECORD_TYPES.items())
    return record if known else {}


def _read_config(file):
    """Return the model's config as plain values, with nothing in it but what is allowed; None if there is none."""
    return configs.parse(_text(file.attrs, "model_config")) if "model_config" in file.attrs else None


def _names(attributes, key):
    """Return a list of names from an attribute, which Keras cuts into key0, key1, ... when it is long."""
    names = []
    for part in (key, *(f"{key}{number}" for number in range(len(attributes)))):
        if part in attributes:
            names += [name.decode() if isinstance(name, bytes) else str(name) for name in attributes[part]]
    return names


def _read_weights(file):
    """Return {layer name: [arrays]} in the file's order, all of them finite."""
    top = file.get("model_weights", file)  # the latter in a file of weights alone
    if top is file and "model_config" in file.attrs:
        raise UserError("it has no weights")
    if top is file and "layer_names" not in file.attrs:
        return _read_every_array(file)
    weights, numbers = {}, 0
    for layer in _names(top.attrs, "layer_names"):
        group = top[layer]
        names = _names(group.attrs, "weight_names")
        numbers += sum(group[name].size for name in names)
        if numbers > MOST_PARAMETERS or layer in weights:  # each array is small; the same one may be named many times
            raise UserError("it names the same weights again and again")
        arrays = [np.asarray(group[name][()]) for name in names]
        weights[layer] = _finite(layer, arrays)
    return weights


def _read_every_array(file):
    """Return {name: [array]} of all arrays in the file, which are the weights in the layout of Keras 3."""
    arrays = {}
    file.visititems(lambda name, item: arrays.update({name: item}) if isinstance(item, h5py.Dataset) else None)
    return {name: _finite(name, [np.asarray(item[()])]) for name, item in arrays.items()}


def _finite(layer, arrays):
    if not all(np.isfinite(array).all() for array in arrays):
        raise UserError(f"the weights of the layer {layer!r} are not all finite numbers")
    return arrays
