"""kaggle.py reads CSV files exactly, and refuses damaged ones with the line."""

import gzip
import hashlib
import re

import numpy as np
import pytest

from conftest import idx as idx_file
from conftest import pictures
from pyimagesearch.data import idx, kaggle, loading
from pyimagesearch.errors import UserError

HEADER = ",".join(["label", *(f"pixel{k}" for k in range(1, 785))])
ROWS = [",".join(map(str, [label, *image.ravel()])) for image, label in zip(*pictures(20), strict=True)]
GOOD = "\n".join([HEADER, *ROWS]) + "\n"


def write_table(labels=0, counter=None, header=None):
    """Return a CSV file with the labels in this column, perhaps one that counts the lines, and this header or none."""
    images, numbers = pictures(20)
    table = np.insert(images.reshape(20, -1).astype(int), labels, numbers, axis=1)
    if counter is not None:
        table = np.insert(table, counter, np.arange(20) + 300, axis=1)
    lines = [",".join(map(str, row)) for row in table.tolist()]
    return "\n".join([*([",".join(header)] if header else []), *lines]) + "\n"


PIXELS = [f"pixel{k}" for k in range(1, 785)]
VARIANTS = {
    "no header": write_table(),
    "labels last, no header, lines counted": write_table(labels=784, counter=0),
    "lines counted at the end": write_table(counter=785, header=["label", *PIXELS, "id"]),
    "as pandas writes an array": write_table(labels=784, counter=0, header=["", *map(str, range(785))]),
    "a column named class": write_table(counter=0, header=["Unnamed: 0", "Class", *PIXELS]),
    "Windows": "\ufeff" + GOOD.replace("\n", "\r\n"),
    "quoted header, as R writes it": GOOD.replace(HEADER, '"' + HEADER.replace(",", '","') + '"'),
    "spaces": GOOD.replace(",", ", "),
}


def write(tmp_path, content):
    (tmp_path / kaggle.FILES["train"]).write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.mark.parametrize("content", VARIANTS.values(), ids=VARIANTS)
def test_csv_files_of_different_programs(tmp_path, content):
    write(tmp_path, content)
    for array, expected in zip(loading.load_part("train", tmp_path, any_data=True), pictures(20), strict=True):
        assert array.dtype == np.uint8
        np.testing.assert_array_equal(array, expected)


def line(number, text):
    """Return the good file with another text in a line, counted from 1."""
    lines = GOOD.splitlines()
    lines[number - 1] = text
    return "\n".join(lines)


DAMAGED = {
    "no labels": ("\n".join(row.split(",", 1)[1] for row in ROWS), "784 columns, not 785: a label and the 784 pixels"),
    "labels in the middle": (write_table(labels=400), "not clear which column has the labels; name it 'label'"),
    "two columns of labels": (write_table(labels=0, header=["label", *PIXELS[:-1], "class"]), "not clear which column"),
    "labels at both ends": ("\n".join(f"{row.rpartition(',')[0]},{row[0]}" for row in ROWS), "not clear which column"),
    "a header alone": (HEADER + "\n", "line 2"),
    "all lines too short": ("\n".join([HEADER, *["1,22,33"] * 3]), "line 4 is"),
    "cut off": (GOOD[: GOOD.index(ROWS[7]) + 1000], "line 9 is not a label and 784 pixels"),
    "negative": (line(4, "2,-1" + ROWS[2][ROWS[2].index(",", 2) :]), "line 4 is"),
    "256": (line(6, "256" + ROWS[4][1:]), "line 6 is .*whole numbers from 0 to 255"),
    "fraction": (line(21, "0.5" + ROWS[19][1:]), "line 21 is"),
    "label 100": (line(2, "100" + ROWS[0][1:]), "it has the label 100; labels are 0 to 99"),
    "cut gzip": (gzip.compress(GOOD.encode())[:-20], "cannot be decompressed"),
}


@pytest.mark.parametrize("content, message", DAMAGED.values(), ids=DAMAGED)
def test_damaged_csv_files_are_named_with_the_reason(tmp_path, content, message):
    write(tmp_path, content)
    with pytest.raises(UserError, match=re.escape(kaggle.FILES["train"]) + f": .*({message})"):
        loading.load_part("train", tmp_path, any_data=True)


def test_genuine_images_need_no_flag_in_whatever_order_and_a_line_names_another_order(monkeypatch, capsys, tmp_path):
    images, labels = pictures(20)
    records = sorted(bytes([label]) + image.tobytes() for image, label in zip(images, labels, strict=True))
    monkeypatch.setitem(kaggle.SHA256_SORTED, "train", hashlib.sha256(b"".join(records)).hexdigest())
    for name, array in zip(idx.FILES["train"], (images, labels), strict=True):
        monkeypatch.setitem(idx.SHA256, name, hashlib.sha256(idx_file(array)).hexdigest())
    write(tmp_path, GOOD)
    loading.load_part("train", tmp_path)
    assert "another order" not in capsys.readouterr().out
    swapped = [*ROWS[10:11], *ROWS[1:10], *ROWS[:1], *ROWS[11:]]  # two images of one class: the labels are as they were
    write(tmp_path, "\n".join([HEADER, *swapped]))
    np.testing.assert_array_equal(loading.load_part("train", tmp_path)[0][[10, 0]], images[[0, 10]])
    assert "another order" in capsys.readouterr().out
    write(tmp_path, "\n".join([HEADER, *ROWS[1:], ROWS[1]]))
    with pytest.raises(UserError, match="not the genuine train images.*--any-data"):
        loading.load_part("train", tmp_path)
