"""Every check that a model file has to pass. Keras is not needed here.

A file from elsewhere can contain code that runs on loading (a Lambda layer: CVE-2025-9905), refer to other files, or
declare more data than a machine can hold. The checks, in the order in which they are made:

1. check_member          a .keras file is a ZIP file: its parts are plain, and as long as they say
2. check_link, _array    HDF5: no links elsewhere, no plugins, no numbers in other files, bounded sizes
3. check_finite          every weight is a finite number
4. check_class           no layers that run code or read files; configs.py: nothing but plain values elsewhere
5. check_model           one input, one output; bounded numbers of layers, of outputs and of operations for an image
6. check_outputs         the outputs are finite numbers

Steps 1 to 4 come before Keras is imported. Then layer_classes.py resolves each class among Keras's own layers, and
building.py builds with at most the weights that are stored, for at most MAX_SECONDS; 5 comes before a number is
computed, and 6 with the first images. Each function raises UserError; its text completes "cannot load FILE: ...".
"""

import math
import time

import h5py
import numpy as np

from pyimagesearch.errors import UserError

# Limits: far above any network for 28x28 images, far below what a machine can hold.
MAX_CHARACTERS = 4_000_000  # of a config or a record
MAX_DEPTH = 40  # of a config, and of HDF5 groups
MAX_OBJECTS = 20_000  # groups and arrays of an HDF5 file
MAX_BYTES = 200_000_000  # of all weights, and of each part of a ZIP file that is unpacked
MAX_LAYERS = 1_000
MAX_OUTPUTS = 4_000_000  # numbers that one layer computes from one image
MAX_OPERATIONS = 20_000_000_000  # multiplications for one image (VGG16 on 224x224 pixels: 15 billion)
UNKNOWN = 64  # pixels: a side of an image that a network does not fix
MAX_SECONDS = 10  # for reading, and processor time for building

# Layers of Keras that are refused, and why.
CODE = "it can run any code"
TEXT = "it is for text, and can read other files"
REFUSED = {
    "Lambda": CODE,
    "TorchModuleWrapper": CODE,
    "JaxLayer": CODE,
    "FlaxLayer": CODE,
    "TFSMLayer": "it runs a TensorFlow SavedModel that lies elsewhere",
    "Hashing": TEXT,
    "HashedCrossing": TEXT,
    "IntegerLookup": TEXT,
    "StringLookup": TEXT,
    "TextVectorization": TEXT,
}


def check_member(info):
    """Check a zipfile.ZipInfo: stored or deflated, not encrypted, and small enough to unpack."""
    if info.flag_bits & 1:
        raise UserError(f"{info.filename} in it is encrypted")
    if info.compress_type not in (0, 8):
        raise UserError(f"{info.filename} in it is compressed in a way that Keras does not use")
    limit = MAX_CHARACTERS if info.filename.endswith(".json") else MAX_BYTES
    if info.file_size > limit and (info.compress_type or info.filename.endswith(".json")):
        raise UserError(f"{info.filename} in it unpacks to {info.file_size:,} bytes; at most {limit:,} are allowed")


def check_link(group, name):
    """Check that `name` in an h5py.Group is an object of this file, and return it."""
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise UserError(f"it contains a link, {name!r}, to another place")
    return group[name]


def check_array(name, item, total):
    """Check an h5py object that should be an array of numbers; return `total` plus its size in bytes."""
    if not isinstance(item, h5py.Dataset) or (item.dtype.kind not in "fiub" and not is_bfloat16(item)):
        raise UserError(f"{name!r} is not an array of numbers")
    plist = item.id.get_create_plist()
    if plist.get_layout() == h5py.h5d.VIRTUAL or plist.get_external_count():
        raise UserError(f"the array {name!r} stores its numbers in another file")
    # Deflate, shuffle and checksums come with HDF5; any other filter would load a plugin.
    if any(plist.get_filter(k)[0] not in (1, 2, 3) for k in range(plist.get_nfilters())):
        raise UserError(f"the array {name!r} needs a plugin to be read")
    total += item.size * max(item.dtype.itemsize, 4)
    chunk = math.prod(item.chunks or ()) * item.dtype.itemsize
    if total > MAX_BYTES or chunk > max(item.nbytes, 1_000_000):
        raise UserError(f"its arrays take more than {MAX_BYTES:,} bytes; no network for 28x28 images needs that")
    if item.size and not item.id.get_storage_size():  # HDF5 would read such an array as zeros
        raise UserError(f"the array {name!r} is declared but not stored")
    return total


