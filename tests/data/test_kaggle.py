"""kaggle.py reads CSV files exactly, and refuses damaged ones with the line."""

import hashlib
import re

import numpy as np
import pytest

from conftest import idx as idx_file
from conftest import pictures
from pyimagesearch.data import idx, kaggle, loading
from pyimagesearch.errors import UserError

IMAGES, LABELS = pictures(20)
IMAGES[:, 0, 0], IMAGES[:, -1, -1] = np.arange(20) == 7, 100 + LABELS // 2  # corners that resemble labels
PIXELS = [f"pixel{k}" for k in range(1, 785)]


def table(labels=0, counter=None, header=()):
    """Return a CSV file with the labels in this column, perhaps one that counts the lines, and this header or none."""
    rows = np.insert(IMAGES.reshape(20, -1).astype(int), labels, LABELS, axis=1)
    if counter is not None:
        rows = np.insert(rows, counter, np.arange(20) + 300, axis=1)
    lines = [header, *rows.tolist()] if header else rows.tolist()
    return "".join(",".join(map(str, line)) + "\n" for line in lines)


ROWS = table().splitlines()
GOOD = table(header=["label", *PIXELS])
HEADER = GOOD.splitlines()[0]
BY_NAME = sorted(range(785), key=HEADER.split(",").__getitem__)  # pixel1, pixel10, pixel100
VARIANTS = {
    "labels first, no header": table(),
    "labels last, no header, lines counted": table(labels=784, counter=0),
    "lines counted at the end": table(counter=785, header=["label", *PIXELS, "id"]),
    "as pandas writes an array": table(labels=784, counter=0, header=["", *map(str, range(785))]),
    "a column named class": table(counter=0, header=["Unnamed: 0", "Class", *PIXELS]),
    "y among names without numbers": table(header=[" Y", *map(chr, range(20_000, 20_784))]),
    "another name among the pixels": table(400, header=[*PIXELS[:400], "digit", *PIXELS[400:]]),
    "columns sorted": "\n".join(",".join(line.split(",")[k] for k in BY_NAME) for line in GOOD.splitlines()),
    "named by column and row": table(header=["label", *(f"c{k % 28:02}r{k // 28:02}" for k in range(784))]),
    "Windows": "\ufeff" + GOOD.replace("\n", "\r\n"),
    "quoted header, as R writes it; spaces": GOOD.replace(HEADER, f'"{HEADER}"'.replace(",", '","')).replace(",", ", "),
}


def write(tmp_path, content):
    (tmp_path / kaggle.FILES["train"]).write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.mark.parametrize("content", VARIANTS.values(), ids=VARIANTS)
def test_csv_files_of_different_programs(tmp_path, content):
    write(tmp_path, content)
    for array, expected in zip(loading.load_part("train", tmp_path, any_data=True), (IMAGES, LABELS), strict=True):
        assert array.dtype == np.uint8
        np.testing.assert_array_equal(array, expected)


def test_the_part_is_a_word_in_the_name_of_the_file(tmp_path, capsys):
    (tmp_path / "latest_train.csv").write_text(GOOD)
    (tmp_path / "train_test.csv").write_text("neither")
    with pytest.raises(UserError, match="no data"):
        loading.load_part("test", tmp_path, any_data=True)
    (tmp_path / "Latest-Test.csv").write_text(GOOD.replace(ROWS[0], ROWS[1], 1))
    first, second = (loading.load_part(part, tmp_path, any_data=True)[0] for part in ("train", "test"))
    np.testing.assert_array_equal(second[0], first[1])


DAMAGED = {
    "no labels": ("\n".join(row.split(",", 1)[1] for row in ROWS), "784 columns, not 785: a label and the 784 pixels"),
    "labels in the middle": (table(labels=400), "not clear which column has the labels; name it 'label'"),
    "an index, no header": ("\n".join(f"{k}{row[1:]}" for k, row in enumerate(ROWS)), "not clear which column"),
    "an index and no labels": (table(header=["id", *PIXELS]), "not clear which column"),
    "both ends repeat": (table(784).replace("\n0,", "\n1,", 9), "not clear which column"),
    "two columns of labels": (table(header=["label", *PIXELS[:-1], "class"]), "not clear which column"),
    "a header alone": (HEADER + "\n", "line 2"),
    "cut off": (GOOD[: GOOD.index(ROWS[7]) + 1000], "line 9 is not a label and 784 pixels"),
    "separated by semicolons": (GOOD.replace(",", ";"), "separated by semicolons; save it with commas"),
    "not text": (GOOD[:9000].encode() + b"\xff\0\x89" + GOOD[9000:].encode(), "line 2 is"),
    "a version in the header": (GOOD.replace("pixel784", "1.2.3").replace(ROWS[0], "x", 1), "line 2 is"),
    "negative": (GOOD.replace(ROWS[2], ROWS[2].replace(",220", ",-1")), "line 4 is"),
    "256": (GOOD.replace(ROWS[4], ROWS[4].replace(",220", ",256")), "line 6 is .*whole numbers from 0 to 255"),
    "fraction, no header": ("\n".join([*ROWS[:19], "0.5" + ROWS[19][1:]]), "line 20 is .*multiply pixels from 0.0 to"),
}


@pytest.mark.parametrize("content, message", DAMAGED.values(), ids=DAMAGED)
def test_damaged_csv_files_are_named_with_the_reason(tmp_path, content, message):
    write(tmp_path, content)
    with pytest.raises(UserError, match=re.escape(kaggle.FILES["train"]) + f": .*({message})"):
        loading.load_part("train", tmp_path, any_data=True)


def test_genuine_images_need_no_flag_in_whatever_order_and_a_line_names_another_order(monkeypatch, capsys, tmp_path):
    records = sorted(bytes([label]) + image.tobytes() for image, label in zip(IMAGES, LABELS, strict=True))
    monkeypatch.setitem(kaggle.SHA256_SORTED, "train", hashlib.sha256(b"".join(records)).hexdigest())
    for name, array in zip(idx.FILES["train"], (IMAGES, LABELS), strict=True):
        monkeypatch.setitem(idx.SHA256, name, hashlib.sha256(idx_file(array)).hexdigest())
    write(tmp_path, GOOD)
    loading.load_part("train", tmp_path)
    assert "another order" not in capsys.readouterr().out
    swapped = [*ROWS[10:11], *ROWS[1:10], *ROWS[:1], *ROWS[11:]]  # two images of one class: the labels are as they were
    write(tmp_path, "\n".join([HEADER, *swapped]))
    np.testing.assert_array_equal(loading.load_part("train", tmp_path)[0][[10, 0]], IMAGES[[0, 10]])
    assert "another order" in capsys.readouterr().out
    write(tmp_path, "\n".join([HEADER, *ROWS[1:], ROWS[1]]))
    with pytest.raises(UserError, match="not the genuine train images.*--any-data"):
        loading.load_part("train", tmp_path)
