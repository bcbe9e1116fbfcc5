"""Read a model file, .h5 or .keras: the config of the network and its weights, both checked. Keras is not needed."""

import contextlib
import hashlib
import io
import json
import os
import re
import signal
import stat
import time
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from pyimagesearch.errors import UserError, printable, reason
from pyimagesearch.model_files import checks, configs, file_types

CONFIG = "model_config"  # the HDF5 attribute with the config, as JSON
RECORD = "fashion_mnist"  # the HDF5 attribute that says what made the model, as JSON
RECORD_TYPES = {"recipe": str, "epochs": int, "seed": int, "training_images": int, "versions": dict}
OLD_RECORD_KEYS = {"training_pictures": "training_images", "validation_pictures": "validation_images"}
DIGEST = "fashion_mnist_sha256"  # the HDF5 attribute with the checksum of record, config and weights

# What reading a damaged file can raise.
DAMAGE = (OSError, KeyError, ValueError, TypeError, RuntimeError, OverflowError, AttributeError, IndexError, EOFError)
DAMAGE += (RecursionError, NotImplementedError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Contents:
    """What a model file contains.

    path           of the file
    config         of the model, see configs.parse(); None if there are only weights
    record         what made the model, a dict; empty if this project did not
    weights        {layer name: [arrays]} in the order of the file: HDF5 as Keras 1 and 2 wrote it
    variables      {"layers/dense/vars/0": array} instead: the layout of Keras 3, in a .keras or a .weights.h5 file
    architecture   path of the JSON file that config comes from; None if it is in the file itself
    """

    path: Path
    config: dict | None
    record: dict
    weights: dict
    variables: dict
    architecture: Path | None = None


def check(path, training=None):
    """Check that there is a file at `path` that begins as HDF5 (.h5) or ZIP (.keras). Raises UserError if not.

    training: the command that makes such a file, to be named if there is none.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise UserError(file_types.explain_folder(path))
        if not stat.S_ISREG(mode):
            raise UserError("it is a pipe or a device, not a file")
        file_types.check(path)
    except UserError as error:
        raise UserError(f"cannot load {path}: {error}") from error
    except FileNotFoundError as error:
        advice = f"; train one first: {training}" if training and path.suffix == ".h5" else ""
        raise UserError(f"there is no model {path}{advice}") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {reason(error)}") from error


def read(path, architecture=None, training=None):
    """Return the Contents of the model file at `path`.

    architecture: JSON file with the network, as model.to_json() writes it, for a file that contains only weights;
    without it, one that lies beside the file is used (find_architecture).
    training: the command that makes such a file, to be named if there is none.
    Raises UserError if a file is missing, damaged, or does not pass the checks of checks.py.
    """
    check(path, training)
    _try_first(path)
    contents = _read(path)
    if architecture or contents.config is None:
        architecture = architecture or find_architecture(path)
    if architecture:
        return Contents(path, _read_architecture(architecture), {}, contents.weights, contents.variables, architecture)
    return contents


def find_architecture(path):
    """Return the JSON file beside the weights file `path` that has their network, or None.

    It is the one of the same name (net.json for net.h5 or net.weights.h5), or else the only network in the folder.
    Raises UserError if there are several.
    """
    found = []
    for candidate in sorted(path.parent.glob("*.json"))[:100]:
        with contextlib.suppress(OSError, ValueError, RecursionError):
            small = candidate.is_file() and candidate.stat().st_size <= checks.MAX_CHARACTERS
            if small and configs.is_model(json.loads(candidate.read_text())):
                found.append(candidate)
    same = [one for one in found if one.stem in (path.stem, path.stem.removesuffix(".weights"))]
    if len(same or found) > 1:
        names = ", ".join(one.name for one in same or found)
        raise UserError(
            f"cannot load {path}: it contains only weights, and there are several networks beside it ({names}); "
            "choose one with --architecture"
        )
    return next(iter(same or found), None)


def _read_architecture(path):
    try:
        if not path.is_file():
            raise UserError(f"there is no file {path}" if not path.exists() else f"{path} is not a file")
        if path.stat().st_size > 4 * checks.MAX_CHARACTERS:
            raise UserError(f"its config is longer than {checks.MAX_CHARACTERS:,} characters")
        return configs.parse(path.read_text())
    except UserError as error:
        raise UserError(f"cannot load the architecture {path}: {printable(str(error))}") from error
    except OSError as error:
        raise UserError(f"cannot read the architecture {path}: {reason(error)}") from error
    except ValueError as error:
        raise UserError(f"cannot load the architecture {path}: it is not JSON, as model.to_json() writes it") from error


def _try_first(path):
    """Read the file in a child process, because the HDF5 library hangs or crashes on some damaged files.

    Raises UserError if it does, or if it needs too much memory. Without os.fork (Windows) nothing is tried.
    """
    if not hasattr(os, "fork"):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "fork may deadlock with threads": the child only reads the file
        child = os.fork()
    if child == 0:
        status = 0
        try:
            _limit_memory()
            _read(path)
        except MemoryError:
            status = 1
        except BaseException:  # will be raised again when the parent reads the file
            pass
        os._exit(status)
    deadline, ended = time.monotonic() + checks.MAX_SECONDS, (0, 0)
    try:
        while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
            time.sleep(0.002)
    finally:
        if ended == (0, 0):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    if ended == (0, 0) or ended[1] != 0:
        raise UserError(f"cannot load {path}: it is damaged: the HDF5 library hangs or crashes on it")


def _limit_memory():
    """Let this process take at most a gigabyte more than it has. Does nothing where that cannot be told."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + 5 * checks.MAX_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _read(path):
    try:
        if file_types.check(path) == "zip":
            return _read_archive(path)
        with h5py.File(path, locking=False) as file:
            config = configs.parse(_text(file.attrs, CONFIG)) if CONFIG in file.attrs else None
            weights, variables = _read_weights(file)
            if DIGEST in file.attrs and _text(file.attrs, DIGEST) != _digest(file, weights):
                raise UserError("it has changed since it was saved (its checksum differs)")
            return Contents(path, config, _current_record(_json(file, RECORD)), weights, variables)
    except UserError as error:
        raise UserError(f"cannot load {path}: {printable(str(error))}") from error
    except DAMAGE as error:
        raise UserError(f"cannot load {path}: {_damage(error, path)}") from error


def _damage(error, path):
    """Return a sentence for what a library says of a damaged file."""
    text = str(error).strip()
    stored = re.search(r"stored_eof = (\d+)", text)
    if stored and "truncated" in text:
        size = path.stat().st_size
        return f"it is cut off: {size:,} of its {int(stored[1]):,} bytes are there; download it again"
    return f"it is damaged: {printable((text.splitlines() or [type(error).__name__])[0])}"


def _read_archive(path):
    """Read a .keras file: a ZIP file with the config as JSON and the weights as HDF5."""
    with file_types.open_archive(path) as archive, open(path, "rb") as file:
        for name in file_types.KERAS_PARTS:
            checks.check_member(archive.getinfo(name))
        config = configs.parse(_unpack(archive, "config.json").decode())
        with h5py.File(_member(archive, "model.weights.h5", file)) as weights:
            return Contents(path, config, {}, *_read_weights(weights))


def _unpack(archive, name):
    """Return the bytes of a file in a ZIP archive; zipfile never unpacks more of it than the size that it declares."""
    size = archive.getinfo(name).file_size
    with archive.open(name) as file:
        data = file.read(size)
    if len(data) != size:
        raise UserError(f"{name} in it is shorter than it declares")
    return data


def _member(archive, name, file):
    """Return a file in a ZIP archive as an object for h5py: a view of `file`, the open archive, or a copy in memory."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED:
        return io.BytesIO(_unpack(archive, name))
    with archive.open(name) as packed:  # zipfile compares the checksum at the end
        while packed.read(1_000_000):
            pass
    file.seek(info.header_offset)
    header = file.read(30)
    start = info.header_offset + 30 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    return _View(file, start, info.file_size)


class _View(io.RawIOBase):
    """The bytes from `start` to `start + size` of an open file, as a file."""

    def __init__(self, file, start, size):
        self.file, self.start, self.size, self.place = file, start, size, 0

    def readable(self):
        return True

    def seekable(self):
        return True

    def seek(self, offset, whence=os.SEEK_SET):
        self.place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self.place, os.SEEK_END: self.size}[whence]
        return self.place

    def readinto(self, buffer):
        self.file.seek(self.start + self.place)
        data = self.file.read(max(0, min(len(buffer), self.size - self.place)))
        buffer[: len(data)] = data
        self.place += len(data)
        return len(data)


def add_record(path, record):
    """Add a record of what made the model, a dict, to the HDF5 file at `path`, and a checksum of everything in it."""
    with h5py.File(path, "r+") as file:
        file.attrs[RECORD] = json.dumps(record)
        file.attrs[DIGEST] = _digest(file, _read_weights(file)[0])


def _digest(file, weights):
    """Return the SHA-256 of a model, hexadecimal. A flipped bit in a weight gives a network that runs and is wrong."""
    total = hashlib.sha256(json.dumps([_json(file, CONFIG), _json(file, RECORD)], sort_keys=True).encode())
    for layer, arrays in weights.items():
        for array in arrays:
            total.update(f"{layer} {array.shape} {array.dtype.name}".encode())
            total.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
    return total.hexdigest()


def _text(attributes, name):
    value = attributes[name]
    text = value.decode() if isinstance(value, bytes) else value
    if not isinstance(text, str) or len(text) > checks.MAX_CHARACTERS:
        raise UserError(f"its {name} is not a text, or too long")
    return text


def _json(file, name):
    """Return the JSON value in an attribute of the file; {} if there is none."""
    return json.loads(_text(file.attrs, name)) if name in file.attrs else {}


def _current_record(record):
    """Return a record with today's keys; {} if one that is needed is missing or of another type."""
    if not isinstance(record, dict):
        return {}
    record = {OLD_RECORD_KEYS.get(key, key): value for key, value in record.items()}
    complete = all(isinstance(record.get(key), kind) for key, kind in RECORD_TYPES.items())
    return record if complete else {}


def _read_weights(file):
    """Return the weights, {layer name: [arrays]}, and the variables, {path: array}, in an HDF5 file; one is empty."""
    if "model_weights" in file:
        top = checks.check_link(file, "model_weights")
        return _by_layer(top, list(top)), {}
    if CONFIG in file.attrs:
        raise UserError("it has a network, but no weights")
    if "layer_names" in file.attrs:
        return _by_layer(file, _names(file.attrs, "layer_names")), {}
    names = [name for name in file if re.match(r"(layers|_layer_checkpoint_dependencies)\b", name)]
    if names:
        return {}, _by_path(file, names)
    raise UserError(file_types.explain_hdf5(_shapes(file)))


def _by_layer(top, groups):
    """Return {layer name: [arrays]} in the order of the file, as Keras 1 and 2 and today's .h5 files have them."""
    stored = dict(_arrays(top, groups))
    weights, total = {}, 0
    for layer in _names(top.attrs, "layer_names"):
        names = [f"{layer}/{name}" for name in _names(checks.check_link(top, layer).attrs, "weight_names")]
        total += sum(stored[name].nbytes for name in names)
        if total > checks.MAX_BYTES or layer in weights:  # a small array may be named many times
            raise UserError("it names the same weights many times")
        weights[layer] = [_numbers(layer, stored[name]) for name in names]
    return weights


def _by_path(file, names):
    """Return {path: array} of the groups `names`, with "/" for the backslashes that Keras on Windows has written."""
    variables = {}
    for name, item in _arrays(file, names):
        path = name.replace("\\", "/").replace("_layer_checkpoint_dependencies", "layers")  # Keras 2.12
        variables[path] = _numbers(path, item)
    return variables


def _arrays(top, names):
    """Yield (path, h5py.Dataset) for each array in the groups `names` of a group, all checked."""
    seen, total = 0, 0
    left = [(top, name, name, 0) for name in reversed(names)]
    while left:
        group, name, path, depth = left.pop()
        item = checks.check_link(group, name)
        seen += 1
        if seen > checks.MAX_OBJECTS or depth > checks.MAX_DEPTH:
            raise UserError("its groups are nested in a circle, or too many")
        if isinstance(item, h5py.Group):
            left += [(item, inner, f"{path}/{inner}", depth + 1) for inner in reversed(list(item))]
        else:
            total = checks.check_array(path, item, total)
            yield path, item


def _numbers(name, item):
    """Return an h5py.Dataset as a checked array; float64 becomes float32, in which the network computes."""
    numbers = np.asarray(item[()])
    if checks.is_bfloat16(item):  # the upper half of a float32
        numbers = (numbers.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    if numbers.dtype.kind == "f":
        with np.errstate(over="ignore"):
            numbers = numbers.astype(np.float32, copy=False)
    return checks.check_finite(name, numbers)


def _names(attributes, key):
    """Return a list of names from an attribute, which Keras splits into key0, key1, ... if it is long."""
    names = []
    for part in (key, *(f"{key}{number}" for number in range(len(attributes)))):
        if part in attributes:
            names += [name.decode() if isinstance(name, bytes) else str(name) for name in attributes[part]]
    return names


def _shapes(file):
    """Return {name: shape} of the arrays in an HDF5 file that holds no model."""
    shapes = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            shapes[name] = item.shape
        return len(shapes) > 100 or None  # a value ends the visit

    file.visititems(visit)
    return shapes
