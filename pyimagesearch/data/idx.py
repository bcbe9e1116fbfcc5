"""Read the IDX files of Fashion-MNIST, and verify that an array is the genuine one.

An IDX file (the format of Y. LeCun's MNIST) is a big-endian header, which holds a magic number and the shape, and then
one byte per value.
"""

import contextlib
import gzip
import hashlib
import math
import zlib

import numpy as np

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}

# SHA-256 of the uncompressed files. (A .gz file can be compressed again: other bytes, the same content.)
SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
DIGITS = {  # MNIST, the handwritten digits: its files have the same names and shapes
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}

SIZE = (28, 28)
MAX_IMAGES = 1_000_000  # a header that promises more is taken for damage; EMNIST's largest part has 697,932
MAX_CLASSES = 100  # labels are 0 to 99; Fashion-MNIST's are 0 to 9
MAX_NAME = 50  # characters in the name of a class


class BadFile(Exception):
    """A data file that is damaged or is not what its name says. The text completes the sentence 'FILE: ...'."""


@contextlib.contextmanager
def decompressed(file):
    """Yield an open file, decompressed if its content is gzip, whatever its name: browsers unpack .gz files.

    Raises BadFile if it turns out to be damaged while it is read.
    """
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    try:
        yield gzip.GzipFile(fileobj=file) if packed else file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadFile("truncated or damaged: it cannot be decompressed") from error


def read(file, name):
    """Read an open IDX file of images, uint8 (N, 28, 28), or labels, uint8 (N,); `name` says which of the two.

    Reads no more bytes than the header promises. Raises BadFile if the file is damaged.
    """
    size, kind = (SIZE, "28x28 gray images") if "images" in name else ((), "labels")
    header_size = 8 + 4 * len(size)
    header = file.read(header_size)
    if len(header) < header_size:
        raise BadFile(f"truncated: {len(header)} bytes")
    magic, *shape = np.frombuffer(header, ">u4").tolist()
    if magic != 0x801 + len(size):
        raise BadFile(f"not an IDX file of {kind}")
    if tuple(shape[1:]) != size:
        raise BadFile(f"its images are {shape[1]}x{shape[2]}, and {kind} are needed")
    if not 0 < shape[0] <= MAX_IMAGES:
        raise BadFile(f"its header promises {shape[0]:,} {kind}, and 1 to {MAX_IMAGES:,} can be read")
    promised = math.prod(shape)
    body = file.read(promised)
    if len(body) < promised:
        raise BadFile(f"truncated: {len(body)} of {promised} bytes")
    if file.read(1):
        raise BadFile("it has more bytes than its header promises")
    return np.frombuffer(body, np.uint8).reshape(shape)


def digest(array):
    """Return the SHA-256 of an array as an IDX file."""
    sha256 = hashlib.sha256(np.array([0x800 + array.ndim, *array.shape], ">u4"))  # the header
    sha256.update(np.ascontiguousarray(array))
    return sha256.hexdigest()


def verify(array, name):
    """Raise BadFile unless `array` is the content of the genuine file `name`."""
    found, names = digest(array), {value: key for key, value in SHA256.items()}
    if names.get(found) == name:
        return
    if found in DIGITS:
        raise BadFile("this is MNIST, the handwritten digits, under the same name")
    if found in names:
        raise BadFile(f"this is another file of the data set: {names[found]}")
    raise BadFile(f"its content is not the genuine {name} (SHA-256 differs): damaged, or another data set")
