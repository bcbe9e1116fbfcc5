"""Train the network by a recipe: network, whitening, optimizer and learning-rate schedule, loss, fit."""

import keras
import numpy as np

from pyimagesearch.data import randomness
from pyimagesearch.data.batches import Batches
from pyimagesearch.minivggnet import MiniVGGNet
from pyimagesearch.training import callbacks, devices
from pyimagesearch.training.fused import fused_batch_normalization
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
    sgd = keras.optimizers.SGD(
        learning_rates(recipe, steps), recipe.momentum, recipe.nesterov, weight_decay=recipe.weight_decay or None
    )
    if recipe.weight_decay:  # it keeps kernels small; a bias or the scale of a normalization does no harm when large
        sgd.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return sgd


def build(recipe, classes):
    """Return the recipe's network for 28x28 gray images, untrained and uncompiled."""
    return MiniVGGNet.build(28, 28, 1, classes, **recipe.network)


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
    print(f"{model.count_params():,} parameters, {len(batches):,} steps per epoch")

    history = checkpoints.restore(model) if checkpoints else {}
    batches.start_epoch(len(history.get("loss", [])))
    with fused_batch_normalization(), callbacks.stop_between_batches(checkpoints) as stop:
        model.fit(
            batches,
            validation_data=to_validate,
            initial_epoch=batches.epoch,
            epochs=recipe.epochs,
            shuffle=False,  # Batches shuffles
            verbose=callbacks.progress_bar(),
            callbacks=[callbacks.AfterEachEpoch(history, checkpoints), callbacks.Progress(history), stop],
        )

    # What is returned is a plain network: in float32, with nothing frozen, on one device.
    weights = model.get_weights()
    devices.stop_sharing()
    model = build(recipe, classes)
    model.set_weights(weights)
    history["learning_rates"] = used_rates(recipe, steps)
    return model, history


def used_rates(recipe, steps, count=200):
    """Return the learning rate at `count` of the steps, evenly spaced from the first to the last, as a list."""
    rates = learning_rates(recipe, steps)
    sampled = np.linspace(0, steps - 1, min(steps, count)).astype(int)
    return [float(rates(step)) if callable(rates) else rates for step in sampled]
