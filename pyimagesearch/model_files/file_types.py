"""What a file is that is not a model, by its content: a sentence that helps. Keras is not needed."""

import zipfile

from pyimagesearch.errors import UserError

HDF5 = b"\x89HDF\r\n\x1a\n"
ZIP = b"PK\x03\x04"
SAVE = 'in Keras, save the model with model.save("model.keras")'
DOWNLOAD = "download it again"
UNPACK = "unpack it, and give the model file in it"

# The first bytes of a file, what it is, and what to do about it.
SIGNATURES = (
    (b"version https://git-lfs", "a Git LFS pointer, not the model", "run: git lfs pull, or download the model itself"),
    (b"\x1f\x8b", "a gzip file", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK),
    (b"Rar!", "a RAR archive", UNPACK),
    (b"PK\x05\x06", "an empty ZIP archive", DOWNLOAD),
    (b"\x93NUMPY", "a NumPy array", f"an array has no network; {SAVE}"),
    (b"\x80\x02\x8a\nl\xfc\x9cF\xf9", "a PyTorch file", f"only Keras models can be loaded; {SAVE}"),
    (b"model_checkpoint_path:", "the index of TensorFlow checkpoints", f"they have no network; {SAVE}"),
    (b"\x00\x00\x08", "an IDX file, the format of the data", "give a model file"),
    (b"\x89PNG", "an image (PNG)", "give a model file, and the image with --image"),
    (b"\xff\xd8\xff", "an image (JPEG)", "give a model file, and the image with --image"),
    (b"%PDF", "a PDF document", "give a model file"),
    (b"\x08\x01\x12", "a TensorFlow graph (.pb)", f"only Keras models can be loaded; {SAVE}"),
)
KERAS_PARTS = {"config.json", "model.weights.h5"}


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
    what, advice = _recognize(head, size)
    raise UserError(f"it is {what} ({size:,} bytes); {advice}")


def _recognize(head, size):
    """Return what a file is and what to do, from its first bytes and its size."""
    for signature, what, advice in SIGNATURES:
        if head.startswith(signature):
            return what, advice
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not size:
        return "empty", "download it or save it again"
    if not head.strip(b"\x00"):
        return "nothing but zeros", DOWNLOAD
    if start[:1] == b"<":
        return "a web page (HTML) or XML, not the model", "download the file itself (on GitHub: Download raw file)"
    if head[4:8] == b"TFL3":
        return "a TensorFlow Lite model", f"only Keras models can be loaded; {SAVE}"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < size:
        return "a safetensors file", f"it has weights without their network; {SAVE}"
    if _is_pickle(head):
        return "a pickle", f"a pickle is never loaded, because it can run any code; {SAVE}"
    if start[:1] in (b"{", b"[") and _is_text(head):
        if b'"class_name"' in head:
            return "a network without weights (JSON)", "give the file of its weights, and this one with --architecture"
        return "a JSON file", "give a model file, .h5 or .keras"
    if head[:1] == b"\x08" and 1 < head[1] < 32 and len(head) > 2:
        return "an ONNX model", f"only Keras models can be loaded; {SAVE}"
    if head[:1] == b"\x0a" and b"\x12" in head[:64] and not _is_text(head):
        return "a TensorFlow graph", f"only Keras models can be loaded; {SAVE}"
    if head[257:262] == b"ustar":
        return "a tar archive", UNPACK
    if _is_text(head):
        return "a text file", "give a model file, .h5 or .keras"
    return "neither an HDF5 file nor a .keras file", f"it is damaged or of another format; {DOWNLOAD}"


def _is_pickle(head):
    if head[:1] == b"\x80" and 2 <= head[1] <= 5:  # protocol 2 and later say so
        return True
    return head.startswith(
        (b"(dp", b"(lp", b"(d", b"(l", b"]q\x00", b"}q\x00", b"ccopy_reg\n", b"c__builtin__\n", b"cnumpy")
    )


def _is_text(head):
    return b"\x00" not in head and all(byte >= 32 or byte in b"\t\n\r\f" for byte in head)


def open_archive(path):
    """Return the zipfile.ZipFile of a .keras file. Raises UserError, what it is instead, if it is another ZIP file."""
    size = path.stat().st_size
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise UserError(
            f"it is cut off or damaged: {size:,} bytes that begin as a .keras file, and its end is missing; {DOWNLOAD}"
        ) from error
    names = archive.namelist()
    if set(names) >= KERAS_PARTS:
        return archive
    archive.close()
    models = [name for name in names if name.lower().endswith((".h5", ".hdf5", ".keras"))]
    if any(name.endswith(("data.pkl", "constants.pkl")) for name in names):
        raise UserError(f"it is a PyTorch file; only Keras models can be loaded; {SAVE}")
    if names and all(name.endswith(".npy") for name in names):
        raise UserError(f"it holds NumPy arrays (.npz), without the network that they belong to; {SAVE}")
    if any(name.endswith("saved_model.pb") for name in names):
        raise UserError(f"it is a ZIP archive of a TensorFlow SavedModel; {SAVE}")
    if any(name.endswith("config.json") for name in names) and models:
        raise UserError(f"it is a ZIP archive of an unpacked .keras file; {SAVE}")
    if models:
        raise UserError(f"it is a ZIP archive that contains {models[0]}; {UNPACK}")
    raise UserError(f"it is a ZIP archive, but not a .keras file: {sorted(KERAS_PARTS - set(names))[0]} is not in it")


def explain_folder(path):
    """Return what a folder is that was given as a model file, and what to do."""
    names = {item.name for item in path.iterdir()}
    if names & {"saved_model.pb", "saved_model.pbtxt", "keras_metadata.pb"}:
        return f"it is a folder, a TensorFlow SavedModel; load it with the Keras that saved it, and then, {SAVE}"
    if names >= KERAS_PARTS:
        return "it is a folder, an unpacked .keras file; pack its files into a ZIP file named model.keras"
    if any(name.endswith(".index") for name in names):
        return f"it is a folder of TensorFlow checkpoints, which have no network; {SAVE}"
    return "it is a folder; give a model file, .h5 or .keras"


def explain_hdf5(arrays):
    """Return what an HDF5 file is that is no model. arrays: {name: shape} of the arrays in it."""
    if not arrays:
        return "it is an HDF5 file, but there is nothing in it"
    shown = [f"{name} ({'x'.join(map(str, shape)) or 'a number'})" for name, shape in list(arrays.items())[:8]]
    more = f" and {len(arrays) - 8} more" if len(arrays) > 8 else ""
    return f"it is an HDF5 file, but not a model: it holds the arrays {', '.join(shown)}{more}; give a model file"
