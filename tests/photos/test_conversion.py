"""Photos of garments become 28x28 images like those of the data set."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from test_photo_files import stored

from pyimagesearch.data import loading
from pyimagesearch.errors import UserError
from pyimagesearch.photos import conversion, files, segmentation


def enlarged(image, side=420, padding=40, background=0):
    """Render a 28x28 image large, on a background of its own gray."""
    sheet = Image.new("L", (side + 2 * padding, side + 3 * padding), background)
    sheet.paste(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC), (padding, padding))
    return sheet


def turned(image):
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees to see it upright"
    return stored(enlarged(255 - image, 900, 100, 255).rotate(90, expand=True), "JPEG", quality=90, exif=exif)


def cut_out(image):
    sheet = Image.new("RGBA", (300, 300), (20, 30, 90, 0))
    sheet.putalpha(Image.fromarray(image).resize((300, 300), Image.Resampling.BICUBIC))
    return stored(sheet)


def sixteen_bits(image):
    values = np.asarray(enlarged(255 - image, background=255)).astype(np.uint16) * 257
    return stored(Image.fromarray(values))


RENDERINGS = {
    "dark on white": lambda p: stored(enlarged(255 - p, background=255)),
    "light on black": lambda p: stored(enlarged(p)),
    "on gray": lambda p: stored(enlarged((200 - p / 255 * 200).astype(np.uint8), background=200)),
    "JPEG of quality 60": lambda p: stored(enlarged(255 - p, background=255), "JPEG", quality=60),
    "turned by EXIF": turned,
    "transparent": cut_out,
    "palette": lambda p: stored(enlarged(255 - p, 600, background=255).convert("P"), "GIF"),
    "16 bits": sixteen_bits,
    "CMYK": lambda p: stored(enlarged(255 - p, background=255).convert("CMYK"), "JPEG", quality=95),
}


@pytest.mark.real_data
def test_rendered_image_comes_back_nearly_as_it_was(genuine, tmp_path):
    images, _ = loading.load_part("train", genuine)
    differences = {name: [] for name in RENDERINGS}
    for number, original in enumerate(images[-90:]):
        name = [*RENDERINGS][number % len(RENDERINGS)]
        (tmp_path / name).write_bytes(RENDERINGS[name](original))
        photo = conversion.convert(files.read(tmp_path / name)[0])
        assert photo.images.shape == (1, 28, 28, 1)
        differences[name].append(np.abs(photo.images[0, ..., 0].astype(float) - original).mean())
    assert all(np.mean(values) < 25 for values in differences.values()), differences
    assert np.mean([*differences.values()]) < 17


def room(color):
    """Render a coat-like shape on a floor of planks with a shadow. Returns a PIL image and where the shape is."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0:300, 0:240]
    floor = 150 + 15 * ((columns // 30) % 2) + 0.1 * rows
    pixels = np.stack([floor * 1.05, floor * 0.8, floor * 0.6], axis=-1) + rng.normal(0, 5, (300, 240, 1))
    shape = (abs(columns - 120) < 45 + rows // 12) & (rows > 50) & (rows < 250)
    pixels[shape] = color + rng.normal(0, 8, (int(shape.sum()), 1))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), shape


@pytest.mark.parametrize("color", [(40, 50, 110), (230, 230, 235), (180, 40, 40)])
def test_garment_on_a_floor_is_segmented_and_made_light_on_black(color):
    image, shape = room(color)
    photo = conversion.convert(image)
    overlap = (photo.mask & shape).sum() / (photo.mask | shape).sum()
    assert overlap > 0.9
    assert photo.images.shape == (2 * (1 + len(conversion.WIDTHS)), 28, 28, 1) and not photo.plain  # each also mirrored
    assert np.array_equal(photo.images[0, :, ::-1], photo.images[len(photo.images) // 2])
    assert not np.array_equal(photo.images[0, :, ::-1], photo.images[0])
    first = photo.images[0, ..., 0]
    assert (first[:, :3] == 0).all()
    assert (first[:, -3:] == 0).all()
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
    assert np.array_equal(masks[0], masks[1])


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


@pytest.mark.parametrize(("background", "garment"), [(200, 250), (100, 50)])
def test_garment_on_a_plain_background_is_light_on_black(background, garment):
    sheet = np.full((120, 100), background, np.uint8)
    sheet[20:100, 30:70] = garment
    photo = conversion.convert(Image.fromarray(sheet).convert("RGB"))
    assert photo.images.shape == (1, 28, 28, 1)
    assert (photo.images[0, :, 7:21] > 250).all()
    assert not photo.images[0, :, :7].any() and not photo.images[0, :, 21:].any()


def test_grays_of_colors_are_those_of_pillow():
    sheet = np.full((90, 60, 3), 255, np.uint8)
    sheet[20:80, 10:50] = np.repeat(np.uint8([(200, 0, 0), (0, 200, 0), (0, 0, 200)]), 20, axis=0)[:, None]
    image = Image.fromarray(sheet)
    negative = 255.0 - np.asarray(image.convert("L"))
    np.testing.assert_allclose(conversion.convert(image).gray, negative * 255 / negative.max(), atol=2)


def test_garment_that_is_cut_off_is_noted():
    sheet = np.full((200, 200), 255, np.uint8)
    sheet[60:, 90:110] = 30
    photo = conversion.convert(Image.fromarray(sheet).convert("RGB"))
    assert photo.notes == ()
    sheet[60:, 75:125] = 30
    photo = conversion.convert(Image.fromarray(sheet).convert("RGB"))
    assert any("touches the edge" in note for note in photo.notes)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("side", "resampling"), [(28, "NEAREST"), (56, "BILINEAR"), (200, "LANCZOS"), (560, "NEAREST")]
)
def test_images_of_the_data_set_come_back_and_those_of_28_pixels_unchanged(genuine, tmp_path, side, resampling):
    images, _ = loading.load_part("test", genuine)
    for number, original in enumerate(images[:20]):
        image = Image.fromarray(255 - original if number % 2 else original)
        large = image.resize((side, side), Image.Resampling[resampling])
        for name, mode in (("a.png", "L"), ("b.png", "RGB"), ("c.png", "P"), ("d.jpg", "RGB")):
            large.convert(mode).save(tmp_path / name, quality=80)
            photo = conversion.convert(files.read(tmp_path / name)[0])
            assert photo.notes == () and len(photo.images) == 1
            difference = np.abs(photo.images[0, ..., 0].astype(float) - original).mean()
            assert difference < (15 if side > 28 or name == "d.jpg" else 1e-9), name


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


@pytest.mark.parametrize(("pixel", "side"), [(0, 28), (130, 50), (255, 28)])
def test_nothing_but_background_is_an_error(pixel, side):
    with pytest.raises(UserError, match="empty.png shows nothing but background"):
        conversion.convert(Image.new("L", (side, side), pixel), "empty.png")
