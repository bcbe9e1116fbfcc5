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
LABELS, COUNTERS = ("label", "class", "target", "y"), ("", "index", "id", "imageid", "unnamed: 0")  # names of columns

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
    if separator := {";": "semicolons", "\t": "tabs"}.get(chr(max(b",;\t", key=first.count))):
        raise BadFile(f"its columns are separated by {separator}; save it with commas")
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
        places, note = _columns(table, names if header else [*map(str, range(len(names)))])
        bytes_only = table[:, places].astype(np.uint8, order="C")
        if (wrong := (bytes_only != table[:, places]).any(axis=1)).any():
            number = int(wrong.argmax()) + 1 + header
            raise ValueError
    except (ValueError, Warning) as error:
        what = "a label and 784 pixels, whole numbers from 0 to 255 (multiply pixels from 0.0 to 1.0 by 255)"
        raise BadFile(f"line {max(number, 1 + header)} is not {what}") from error
    return bytes_only[:, 1:].reshape(-1, *idx.SIZE), bytes_only[:, 0].copy(), note


def _columns(table, names):
    """Return the columns, that of the labels first, and a note: "" if they are as in Kaggle's files.

    names: of the columns, or their numbers. Names of pixels differ in numbers alone, and the labels are the only other
    column. If there is none, they are the first or last column. Raises BadFile if it is not clear which.
    """
    columns, texts = list(range(len(names))), [re.sub(r"\d+", "#", name) for name in names]
    pixel = max(texts, key=texts.count)
    others = [k for k in columns if texts[k] != pixel]
    labels = [k for k in columns if names[k] in LABELS]
    counters = [k for k in others if names[k] in COUNTERS]
    if len(names) > 1 + PIXELS and not counters:
        counters = [k for k in (0, len(names) - 1) if (np.diff(table[:, k]) == 1).all() and k not in labels]
    columns = [k for k in columns if k not in counters]
    labels = labels or [k for k in others if k in columns]
    if not labels:  # Labels repeat. A pixel in a corner is the same in nearly all images.
        for k in (columns[0], columns[-1]):
            values, counts = np.unique(table[:, k], return_counts=True)
            repeated = 2 * len(values) <= len(table) and counts.max() < 0.95 * len(table)
            labels += [k] if repeated and values[-1] < idx.MAX_CLASSES else []
    if len(labels) != 1 or len(columns) != 1 + PIXELS:
        raise BadFile("it is not clear which column has the labels; name it 'label', and an index 'id', in a header")
    pixels = [k for k in columns if k not in labels]
    numbers = {k: int(re.sub(r"\D", "", names[k])) for k in pixels if texts[k] == pixel and pixel.count("#") == 1}
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