def is_bfloat16(item):
    """Return whether an h5py.Dataset holds bfloat16 numbers, which HDF5 does not know, as Keras stores them."""
    return item.dtype.kind == "V" and item.dtype.itemsize == 2 and item.attrs.get("dtype", "bfloat16") == "bfloat16"


def check_finite(name, numbers):
    """Check that all numbers of an array are finite, and return it."""
    if not np.isfinite(numbers).all():
        raise UserError(f"the weights {name!r} are not all finite numbers")
    return numbers


def check_class(name, registered_name=None, module=None):
    """Check the class of a layer as far as that is possible without Keras; building.py knows Keras's own list."""
    if not isinstance(name, str):
        raise UserError(f"{name!r} is not the name of a layer")
    if name in REFUSED:
        raise UserError(
            f"its layer of class {name} is not loaded, because {REFUSED[name]}; "
            "build the same network without it in Keras, copy the weights, and save that"
        )
    if registered_name not in (None, name):
        raise UserError(f"it needs custom code, {registered_name!r}, which is not in the file")
    if str(module or "keras").split(".")[0] not in ("keras", "tf_keras", "tensorflow", "keras_core"):
        raise UserError(f"it needs code outside Keras, from {module!r}")


def check_model(model):
    """Check a Keras model: one input, one output, and bounded work for an image."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise UserError(f"it has {len(model.inputs)} inputs and {len(model.outputs)} outputs, not one of each")
    operations = 0
    for count, layer in enumerate(every_layer(model)):
        operations += _operations(layer)
        if _numbers(layer.output) > MAX_OUTPUTS:
            raise UserError(f"the layer {layer.name!r} computes more than {MAX_OUTPUTS:,} numbers from one image")
        if operations > MAX_OPERATIONS:
            raise UserError(f"it needs more than {MAX_OPERATIONS:,} multiplications for one image")
        if count >= MAX_LAYERS:
            raise UserError(f"it has more than {MAX_LAYERS:,} layers")


def largest_output(model):
    """Return how many numbers the layer with the largest output computes from one image."""
    return max(_numbers(layer.output) for layer in every_layer(model))


def every_layer(model):
    """Yield the layers and operations of a model, and those of the models inside it."""
    for layer in getattr(model, "operations", None) or model.layers:
        if hasattr(layer, "layers") and hasattr(layer, "inputs"):
            yield from every_layer(layer)
        else:
            yield layer


def _numbers(tensors):
    """Return how many numbers the tensors hold for one image."""
    tensors = tensors if isinstance(tensors, (list, tuple)) else [tensors]
    return sum(math.prod(_sizes(tensor)) for tensor in tensors)


def _sizes(tensor):
    """Return the shape of a tensor for one image; a size that is not fixed counts as that of a large image."""
    return [size or UNKNOWN for size in tensor.shape[1:]]


def _operations(layer):
    """Return about how many multiplications a layer needs for one image; for most, each weight at each position."""
    shapes = []
    for tensors in (layer.input, layer.output):
        first = (tensors or [layer.output])[0] if isinstance(tensors, (list, tuple)) else tensors
        shapes.append(_sizes(first))
    inputs, outputs = shapes
    kind, weights = type(layer).__name__, layer.count_params() if hasattr(layer, "count_params") else 1
    if "Attention" in kind:  # every position looks at every position
        return 2 * math.prod(outputs) * math.prod(inputs[:-1]) + weights * math.prod(outputs[:-1])
    if hasattr(layer, "return_sequences"):  # a step costs about as much as 100,000 multiplications, however small
        return (weights + 100_000) * math.prod(inputs[:1])
    if "Pool" in kind and hasattr(layer, "pool_size"):
        return math.prod(outputs) * math.prod(np.ravel(layer.pool_size).tolist())
    if kind in ("Dot", "Matmul", "Einsum", "Tensordot", "Inner", "Outer", "EinsumDense"):
        return math.prod(outputs) * max(inputs, default=1) + weights * math.prod(outputs[:-1])
    positions = outputs[1:] if getattr(layer, "data_format", None) == "channels_first" else outputs[:-1]
    return weights * math.prod(positions) + math.prod(outputs)


class Deadline:
    """Raises UserError from check() when this process has computed for MAX_SECONDS since it was made."""

    def __init__(self):
        self.end = time.process_time() + MAX_SECONDS

    def check(self):
        if time.process_time() > self.end:
            raise UserError(f"building it takes more than {MAX_SECONDS} s; no network for 28x28 images needs that")


def check_outputs(outputs):
    """Check that a network's outputs are finite numbers, and return them."""
    if not np.isfinite(outputs).all():
        raise UserError("its outputs are not finite numbers, so it cannot predict anything")
    return outputs
