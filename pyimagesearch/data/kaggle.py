"""Read images from CSV files, and verify that those in which Kaggle offers Fashion-MNIST are the genuine ones.

A line holds the label and the 784 pixels of an image, row by row. Kaggle's files begin with the header
"label,pixel1,...,pixel784"; other people's have none, another order, or a column that counts the lines.
"""

import hashlib
import itertools
import re
import warnings

import numpy as np

from pyimagesearch.data import idx
from pyimagesearch.data.idx import BadFile

FILES = {"train": "fashion-mnist_train.csv", "test": "fashion-mnist_test.csv"}
PIXELS = idx.SIZE[0] * idx.SIZE[1]
LABELS, COUNTERS = ("label", "class", "target"), ("", "index", "id", "unnamed: 0")  # names of columns

# SHA-256 of the genuine images as records of 785 bytes (label, pixels), sorted: Kaggle's order is not that of the IDX
# files.
SHA256_SORTED = {
    "train": "56016b2341e99c383df5cc0ed736f4afb12a6c90855d9f3d69981b294a0159ad",
    "test": "b73438e78d64c9f337edad19c3eea888b49d646dbe27b46e4e3177218f3581e7",
}


def read(file):
    """Read an open CSV file (bytes). Returns images, uint8 (N, 28, 28), labels, uint8 (N,), and a note on the columns.

    Raises BadFile if the file is damaged, or if it is not clear which column has the labels.
    """
    first = file.readline(16_384)
    names = [name.strip('" \r\n') for name in first.decode("utf-8-sig", "replace").lower().split(",")]
    header = not re.fullmatch(r"-?\d+\.?\d*", names[-1]) or float(names[-1]) > 255
    if not PIXELS < len(names) <= PIXELS + 2:
        raise BadFile(
            f"its first line has {len(names)} columns, not 785: a label and the {PIXELS} pixels of a 28x28 gray image, "
            "between commas (or 786: one that counts the lines)"
        )
    number = 1  # of the line that was read last

    def lines():
        nonlocal number
        for number, line in enumerate(file if header else itertools.chain([first], file), start=1 + header):  # noqa: B007
            yield line

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # no lines; and older versions of NumPy read 2.5 as 2, with a warning
            table = np.loadtxt(lines(), np.int32, delimiter=",", comments=None, ndmin=2, encoding="utf-8-sig")
        if table.shape[1] != len(names):
            raise ValueError
        places, note = _columns(table, names if header else [None] * len(names))
        bytes_only = table[:, places].astype(np.uint8, order="C")
        if (wrong := (bytes_only != table[:, places]).any(axis=1)).any():
            number = int(wrong.argmax()) + 1 + header
            raise ValueError
    except (ValueError, Warning) as error:
        line = max(number, 1 + header)
        raise BadFile(f"line {line} is not a label and 784 pixels, whole numbers from 0 to 255") from error
    return bytes_only[:, 1:].reshape(-1, *idx.SIZE), bytes_only[:, 0].copy(), note


def _columns(table, names):
    """Return the columns, that of the labels first, and a note: "" if they are as in Kaggle's files.

    names: of the columns, or None for each. Without a name, labels are the first or last column, if its values are some
    whole numbers in a row, such as 0 to 9. Raises BadFile if both are, or none.
    """
    columns, labels = list(range(len(names))), [k for k, name in enumerate(names) if name in LABELS]
    if len(names) > 1 + PIXELS:
        counters = [k for k in columns if names[k] in COUNTERS]
        counters = counters or [k for k in (0, len(names) - 1) if (np.diff(table[:, k]) == 1).all() and k not in labels]
        columns = [k for k in columns if k not in counters]
    if not labels:
        values = {k: np.unique(table[:, k]) for k in (columns[0], columns[-1])}
        labels = [k for k, found in values.items() if 1 < len(found) == np.ptp(found) + 1 < len(table)]
    if len(columns) != 1 + PIXELS:
        raise BadFile(f"one of its {len(names)} columns is no pixel; name it 'id' in a header, the first line")
    if len(labels) != 1:
        raise BadFile("it is not clear which column has the labels; name it 'label' in a header, the first line")
    pixels = [k for k in columns if k not in labels]
    numbered = {k: re.fullmatch(r"(\D*)(\d+)", names[k] or "") for k in pixels}
    if all(numbered.values()) and len({match[1] for match in numbered.values()}) == 1:
        numbers = {k: int(match[2]) for k, match in numbered.items()}
        if len({*numbers.values()}) == PIXELS:
            pixels.sort(key=numbers.get)  # pixel1, pixel10, pixel100, ..., as sorted by name
    note = f"the labels are in column {labels[0] + 1} of {len(names)}"
    note += "; one that counts the lines is left out" if len(names) > len(columns) else ""
    note += "; the pixels are in the order of their numbers" if pixels != sorted(pixels) else ""
    as_kaggle = labels + pixels == list(range(len(names))) and names[0] in LABELS
    return labels + pixels, "" if as_kaggle else note


def verify(images, labels, part):
    """Raise BadFile unless these are the genuine images and labels of `part`, in whatever order.

    Returns whether the order is that of the IDX files.
    """
    records = np.column_stack([labels, images.reshape(len(images), -1)])
    records.view(f"V{1 + PIXELS}").sort(axis=0)
    if hashlib.sha256(records).hexdigest() != SHA256_SORTED[part]:
        raise BadFile(f"its content is not the genuine {part} images (SHA-256 differs): damaged, or another data set")
    return [idx.digest(images), idx.digest(labels)] == [idx.SHA256[name] for name in idx.FILES[part]]
