"""Read a model file, .h5 or .keras: the config of the network and its weights, both checked. Keras is not needed."""

import contextlib
import hashlib
import io
import json
import shutil
import stat
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np

from pyimagesearch.errors import UserError, printable, reason
from pyimagesearch.model_files import checks, configs, file_types
from pyimagesearch.model_files.child import Child

CONFIG = "model_config"  # the HDF5 attribute with the config, as JSON
RECORD = "fashion_mnist"  # the HDF5 attribute that says what made the model, as JSON
RECORD_TYPES = {"recipe": str, "epochs": int, "seed": int, "training_images": int, "versions": dict}
OLD_RECORD_KEYS = {"training_pictures": "training_images", "validation_pictures": "validation_images"}
DIGEST = "fashion_mnist_sha256"  # the HDF5 attribute with the checksum of record, config and weights
TOP_GROUPS = ("layers", "_layer_checkpoint_dependencies")  # of the layout of Keras 3, and of Keras 2.12


@dataclass(frozen=True)
class Contents:
    """What a model file contains.

    path           of the file
    config         of the model, see configs.parse()
    record         what made the model, a dict; empty if this project did not
    weights        [(name, array)] in the order of the file
    by_layer       whether the names are those of layers, as in HDF5 files of model.save; else they are paths such as
                   "layers/dense/vars/0", as in .keras and .weights.h5 files
    architecture   path of the JSON file that config comes from; None if it is in the file itself
    verified       whether this project saved the file, and its checksum holds
    child          the process that tries out the network, see child.py; None: none does
    """

    path: Path
    config: dict
    record: dict
    weights: list
    by_layer: bool
    architecture: Path | None = None
    verified: bool = False
    child: Child | None = None


