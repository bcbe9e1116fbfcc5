"""settings.py, recipes.py: what is trained, how it differs from the published recipe, in a record and in words."""

import contextlib
import dataclasses
import functools
import json
import sys
from pathlib import Path

import keras
import pytest

import fashion_mnist
from pyimagesearch import files
from pyimagesearch.data import batches, loading
from pyimagesearch.errors import UserError
from pyimagesearch.minivggnet import MiniVGGNet
from pyimagesearch.recipes import LEAST_STEPS, RECIPES, Recipe, for_few_images
from pyimagesearch.training import train, whitening
from pyimagesearch.training.settings import TEXTS, announce, changes, choose, edited, ended, published, settings


@functools.cache
def as_trained():
    return {name: settings(recipe) for name, recipe in RECIPES.items()}


@pytest.fixture(autouse=True)
def unedited(request):
    if not request.node.name.startswith("test_published") and (edited() or as_trained() != published()):
        pytest.skip("what was published is edited; a test of this file fails, and says what")


def test_published_recipes_are_those_of_recipes_py():
    now = as_trained()
    text = "{\n" + ",\n".join(f'  "{name}": {json.dumps(values)}' for name, values in now.items()) + "\n}\n"
    yours = "an edit of yours fails here, and need not be mended; in a new version of the project,"
    assert published() == now, f"{yours} after README's figures are measured again, published.json should be:\n{text}"
    assert edited() == {}, f"{yours} PUBLISHED has these digests if the weights are the same bits as before"
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


