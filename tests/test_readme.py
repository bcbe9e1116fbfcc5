"""The programs on the page of README.md run as they stand."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from test_explain import network

from conftest import ROOT, pictures
from pyimagesearch.data.loading import CLASS_NAMES
from pyimagesearch.model_files import saving

STEP = r"rate ([\d.]+): loss ([\d.]+), after one step ([\d.]+); gradient of a weight (-?[\d.]+)"


def blocks(first_line):
    """Return the program of README.md that begins with this line, and the fenced block after it, its output."""
    text = (ROOT / "README.md").read_text()
    assert text.count(f"```python\n{first_line}") == 1, f"README.md has no program that begins with {first_line!r}"
    text = text.split(f"```python\n{first_line}")[1]
    program, _, rest = text.partition("\n```\n")
    output = re.search(r"```\n(.*?)```", rest, re.S)
    return first_line + program + "\n", output[1] if output else ""


def execute(program, folder, **variables):
    (folder / "program.py").write_text(program)
    environment = {key: os.environ[key] for key in ("PATH", "KERAS_BACKEND") if key in os.environ}
    environment |= {"HOME": str(folder), "PYTHONPATH": str(ROOT)} | variables
    done = subprocess.run(
        [sys.executable, "program.py"], capture_output=True, text=True, cwd=folder, env=environment, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def steps(output):
    return [tuple(map(float, numbers)) for numbers in re.findall(STEP, output)]


def test_one_step(small_data, tmp_path):
    program, _ = blocks("# one_step.py")
    call = 'loading.load_part("train")'
    assert program.count(call) == 1
    found = steps(execute(program.replace(call, f'loading.load_part("train", {str(small_data)!r}, True)'), tmp_path))
    assert [rate for rate, *_ in found] == [0.01, 0.1, 1.0]
    for _, before, after, gradient in found:
        assert 2 < before < 4 and before == found[0][1]  # the same untrained network
        assert gradient == pytest.approx(found[0][3], abs=2e-4)  # the gradient does not depend on the rate
        assert after != before
    assert found[1][2] < found[0][2] < found[0][1]  # the larger one of two small rates gets further


@pytest.mark.real_data
def test_one_step_prints_what_readme_says(genuine, tmp_path):
    import keras

    program, output = blocks("# one_step.py")
    promised, found = steps(output), steps(execute(program, tmp_path, FASHION_MNIST_DIR=str(genuine)))
    assert len(promised) == len(found) == 3
    assert promised[2][2] > promised[2][1]  # a rate that is too large makes the loss larger
    if keras.backend.backend() == "tensorflow":  # others draw other weights
        for one, other in zip(promised, found, strict=True):
            assert one == pytest.approx(other, rel=0.02, abs=2e-4)


def test_classify_a_png(tmp_path):
    model = network()
    record = {"class_names": [name.upper() for name in CLASS_NAMES], "temperature": 2.0}
    saving.save(model, tmp_path / "fashion_model.h5", record)
    image, program = pictures(10)[0][7], blocks("# classify.py")[0]
    Image.fromarray(image).save(tmp_path / "boot.png")
    lines = re.findall(r"^(.+) (\d+)%$", execute(program, tmp_path), re.M)
    assert len(lines) == 3 and lines[0][0] == "SNEAKER"  # the names in the record, in its order
    calibrated = model.predict(image[None, ..., None] / 255, verbose=0)[0] ** (1 / 2)
    expected = np.sort(100 * calibrated / calibrated.sum())[:-4:-1]
    assert [int(percent) for _, percent in lines] == pytest.approx(expected, abs=0.6)
