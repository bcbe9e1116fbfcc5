"""What decides a training, besides data, network and seed: as a record, and in words."""

import contextlib
import dataclasses
import hashlib
import inspect
import json
import math
import re
import sys
from pathlib import Path

import keras
import numpy as np

from pyimagesearch import files, minivggnet
from pyimagesearch.data import batches, loading, preparation
from pyimagesearch.errors import UserError
from pyimagesearch.model_files import building, reading
from pyimagesearch.progress import say
from pyimagesearch.recipes import LEAST_STEPS, RECIPES, Recipe, for_few_images
from pyimagesearch.training import devices, fused, train, whitening
from pyimagesearch.training.callbacks import learning_rate
from pyimagesearch.training.checkpoints import ENVIRONMENT

# The learning rate of a step, in proportion to the highest one, as train.learning_rates() was published.
SCHEDULES = {
    "constant": lambda recipe, steps, step: 1,
    "inverse time": lambda recipe, steps, step: 1 / (1 + step * recipe.learning_rate / recipe.epochs),
    "one cycle": lambda recipe, steps, step: (
        min(1, (step + 1) / (steps // 5 + 1))
        * (0.5 + 0.5 * math.cos(math.pi * max(0, step - steps // 5) / (steps - steps // 5)))
    ),
}
WORDS = {"flip": "flips", "cutmix": "CutMix", "nesterov": "Nesterov momentum"}
UNITS = {"shift": " px", "stretch": "%"}
# Of numbers in a recipe, where it is not 0 to a million: the least and the most.
LIMITS = {"epochs": (1, 10_000), "batch_size": (1, 60_000), "shift": (0, 27), "stretch": (0, 90)}
LIMITS |= dict.fromkeys(("momentum", "label_smoothing", "cutmix"), (0, 1))
# What edited() compares: a digest of each file that decides a training, as it was published.
PUBLISHED = {
    "minivggnet.py": "aa9845cbb75c",
    "data/batches.py": "d7f8cdd3c120",
    "data/preparation.py": "fd56b1407d87",
    "training/train.py": "f0dce372eff2",
    "training/whitening.py": "e661e8db7b5b",
    "training/fused.py": "061aa70b2214",
    "data/loading.py": "08a19ab8f45f",
    "fashion_mnist.py": "ee68b9dbdcf4",
}
MODULES = (minivggnet, batches, preparation, train, whitening, fused, loading)
TEXTS = {}  # name of a module: its spec, which a reload replaces, and its text


def choose(name, given, images):
    """Return the recipe `name` with the values in `given`, a dict, as it suits so many training images and the device.

    Prints what a small number of images changes. Raises UserError for a value that is not possible or not read.
    """
    chosen = dataclasses.replace(RECIPES[name], **given)
    code, known, idle = "".join(map(_text, _modules())), published()["classic"], []
    for key, value in vars(chosen).items():
        if value and key != "network" and not re.search(rf"recipe\.{key}\b", code):
            if key not in known:
                raise UserError(
                    f"the recipe {name!r} has {key}={value!r}; no code reads recipe.{key}: write that first"
                )
            if not vars(Recipe(1))[key]:
                idle.append(in_words(key, value))
                value = type(value)()
                chosen = dataclasses.replace(chosen, **{key: value})
        kind, (least, most) = type(vars(Recipe(1))[key]), LIMITS.get(key, (0, 1e6))
        if kind is bool:
            wanted, fits = "True or False", isinstance(value, bool)
        elif kind in (int, float):
            wanted = f"a {'whole ' if kind is int else ''}number from {least} to {most:,.0f}"
            fits = type(value) in (int, kind) and least <= value <= most
        else:
            continue
        if not fits:
            raise UserError(f"the recipe {name!r} has {key}={value!r}; it must be {wanted}")
        chosen = dataclasses.replace(chosen, **{key: kind(value)})  # Keras takes no whole number as momentum
    if idle:
        say(f"  left out: the recipe's {', '.join(idle)}, which no code reads any more")
    recipe = for_few_images(chosen, images, given)
    recipe = dataclasses.replace(recipe, batch_size=min(recipe.batch_size, images))
    words = [in_words(key, value) for key, value in vars(recipe).items() if value != vars(chosen)[key]]
    if words:
        say(f"  few images change the recipe: {', '.join(words)}; a training run needs some {LEAST_STEPS} steps")
    return dataclasses.replace(recipe, bfloat16=recipe.bfloat16 and devices.fast_bfloat16())


def settings(recipe, steps=100, callbacks=()):
    """Return the settings of a training of `steps` steps with these Keras callbacks as a dict for JSON.

    They are the values of the recipe, "network" with the defaults of minivggnet.py, "optimizer", the name of its class,
    and "callbacks", the names of theirs, if there are any. Where train.optimizer() or train.loss() do something else
    than the recipe says (Adam in place of SGD, a fixed learning rate), the values are theirs; what an optimizer does
    not have is left out. So are the defaults of an edited minivggnet.py, whose layers may ignore them, but for those
    that are new.
    """
    values = dataclasses.asdict(recipe)
    parameters = inspect.signature(minivggnet.MiniVGGNet.build).parameters.values()
    defaults = json.loads(json.dumps({one.name: one.default for one in parameters if one.default is not one.empty}))
    if "minivggnet.py" in edited():
        known = published()["classic"]["network"]
        defaults = {key: value for key, value in defaults.items() if value != known.get(key)}
    values["network"] = defaults | recipe.network
    if callbacks:
        values["callbacks"] = ", ".join(type(callback).__name__ for callback in callbacks)
    chosen, schedule, rates, expected = train.optimizer(recipe, steps), train.learning_rates(recipe, steps), [], []
    if not isinstance(chosen, keras.optimizers.Optimizer):
        raise UserError(f"optimizer() in train.py returns {chosen!r}; let it return keras.optimizers.Adam(1e-3), say")
    for name in ("momentum", "nesterov", "weight_decay"):
        unset = type(values[name])()
        if hasattr(chosen, name):
            values[name] = getattr(chosen, name) or unset
        else:
            del values[name]
    if not values.get("momentum"):
        values.pop("nesterov", None)  # of a momentum
    counter = next(one for one in chosen.variables if one.name == "iteration")
    for step in sorted({*range(min(steps, 100)), *np.linspace(0, steps - 1, 50).astype(int)}):
        counter.assign(step)
        rates.append(learning_rate(chosen))
        if shape := SCHEDULES.get(recipe.schedule):  # what it was, whatever learning_rates() is now
            expected.append(recipe.learning_rate * shape(recipe, steps, step))
        else:
            expected.append(float(schedule(step)) if callable(schedule) else schedule)
    constant = len(set(rates)) == 1
    if not np.allclose(rates, expected, rtol=1e-3, atol=1e-6 * max(expected)):
        values |= {"learning_rate": max(rates), "schedule": "constant" if constant else "of train.py"}
    if not np.isclose(max(rates), values["learning_rate"], rtol=0.05):
        values["learning_rate"] = max(rates)
    minimized = keras.losses.get(train.loss(recipe))
    if type(minimized) is not keras.losses.CategoricalCrossentropy:
        values["loss"] = getattr(minimized, "__name__", type(minimized).__name__)
    values["label_smoothing"] = getattr(minimized, "get_config", dict)().get("label_smoothing", 0.0)
    return json.loads(json.dumps(values | {"optimizer": type(chosen).__name__}, default=str))


def augmentations():
    """Return the names of the fields of a recipe that data/batches.py reads."""
    return [name for name in vars(Recipe(1)) if f"recipe.{name}" in _text(batches)]


def announce(name, values, rate=None):
    """Print the settings that a training with the recipe `name` begins with; rate: what a user has asked for."""
    augmentation = [in_words(key, values[key]) for key in augmentations() if values[key]]
    left_out = {*augmentations(), "network", "optimizer"}
    others = [in_words(key, value) for key, value in values.items() if key not in left_out and value]
    say(f"  optimizer {values['optimizer']}, {', '.join(others)}")
    note = "; but data/batches.py is edited, and what it does counts" if "data/batches.py" in edited() else ""
    say(f"  augmentation of the recipe: {', '.join(augmentation) or 'none'}{note}")
    if rate and values["learning_rate"] != rate:
        say(f"  --learning-rate does not count: the optimizer of train.py has its own, {values['learning_rate']}")
    if changed := changes(name, values):
        say(f"  changed from {'the published recipe' if name in published() else 'recipes.py'}: {changed}")
    if values["cutmix"]:
        say("  CutMix: training images are mixed, so training accuracy stays below validation accuracy")


def ended(name, values, history):
    """Return the settings that a training ended with, for its record: callbacks may have changed what was planned."""
    rates = {rate for epoch in history["learning_rates"] for rate in epoch}
    used = values | {"epochs": len(history["loss"])}
    constant = values["schedule"] == "constant"
    # Only some rates are noted: the highest of a schedule may lie beside them, or in an epoch that was not run.
    noted, tolerance = ([*rates], 1e-4) if constant else (max(rates), 0.1)
    told = constant or used["epochs"] == values["epochs"]
    if not np.allclose(noted, values["learning_rate"], rtol=tolerance, atol=0):
        used |= {"learning_rate": max(rates)} | ({"schedule": "set by a callback"} if told else {})
    return used | {"planned": values, "changed": changes(name, used)}


def published():
    """Return the settings of each recipe as it was published: those that the README's figures were measured with.

    recipes.py is there to be edited; published.json is what an edit is compared with.
    """
    return json.loads(Path(__file__).with_name("published.json").read_text())


def edited():
    """Return {name: digest} of the files in PUBLISHED that were edited, or of which a notebook replaced functions."""
    digests = {}
    for (name, published), module in zip(PUBLISHED.items(), _modules(), strict=False):
        text = _text(module)
        classes = [one for one in vars(module).values() if inspect.isclass(one) and one.__module__ == module.__name__]
        for owner in (module, *classes):
            for key in list(vars(owner)):
                value = getattr(owner, key)
                known = "pyimagesearch", module.__name__
                replaced = inspect.isfunction(value) and not value.__module__.startswith(known)
                if replaced or (inspect.isclass(value) and value.__module__ == "__main__"):
                    text += f"{key}: {_source(value)}"
        lines = [line.rstrip() for line in text.splitlines() if line.strip()]  # blank lines do not count
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
        if module.__name__ in files.CHANGED:
            digests[name] = f"{digest}?"
        elif digest != published:
            digests[name] = digest
    return digests


def _modules():
    """Return the modules of the files in PUBLISHED; fashion_mnist.py, the last, is not there in other programs."""
    main = sys.modules.get("fashion_mnist", sys.modules["__main__"])
    return [*MODULES, main] if Path(getattr(main, "__file__", None) or "").name == "fashion_mnist.py" else MODULES


def _text(module):
    """Return a module's text as it was imported or reloaded, because that is what runs."""
    if module.__name__ not in TEXTS or TEXTS[module.__name__][0] is not module.__spec__:
        TEXTS[module.__name__] = module.__spec__, Path(module.__file__).read_text("utf-8")
    return TEXTS[module.__name__][1]


def _source(function):
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):  # it is nowhere
        return repr(function)


def changes(name, values):
    """Return how a training differs from the published recipe `name`: "epochs 3, no flips, edited minivggnet.py".

    A recipe of your own, which was not published, is compared with what recipes.py says.
    """
    theirs = published().get(name)
    if not theirs:
        theirs = values
        if own := RECIPES.get(name):
            theirs = settings(own) | {"schedule": own.schedule, "learning_rate": own.learning_rate}
    ours, theirs = _flat(values), _flat(theirs)
    edits = [("perhaps edited" if "?" in digest else "edited", file) for file, digest in edited().items()]
    differ = [key for key in ours if key not in ENVIRONMENT and (ours[key] or 0) != (theirs.get(key) or 0)]
    return ", ".join([*(in_words(key, ours[key]) for key in differ), *map(" ".join, edits)])


def trained(path, values):
    """Return the network in the model file at `path` if it is what a training with these settings has ended with."""
    with contextlib.suppress(UserError):
        contents = reading.read(path)
        ours = {name: value for name, value in values.items() if name not in ENVIRONMENT}
        theirs = contents.record | contents.record.get("planned", {})
        if theirs | ours == theirs:
            return building.build(contents)
    return None


def _flat(values):
    return {name: value for name, value in values.items() if name != "network"} | values["network"]


def in_words(name, value):
    words = WORDS.get(name, name.replace("_", " "))
    if value is True:
        return words
    return f"{words} {value}{UNITS.get(name, '')}" if value else f"no {words}"
