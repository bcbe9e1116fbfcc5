"""The programs on the pages run as they stand."""

import os
import re

import numpy as np
import pytest
from PIL import Image
from test_explain import network

from conftest import ROOT, pictures
from pyimagesearch.data.loading import CLASS_NAMES
from pyimagesearch.model_files import saving


def blocks(page, first_line):
    """Return the program of a page that begins with this line, and the fenced block after it, its output."""
    text = (ROOT / page).read_text()
    assert text.count(f"```python\n{first_line}") == 1, f"{page} has no program that begins with {first_line!r}"
    text = text.split(f"```python\n{first_line}")[1]
    program, _, rest = text.partition("\n```\n")
    output = re.search(r"```\n(.*?)```", rest, re.S)
    return first_line + program + "\n", output[1] if output else ""


@pytest.fixture
def execute(run, tmp_path):
    """Run the text of a program in tmp_path; return what it prints."""

    def program(text, **variables):
        (tmp_path / "program.py").write_text(text)
        return run(tmp_path / "program.py", check=0, PYTHONPATH=str(ROOT), **variables).stdout

    return program


@pytest.mark.real_data
@pytest.mark.skipif(os.environ.get("KERAS_BACKEND") == "jax", reason="the program is written with TensorFlow")
def test_one_step_prints_what_readme_says_and_draws_the_loss(execute, genuine, tmp_path):
    program, output = blocks("README.md", "# one_step.py")
    printed = execute(program, FASHION_MNIST_DIR=str(genuine))
    promised, found = (re.findall(r"-?\d+\.\d+", text) for text in (output, printed))
    assert len(promised) == 3 * 3 + 2
    assert [float(number) for number in found] == pytest.approx(
        [float(number) for number in promised], rel=0.02, abs=2e-4
    )
    assert Image.open(tmp_path / "one_step.png").size == (640, 480)


def test_classify_a_png(execute, tmp_path):
    model = network()
    record = {"class_names": [name.upper() for name in CLASS_NAMES], "temperature": 2.0}
    saving.save(model, tmp_path / "fashion_model.h5", record)
    image, program = pictures(10)[0][7], blocks("pyimagesearch/model_files/README.md", "# classify.py")[0]
    Image.fromarray(image).save(tmp_path / "boot.png")
    lines = re.findall(r"^(.+) (\d+)%$", execute(program), re.M)
    assert len(lines) == 3 and lines[0][0] == "SNEAKER"  # the names in the record, in its order
    calibrated = model.predict(image[None, ..., None] / 255, verbose=0)[0] ** (1 / 2)
    expected = np.sort(100 * calibrated / calibrated.sum())[:-4:-1]
    assert [int(percent) for _, percent in lines] == pytest.approx(expected, abs=0.6)
