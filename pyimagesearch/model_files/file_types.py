"""What a file is that is not a model, by its content: a sentence that helps. Keras is not needed."""

import io
import re
import shutil
import zipfile

from pyimagesearch.errors import UserError

HDF5 = b"\x89HDF\r\n\x1a\n"
ZIP = b"PK\x03\x04"
SAVE = 'in Keras, save the model with model.save("model.keras")'
ONLY = f"only Keras models can be loaded; {SAVE}"
DOWNLOAD = "download it again"
GIVE = "give a model file, .h5 or .keras"
UNPACK = "unpack it, and give the model file in it"
KERAS_PARTS = ("config.json", "model.weights.h5")
RECORD_PART = "fashion_mnist.json"  # see reading.add_record; Keras ignores it
JSON = rb"(\xef\xbb\xbf)?\s*[\[{\"]"
PICKLE = rb"\x80[\x02-\x05]|\([dl]|[\]}]q\0|c(copy_reg|__builtin__)\n|cnumpy"
CONVERT = "convert it with tensorflowjs_converter --input_format tfjs_layers_model --output_format keras"

# A pattern of the first bytes of a file, what it is, and what to do about it. The first that fits counts.
KINDS = (
    (rb"\Z", "empty", "download it or save it again"),
    (rb"\0+\Z", "nothing but zeros", DOWNLOAD),
    (rb"version https://git-lfs", "a Git LFS pointer", "run: git lfs pull, or download the model itself"),
    (rb"(\xef\xbb\xbf)?\s*<", "a web page (HTML) or XML", "download the file itself (on GitHub: Download raw file)"),
    (rb"\x1f\x8b", "a gzip file", UNPACK),
    (rb".{257}ustar", "a tar archive", UNPACK),
    (rb"7z\xbc\xaf|Rar!", "an archive", UNPACK),
    (rb"\x93NUMPY", "a NumPy array", f"an array has no network; {SAVE}"),
    (rb"\x80\x02\x8a\nl\xfc\x9cF\xf9", "a PyTorch file", ONLY),
    (PICKLE, "a pickle", f"a pickle is never loaded, because it can run any code; {SAVE}"),
    (rb".{4}TFL3", "a TensorFlow Lite model", ONLY),
    (rb".{4}\0{4}\{", "a safetensors file", f"it has weights without their network; {SAVE}"),
    (JSON + rb".*modelTopology", "a TensorFlow.js model", CONVERT),
    (
        JSON + rb".*class_name",
        "a network without weights (JSON)",
        "give its weights file, and this with --architecture",
    ),
    (JSON, "a JSON file", GIVE),
    (rb"\x08\x01\x12|\n[^\n]{0,63}\x12", "a TensorFlow graph", ONLY),
    (rb"\x08[\x02-\x1f]", "an ONNX model", ONLY),
    (rb"\0\0\x08", "an IDX file, the format of the data", GIVE),
    (rb"\x89PNG|\xff\xd8\xff", "an image", "give a model file, and the image with --image"),
    (rb"[\t\n\r\f\x20-\xff]+\Z", "a text file", GIVE),
    (rb"", "neither an HDF5 file nor a .keras file", f"it is damaged or of another format; {DOWNLOAD}"),
)


def check(path):
    """Return "hdf5" or "zip", the format of a model file. Raises UserError for others: what the file is instead."""
    with open(path, "rb") as file:
        head, size = file.read(4096), file.seek(0, 2)
    if head.startswith(HDF5):
        # Where the file ends, it says at byte 40 (versions 0 and 1, at byte 8) or 28.
        end = int.from_bytes(head[40:48] if head[8:9] < b"\x02" else head[28:36], "little")
        if size < end:
            raise UserError(f"it is cut off: {size:,} of its {end:,} bytes are there; {DOWNLOAD}")
        return "hdf5"
    if head.startswith(ZIP):
        return "zip"
    what, advice = next(kind for pattern, *kind in KINDS if re.match(pattern, head, re.DOTALL))
    raise UserError(f"it is {what} ({size:,} bytes); {advice}")


def unpack(path):
    """Return the config, bytes, the weights, an io.BytesIO of HDF5, and the record, bytes, of a .keras file.

    It is a ZIP file. The record is what reading.add_record() wrote, or b"{}".

    Raises UserError for another ZIP file: what it is instead.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if not set(names) >= set(KERAS_PARTS):
                raise UserError(f"it is {_explain_archive(names)}")
            config, weights, record = (io.BytesIO() for _ in range(3))
            for name, buffer in zip((*KERAS_PARTS, RECORD_PART), (config, weights, record), strict=True):
                if name in names:
                    with archive.open(name) as part:  # unpacks no more than the declared size, compares checksums
                        shutil.copyfileobj(part, buffer)
            return config.getvalue(), weights, record.getvalue() or b"{}"
    except zipfile.BadZipFile as error:
        size = f"{path.stat().st_size:,} bytes"
        raise UserError(f"it begins as a .keras file, and is cut off or damaged ({size}); {DOWNLOAD}") from error


def _explain_archive(names):
    if any(name.endswith(("data.pkl", "constants.pkl")) for name in names):
        return f"a PyTorch file; {ONLY}"
    if names and all(name.endswith(".npy") for name in names):
        return f"a file of NumPy arrays (.npz), without the network that they belong to; {SAVE}"
    models = [name for name in names if name.lower().endswith((".h5", ".hdf5", ".keras"))]
    if models and not any(name.endswith("config.json") for name in names):
        return f"a ZIP archive that contains {models[0]}; {UNPACK}"
    missing = next(name for name in KERAS_PARTS if name not in names)
    return f"a ZIP archive, but not a .keras file: {missing} is not in it; {SAVE}"


def explain_folder(path):
    """Return what a folder is that was given as a model file, and what to do."""
    names = {item.name for item in path.iterdir()}
    if names & {"saved_model.pb", "saved_model.pbtxt", "keras_metadata.pb"}:
        return f"it is a folder, a TensorFlow SavedModel; load it with the Keras that saved it, and then, {SAVE}"
    if any(name.endswith(".index") for name in names):
        return f"it is a folder of TensorFlow checkpoints, which have no network; {SAVE}"
    return f"it is a folder; {GIVE}"
