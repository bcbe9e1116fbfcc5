"""resident.py: pictures that stay on the device are trained on just as those that come in batches. On JAX alone."""

import dataclasses
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from conftest import ROOT, data
from pyimagesearch.data.batches import Batches
from pyimagesearch.recipes import RECIPES
from pyimagesearch.training import checkpoints
from pyimagesearch.training.train import train

pytestmark = pytest.mark.skipif(keras.backend.backend() != "jax", reason="needs KERAS_BACKEND=jax")
RECIPE = dataclasses.replace(RECIPES["fast"], epochs=2, batch_size=40, learning_rate=0.01)


@pytest.mark.parametrize("changes", [{}, {"shift": 2, "stretch": 10, "erase": 14}, {"erase": 9, "cutmix": 0.5}])
def test_the_device_makes_the_pictures_that_batches_make(changes):
    from pyimagesearch.training.resident import on_device

    training = Batches(*data(200), 10, 50, seed=3, flip=True, **changes)
    validation = Batches(*data(30, 1), 10, 30)
    model, tables, unmoved = on_device(keras.Sequential([keras.Input((28, 28, 1))]), training, validation)
    for _ in range(2):
        epoch, labels = tables[0]
        assert len(tables) == 1
        assert (epoch.shape, labels.shape) == ((50, 4, 16), (50, 4, 10))
        for step in range(4):
            expected, expected_labels = training[step]
            np.testing.assert_allclose(np.asarray(model.layers[0](epoch[:, step])), expected, atol=1e-6)
            np.testing.assert_array_equal(labels[:, step], expected_labels)
        tables.on_epoch_end()
    table, labels = unmoved[0]
    np.testing.assert_allclose(np.asarray(model.layers[0](table)), validation[0][0], atol=1e-6)
    np.testing.assert_array_equal(labels, validation[0][1])


def test_whole_epochs_on_the_device_train_the_same_weights():
    def trained(resident):
        return train(RECIPE, data(200), data(20, 1), 10, seed=5, resident=resident)

    model, history = trained(True)
    other, expected = trained(False)
    assert history.keys() == expected.keys()
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        np.testing.assert_allclose(history[name], expected[name], rtol=0.02, atol=0.02)
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        assert np.linalg.norm(one - two) < 0.01 * np.linalg.norm(two) + 1e-3  # sums are taken in another order


def test_a_resumed_training_ends_with_the_same_weights(tmp_path):
    arguments = (RECIPE, data(200), data(20, 1), 10, 5)
    whole, _ = train(*arguments, resident=True)
    folder = tmp_path / "t"
    with checkpoints.locked(folder):
        train(*arguments, folder, {}, resident=True)
        newest = checkpoints._files(folder)[0]
        assert newest.stat().st_size < 20e6  # without the pictures
        newest.unlink()
        resumed, history = train(*arguments, folder, {}, resume=True, resident=True)
    assert len(history["loss"]) == 2
    for one, two in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


TWO_DEVICES = """
import sys
sys.path[:0] = sys.argv[1:3]
from conftest import data
from test_resident import RECIPE
from pyimagesearch.training import devices, train as training
assert devices.use_all() == "2 x CPU with JAX"
model, _ = training.train(RECIPE, data(200), data(20, 1), 10, 5, resident=True)
model.save_weights(sys.argv[3])
"""


def test_two_devices_share_whole_epochs(tmp_path):
    path = tmp_path / "two.weights.h5"
    variables = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", TWO_DEVICES, str(ROOT), str(ROOT / "tests"), str(path)]
    subprocess.run(command, check=True, env=variables, timeout=300)
    model, _ = train(RECIPE, data(200), data(20, 1), 10, seed=5, resident=False)
    expected = model.get_weights()
    model.load_weights(path)
    for one, two in zip(model.get_weights(), expected, strict=True):
        assert np.linalg.norm(one - two) < 0.01 * np.linalg.norm(two) + 1e-3
