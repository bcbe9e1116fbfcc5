"""Train the network by a recipe: network, whitening, optimizer and learning-rate schedule, loss, fit."""

import dataclasses

import keras
import numpy as np

from pyimagesearch.data import randomness
from pyimagesearch.data.batches import Batches
from pyimagesearch.training import callbacks, devices
from pyimagesearch.training.fused import fused_kernels
from pyimagesearch.training.network import build
from pyimagesearch.training.whitening import whiten


def learning_rates(recipe, steps):
    """Return the recipe's learning-rate schedule for a training of `steps` steps: a rate, or a Keras schedule."""
    schedules = keras.optimizers.schedules
    if recipe.schedule == "constant":
        return recipe.learning_rate
    if recipe.schedule == "inverse time":
        decay = recipe.learning_rate / recipe.epochs
        return schedules.InverseTimeDecay(recipe.learning_rate, decay_steps=1, decay_rate=decay)
    # "One cycle" (Smith and Topin, arXiv:1708.07120). The warm-up keeps the first steps, whose gradients are large and
    # say little, from doing harm; the decay to zero lets the weights settle.
    warmup = steps // 5
    return schedules.CosineDecay(0.0, steps - warmup, warmup_target=recipe.learning_rate, warmup_steps=warmup)


def optimizer(recipe, steps):
    """Return the recipe's optimizer, stochastic gradient descent, for a training of `steps` steps."""
    rates, decay = learning_rates(recipe, steps), recipe.weight_decay or None
    chosen = keras.optimizers.SGD(rates, momentum=recipe.momentum, nesterov=recipe.nesterov, weight_decay=decay)
    if decay:  # it keeps kernels small; a bias or the scale of a normalization does no harm when large
        chosen.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return chosen


def compiled(recipe, images, classes, seed, steps):
    """Return the network, ready for a training of `steps` steps; the seed sets its initial weights.

    images: uint8 (N, 28, 28, 1), the training images, from which whitening is computed.
    """
    keras.utils.set_random_seed(randomness.integer(seed, "weights"))
    with devices.precision("mixed_bfloat16" if recipe.bfloat16 else "float32"):
        model = build(recipe, classes)
    if recipe.whitening:
        whiten(model, images, seed)
    model.compile(
        optimizer(recipe, steps),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        # The loss without label smoothing, so that training and validation can be compared.
        metrics=[keras.metrics.CategoricalCrossentropy(name="cross_entropy"), "accuracy"],
        steps_per_execution=devices.steps_per_execution(),
        # XLA makes convolutions several times slower on a CPU; JAX cannot do without it.
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
    )
    return model


@devices.together()
def train(recipe, training, validation, classes, seed, checkpoints=None):
    """Train a new network and return (model, history).

    training, validation: (images uint8 (N, 28, 28, 1), labels (N,) from 0 to classes - 1).
    checkpoints: a checkpoints.Checkpoints to store each epoch in and, if it says so, to resume from; or None.

    The model is uncompiled and computes in float32. The history is a dict of lists with one value per epoch: loss (what
    is minimized, with label smoothing), cross_entropy (without), accuracy, the same with val_ in front for the
    validation data, and seconds. Training values are averages over the epoch, while the network still learns.
    The same arguments give the same weights, bit for bit, on the same machine, number of cores and versions.

    Raises UserError if the loss is not a number, the checkpoint is of another training, the devices cannot share a
    batch, or another process of the training has ended.
    """
    share = devices.share(recipe.batch_size)
    batches = Batches(*training, classes, recipe.batch_size, seed, recipe, share)
    to_validate = Batches(*validation, classes, batch_size=500 - 500 % share.devices, share=share)
    steps = recipe.epochs * len(batches)
    model = compiled(recipe, training[0], classes, seed, steps)
    print(f"{model.count_params():,} parameters; steps per epoch: {len(batches):,}")

    history = checkpoints.restore(model) if checkpoints else {}
    batches.start_epoch(len(history.get("loss", [])))
    with fused_kernels(), callbacks.stop_between_batches(checkpoints) as stop:
        model.fit(
            batches,
            validation_data=to_validate,
            initial_epoch=batches.epoch,
            epochs=recipe.epochs,
            shuffle=False,  # Batches shuffles
            verbose=callbacks.progress_bar(),
            callbacks=[callbacks.AfterEachEpoch(history, checkpoints), callbacks.Progress(history), stop],
        )

    # What is returned is a plain network: in float32, on one device.
    weights = model.get_weights()
    devices.stop_sharing()
    model = build(recipe, classes)
    model.set_weights(weights)
    history["learning_rates"] = used_rates(recipe, steps)
    return model, history


def used_rates(recipe, steps, count=200):
    """Return the optimizer's learning rate at `count` of the steps, evenly spaced from first to last, as a list."""
    chosen, rates = optimizer(recipe, steps), []
    for step in np.linspace(0, steps - 1, min(steps, count)).astype(int):
        chosen.iterations.assign(step)
        rates.append(float(f"{float(chosen.learning_rate):.7g}"))  # it is a float32: 0.3, not 0.30000001
    return rates


def settings(recipe):
    """Return what decides a training, besides data, network and seed, as a dict for JSON.

    They are the values of the recipe and "optimizer", the name of its class. Where optimizer() does something else than
    the recipe says (Adam in place of SGD, a fixed learning rate), the values are those of the optimizer; what it does
    not have is left out.
    """
    values, steps = dataclasses.asdict(recipe), 100
    chosen, rates, schedule = optimizer(recipe, steps), used_rates(recipe, steps), learning_rates(recipe, steps)
    for name in ("momentum", "nesterov", "weight_decay"):
        used = getattr(chosen, name, None) or type(values[name])()
        if not hasattr(chosen, name):
            del values[name]
        elif used != values[name]:
            values[name] = used
    expected = [float(schedule(step)) if callable(schedule) else schedule for step in range(steps)]
    if not np.allclose(rates, expected, rtol=1e-4, atol=0):
        values |= {"learning_rate": max(rates), "schedule": "constant" if len(set(rates)) == 1 else "of the optimizer"}
    return values | {"optimizer": type(chosen).__name__}
