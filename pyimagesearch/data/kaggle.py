"""Read the CSV files in which Kaggle offers Fashion-MNIST, and verify that their images are the genuine ones.

A line holds the label and the 784 pixels of an image, row by row, after the header "label,pixel1,...,pixel784".
"""

import hashlib
import warnings

import numpy as np

from pyimagesearch.data import idx
from pyimagesearch.data.idx import BadFile

FILES = {"train": "fashion-mnist_train.csv", "test": "fashion-mnist_test.csv"}
COLUMNS = 1 + idx.SIZE[0] * idx.SIZE[1]

# SHA-256 of the genuine images as records of 785 bytes (label, pixels), sorted: Kaggle's order is not that of the IDX
# files.
SHA256_SORTED = {
    "train": "56016b2341e99c383df5cc0ed736f4afb12a6c90855d9f3d69981b294a0159ad",
    "test": "b73438e78d64c9f337edad19c3eea888b49d646dbe27b46e4e3177218f3581e7",
}


def read(file):
    """Read an open CSV file (bytes). Returns images, uint8 (N, 28, 28), and labels, uint8 (N,).

    Raises BadFile if the file is damaged.
    """
    header = file.readline(16_384).decode("utf-8-sig", "replace").replace('"', "").lower().split(",")
    if len(header) != COLUMNS or header[0].strip() != "label":
        raise BadFile("its first line is not 'label,pixel1,...,pixel784', the header for 28x28 gray images")
    number = 1  # of the line that was read last

    def lines():
        nonlocal number
        for number, line in enumerate(file, start=2):  # noqa: B007
            yield line

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # no lines; and older versions of NumPy read 2.5 as 2, with a warning
            table = np.loadtxt(lines(), np.uint8, delimiter=",", comments=None, ndmin=2, encoding="latin-1")
        if table.shape[1] != COLUMNS:
            raise ValueError
    except (ValueError, Warning) as error:
        raise BadFile(f"line {max(number, 2)} is not a label and 784 pixels, whole numbers from 0 to 255") from error
    return table[:, 1:].reshape(-1, *idx.SIZE), table[:, 0].copy()


def verify(images, labels, part):
    """Raise BadFile unless these are the genuine images and labels of `part`, in whatever order.

    Returns whether the order is that of the IDX files.
    """
    records = np.column_stack([labels, images.reshape(len(images), -1)])
    records.view(f"V{COLUMNS}").sort(axis=0)
    if hashlib.sha256(records).hexdigest() != SHA256_SORTED[part]:
        raise BadFile(f"its content is not the genuine {part} images (SHA-256 differs): damaged, or another data set")
    return [idx.digest(images), idx.digest(labels)] == [idx.SHA256[name] for name in idx.FILES[part]]
