"""Photos of garments become 28x28 images like those of the data set; pairs of shoes are found; --image predicts."""

import json
import os

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from test_explain import save_network

from conftest import pictures
from fashion_mnist_loaded import main
from pyimagesearch.data import loading
from pyimagesearch.data.loading import CLASS_NAMES
from pyimagesearch.errors import UserError
from pyimagesearch.photos import conversion, files, pairs, segmentation


@pytest.mark.parametrize("color", [(40, 50, 110), (230, 230, 235), (180, 40, 40)])
def test_garment_on_a_floor_is_segmented_and_made_light_on_black(color):
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0:300, 0:240]
    floor = 150 + 15 * ((columns // 30) % 2) + 0.1 * rows
    pixels = np.stack([floor * 1.05, floor * 0.8, floor * 0.6], axis=-1) + rng.normal(0, 5, (300, 240, 1))
    shape = (abs(columns - 120) < 45 + rows // 12) & (rows > 50) & (rows < 250)
    pixels[shape] = color + rng.normal(0, 8, (int(shape.sum()), 1))
    photo = conversion.convert(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)))
    assert (photo.mask & shape).sum() / (photo.mask | shape).sum() > 0.9
    assert np.array_equal(photo.images[0, :, ::-1], photo.images[len(photo.images) // 2])  # each also mirrored
    assert not np.array_equal(photo.images[0, :, ::-1], photo.images[0])
    first = photo.images[0, ..., 0]
    assert not first[:, [0, 1, 2, -3, -2, -1]].any()
    assert 120 < np.median(first[first > 0]) < 220
    assert first[[0, -1]].any()  # the longer edge fills the image
    assert any("background is not plain" in note for note in photo.notes)


@pytest.mark.parametrize("noise", [0, 40])
def test_garment_is_seen_in_several_widths_on_a_floor_and_as_it_is_on_a_plain_ground(noise):
    pixels = 180 + np.random.default_rng(0).integers(-noise, noise + 1, (220, 240, 1)).repeat(3, axis=2)
    pixels[80:140, 45:195] = (40, 50, 110)  # 2.5 times as wide as tall
    photo = conversion.convert(Image.fromarray(pixels.astype(np.uint8)))
    sizes = [(image.any(axis=0).sum(), image.any(axis=1).sum()) for image in photo.images[..., 0]]
    views = [(28, pytest.approx(11, abs=1)), *((round(28 * width), 28) for width in conversion.WIDTHS)]
    assert photo.plain == (noise == 0)
    assert sizes == (2 * views if noise else views[:1])  # the others mirrored


def test_segmentation_is_the_same_whatever_was_done_before():
    image = cv2.resize(np.random.default_rng(2).integers(0, 256, (6, 5, 3), dtype=np.uint8), (200, 240))
    masks = []
    for threads, seed in ((1, 0), (2, 1)):
        cv2.setNumThreads(threads)
        cv2.setRNGSeed(seed)
        masks.append(segmentation.segment(image))
    cv2.setNumThreads(-1)
    assert np.array_equal(*masks)


@settings(max_examples=60, deadline=None)
@given(st.tuples(st.integers(1, 120), st.integers(1, 120)), st.integers(0, 2**32), st.integers(1, 4), st.booleans())
def test_photos_of_any_size_and_colors_are_converted(size, seed, patches, transparent):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (patches, patches, 4 if transparent else 3), dtype=np.uint8)
    image = Image.fromarray(small).resize(size, Image.Resampling.NEAREST)
    try:
        photo = conversion.convert(image)
    except UserError as error:
        assert "nothing but background" in str(error)
        return
    assert photo.pixels.shape == (*size[::-1], 3) and photo.mask.shape == photo.gray.shape == size[::-1]
    assert photo.images.shape[1:] == (28, 28, 1) and photo.images.dtype == np.uint8
    assert photo.images.any(axis=(1, 2, 3)).all()
    assert not photo.gray[~photo.mask].any()


def test_grays_of_colors_are_those_of_pillow():
    sheet = np.full((90, 60, 3), 255, np.uint8)
    sheet[20:80, 10:50] = np.repeat(np.uint8([(200, 0, 0), (0, 200, 0), (0, 0, 200)]), 20, axis=0)[:, None]
    image = Image.fromarray(sheet)
    negative = 255.0 - np.asarray(image.convert("L"))
    np.testing.assert_allclose(conversion.convert(image).gray, negative * 255 / negative.max(), atol=2)


def test_garment_that_is_cut_off_is_noted():
    sheet = np.full((200, 200), 255, np.uint8)
    for half, noted in ((10, False), (25, True)):
        sheet[60:, 100 - half : 100 + half] = 30
        notes = conversion.convert(Image.fromarray(sheet).convert("RGB")).notes
        assert len(notes) == noted and all("touches the edge" in note for note in notes)


@pytest.mark.real_data
@pytest.mark.parametrize("side, margin, most", [(28, 0, 0), (56, 0, 15), (560, 0, 15), (420, 60, 25)])
def test_images_of_the_data_set_come_back_and_those_of_28_pixels_unchanged(genuine, tmp_path, side, margin, most):
    images, _ = loading.load_part("test", genuine)
    differences = {}
    for number, original in enumerate(images[:12]):
        image = Image.fromarray(255 - original if number % 2 else original)
        large = ImageOps.expand(image.resize((side, side), Image.Resampling.BICUBIC), margin, 255 * (number % 2))
        for name, mode in (("a.png", "L"), ("b.png", "RGB"), ("c.png", "P"), ("d.jpg", "RGB"), ("e.jpg", "CMYK")):
            large.convert(mode).save(tmp_path / name, quality=80)
        Image.fromarray(np.asarray(large).astype(np.uint16) * 257).save(tmp_path / "16 bits.png")
        for path in tmp_path.iterdir():
            photo = conversion.convert(files.read(path)[0])
            assert photo.notes == () and len(photo.images) == 1
            differences.setdefault(path.name, []).append(abs(photo.images[0, ..., 0].astype(float) - original).mean())
    for name, values in differences.items():
        rounded = {"d.jpg": 15, "e.jpg": 15, "16 bits.png": 0.1}.get(name, 0)
        assert np.mean(values) <= max(most, rounded), name


@pytest.mark.parametrize("shade", [20, 120, 250])
def test_what_was_cut_out_is_the_garment_whatever_its_color(tmp_path, shade):
    sheet = np.zeros((90, 60, 4), np.uint8)
    sheet[:, 10:50] = (shade, shade, shade, 255)
    sheet[20:30, 10:50, :3] += 5  # a fold
    Image.fromarray(sheet).save(tmp_path / "shirt.png")
    photo = conversion.convert(files.read(tmp_path / "shirt.png")[0])
    np.testing.assert_array_equal(photo.mask, sheet[..., 3] > 0)
    assert photo.notes == () and photo.plain and len(photo.images) == 1
    assert (photo.images[0, :, 9:19] > 40).all() and not photo.images[0, :, :7].any()
    assert (photo.pixels[:, :10] == 255).all()
    sheet[..., 3] = 255
    sheet[[0, 0, -1, -1], [0, -1, 0, -1], 3] = 0  # rounded corners are no cut-out
    assert not np.array_equal(conversion.convert(Image.fromarray(sheet)).mask, sheet[..., 3] > 0)


def drawn(*ellipses, rectangles=()):
    """Draw ellipses (center, half axes, tilt) and rectangles (left, top, right, bottom): bool (300, 300)."""
    mask = np.zeros((300, 300), np.uint8)
    for center, axes, tilt in ellipses:
        cv2.ellipse(mask, center, axes, tilt, 0, 360, 1, cv2.FILLED)
    for left, top, right, bottom in rectangles:
        mask[top:bottom, left:right] = 1
    return mask > 0


PAIRS = {
    "apart": drawn(((90, 150), (40, 100), 0), ((210, 150), (40, 100), 0)),
    "one smaller": drawn(((90, 150), (40, 100), 0), ((210, 150), (36, 88), 0)),
    "touching": drawn(((110, 150), (44, 100), 0), ((190, 150), (44, 100), 0)),
    "toes out": drawn(((105, 150), (40, 100), -8), ((195, 150), (40, 100), 8)),
    "beside a leaf": drawn(((90, 150), (40, 100), 0), ((210, 150), (40, 100), 0), ((150, 280), (20, 10), 0)),
    "tilted": drawn(((110, 120), (40, 100), 40), ((185, 185), (40, 100), 40)),
}
OTHERS = {
    "one above the other": drawn(((150, 90), (120, 40), 0), ((150, 210), (120, 40), 0)),
    "round": drawn(((80, 150), (50, 55), 0), ((220, 150), (50, 55), 0)),
    "not parallel": drawn(((80, 150), (35, 100), -25), ((220, 150), (35, 100), 25)),
    # The waist sags by 8 pixels.
    "shorts": drawn(rectangles=[(80, 68, 220, 150), (80, 60, 145, 240), (155, 60, 220, 240)]),
    "unlike": drawn(((90, 150), (40, 110), 0), ((210, 150), (40, 70), 0)),
    "three": drawn(*(((x, 150), (35, 100), 0) for x in (60, 150, 240))),
    "one ahead of the other": drawn(((150, 75), (30, 65), 0), ((165, 225), (30, 65), 0)),
    "legs": drawn(((110, 150), (25, 140), 0), ((190, 150), (25, 140), 0)),
    "sleeves": drawn(rectangles=[(70, 40, 230, 90), (100, 40, 200, 250), (70, 40, 85, 230), (215, 40, 230, 230)]),
}


@pytest.mark.parametrize("name", PAIRS)
def test_one_of_a_pair_is_found(name):
    piece, ((x, y), (width, height), tilt) = pairs.one_of_a_pair(PAIRS[name])
    assert 0.45 * PAIRS[name].sum() < piece.sum() < 0.6 * PAIRS[name].sum()  # the larger of the two
    assert not (piece & ~PAIRS[name]).any() and piece[round(y), round(x)] and 1.8 < height / width < 3
    assert tilt == pytest.approx(40 if name == "tilted" else 0, abs=11)


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_pair_of_shoes_is_not_taken_for_one(name):
    assert pairs.one_of_a_pair(OTHERS[name]) is None


@pytest.mark.parametrize("name", ["apart", "touching", "tilted"])
@pytest.mark.parametrize("floor", [160, 245])  # textured, or plain
def test_pair_is_shown_as_one_shoe_that_lies(name, floor):
    rng = np.random.default_rng(0)
    pixels = np.full((300, 300, 3), floor) + rng.normal(0, 25 if floor == 160 else 1, (300, 300, 1))
    shoe = (20 + np.arange(300) / 4)[:, None, None] + rng.normal(0, 5, (300, 300, 1))  # dark at the top
    pixels = np.where(PAIRS[name][..., None], shoe * (1, 0.7, 0.7), pixels)
    photo = conversion.convert(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)))
    alone = conversion.convert(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), shoes=False)
    assert np.array_equal(photo.whole.images, alone.images) and alone.whole is None
    assert photo.images.shape == (2 * len(conversion.HEIGHTS), 28, 28, 1)
    heights = [image.any(axis=1).sum() for image in photo.images[..., 0]]
    assert heights[0] < heights[1] < heights[2] < 28
    assert photo.images[..., 0].any(axis=1).sum(axis=1).tolist() == [28] * len(photo.images)
    lying = photo.images[1, ..., 0].astype(float)  # negated: the top is light, and at the left
    left, right = lying[:, 2:7], lying[:, 21:26]
    assert left[left > 0].mean() > 1.05 * right[right > 0].mean()


