"""photo.py: what the data set's pictures would be, from a photograph; and what is no picture is said in a sentence."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from sklearn.neighbors import KNeighborsClassifier

from conftest import pictures
from pyimagesearch import recipes
from pyimagesearch.data import loading as datasets
from pyimagesearch.data import preparation as preprocessing
from pyimagesearch.errors import UserError
from pyimagesearch.model_files import saving
from pyimagesearch.photos import photo
from pyimagesearch.training import train as training


def enlarged(picture, side=420, padding=40, background=0):
    """Render a 28x28 picture large, on a background of its own grey."""
    sheet = Image.new("L", (side + 2 * padding, side + 3 * padding), background)
    sheet.paste(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC), (padding, padding))
    return sheet


def stored(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    file.seek(0)
    return file


def turned(picture):
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees to see it upright"
    return stored(enlarged(255 - picture, 900, 100, 255).rotate(90, expand=True), "JPEG", quality=90, exif=exif)


def cut_out(picture):
    image = Image.new("RGBA", (300, 300), (20, 30, 90, 0))
    image.putalpha(Image.fromarray(picture).resize((300, 300), Image.Resampling.BICUBIC))
    return stored(image, "PNG")


def sixteen_bits(picture):
    values = np.asarray(enlarged(255 - picture, background=255)).astype(np.uint16) * 257
    return stored(Image.fromarray(values), "PNG")


RENDERINGS = {
    "dark on white": lambda p: stored(enlarged(255 - p, background=255), "PNG"),
    "light on black": lambda p: stored(enlarged(p), "PNG"),
    "on grey": lambda p: stored(enlarged((200 - p / 255 * 200).astype(np.uint8), background=200), "PNG"),
    "JPEG of quality 60": lambda p: stored(enlarged(255 - p, background=255), "JPEG", quality=60),
    "turned by EXIF": turned,
    "transparent": cut_out,
    "palette": lambda p: stored(enlarged(255 - p, 600, background=255).convert("P"), "GIF"),
    "16 bits": sixteen_bits,
    "CMYK": lambda p: stored(enlarged(255 - p, background=255).convert("CMYK"), "JPEG", quality=95),
}


@pytest.mark.real_data
def test_a_rendered_picture_comes_back_nearly_as_it_was(genuine):
    images, labels = datasets.load_part("train", genuine)
    judge = KNeighborsClassifier(1).fit(images[:-200].reshape(-1, 784), labels[:-200])
    originals, truth = images[-200:], labels[-200:]
    accuracy = judge.score(originals.reshape(-1, 784), truth)
    names = list(RENDERINGS)
    found = []
    for number, picture in enumerate(originals):
        prepared = photo.prepare(photo.read(RENDERINGS[names[number % len(names)]](picture)))
        assert prepared.pictures.shape == (1, 28, 28, 1)
        found.append(prepared.pictures[0, ..., 0])
    found = np.array(found)
    for number, name in enumerate(names):
        part = slice(number, None, len(names))
        assert np.abs(found[part].astype(float) - originals[part]).mean() < 25, name
    assert np.abs(found.astype(float) - originals).mean() < 17
    assert judge.score(found.reshape(-1, 784), truth) > accuracy - 0.05


def room(garment_colour):
    """A coat-like shape on a floor of planks with a shadow: (PIL image, where the shape is)."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0:300, 0:240]
    floor = 150 + 15 * ((columns // 30) % 2) + 0.1 * rows
    pixels = np.stack([floor * 1.05, floor * 0.8, floor * 0.6], axis=-1) + rng.normal(0, 5, (300, 240, 1))
    shape = (abs(columns - 120) < 45 + rows // 12) & (rows > 50) & (rows < 250)
    pixels[shape] = garment_colour + rng.normal(0, 8, (int(shape.sum()), 1))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), shape


@pytest.mark.parametrize("colour", [(40, 50, 110), (230, 230, 235), (180, 40, 40)])
def test_a_garment_on_a_floor_is_found_and_made_light_on_black(colour):
    image, shape = room(colour)
    prepared = photo.prepare(image)
    overlap = (prepared.garment & shape).sum() / (prepared.garment | shape).sum()
    assert overlap > 0.9
    assert prepared.pictures.shape == (2 * len(photo.WIDTHS), 28, 28, 1)  # each also mirrored
    first = prepared.pictures[0, ..., 0]
    assert (first[:, :3] == 0).all()
    assert (first[:, -3:] == 0).all()
    assert 120 < np.median(first[first > 0]) < 220
    assert first[[0, -1]].any()  # the longer edge fills the picture
    assert any("background is not plain" in doubt for doubt in prepared.doubts)


def test_a_garment_that_is_cut_off_is_noted():
    sheet = np.full((200, 200), 255, np.uint8)
    sheet[60:, 90:110] = 30
    prepared = photo.prepare(Image.fromarray(sheet).convert("RGB"))
    assert prepared.doubts == ()
    sheet[60:, 75:125] = 30
    prepared = photo.prepare(Image.fromarray(sheet).convert("RGB"))
    assert any("touches the edge" in doubt for doubt in prepared.doubts)


def test_what_is_no_picture_is_refused(tmp_path):
    (tmp_path / "text.jpg").write_text("not a picture")
    whole = stored(Image.fromarray(pictures(1)[0][0]).resize((300, 300)), "JPEG").read()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    Image.new("RGB", (50, 50), "white").save(tmp_path / "empty.png")
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    for name, words in {
        "text.jpg": "text.jpg is not a picture",
        "cut.jpg": "cut.jpg cannot be read",
        "bomb.png": "bomb.png is too large a picture",
        "empty.png": "empty.png shows nothing but background",
        "none.png": "there is no picture",
    }.items():
        ((path, error),) = photo.prepared([tmp_path / name])
        assert path == tmp_path / name
        assert isinstance(error, UserError)
        assert words in str(error)
        assert "\n" not in str(error)


def test_folders_are_their_pictures(tmp_path):
    for name in ("empty", "full"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes.txt").write_text("no picture")
    for name in ("b.png", "a.JPG"):
        (tmp_path / "full" / name).touch()
    files = photo.find([tmp_path / "full", tmp_path / "one.heic", tmp_path / "empty"])
    assert [str(file.relative_to(tmp_path)) for file in files] == ["full/a.JPG", "full/b.png", "one.heic", "empty"]
    with pytest.raises(UserError, match="the folder .*empty holds no pictures"):
        photo.read(files[-1])


def test_the_script_classifies_pictures_and_goes_on_after_bad_ones(run, tmp_path):
    images, labels = pictures(600)
    # The bars of these pictures are far down or up: a frame of light keeps them where they are when they are trimmed.
    images[:, [0, -1]] = images[:, :, [0, -1]] = 255
    data = preprocessing.reshape(images), labels
    recipe = recipes.RECIPES["fast"]
    model, _ = training.train(recipe, data, data, 10, seed=0)
    record = {"recipe": "fast", "epochs": 8, "seed": 0, "training_images": 600, "versions": {}, "temperature": 1.0}
    saving.save(model, tmp_path / "fashion_model.h5", record | {"input_range": saving.INPUT_RANGE})

    (tmp_path / "wardrobe").mkdir()
    for number in range(10):
        enlarged(images[number]).save(tmp_path / f"wardrobe/{number}.png")
    (tmp_path / "wardrobe/x.jpg").write_text("no picture")
    done = run("fashion_mnist_loaded.py", "--image", "wardrobe", "--json", "answers.json", check=1)
    assert "x.jpg is not a picture" in done.stderr
    assert "1 of 11 pictures could not be used" in done.stderr
    assert "Traceback" not in done.stderr
    answers = json.loads((tmp_path / "answers.json").read_text())
    assert [answer.pop("file") for answer in answers] == [f"wardrobe/{number}.png" for number in range(10)]
    for label, answer in zip(labels, answers, strict=False):
        assert max(answer, key=answer.get) == datasets.CLASS_NAMES[label]
        assert sum(answer.values()) == pytest.approx(1)
    assert (tmp_path / "images/photos.png").stat().st_size > 10_000
    (tmp_path / "wardrobe/x.jpg").unlink()
    assert run("fashion_mnist_loaded.py", "--image", "wardrobe", check=0).stderr == ""
