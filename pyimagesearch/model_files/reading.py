"""Read a model file, .h5 or .keras: the config of the network and its weights, both checked. Keras is not needed."""

import contextlib
import hashlib
import json
import stat
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np

from pyimagesearch.errors import UserError, printable, reason
from pyimagesearch.model_files import configs, file_types, hdf5
from pyimagesearch.model_files.child import Child

# The HDF5 attributes of our own files; in a .keras file, a JSON file in the archive has both.
RECORD = "fashion_mnist"  # what made the model, as JSON
RECORD_TYPES = {"recipe": str, "epochs": int, "seed": int, "training_images": int, "versions": dict}
DIGEST = "fashion_mnist_sha256"  # the checksum of record, config and weights
MAX_JSON = 4_000_000  # bytes of a file beside the weights that may be their network


@dataclass(frozen=True)
class Contents:
    """What a model file contains.

    config             of the model, see configs.parse()
    record             what made the model, a dict, if this project saved the file and its checksum holds; else {}
    weights, by_layer  see hdf5.weights()
    architecture       path of the JSON file that config comes from; None if it is in the file itself
    child              the process that tries out the network, see child.py; None: none does
    """

    path: Path
    config: dict
    record: dict
    weights: list
    by_layer: bool
    architecture: Path | None
    child: Child | None = None


def read(path, architecture=None, training=None):
    """Return the Contents of the model file at `path`.

    architecture: JSON file with the network, as model.to_json() writes it, for a file that contains only weights;
    without it, one that lies beside the file is used (find_architecture).
    training: the command that makes such a file, to be named if there is none.
    Raises UserError if a file is missing, damaged, or contains what is not allowed.
    """
    try:
        mode, problem = path.stat().st_mode, None
        if stat.S_ISDIR(mode):
            problem = file_types.explain_folder(path)
        elif stat.S_ISREG(mode):
            path.open("rb").close()
        else:
            problem = "it is a pipe or a device, not a file"
    except FileNotFoundError as error:
        advice = f"; train one first: {training}" if training and path.suffix == ".h5" else ""
        raise UserError(f"there is no model {path}{advice}") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {reason(error)}") from error
    with loading(path):
        if problem:
            raise UserError(problem)
        child = Child(path, architecture)  # it has read the file, so it can be read here, too
        return replace(parse(path, architecture), child=child)


@contextlib.contextmanager
def loading(path):
    """Begin any UserError in this block with the name of the file that cannot be loaded."""
    try:
        yield
    except UserError as error:
        raise UserError(f"cannot load {path}: {printable(str(error))}") from error


def parse(path, architecture=None):
    """Return the Contents of the model file at `path`, as read() does, but in this process (see child.py)."""
    config, weights, by_layer, ours = _contents(path)
    record = {}
    if DIGEST in ours:
        record = json.loads(ours.get(RECORD, "{}"))
        if ours[DIGEST] != _digest(config, record, weights):
            raise UserError("it has changed since it was saved (its checksum differs)")
        if any(not isinstance(record.get(key), kind) for key, kind in RECORD_TYPES.items()):
            record = {}
    if config is not None:
        config = configs.parse(config)
    if architecture or config is None:
        architecture = architecture or find_architecture(path)
        config, record = _parse_architecture(architecture), {}
    return Contents(path, config, record, weights, by_layer, architecture)


def _contents(path):
    """Return the config (JSON, or None), weights and by_layer (see hdf5.weights) of a model file, and what we added."""
    if file_types.check(path) == "hdf5":
        with h5py.File(path, locking=False) as file:
            return file.attrs.get(hdf5.CONFIG), *hdf5.weights(file), dict(file.attrs)
    config, weights, ours = file_types.unpack(path)
    with h5py.File(weights, locking=False) as file:
        return config, *hdf5.weights(file), json.loads(ours)


def find_architecture(path):
    """Return the JSON file beside the weights file `path` that has their network.

    It is the one of the same name (net.json for net.h5 or net.weights.h5), or else the only network in the folder.
    Raises UserError if there is none, or several.
    """
    networks, others = [], []
    for candidate in sorted(path.parent.glob("*.json"))[:100]:
        try:
            small = candidate.is_file() and candidate.stat().st_size <= MAX_JSON
            network = small and configs.is_model(configs.loads(candidate.read_bytes()))
        except (OSError, ValueError, RecursionError):
            network = False
        (networks if network else others).append(candidate)
    networks = [one for one in networks if one.stem in (path.stem, path.stem.removesuffix(".weights"))] or networks
    if len(networks) == 1:
        return networks[0]
    if networks:
        problem = f"there are several networks beside it ({', '.join(one.name for one in networks)}); choose one"
    else:
        seen = f" ({', '.join(one.name for one in others[:3])} beside it is not one)" if others else ""
        problem = f"not their network{seen}; save the whole model with model.save, or give the network, as "
        problem += "model.to_json() writes it,"
    raise UserError(f"it contains only weights, and {problem} with --architecture FILE.json")


def _parse_architecture(path):
    try:
        return configs.parse(path.read_bytes())
    except OSError as error:
        problem = f"cannot be read: {reason(error)}"
    except ValueError:
        problem = "is not JSON, as model.to_json() writes it"
    except UserError as error:
        problem = f"cannot be used: {error}"
    raise UserError(f"the architecture {path} {problem}")


def add_record(path, record):
    """Add a record of what made the model, a dict, to the model file at `path`, and a checksum of everything in it."""
    config, weights, *_ = _contents(path)
    ours = {RECORD: json.dumps(record), DIGEST: _digest(config, record, weights)}
    if file_types.check(path) == "hdf5":
        with h5py.File(path, "r+") as file:
            file.attrs.update(ours)
    else:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(file_types.RECORD_PART, json.dumps(ours))


def _digest(config, record, weights):
    """Return the SHA-256 of a model, hexadecimal. A flipped bit in a weight gives a network that runs and is wrong."""
    total = hashlib.sha256(json.dumps([json.loads(config), record], sort_keys=True).encode())
    for layer, array in weights:
        total.update(f"{layer} {array.shape} {array.dtype.name}".encode())
        total.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
    return total.hexdigest()
