"""What a model file may contain. Keras is not needed here. What it may cost in all is bounded in child.py.

A file from elsewhere can contain code that runs on loading (a Lambda layer: CVE-2025-9905), refer to other files, or
declare more data than a machine can hold. The checks, in the order in which they are made:

1. check_member          a .keras file is a ZIP file: its parts are plain, and not too long
2. check_link, _array    HDF5: no links elsewhere, no plugins, no numbers in other files, bounded sizes
3. check_class           no layers that run code or read files; configs.py: nothing but plain values elsewhere
4. check_model           one input for an image, one output for the classes

Steps 1 to 3 come before Keras is imported; then layer_classes.py finds each class among Keras's own layers. Each
function raises UserError; its text completes "cannot load FILE: ...".
"""

import math

import h5py

from pyimagesearch.errors import UserError
from pyimagesearch.model_files import input_format

# Limits: far above any network for 28x28 images, far below what a machine can hold.
MAX_CHARACTERS = 4_000_000  # of a config or a record
MAX_DEPTH = 40  # of a config, and of HDF5 groups
MAX_OBJECTS = 20_000  # groups and arrays of an HDF5 file
MAX_BYTES = 200_000_000  # of all weights
MAX_PART = 300_000_000  # bytes of a file in a .keras file, unpacked: weights, and what an optimizer stores of each
UNKNOWN = 64  # pixels: a side of an image that a network does not fix

# Layers of Keras that are refused, and why.
CODE = "it can run any code"
TEXT = "it is for text, and can read other files"
TOOLKIT = "it is of the TensorFlow Model Optimization Toolkit, not of Keras"
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
    "LayerScale": "only keras.applications (ConvNeXt) has it",
    "StochasticDepth": "only keras.applications (ConvNeXt) has it",
    "QuantizeLayer": TOOLKIT,
    "QuantizeWrapper": TOOLKIT,
    "QuantizeWrapperV2": TOOLKIT,
    "PruneLowMagnitude": TOOLKIT,
}


def check_member(info):
    """Check a zipfile.ZipInfo: stored or deflated, not encrypted, and small enough to unpack."""
    if info.flag_bits & 1 or info.compress_type not in (0, 8):
        raise UserError(f"{info.filename} in it is encrypted, or compressed in a way that Keras does not use")
    limit = MAX_CHARACTERS if info.filename.endswith(".json") else MAX_PART
    if info.file_size > limit:
        raise UserError(f"{info.filename} in it has {info.file_size:,} bytes; at most {limit:,} are allowed")


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


def check_class(name, registered_name=None, module=None):
    """Check the class of a layer as far as that is possible without Keras; layer_classes.py knows Keras's own list."""
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
    """Check that a Keras model takes one image and has one row of outputs for it."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise UserError(f"inputs: {len(model.inputs)}, outputs: {len(model.outputs)}; it must have one of each")
    inputs, outputs = model.inputs[0].shape[1:], model.outputs[0].shape[1:]
    if None not in (*inputs, *outputs) and math.prod(inputs) == math.prod(outputs):
        raise UserError("it has as many outputs as its input has pixels: an autoencoder, which predicts no classes")
    if not input_format.shapes(inputs):
        raise UserError(f"its input is {_words(inputs)}, which no image of 28x28 pixels can be turned into")
    if len(outputs) != 1:
        raise UserError(f"its output is {_words(outputs)} for each image, not one number for each class")


def _words(shape):
    return "x".join(str(size or "?") for size in shape)


def largest_output(model):
    """Return how many numbers the layer with the largest output computes from one image."""
    return max(
        sum(math.prod(size or UNKNOWN for size in tensor.shape[1:]) for tensor in _list(layer.output))
        for layer in every_layer(model)
    )


def every_layer(model):
    """Yield the layers and operations of a model, and those of the models inside it."""
    for layer in getattr(model, "operations", None) or model.layers:
        if hasattr(layer, "layers") and hasattr(layer, "inputs"):
            yield from every_layer(layer)
        else:
            yield layer


def _list(tensors):
    return tensors if isinstance(tensors, (list, tuple)) else [tensors]