@pytest.fixture
def images(tmp_path, monkeypatch):
    """Ten images, one of each class, whose frame of light keeps them where they are when they are trimmed.

    The current folder holds fashion_model.h5, a network that knows them, and pair.png, a pair of shoes.
    """
    monkeypatch.chdir(tmp_path)
    save_network(genuine_data=True)
    Image.fromarray(np.where(PAIRS["apart"], 40, 250).astype(np.uint8)).save("pair.png")
    images, _ = pictures(10)
    images[images < 100] = 0
    images[:, [0, -1]] = images[:, :, [0, -1]] = 255
    return images


def test_photos_are_predicted_and_bad_files_are_counted_at_the_end(images, tmp_path, capsys):
    (tmp_path / "wardrobe").mkdir()
    for number, image in enumerate(images):
        large = Image.fromarray(image).resize((420, 420), Image.Resampling.BICUBIC)
        ImageOps.expand(large, (40, 40, 40, 80)).save(tmp_path / f"wardrobe/{number}.png")
    odd = os.fsdecode(b"wardrobe/9\x1b[31m $x_$ caf\xe9.png")
    os.rename("wardrobe/9.png", odd)
    (tmp_path / "wardrobe/a$x^$b.jpg").write_text("no photo")
    for gray, side in (0, 28), (130, 50), (255, 28):
        Image.new("L", (side, side), gray).save(tmp_path / f"wardrobe/blank{gray}.png")
    with pytest.raises(UserError, match="4 of 14 files could not be used"):
        main(["--image", "wardrobe", "--json", "result.json"])
    out, err = capsys.readouterr()
    assert "a$x^$b.jpg is not a photo" in err and err.count(".png shows nothing but background") == 3
    assert err.count("\n") == 4 and "\x1b" not in out
    assert "wardrobe/3.png: Dress " in out
    assert max(map(len, out.splitlines())) <= 80
    result = json.loads((tmp_path / "result.json").read_text())
    assert [photo["file"] for photo in result] == [*(f"wardrobe/{number}.png" for number in range(9)), odd]
    for name, photo in zip(CLASS_NAMES, result, strict=True):
        assert max(photo["probabilities"], key=photo["probabilities"].get) == name
        assert sum(photo["probabilities"].values()) == pytest.approx(1)
    assert (tmp_path / "images/photos.png").stat().st_size > 10_000


def test_a_pair_of_shoes_is_told_and_is_unlike_the_data(images, small_data, capsys):
    main(["--image", "pair.png", "--data-dir", "data", "--any-data"])
    out = capsys.readouterr().out
    for text in "a pair of shoes", "(unsure)", "less like the training images than 90% of", "photograph one garment":
        assert text in out


def test_other_data_has_no_names_of_clothes_no_pairs_of_shoes_and_no_comparison(images, capsys):
    save_network(genuine_data=False)
    (photo,) = main(["--image", "pair.png"])
    out = capsys.readouterr().out
    assert "pair.png: class " in out and "pair of shoes" not in out and "training data" not in out
    assert min(photo["probabilities"].values()) > 1e-9
    assert list(photo["probabilities"]) == [f"class {number}" for number in range(10)]