def test_few_images_are_trained_on_in_enough_steps_and_many_as_the_recipe_says(capsys):
    for recipe in RECIPES.values():
        assert for_few_images(recipe, 55_000) == recipe
        for images in (10, 330, 1833, 5000):
            adapted = for_few_images(recipe, images)
            assert adapted.epochs * max(1, images // adapted.batch_size) >= LEAST_STEPS
            assert 16 <= adapted.batch_size <= recipe.batch_size
            assert adapted.learning_rate / adapted.batch_size == recipe.learning_rate / recipe.batch_size
    given = {"epochs": 7, "batch_size": 128, "learning_rate": 0.3}
    assert vars(choose("fast", given, 330)).items() >= given.items()
    assert "few images" not in capsys.readouterr().out
    adapted = choose("fast", {"epochs": 7}, 330)
    assert (adapted.epochs, adapted.batch_size, adapted.learning_rate) == (7, 16, 0.2 / 16)
    assert "  few images change the recipe: batch size 16, learning rate 0.0125;" in capsys.readouterr().out
    assert choose("fast", {"batch_size": 256}, 330).epochs == LEAST_STEPS
    assert choose("fast", {"batch_size": 4000}, 330).batch_size == 330


OWNERS = [(MiniVGGNet, "build"), (batches.Batches, "augment"), (train, "learning_rates"), (whitening, "whiten")]
OWNERS += [(loading.Data, "part"), (fashion_mnist, "draw")]


@pytest.mark.parametrize("owner, name", OWNERS)
def test_a_file_that_was_edited_or_a_function_that_was_replaced_is_named(tmp_path, monkeypatch, owner, name):
    module, values = sys.modules[getattr(owner, name).__module__], settings(RECIPES["classic"])
    copy = tmp_path / Path(module.__file__).name
    file = module.__name__.removeprefix("pyimagesearch.").replace(".", "/") + ".py"
    published = Path(module.__file__).read_text()
    with monkeypatch.context() as patch:
        patch.setattr(module, "__file__", str(copy))
        edit = published.replace("\n    ", "\n     ", 1)  # an indentation is an edit, too
        for text, words in (published + "\n", ""), (published + "x = 1", f"edited {file}"), (edit, f"edited {file}"):
            copy.write_text(text)
            patch.setattr(module, "__spec__", object())  # as a reload does
            assert changes("classic", values) == changes("mine", values) == words
            copy.write_text("edited after it was imported")
            assert changes("classic", values) == words
        patch.setattr(files, "CHANGED", {module.__name__})
        assert changes("classic", values) == f"perhaps edited {file}"
    digests = set()
    for replacement in test_settings_in_words, test_what_callbacks_did_is_named, eval("lambda: 0"):
        monkeypatch.setattr(owner, name, replacement)
        assert list(edited()) == [file]
        digests |= set(edited().values())
    assert len(digests) == 3
    monkeypatch.setattr(batches, "Batches", type("Mine", (), {"__module__": "__main__"}))
    assert "data/batches.py" in edited()


def test_settings_in_words(capsys, monkeypatch):
    announce("best", settings(RECIPES["best"]))
    printed = " ".join(capsys.readouterr().out.split())
    assert "optimizer SGD, epochs 60, batch size 128, learning rate 0.1, schedule one cycle, momentum 0.9" in printed
    assert "of the recipe: flips, shift 1 px, stretch 10%, CutMix 0.5 CutMix: training images are mixed" in printed
    announce("mine", settings(Recipe(1)))
    assert "augmentation of the recipe: none\n" in capsys.readouterr().out
    monkeypatch.setattr(MiniVGGNet.build, "__defaults__", ((16, 64), 512, 0.25, 0.5))
    announce("classic", settings(RECIPES["classic"]))
    assert "changed from the published recipe: filters [16, 64]\n" in capsys.readouterr().out


IMPOSSIBLE = [("flip", "no"), ("cutmix", 2), ("shift", -1), ("shift", 1.5), ("momentum", True), ("epochs", 0)]


@pytest.mark.parametrize("key, value", IMPOSSIBLE)
def test_a_value_that_is_not_possible_is_named(monkeypatch, capsys, key, value):
    monkeypatch.setitem(RECIPES, "mine", dataclasses.replace(RECIPES["fast"], **{key: value}))
    with pytest.raises(UserError, match=f"'mine' has {key}={value!r}; it must be "):
        choose("mine", {}, 60_000)
    own = dataclasses.make_dataclass("Own", [("rotate", int, 0)], bases=(Recipe,), frozen=True)
    monkeypatch.setattr("pyimagesearch.training.settings.Recipe", own)
    for rotate in 0, 10:
        monkeypatch.setitem(RECIPES, "mine", own(1, rotate=rotate))
        with pytest.raises(UserError, match="rotate=10; no code reads") if rotate else contextlib.nullcontext():
            choose("mine", {}, 60_000)
    text = Path(batches.__file__).read_text().replace("self.recipe.flip", "True")
    monkeypatch.setitem(TEXTS, batches.__name__, (batches.__spec__, text))
    assert not choose("fast", {}, 60_000).flip and "left out: the recipe's flips" in capsys.readouterr().out
    assert type(choose("fast", {"momentum": 0}, 60_000).momentum) is float  # Keras takes no other


def test_a_record_names_no_argument_that_an_edited_network_may_ignore(monkeypatch, capsys):
    edits = {"minivggnet.py": "1", "data/batches.py": "2"}
    monkeypatch.setattr("pyimagesearch.training.settings.edited", lambda: edits)
    assert settings(Recipe(1))["network"] == {}
    announce("fast", settings(RECIPES["fast"]))
    assert "data/batches.py is edited" in " ".join(capsys.readouterr().out.split())
    monkeypatch.setattr(MiniVGGNet.build, "__defaults__", ((16, 64), 512, 0.25, 0.5))
    assert settings(Recipe(1))["network"] == {"filters": [16, 64]}


def test_what_callbacks_did_is_named(monkeypatch):
    yours = [keras.callbacks.EarlyStopping("loss"), keras.callbacks.TerminateOnNaN()]
    assert "callbacks EarlyStopping, TerminateOnNaN" in changes("classic", settings(RECIPES["classic"], 100, yours))
    values = settings(Recipe(9))
    happened = ended("fast", values, {"loss": [1.0, 0.5], "learning_rates": [[0.03, 0.03], [0.03, 0.03]]})
    assert [happened[key] for key in ("schedule", "learning_rate", "planned")] == ["set by a callback", 0.03, values]
    assert "epochs 2" in happened["changed"]
    as_planned = ended("mine", values, {"loss": [1.0], "learning_rates": [[0.01, 0.01]]})
    assert as_planned == values | {"epochs": 1, "planned": values, "changed": ""}
    with pytest.raises(UserError, match="unknown schedule 'cosine'; recipes.py"):
        settings(Recipe(1, schedule="cosine"))
    with monkeypatch.context() as patch, pytest.raises(UserError, match="optimizer.. in train.py returns 'adam'"):
        patch.setattr(train, "optimizer", lambda recipe, steps: "adam")
        settings(Recipe(1))
    for own, words in (0.01, "constant"), (keras.optimizers.schedules.CosineDecay(0.01, 100), "of train.py"):
        monkeypatch.setattr(train, "learning_rates", lambda recipe, steps, own=own: own)
        assert settings(RECIPES["fast"]).items() >= {"learning_rate": 0.01, "schedule": words}.items()
    values = settings(RECIPES["fast"])
    for epochs, rates, words in (7, [0.05, 0.01], "set by a callback"), (1, [0.001, 0.005], values["schedule"]):
        found = ended("fast", values, {"loss": [1.0] * epochs, "learning_rates": [rates] * epochs})
        assert (found["schedule"], found["learning_rate"]) == (words, max(rates))
    assert "nesterov" not in settings(Recipe(1, nesterov=True))
    monkeypatch.setitem(RECIPES, "mine", Recipe(9, schedule="steps", learning_rate=0.1))
    for rate, words in (0.1, ""), (0.05, "learning rate 0.05, "):
        monkeypatch.setattr(train, "learning_rates", lambda recipe, steps, rate=rate: STEP([500], [rate, 0.01]))
        assert changes("mine", settings(RECIPES["mine"], 910)) == f"{words}edited training/train.py"


STEP = keras.optimizers.schedules.PiecewiseConstantDecay
OPTIMIZERS = [
    (STEP([905], [0.1, 0.01]), 0.1, {}),  # of 910 steps, the last few differ
    (STEP([29, 31], [0.01, 0.04, 0.01]), 0.04, {}),  # a short peak
    (STEP([20], [0.1, 0.01]), 0.1, {"gradient_accumulation_steps": 2}),
]


@pytest.mark.parametrize("rates, highest, more", OPTIMIZERS)
def test_an_optimizer_and_a_loss_of_ones_own_are_recorded(monkeypatch, rates, highest, more):
    monkeypatch.setattr(train, "optimizer", lambda recipe, steps: keras.optimizers.SGD(rates, **more))
    monkeypatch.setattr(train, "loss", lambda recipe: "categorical_focal_crossentropy")
    values = settings(RECIPES["fast"], 910)
    assert (values["learning_rate"], values["schedule"]) == (pytest.approx(highest), "of train.py")
    assert (values["loss"], values["label_smoothing"]) == ("categorical_focal_crossentropy", 0)
