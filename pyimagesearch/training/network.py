"""The network of minivggnet.py as it stands: build it, check that it can be trained, see what of a recipe applies."""

import contextlib
import dataclasses
import hashlib
import inspect
import json
import traceback

import keras
import numpy as np

from pyimagesearch import minivggnet
from pyimagesearch.data import randomness
from pyimagesearch.errors import UserError, first_line, warn
from pyimagesearch.model_files import building, configs, graphs, saving
from pyimagesearch.model_files.input_format import SIDE, output_kind
from pyimagesearch.progress import say
from pyimagesearch.training import devices, whitening

SHAPE = (SIDE, SIDE, 1)


def build(recipe, classes, seed, policy="float32"):
    """Return the recipe's network for 28x28 gray images, untrained and uncompiled; the seed sets its weights.

    policy: the dtype policy of layers that have none of their own, "mixed_bfloat16" to compute in 16 bits.
    """
    keras.utils.set_random_seed(randomness.integer(seed, "weights"))
    with devices.default_settings(policy):
        model = minivggnet.MiniVGGNet.build(SIDE, SIDE, 1, classes, **recipe.network)
        if isinstance(model, keras.Model) and not model.built:  # a Sequential that does not begin with keras.Input
            model.build((None, *SHAPE))
    return model


def adapt(recipe, classes, seed):
    """Return the network of build(), and the recipe without what does not apply to it.

    Prints a line for each of the recipe's choices that differs from minivggnet.py, and for each that does not apply.
    Raises UserError if the network cannot be built, does not take images of 28x28x1, or does not predict a probability
    for each of the classes.
    """
    parameters, taken = inspect.signature(minivggnet.MiniVGGNet.build).parameters, {}
    for name, value in recipe.network.items():
        if name in parameters:
            taken[name] = value
        else:
            say(f"  left out: the recipe's {name}={value}, which MiniVGGNet.build does not take")
    recipe, idle, chosen = dataclasses.replace(recipe, network=taken), [], []
    try:
        model = build(recipe, classes, seed)
        for name, value in taken.items():
            if parameters[name].default in (value, inspect.Parameter.empty):
                continue
            without = {other: taken[other] for other in taken if other != name}
            plain = build(dataclasses.replace(recipe, network=without), classes, seed)
            (idle if fingerprint(plain) == fingerprint(model) else chosen).append(name)
    except Exception as error:  # an edit of minivggnet.py went wrong: name its line
        frames = [one for one in traceback.extract_tb(error.__traceback__) if one.filename == minivggnet.__file__]
        line = f", line {frames[-1].lineno}" if frames else ""
        raise UserError(f"cannot build the network of minivggnet.py{line}: {first_line(error)}") from error
    _check(model, classes)
    if words := ", ".join(f"{name}={taken[name]}" for name in idle):
        say(f"  left out: the recipe's {words}, which makes no difference to this network")
        recipe = dataclasses.replace(recipe, network={k: v for k, v in taken.items() if k not in idle})
    if words := ", ".join(f"{name}={taken[name]}" for name in chosen):
        say(f"  in place of what minivggnet.py says, the recipe sets {words}")
    if model.compiled:
        say("  left out: what minivggnet.py gives to compile(); the optimizer and the loss are those of train.py")
    if recipe.whitening and not whitening.fits(model):
        say("  no whitening: it needs a Sequential with a plain Conv2D and BatchNormalization at the start")
        recipe = dataclasses.replace(recipe, whitening=False)
    return model, recipe


def start_from(model, recipe, contents, path):
    """Give `model` the weights of a network of fashion_mnist.py, except those of the last layer (transfer learning).

    contents: what reading.read() returned for the file at `path`. Returns the recipe without whitening, which would
    replace the first filters. Raises UserError if the layers differ.
    """
    mine, theirs = ([layer for layer in one.layers if layer.weights] for one in (model, building.build(contents)))
    pairs = list(zip(mine[:-1], theirs[:-1], strict=False))
    same = all([w.shape for w in one.weights] == [w.shape for w in other.weights] for one, other in pairs)
    if not saving.is_ours(contents.record):
        raise UserError(f"cannot start from {path}: it has no record of fashion_mnist.py; save it by that script")
    if len(mine) != len(theirs) or not same:
        raise UserError(
            f"cannot start from {path}: its layers before the last are not those of minivggnet.py as it is; train that "
            "network first"
        )
    for layer, other in pairs:
        layer.set_weights(other.get_weights())
    say(f"  the weights start from {path}, except those of the last layer")
    return dataclasses.replace(recipe, whitening=False)


def fingerprint(model):
    """Return the SHA-256 of a model's layers and their choices: the same network, or not."""

    def entries(config):
        for layer in config["layers"]:
            inner = "layers" in layer["config"]  # a model in the model
            yield [*entries(layer["config"])] if inner else (layer["class_name"], layer["config"] | {"name": None})

    text = json.dumps([*entries(model.get_config())], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _check(model, classes):
    """Check that a model can be trained and saved. Raises UserError; warns if it cannot be loaded again."""
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
        raise UserError(f"MiniVGGNet.build returned {type(model).__name__}; let it return a keras.Sequential")
    inputs, outputs = (tensors[0].shape[1:] for tensors in (model.inputs, model.outputs))
    if len(inputs) != 3 or any(size not in (None, wanted) for size, wanted in zip(inputs, SHAPE, strict=True)):
        raise UserError(
            f"the network of minivggnet.py takes {inputs} for an image, and the images are {SHAPE}; begin it with "
            "keras.Input((height, width, depth))"
        )
    noise = np.random.default_rng(0).random((10, *SHAPE), np.float32)
    if outputs != (classes,) or output_kind(np.asarray(model(noise, training=False))) != "probabilities":
        raise UserError(
            f"the network of minivggnet.py does not predict {classes} probabilities for an image, one for each class, "
            f"with the sum 1; its output is {outputs}; end it with layers.Dense(classes, activation='softmax')"
        )
    if reason := why_not_loaded(model):
        warn(f"the other scripts will not load this network again: {reason}")
    if not all(isinstance(one, keras.layers.Layer) for one in graphs.every_layer(model)):
        warn(
            "Keras reads operators such as + and / and functions such as keras.ops.relu from .keras files, not from "
            ".h5: use layers, as layers.Add and layers.Rescaling, or --model NAME.keras"
        )
    if (spread := _spread(model, noise)) < 0.1:
        warn(
            f"the network of minivggnet.py scales pixels to a range of {spread:.2g}, but they are divided by 255 "
            "already, by scale(); take that layer or division out of minivggnet.py"
        )


def _spread(model, images):
    """Return the range, largest minus smallest, of what the first layer that has weights gets of images from 0 to 1."""
    with contextlib.suppress(AttributeError, ValueError):  # a layer of one's own without such an input
        while isinstance(model, keras.Model) and getattr(model, "inputs", None):  # such a layer may be a model itself
            inputs, model = model.inputs, next((layer for layer in model.layers if layer.weights), None)
            if model:
                images = keras.Model(inputs[0], keras.tree.flatten(model.input)[0])(images, training=False)
    return float(np.ptp(np.asarray(images)))


def why_not_loaded(model):
    """Return why the other scripts cannot load a model that was saved, in words; "" if they can.

    Raises UserError if it cannot be saved.
    """
    try:
        configs.parse(model.to_json())
    except NotImplementedError as error:
        raise UserError(
            "the network of minivggnet.py cannot be saved, because one of its layers has no get_config(); write one"
        ) from error
    except UserError as error:
        return str(error)
    return ""
