"""The pages: their programs run as they stand, their links lead somewhere, and what they say of the code is so."""

import os
import re

import keras
import numpy as np
import pytest
from PIL import Image
from test_explain import network

from conftest import RECORD, ROOT, pictures
from pyimagesearch.data.loading import CLASS_NAMES
from pyimagesearch.minivggnet import MiniVGGNet
from pyimagesearch.model_files import reading, saving
from pyimagesearch.recipes import RECIPES

PLACES = ("", "pyimagesearch/**/", "images/*/", "tests/*/")
PAGES = [page for place in PLACES for page in sorted(ROOT.glob(f"{place}README.md"))]


def text_of(page):
    """Return a page as one line, so that a sentence is found however it is broken."""
    return " ".join((ROOT / page).read_text().split())


def blocks(page, first_line):
    """Return the program of a page that begins with this line, and the fenced block after it, its output."""
    text = (ROOT / page).read_text()
    assert text.count(f"```python\n{first_line}") == 1, f"{page} has no program that begins with {first_line!r}"
    text = text.split(f"```python\n{first_line}")[1]
    program, _, rest = text.partition("\n```\n")
    output = re.search(r"```\n(.*?)```", rest, re.S)
    return first_line + program + "\n", output[1] if output else ""


def execute(run, folder, program, **variables):
    """Run the text of a program in `folder`; return what it prints."""
    (folder / "program.py").write_text(program)
    return run(folder / "program.py", check=0, PYTHONPATH=str(ROOT), **variables).stdout


@pytest.mark.real_data
@pytest.mark.skipif(os.environ.get("KERAS_BACKEND") == "jax", reason="the program is written with TensorFlow")
def test_one_step_prints_what_readme_says_and_draws_the_loss(run, genuine, tmp_path):
    program, output = blocks("pyimagesearch/training/README.md", "# one_step.py")
    printed = execute(run, tmp_path, program, FASHION_MNIST_DIR=str(genuine))
    promised, found = (re.findall(r"-?\d+\.\d+", text) for text in (output, printed))
    assert len(promised) == 3 + 3 * 3
    assert [*map(float, found)] == pytest.approx([*map(float, promised)], rel=0.02, abs=2e-4)
    assert f"slope at 0 is {promised[2].replace('-', '−')}:" in text_of("README.md")
    assert Image.open(tmp_path / "one_step.png").size == (900, 540)


def test_the_layers_that_the_lesson_shows_are_those_of_the_default_recipe():
    shown = {"keras": keras, "layers": keras.layers}
    exec(blocks("README.md", "model = keras")[0], shown)
    built = MiniVGGNet.build(28, 28, 1, 10, **RECIPES["fast"].network)
    parts = [one for one in built.layers if not isinstance(one, keras.layers.Dropout)]  # a rate of 0: no dropout
    for one, other in zip(shown["model"].layers, parts, strict=True):
        assert type(one) is type(other) and one.output.shape == other.output.shape
        assert one.count_params() == other.count_params()


def test_classify_a_png(run, tmp_path):
    model = network()
    record = {"class_names": [name.upper() for name in CLASS_NAMES], "temperature": 2.0}
    saving.save(model, tmp_path / "fashion_model.h5", record)
    image, program = pictures(10)[0][7], blocks("pyimagesearch/model_files/README.md", "# classify.py")[0]
    Image.fromarray(image).save(tmp_path / "boot.png")
    lines = re.findall(r"^(.+) (\d+)%$", execute(run, tmp_path, program), re.M)
    assert len(lines) == 3 and lines[0][0] == "SNEAKER"  # the names in the record, in its order
    calibrated = model.predict(image[None, ..., None] / 255, verbose=0)[0] ** (1 / 2)
    expected = np.sort(100 * calibrated / calibrated.sum())[:-4:-1]
    assert [int(percent) for _, percent in lines] == pytest.approx(expected, abs=0.6)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.parent.relative_to(ROOT)))
def test_links_lead_to_a_file_and_a_heading(page):
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    for link in [link for link in links if "://" not in link]:
        name, _, heading = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        if heading:
            titles = re.findall("^#+ (.*)", target.read_text(), re.M)
            assert heading in [re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in titles], link


def test_imports_point_one_way():
    text = text_of("pyimagesearch/README.md")
    order = re.search(r"Imports point one way: scripts, (.*?)\. ", text)[1].split("then")[1:]
    levels = {}
    for level, part in enumerate(order):
        levels |= {name.removesuffix(".py"): level for name in re.findall("`(.*?)`", part)}
    package = ROOT / "pyimagesearch"
    for path in [*package.glob("*/*.py"), *package.glob("[!_]*.py")]:
        room = path.relative_to(package).parts[0].removesuffix(".py")
        for names in re.findall(r"^ *(?:from|import) pyimagesearch(?:\.| import )([\w, ]+)", path.read_text(), re.M):
            for name in names.partition(" import ")[0].split(","):
                assert levels[name.strip()] >= levels[room], f"{path} imports {name}"


def test_the_lesson_counts_as_the_default_recipe_does():
    text = text_of("README.md")
    recipe, images = RECIPES["fast"], 55_000
    steps = images // recipe.batch_size
    assert f"batch of {recipe.batch_size} images" in text and f"In {steps} of them" in text
    assert f" {recipe.epochs * steps:,} such steps" in text
    evening = (ROOT / "pyimagesearch/README.md").read_text().split("## The evening")[1].split("Everything else")[0]
    files = re.findall(r"\]\((.*?)\)", evening)
    lines = sum(len((ROOT / "pyimagesearch" / name).read_text().splitlines()) for name in files)
    assert len(files) == 10
    assert f"about {round(lines, -2):,} lines" in evening


@pytest.mark.skipif(os.environ.get("KERAS_BACKEND") == "jax", reason="the program is written with TensorFlow")
@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
def test_convert_to_other_formats(run, tmp_path):
    model, record = network(), RECORD | {"temperature": 2.0}
    saving.save(model, tmp_path / "fashion_model.h5", record)
    execute(run, tmp_path, blocks("pyimagesearch/model_files/README.md", "# convert.py")[0])
    assert reading.read(tmp_path / "fashion_model.keras").record == record
    import tensorflow as tf

    lite = tf.lite.Interpreter(str(tmp_path / "fashion_model.tflite"))
    lite.allocate_tensors()
    images = pictures(10)[0][:1, ..., None].astype(np.float32) / 255
    lite.set_tensor(lite.get_input_details()[0]["index"], images)
    lite.invoke()
    found = lite.get_tensor(lite.get_output_details()[0]["index"])
    np.testing.assert_allclose(found, model.predict(images, verbose=0), atol=1e-5)


@pytest.mark.needs("tf2onnx")
@pytest.mark.needs("onnxruntime")
def test_convert_to_onnx(run, tmp_path):
    model = network()
    saving.save(model, tmp_path / "fashion_model.h5", {})
    execute(run, tmp_path, blocks("pyimagesearch/model_files/README.md", "# to_onnx.py")[0])
    import onnxruntime

    session = onnxruntime.InferenceSession(tmp_path / "fashion_model.onnx")
    images = pictures(10)[0][:3, ..., None].astype(np.float32) / 255
    (found,) = session.run(None, {session.get_inputs()[0].name: images})
    np.testing.assert_allclose(found, model.predict(images, verbose=0), atol=1e-5)
