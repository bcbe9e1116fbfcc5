"""The weights in an HDF5 file, which can refer to other files: checked. Keras is not needed."""

import h5py
import numpy as np

from pyimagesearch.errors import UserError

CONFIG = "model_config"  # the attribute with the config, as JSON
TOP_GROUPS = ("layers", "_layer_checkpoint_dependencies")  # of the layout of Keras 3, and of Keras 2.12


def weights(file):
    """Return the weights in an h5py.File, [(name, array)], and whether the names are those of layers.

    They are in HDF5 files of model.save; else they are paths such as "layers/dense/vars/0".
    Raises UserError if the file has none, or arrays that are not finite numbers of its own.
    """
    by_layer = True
    if "model_weights" in file:
        items = _by_layer(_inside(file, "model_weights"))
    elif CONFIG in file.attrs:
        raise UserError("it has a network, but no weights")
    elif _names(file.attrs, "layer_names"):
        items = _by_layer(file)
    elif names := [name for name in file if name.split("\\")[0] in TOP_GROUPS]:  # Keras on Windows has written "\"
        by_layer, items = False, (one for name in names for one in _by_path(_inside(file, name), name))
    else:
        raise UserError("it is an HDF5 file, but there is no Keras model in it; give a model file")
    return [(name, _numbers(name, item)) for name, item in items], by_layer


def _by_layer(top):
    """Yield (layer name, h5py.Dataset) in the order of the file, as Keras 2 and today's .h5 files have them."""
    for layer in _names(top.attrs, "layer_names"):
        group = _inside(top, layer)
        for name in _names(group.attrs, "weight_names"):
            yield layer, _inside(group, name)


def _by_path(item, path):
    """Yield (path, h5py.Dataset) for each array in a group."""
    if isinstance(item, h5py.Group):
        for name in item:
            yield from _by_path(_inside(item, name), f"{path}/{name}")
    else:
        yield path.replace("\\", "/").replace(TOP_GROUPS[1], "layers"), item


def _inside(group, path):
    """Return the object at a path in an h5py.Group. Raises UserError if that leads to another place, or nowhere."""
    for name in path.split("/"):
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise UserError(f"it contains a link, {name!r}, to another place, or lacks it")
        group = group[name]
    return group


def _numbers(name, item):
    """Return an h5py.Dataset as a checked array; float64 becomes float32, in which the network computes."""
    # HDF5 does not know bfloat16, which Keras stores as two bytes: the upper half of a float32.
    half = isinstance(item, h5py.Dataset) and item.dtype == "V2" and item.attrs.get("dtype", "bfloat16") == "bfloat16"
    if not isinstance(item, h5py.Dataset) or (item.dtype.kind not in "fiub" and not half):
        raise UserError(f"{name!r} is not an array of numbers")
    if item.is_virtual or item.external:
        raise UserError(f"the array {name!r} stores its numbers in another file")
    if item.size and not item.id.get_storage_size():  # HDF5 would read such an array as zeros
        raise UserError(f"the array {name!r} is declared but not stored")
    numbers = np.asarray(item[()])
    if half:
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
