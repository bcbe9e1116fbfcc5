"""settings.py: what is trained, and how it differs from the published recipe, in a record and in words."""

import dataclasses
import inspect
import json
from pathlib import Path

import keras
import pytest

import fashion_mnist
from conftest import write_data
from pyimagesearch.data.batches import Batches
from pyimagesearch.errors import UserError
from pyimagesearch.figures import style
from pyimagesearch.minivggnet import MiniVGGNet
from pyimagesearch.recipes import RECIPES, Recipe
from pyimagesearch.training import train
from pyimagesearch.training.settings import _digest, announce, changes, edited, ended, published, settings, trained

PACKAGE, GETSOURCEFILE = Path(fashion_mnist.__file__).with_name("pyimagesearch"), inspect.getsourcefile


def test_published_recipes_are_those_of_recipes_py():
    """Who changes a recipe on purpose, and measures the README's figures again, writes published.json anew."""
    now = {name: settings(recipe) for name, recipe in RECIPES.items()}
    text = "{\n" + ",\n".join(f'  "{name}": {json.dumps(values)}' for name, values in now.items()) + "\n}\n"
    assert published() == now, f"published.json should be:\n{text}"
    assert edited() == {}, "PUBLISHED should have these digests, if the weights are the same bits as before"
    assert {changes(name, values) for name, values in now.items()} == {""}


@pytest.mark.parametrize(
    "edit, words",
    [
        ({"epochs": 3, "flip": False}, "epochs 3, no flips"),
        ({"shift": 4, "cutmix": 0.25}, "shift 4 px, CutMix 0.25"),
        ({"nesterov": False, "weight_decay": 0.0}, "no Nesterov momentum, no weight decay"),
        ({"whitening": False, "network": {"dropout": 0.1}}, "no whitening, dropout 0.1, dense dropout 0.5"),
        ({"bfloat16": False}, ""),  # of the machine
    ],
)
def test_what_differs_from_the_published_recipe_is_named(edit, words):
    values = settings(dataclasses.replace(RECIPES["fast"], **edit))
    assert changes("fast", values) == words
    assert "rotate 5" in changes("fast", values | {"rotate": 5})  # an option of one's own
    assert changes("mine", values) == ""


def test_other_defaults_of_minivggnet_are_named(monkeypatch):
    monkeypatch.setattr(MiniVGGNet.build, "__defaults__", ((16, 64), 512, 0.25, 0.5))
    assert changes("classic", settings(RECIPES["classic"])) == "filters [16, 64]"


@pytest.mark.parametrize("owner, name", [(MiniVGGNet, "build"), (Batches, "augment"), (train, "optimizer")])
def test_a_file_that_was_edited_is_named(tmp_path, monkeypatch, owner, name):
    """Or a function that was replaced. White space does not count."""
    published, function = Path(inspect.getsourcefile(getattr(owner, name))), getattr(owner, name)
    values = settings(RECIPES["classic"])
    copy = tmp_path / "copy.py"
    with monkeypatch.context() as patch:
        patch.setattr(inspect, "getsourcefile", lambda one: copy if one is function else GETSOURCEFILE(one))
        for text, words in ("\n", ""), ("x = 1\n", f"edited {published.relative_to(PACKAGE).as_posix()}"):
            copy.write_text(published.read_text() + text)
            _digest.cache_clear()
            assert changes("classic", values) == words
            assert changes("mine", values) == words
            copy.write_text("edited after it was imported")
            assert changes("classic", values) == words
    _digest.cache_clear()
    monkeypatch.setattr(owner, name, eval("lambda *given: None"))  # in no file
    assert list(edited()) == [published.relative_to(PACKAGE).as_posix()]


def test_another_optimizer_is_named(monkeypatch, capsys):
    monkeypatch.setattr(train.keras.optimizers, "SGD", lambda *given, **options: keras.optimizers.Adam(0.002))
    values = settings(RECIPES["fast"])
    assert changes("fast", values) == ("learning rate 0.002, schedule constant, no weight decay, optimizer Adam")
    announce("fast", values, rate=0.1)
    printed = " ".join(capsys.readouterr().out.split())
    assert "optimizer Adam, epochs 7, batch size 256, learning rate 0.002" in printed
    assert "--learning-rate has no effect: the optimizer of train.py has its own, 0.002" in printed


def test_settings_in_words(capsys):
    announce("best", settings(RECIPES["best"]))
    printed = " ".join(capsys.readouterr().out.split())
    assert "optimizer SGD, epochs 60, batch size 128, learning rate 0.1, schedule one cycle, momentum 0.9" in printed
    assert "augmentation: flips, shift 1 px, stretch 10%, CutMix 0.5 CutMix: training images are mixed" in printed
    announce("mine", settings(Recipe(1)))
    assert "augmentation: none\n" in capsys.readouterr().out


def test_what_callbacks_did_is_named():
    values = settings(Recipe(9))
    happened = ended("fast", values, {"loss": [1.0, 0.5], "learning_rates": [[0.01, 0.01], [0.01, 0.001]]})
    assert happened.items() >= {"epochs": 2, "schedule": "set by a callback", "planned": values}.items()
    assert "epochs 2" in happened["changed"]
    as_planned = ended("mine", values, {"loss": [1.0], "learning_rates": [[0.01, 0.01]]})
    assert as_planned == values | {"epochs": 1, "planned": values, "changed": ""}
    with pytest.raises(UserError, match="unknown schedule 'cosine'; recipes.py"):
        settings(Recipe(1, schedule="cosine"))


CALLER = {
    "floatx": "float16",
    "dtype_policy": "mixed_float16",
    "epsilon": 0.1,
    "image_data_format": "channels_first",
    "max_epochs": 1,
    "max_steps_per_epoch": 1,
}


def caller_settings():
    values = {name: getattr(keras.config, name)() for name in CALLER}
    return values | {"dtype_policy": values["dtype_policy"].name}


def set_all(values):
    for name, value in values.items():
        getattr(keras.config, f"set_{name}")(value)


def test_a_caller_gets_the_same_network_whatever_its_settings_and_keeps_them(tmp_path, monkeypatch, capsys):
    """And --resume after the end, as a scheduler starts a job again, changes nothing."""
    write_data(tmp_path / "data", train=240, test=10)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(MiniVGGNet.build, "__defaults__", ((8, 8), 16, 0.25, 0.5))
    monkeypatch.setattr(style, "save", lambda folder, **figures: [])
    arguments = ["--data-dir", "data", "--any-data", "--epochs", 2, "--batch-size", 64]
    expected, history = fashion_mnist.main(arguments)
    before, file = caller_settings(), (tmp_path / "fashion_model.h5").read_bytes()
    capsys.readouterr()
    again, _ = fashion_mnist.main([*arguments, "--resume"])
    assert "this training has ended" in capsys.readouterr().out
    assert (tmp_path / "fashion_model.h5").read_bytes() == file
    assert trained(tmp_path / "fashion_model.h5", {"code": {}})
    try:
        set_all(CALLER)
        model, other = fashion_mnist.main(arguments)
        assert caller_settings() == CALLER
    finally:
        set_all(before)
    assert len(other["loss"]) == len(history["loss"]) == 2
    for one, two, three in zip(expected.get_weights(), model.get_weights(), again.get_weights(), strict=True):
        assert (one == two).all() and (one == three).all()
    assert {layer.dtype_policy.name for layer in model.layers} == {"float32"}
    assert trained(tmp_path / "fashion_model.h5", {"seed": 43}) is None
    assert trained(tmp_path / "no_model.h5", {}) is None
