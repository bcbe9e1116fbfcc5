"""What decides a training, besides data, network and seed: as a record, and in words."""

import contextlib
import dataclasses
import inspect
import json
from pathlib import Path

import numpy as np

from pyimagesearch.errors import UserError
from pyimagesearch.minivggnet import MiniVGGNet
from pyimagesearch.model_files import building, reading
from pyimagesearch.training.callbacks import learning_rate
from pyimagesearch.training.checkpoints import ENVIRONMENT
from pyimagesearch.training.network import outline
from pyimagesearch.training.train import learning_rates, optimizer

AUGMENTATION = ("flip", "shift", "stretch", "cutmix")
WORDS = {"flip": "flips", "cutmix": "CutMix", "nesterov": "Nesterov momentum"}
UNITS = {"shift": " px", "stretch": "%"}
OUTLINE = "a81198714792cd0ee777279bb32410475de8efb004088ba2e54d429baa2598cc"  # of the published network


def settings(recipe):
    """Return the settings of a training as a dict for JSON.

    They are the values of the recipe, "network" with the defaults of minivggnet.py, and "optimizer", the name of its
    class. Where train.optimizer() does something else than the recipe says (Adam in place of SGD, a fixed learning
    rate), the values are those of the optimizer; what it does not have is left out.
    """
    values, steps = dataclasses.asdict(recipe), 100
    parameters = inspect.signature(MiniVGGNet.build).parameters.values()
    defaults = {one.name: one.default for one in parameters if one.default is not one.empty}
    values["network"] = defaults | recipe.network
    chosen, schedule, rates, expected = optimizer(recipe, steps), learning_rates(recipe, steps), [], []
    for name in ("momentum", "nesterov", "weight_decay"):
        unset = type(values[name])()
        if hasattr(chosen, name):
            values[name] = getattr(chosen, name) or unset
        else:
            del values[name]
    for step in range(0, steps, 9):
        chosen.iterations.assign(step)
        rates.append(learning_rate(chosen))
        expected.append(float(schedule(step)) if callable(schedule) else schedule)
    if not np.allclose(rates, expected, rtol=1e-4, atol=0):
        values |= {"learning_rate": max(rates), "schedule": "constant" if len(set(rates)) == 1 else "of the optimizer"}
    return json.loads(json.dumps(values | {"optimizer": type(chosen).__name__}, default=str))


def used(values, history):
    """Return the settings that a training ended with: callbacks may have ended it, or have set the learning rate."""
    rates = {rate for epoch in history["learning_rates"] for rate in epoch}
    schedule = "set by a callback" if values["schedule"] == "constant" and len(rates) > 1 else values["schedule"]
    return values | {"epochs": len(history["loss"]), "schedule": schedule}


def published():
    """Return the settings of each recipe as it was published: those that the README's figures were measured with.

    recipes.py is there to be edited; published.json is what an edit is compared with.
    """
    return json.loads(Path(__file__).with_name("published.json").read_text())


def changes(name, values, model=None):
    """Return how the settings of a training differ from those of the published recipe `name`: "epochs 3, no flips".

    With its model, a network that was written by hand is named, too. Of a recipe that was not published: "".
    """
    if name not in published():
        return ""
    theirs, ours = _flat(published()[name]), _flat(values)
    differ = [key for key in ours if key not in ENVIRONMENT and (ours[key] or 0) != (theirs.get(key) or 0)]
    words = [_words(key, ours[key]) for key in differ]
    if model and not {"filters", "dense"} & set(differ) and outline(model) != OUTLINE:
        words.append(f"another network ({model.count_params():,} parameters)")
    return ", ".join(words)


def describe(values):
    """Return the settings in words, as a list of lines."""
    augmentation = [_words(name, values[name]) for name in AUGMENTATION if values[name]]
    left_out = {*AUGMENTATION, "network", "optimizer"}
    others = [_words(name, value) for name, value in values.items() if name not in left_out and value]
    return [
        f"  optimizer {values['optimizer']}, {', '.join(others)}",
        f"  augmentation: {', '.join(augmentation) or 'none'}",
    ]


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


def _words(name, value):
    words = WORDS.get(name, name.replace("_", " "))
    if value is True:
        return words
    return f"{words} {value}{UNITS.get(name, '')}" if value else f"no {words}"
