"""Read the CSV files in which Kaggle offers Fashion-MNIST, and verify that their images are the genuine ones.

A line holds the label and the 784 pixels of an image, row by row, after the header "label,pixel1,...,pixel784".
"""

import codecs
import gzip
import hashlib
import warnings
import zlib

import numpy as np

from pyimagesearch.data import idx
from pyimagesearch.data.idx import BadFile

FILES = {"train": "fashion-mnist_train.csv", "test": "fashion-mnist_test.csv"}
COLUMNS = 1 + idx.SIZE[0] * idx.SIZE[1]
MAX_LINE = 16_384  # bytes; a line of Kaggle's has at most 3,140, its header 8,967

# SHA-256 of the genuine images as records of 785 bytes (label, pixels), sorted: Kaggle's order is not that of the IDX
# files.
SHA256_SORTED = {
    "train": "56016b2341e99c383df5cc0ed736f4afb12a6c90855d9f3d69981b294a0159ad",
    "test": "b73438e78d64c9f337edad19c3eea888b49d646dbe27b46e4e3177218f3581e7",
}


def read(file):
    """Read an open CSV file (bytes). Returns images, uint8 (N, 28, 28), and labels, uint8 (N,).

    Reads line by line, up to idx.MAX_IMAGES images. Raises BadFile if the file is damaged.
    """
    number = 1  # of the line that was read last

    def lines():
        nonlocal number
        while line := file.readline(MAX_LINE):
            number += 1
            if len(line) == MAX_LINE:
                raise BadFile(f"line {number} is too long for an image of 784 pixels")
            if number > 1 + idx.MAX_IMAGES:
                raise BadFile(f"it has more than {idx.MAX_IMAGES:,} images, the most that can be read")
            yield line.decode("latin-1")

    try:
        header = file.readline(MAX_LINE).removeprefix(codecs.BOM_UTF8).replace(b'"', b"").split(b",")
        if len(header) != COLUMNS or header[0].strip().lower() != b"label":
            raise BadFile("its first line is not 'label,pixel1,...,pixel784', the header for 28x28 gray images")
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)  # older versions of NumPy read 2.5 as 2, with a warning
            warnings.simplefilter("error", UserWarning)  # no lines
            table = np.loadtxt(lines(), np.uint8, delimiter=",", comments=None, ndmin=2)
        if table.shape[1] != COLUMNS:
            raise ValueError
    except (ValueError, Warning) as error:
        if number == 1:
            raise BadFile("it has no images") from error
        raise BadFile(f"line {number} is not a label and 784 pixels, whole numbers from 0 to 255") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadFile("truncated or damaged: it cannot be decompressed") from error
    return table[:, 1:].reshape(-1, *idx.SIZE), table[:, 0].copy()


def verify(images, labels, part):
    """Raise BadFile unless these are the genuine images and labels of `part`, in whatever order.

    Returns whether the order is that of the IDX files.
    """
    records = np.column_stack([labels, images.reshape(len(images), -1)])
    records.view(f"V{COLUMNS}").sort(axis=0)
    if hashlib.sha256(records).hexdigest() != SHA256_SORTED[part]:
        raise BadFile(f"its content is not the genuine {part} images (SHA-256 differs): damaged, or another data set")
    return all(idx.is_genuine(array, name) for array, name in zip((images, labels), idx.FILES[part], strict=True))
