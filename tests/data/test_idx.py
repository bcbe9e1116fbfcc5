"""idx.py reads good files exactly, and refuses damaged and foreign ones with the reason."""

import gzip
import hashlib
import shutil

import numpy as np
import pytest

from conftest import idx as idx_file
from conftest import pictures, write_data
from pyimagesearch.data import idx, loading
from pyimagesearch.data.idx import FILES
from pyimagesearch.errors import UserError

IMAGES = FILES["train"][0]


def test_digits_and_swapped_files_are_recognized(empty_machine, monkeypatch):
    other = idx_file(pictures(600, 9)[0])
    monkeypatch.setattr(idx, "DIGITS", {hashlib.sha256(other).hexdigest()})
    (empty_machine / f"{IMAGES}.gz").write_bytes(gzip.compress(other))
    with pytest.raises(UserError, match="this is MNIST, the handwritten digits"):
        loading.load(empty_machine)
    shutil.copy(empty_machine / "t10k-images-idx3-ubyte.gz", empty_machine / f"{IMAGES}.gz")
    with pytest.raises(UserError, match="another file of the data set: t10k-images-idx3-ubyte"):
        loading.load(empty_machine)


GOOD = idx_file(pictures(600, 1)[0])
DAMAGED = {
    "empty": (b"", "truncated: 0 bytes"),
    "short": (GOOD[:-1], "truncated: 470399 of 470400 bytes"),
    "long": (GOOD + b"x", "more bytes than its header promises"),
    "magic": (b"\0\0\x0d\x03" + GOOD[4:], "not an IDX file"),
    "html": (b"<html>sign in to this network</html>", "not an IDX file"),
    "other shape": (idx_file(np.zeros((600, 32, 32), np.uint8)), "images are 32x32, and 28x28 gray images are needed"),
    "no images": (idx_file(np.zeros((0, 28, 28), np.uint8)), "promises 0 images"),
    "too many": (GOOD[:4] + (1_000_001).to_bytes(4, "big") + GOOD[8:], "promises 1,000,001 images"),
    "absurd count": (GOOD[:4] + b"\xff" * 4 + GOOD[8:], "promises 4,294,967,295 images"),
    "cut gzip": (gzip.compress(GOOD)[:-20], "cannot be decompressed"),
    "bad gzip": (gzip.compress(GOOD)[:200] + b"\0" * 200, "cannot be decompressed"),
    "gzip bomb": (gzip.compress(GOOD[:16] + bytes(10**8)), "more bytes than its header promises"),
}


@pytest.mark.parametrize("content, message", DAMAGED.values(), ids=DAMAGED)
def test_damaged_files_are_named_with_the_reason(tmp_path, content, message):
    folder = write_data(tmp_path / "data")
    (folder / f"{IMAGES}.gz").write_bytes(content)
    with pytest.raises(UserError, match=f"{IMAGES}.gz: .*{message}") as caught:
        loading.load(folder, any_data=True)
    assert "genuine" not in str(caught.value)  # that is not asked for


def mutations(rng, content):
    """Yield damaged versions of a file's content without end."""
    while True:
        changed = bytearray(content)
        kind = rng.integers(6)
        if kind == 0:  # flipped bytes
            for place in rng.integers(0, len(content), rng.integers(1, 4)):
                changed[place] ^= int(rng.integers(1, 256))
        elif kind == 1:  # a header that lies
            changed[int(rng.integers(0, 16))] = int(rng.integers(256))
        elif kind == 2:  # cut off
            del changed[int(rng.integers(0, len(content))) :]
        elif kind == 3:  # something behind the end: rubbish, zeros or a second member
            changed += [rng.bytes(9), bytes(9), gzip.compress(rng.bytes(9))][rng.integers(3)]
        elif kind == 4:  # a piece gone
            start = int(rng.integers(0, len(content)))
            del changed[start : start + int(rng.integers(1, 100))]
        else:  # a piece twice
            start = int(rng.integers(0, len(content)))
            changed[start:start] = content[start : start + int(rng.integers(1, 100))]
        yield bytes(changed)


def test_a_thousand_damaged_files_are_refused_or_read_right(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    array, path = pictures(20)[0], tmp_path / IMAGES
    monkeypatch.setitem(idx.SHA256, IMAGES, hashlib.sha256(idx_file(array)).hexdigest())
    plain, packed = mutations(rng, idx_file(array)), mutations(rng, gzip.compress(idx_file(array), mtime=0))
    packed_inside = (gzip.compress(content, 1) for content in mutations(rng, idx_file(array)))
    refused = 0
    for source in (plain, packed, packed_inside):
        for _ in range(400):
            path.write_bytes(next(source))
            try:
                np.testing.assert_array_equal(loading._read_idx(path, IMAGES), array)
            except idx.BadFile as bad:
                assert "\n" not in str(bad)
                refused += 1
    assert 1000 < refused < 1200  # a few do no harm, such as zeros behind a gzip file