def read(path, architecture=None, training=None):
    """Return the Contents of the model file at `path`.

    architecture: JSON file with the network, as model.to_json() writes it, for a file that contains only weights;
    without it, one that lies beside the file is used (find_architecture).
    training: the command that makes such a file, to be named if there is none.
    Raises UserError if a file is missing, damaged, or does not pass the checks of checks.py.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            path.open("rb").close()
    except FileNotFoundError as error:
        advice = f"; train one first: {training}" if training and path.suffix == ".h5" else ""
        raise UserError(f"there is no model {path}{advice}") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {reason(error)}") from error
    with loading(path):
        if not stat.S_ISREG(mode):
            folder = stat.S_ISDIR(mode)
            raise UserError(file_types.explain_folder(path) if folder else "it is a pipe or a device, not a file")
        child = Child(path, architecture)
        fields, weights = child.read()
        architecture = fields.pop("architecture")
        return Contents(path, weights=weights, architecture=architecture and Path(architecture), child=child, **fields)


@contextlib.contextmanager
def loading(path):
    """Begin any UserError in this block with the name of the file that cannot be loaded."""
    try:
        yield
    except UserError as error:
        raise UserError(f"cannot load {path}: {printable(str(error))}") from error


def parse(path, architecture=None):
    """Return the Contents of the model file at `path`, as read() does, but in this process (see child.py)."""
    if file_types.check(path) == "zip":
        contents = _parse_archive(path)
    else:
        with h5py.File(path, locking=False) as file:
            contents = _parse_hdf5(path, file)
    if architecture or contents.config is None:
        architecture = architecture or find_architecture(path)
        contents = replace(contents, config=_parse_architecture(architecture), record={}, architecture=architecture)
    return contents


def _parse_hdf5(path, file):
    """Return the Contents of an h5py.File; their config is None if there is none."""
    config = configs.parse(_text(file.attrs, CONFIG)) if CONFIG in file.attrs else None
    weights, by_layer = _weights(file)
    verified = DIGEST in file.attrs
    if verified and _text(file.attrs, DIGEST) != _digest(file, weights):
        raise UserError("it has changed since it was saved (its checksum differs)")
    record = _current_record(_json(file, RECORD))
    return Contents(path, config, record, weights, by_layer, verified=verified and bool(record))


def _parse_archive(path):
    """Return the Contents of a .keras file: a ZIP file with the config as JSON and the weights as HDF5."""
    with file_types.open_archive(path) as archive:
        parts = {name: io.BytesIO() for name in file_types.KERAS_PARTS}
        for name, buffer in parts.items():
            checks.check_member(archive.getinfo(name))
            with archive.open(name) as part:  # zipfile unpacks no more than the declared size, and compares checksums
                shutil.copyfileobj(part, buffer)
    with h5py.File(parts["model.weights.h5"]) as weights:
        return Contents(path, configs.parse(parts["config.json"].getvalue().decode()), {}, *_weights(weights))


def find_architecture(path):
    """Return the JSON file beside the weights file `path` that has their network.

    It is the one of the same name (net.json for net.h5 or net.weights.h5), or else the only network in the folder.
    Raises UserError if there is none, or several.
    """
    found, others = [], []
    for candidate in sorted(path.parent.glob("*.json"))[:100]:
        try:
            small = candidate.is_file() and candidate.stat().st_size <= checks.MAX_CHARACTERS
            network = small and configs.is_model(configs.loads(candidate.read_text(encoding="utf-8")))
        except (OSError, ValueError, RecursionError):
            network = False
        (found if network else others).append(candidate)
    found = [one for one in found if one.stem in (path.stem, path.stem.removesuffix(".weights"))] or found
    if len(found) == 1:
        return found[0]
    if found:
        problem = f"there are several networks beside it ({', '.join(one.name for one in found)}); choose one"
    else:
        seen = f" ({', '.join(one.name for one in others[:3])} beside it is not one)" if others else ""
        problem = f"not their network{seen}; save the whole model with model.save, or give the network, as "
        problem += "model.to_json() writes it,"
    raise UserError(f"it contains only weights, and {problem} with --architecture FILE.json")


def _parse_architecture(path):
    try:
        if path.is_file() and path.stat().st_size > 4 * checks.MAX_CHARACTERS:
            raise UserError(f"it is longer than {checks.MAX_CHARACTERS:,} characters")
        return configs.parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"the architecture {path} cannot be read: {reason(error)}") from error
    except ValueError as error:
        raise UserError(f"the architecture {path} is not JSON, as model.to_json() writes it") from error
    except UserError as error:
        raise UserError(f"the architecture {path} cannot be used: {error}") from error


def add_record(path, record):
    """Add a record of what made the model, a dict, to the HDF5 file at `path`, and a checksum of everything in it."""
    with h5py.File(path, "r+") as file:
        file.attrs[RECORD] = json.dumps(record)
        file.attrs[DIGEST] = _digest(file, _weights(file)[0])


def _digest(file, weights):
    """Return the SHA-256 of a model, hexadecimal. A flipped bit in a weight gives a network that runs and is wrong."""
    total = hashlib.sha256(json.dumps([_json(file, CONFIG), _json(file, RECORD)], sort_keys=True).encode())
    for layer, array in weights:
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


def _weights(file):
    """Return the weights in an HDF5 file, [(name, array)], and whether the names are those of layers."""
    if "model_weights" in file:
        top = checks.check_link(file, "model_weights")
        return _by_layer(top, list(top)), True
    if CONFIG in file.attrs:
        raise UserError("it has a network, but no weights")
    if "layer_names" in file.attrs:
        return _by_layer(file, _names(file.attrs, "layer_names")), True
    if names := [name for name in file if name.split("\\")[0] in TOP_GROUPS]:  # Keras on Windows has written "\"
        arrays = [(name, _numbers(name, item)) for name, item in _arrays(file, names)]
        return [(name.replace("\\", "/").replace(TOP_GROUPS[1], "layers"), array) for name, array in arrays], False
    raise UserError(file_types.explain_hdf5(_shapes(file)))


def _by_layer(top, groups):
    """Return [(layer name, array)] in the order of the file, as Keras 2 and today's .h5 files have them."""
    stored = dict(_arrays(top, groups))
    weights, total = [], 0
    for layer in _names(top.attrs, "layer_names"):
        for name in _names(checks.check_link(top, layer).attrs, "weight_names"):
            item = stored[f"{layer}/{name}"]
            total += item.nbytes
            if total > checks.MAX_BYTES:  # a small array may be named many times
                raise UserError("it names the same weights many times")
            weights.append((layer, _numbers(layer, item)))
    return weights


def _arrays(top, names):
    """Yield (path, h5py.Dataset) for each array in the groups `names` of a group, all checked."""
    seen, total = 0, 0
    left = [(top, name, name) for name in reversed(names)]
    while left:
        group, name, path = left.pop()
        item = checks.check_link(group, name)
        seen += 1
        if seen > checks.MAX_OBJECTS or path.count("/") > checks.MAX_DEPTH:
            raise UserError("its groups are nested in a circle, or too many")
        if isinstance(item, h5py.Group):
            left += [(item, inner, f"{path}/{inner}") for inner in reversed(list(item))]
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
    if not np.isfinite(numbers).all():
        raise UserError(f"the weights {name!r} are not all finite numbers")
    return numbers


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
