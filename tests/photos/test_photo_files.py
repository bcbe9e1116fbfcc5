"""Whatever a file is and holds: it is read as a photo, or an error names it, before Keras is imported."""

import io
import os
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from conftest import WITH_PIPES
from pyimagesearch.errors import UserError
from pyimagesearch.photos import files

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 50\n%%EndComments\nshowpage\n%%EOF\n"
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)


def stored(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def damaged_tags():
    """Return a TIFF whose directory names types and offsets that do not exist."""
    content = bytearray(stored(Image.new("L", (60, 60), 200), "TIFF"))
    start = int.from_bytes(content[4:8], "little")
    content[start + 2 + 12 * 8 + 2] = 99
    return bytes(content)


NOT_PHOTOS = {
    "text.jpg": (b"no photo", "text.jpg is not a photo in a format that can be read"),
    "empty.jpg": (b"", "empty.jpg is empty"),
    "eps.jpg": (EPS, "eps.jpg is not a photo in a format that can be read"),
    "a.heic": (HEIC, "a.heic is a HEIC photo, which cannot be read here; export it as JPEG"),
    "bomb.png": (stored(Image.new("1", (20_000, 20_000))), "bomb.png is too large"),
    "float.tif": (stored(Image.new("F", (8000, 8000)), "TIFF", compression="tiff_deflate"), "too large .64 megapix"),
    "p.jpg": (stored(Image.new("L", (9000, 9000)), "JPEG", progressive=True), "too large .81 megapix"),
    "thin.png": (stored(Image.new("L", (1, 1_000_000))), "thin.png is 1 x 1000000 pixels, too narrow"),
}


@pytest.mark.parametrize("name, content, words", [(name, *case) for name, case in NOT_PHOTOS.items()], ids=NOT_PHOTOS)
def test_what_is_not_a_photo_is_an_error_that_names_it(tmp_path, monkeypatch, name, content, words):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as where it is not installed
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=words) as caught:
        files.find([tmp_path / name])
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=words):
        files.read(tmp_path / name)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_photo_that_lacks_its_last_bytes_is_read_with_a_note(tmp_path, kind):
    whole = stored(Image.effect_noise((150, 150), 60), kind)
    (tmp_path / "whole").write_bytes(whole)
    (tmp_path / "cut").write_bytes(whole[: len(whole) * 3 // 4])
    (expected, no_notes), (image, (note,)) = files.read(tmp_path / "whole"), files.read(tmp_path / "cut")
    assert no_notes == () and "cut off" in note
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    np.testing.assert_array_equal(np.asarray(image)[:90], np.asarray(expected)[:90])
    (tmp_path / "cut").write_bytes(whole[:20])
    with pytest.raises(UserError, match="cut"):
        files.read(tmp_path / "cut")


WHOLE = [stored(Image.effect_noise((40, 30), 60), kind) for kind in ("JPEG", "PNG", "GIF", "TIFF", "BMP", "WEBP")]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_a_file_holds_is_a_photo_or_a_sentence(tmp_path, data):
    content = bytearray(data.draw(st.sampled_from(WHOLE)))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))] or data.draw(st.binary(max_size=50))
    (tmp_path / "any").write_bytes(content)
    try:
        image, notes = files.read(tmp_path / "any")
    except UserError as error:
        assert str(tmp_path / "any") in str(error) and "\n" not in str(error)
    else:
        assert image.mode == "RGBA" and max(image.size) <= files.SIDE and isinstance(notes, tuple)


@WITH_PIPES
def test_path_that_cannot_be_used_is_an_error(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/notes.txt").write_text("no photo")
    unusable = {"none.jpg": "there is no file", "pipe.png": "it is not a regular file", "notes": "holds no photos"}
    for name, words in unusable.items():
        with pytest.raises(UserError, match=rf"{name}.*{words}|{words}.*{name}"):
            files.find([tmp_path / name])


@WITH_PIPES
def test_folder_and_wildcards_stand_for_their_photos(tmp_path, capsys):
    folder = tmp_path / "wardrobe"
    (folder / "more").mkdir(parents=True)
    for name in ("b.png", "a.JPG", "without_suffix", "more/c.jpg", ".hidden.jpg"):
        (folder / name).write_bytes(WHOLE[0])
    for name in ("notes.txt", "model.h5", "x.jpg", "more/text"):
        (folder / name).write_text("no photo")
    os.mkfifo(folder / "pipe")
    paths, unusable = files.find([folder, folder / "?.JPG"])
    assert [path.name for path in paths] == ["a.JPG", "b.png", "without_suffix", "a.JPG"]
    assert unusable == 1
    subfolders, bad = capsys.readouterr().err.splitlines()
    assert "wardrobe: subfolders are not searched: more" in subfolders
    assert "x.jpg is not a photo" in bad
    with pytest.raises(UserError, match="none of these 2 files can be used"):
        files.find([tmp_path / "one.jpg", tmp_path / "two.jpg"])
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_photo_is_made_small_and_never_larger(tmp_path):
    # The last is of a camera, decoded at an eighth.
    for size, read in ((3000, 2400), (200, 160)), ((90, 120), (90, 120)), ((11_000, 11_000), (200, 200)):
        (tmp_path / "photo").write_bytes(stored(Image.new("L", size, 200), "JPEG"))
        assert files.read(tmp_path / "photo")[0].size == read


ODD = {
    "infinite": stored(Image.fromarray(np.float32([[np.nan, 1, np.inf, -np.inf]] * 4)), "TIFF"),
    "not a number": stored(Image.fromarray(np.full((4, 4), np.nan, np.float32)), "TIFF"),
    "damaged tags": damaged_tags(),
    "16 bits": stored(Image.fromarray(np.full((40, 40), 60_000, np.uint16))),
}


@pytest.mark.parametrize("content", ODD.values(), ids=ODD)
def test_odd_pixels_and_tags_are_read_in_silence(tmp_path, capfd, recwarn, content):
    (tmp_path / "odd").write_bytes(content)
    assert files.read(tmp_path / "odd")[0].mode == "RGBA"
    assert not recwarn.list
    assert capfd.readouterr() == ("", "")
