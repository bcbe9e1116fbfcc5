"""layers.py: the overview in pyimagesearch/README.md, and feature maps of any network."""

import re

import keras
import numpy as np

from conftest import ROOT
from pyimagesearch.evaluation.layers import activations, layer_table
from pyimagesearch.minivggnet import MiniVGGNet


def test_the_overview_shows_the_network():
    text = (ROOT / "pyimagesearch/README.md").read_text()
    row = r"^\| (.+?) +\| (.+?) +\| +([\d,]+|-) \| +([\d,]+|-) \| +(\d+) \|$"
    rows = layer_table(MiniVGGNet.build(28, 28, 1, 10))
    shown = [
        (*cells[:2], *(int(n.replace(",", "").replace("-", "0")) for n in cells[2:]))
        for cells in re.findall(row, text, re.M)
    ]
    assert shown == rows
    assert f"{sum(row[2] for row in rows):,}" in text


def test_the_overview_shows_the_code_as_it_is():
    def statements(text):
        lines = (line.split("  #")[0].strip() for line in text.splitlines())
        return [line for line in lines if line and not line.startswith("#")]

    shown = re.search(r"```python\n(.*?)```", (ROOT / "pyimagesearch/README.md").read_text(), re.S)[1]
    code = (ROOT / "pyimagesearch/minivggnet.py").read_text()
    start = code.index('model = keras.Sequential(name="minivggnet")')
    assert statements(shown) == statements(code[start : code.index("return model")])


def test_activations_are_those_after_normalization_and_relu():
    model = MiniVGGNet.build(28, 28, 1, 10)
    image = np.random.default_rng(0).random((28, 28, 1), np.float32)
    maps = activations(model, image)
    assert [name for name, _ in maps] == [
        "convolution 1: 28 x 28 x 32", "convolution 2: 28 x 28 x 32",
        "convolution 3: 14 x 14 x 64", "convolution 4: 14 x 14 x 64",
    ]  # fmt: skip
    expected = image[None]
    for layer in model.layers[:3]:
        expected = layer(expected)
    np.testing.assert_allclose(maps[0][1], np.asarray(expected)[0], atol=1e-5)


def test_a_network_without_convolutions_has_no_feature_maps():
    model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
    assert activations(model, np.zeros((28, 28, 1), np.float32)) == []
    assert [row[0] for row in layer_table(model)] == ["Input", "Flatten", "Dense 10"]
