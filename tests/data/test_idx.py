"""idx.py reads good files exactly, and refuses damaged and foreign ones with the reason."""

import gzip
import hashlib
import shutil

import numpy as np
import pytest

from conftest import idx as idx_file
from conftest import load, pictures, write_data
from pyimagesearch.data import idx
from pyimagesearch.data.idx import FILES
from pyimagesearch.errors import UserError

IMAGES = FILES["train"][0]


def test_digits_and_swapped_files_are_recognized(empty_machine, monkeypatch):
    other = idx_file(pictures(600, 9)[0])
    monkeypatch.setattr(idx, "DIGITS", {hashlib.sha256(other).hexdigest()})
    (empty_machine / f"{IMAGES}.gz").write_bytes(gzip.compress(other))
    with pytest.raises(UserError, match="this is MNIST, the handwritten digits"):
        load(empty_machine)
    shutil.copy(empty_machine / "t10k-images-idx3-ubyte.gz", empty_machine / f"{IMAGES}.gz")
    with pytest.raises(UserError, match="another file of the data set: t10k-images-idx3-ubyte"):
        load(empty_machine)


GOOD = idx_file(pictures(600, 1)[0])
DAMAGED = {
    "empty": (b"", "truncated: 0 bytes"),
    "short": (GOOD[:-1], "truncated: 470399 of 470400 bytes"),
    "html": (b"<html>sign in to this network</html>", "not an IDX file of 28x28 gray images"),
    "other shape": (idx_file(np.zeros((600, 64, 64), np.uint8)), "images are 64x64, and 28x28 gray images are needed"),
    "no images": (idx_file(np.zeros((0, 28, 28), np.uint8)), "promises 0 28x28 gray images"),
    "too many": (GOOD[:4] + (1_000_001).to_bytes(4, "big") + GOOD[8:], "promises 1,000,001 .*1 to 1,000,000"),
    "bad gzip": (gzip.compress(GOOD)[:200] + b"\0" * 200, "cannot be decompressed"),
    "gzip bomb": (gzip.compress(GOOD[:16] + bytes(10**8)), "more bytes than its header promises"),
}


@pytest.mark.parametrize("content, message", DAMAGED.values(), ids=DAMAGED)
def test_damaged_files_are_named_with_the_reason(tmp_path, content, message):
    folder = write_data(tmp_path / "data")
    (folder / f"{IMAGES}.gz").write_bytes(content)
    with pytest.raises(UserError, match=f"{IMAGES}.gz: .*{message}") as caught:
        load(folder, any_data=True)
    assert "genuine" not in str(caught.value)  # other data was asked for
