"""Train the network by a recipe: learning-rate schedule, optimizer, loss, fit."""

import keras
import numpy as np

from pyimagesearch import progress
from pyimagesearch.data.batches import Batches
from pyimagesearch.errors import UserError
from pyimagesearch.training import callbacks, devices
from pyimagesearch.training.fused import fused_model, fused_optimizer
from pyimagesearch.training.network import build
from pyimagesearch.training.whitening import whiten


def learning_rates(recipe, steps):
    """Return the recipe's learning-rate schedule for a training of `steps` steps: a rate, or a Keras schedule."""
    schedules, highest = keras.optimizers.schedules, recipe.learning_rate
    if recipe.schedule == "constant":
        return highest
    if recipe.schedule == "inverse time":
        return schedules.InverseTimeDecay(highest, decay_steps=1, decay_rate=highest / recipe.epochs)
    if recipe.schedule == "one cycle":  # Smith and Topin, arXiv:1708.07120
        # The warm-up keeps the first steps, whose gradients are large and say little, from doing harm; the decay to
        # zero lets the weights settle.
        warmup = steps // 5
        first = highest / (warmup + 1)
        return schedules.CosineDecay(first, steps - warmup, warmup_target=highest, warmup_steps=warmup)
    raise UserError(f"unknown schedule {recipe.schedule!r}; recipes.py lists those that there are")


def optimizer(recipe, steps):
    """Return the recipe's optimizer, stochastic gradient descent, for a training of `steps` steps."""
    rates, decay = learning_rates(recipe, steps), recipe.weight_decay or None
    chosen = keras.optimizers.SGD(rates, momentum=recipe.momentum, nesterov=recipe.nesterov, weight_decay=decay)
    chosen = fused_optimizer(chosen)
    if decay:  # it keeps kernels small; a bias or the scale of a normalization does no harm when large
        chosen.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return chosen


def compiled(recipe, model, images, seed, steps):
    """Return the model with the same layers that is trained, ready for `steps` steps.

    images: uint8 (N, 28, 28, 1), the training images, from which whitening is computed with the seed.
    """
    model = fused_model(model)
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


@devices.explained()
@devices.default_settings()
def train(recipe, training, validation, classes, seed, checkpoints=None, model=None, more_callbacks=()):
    """Train a network and return (model, history).

    training, validation: (images uint8 (N, 28, 28, 1), labels (N,) from 0 to classes - 1).
    checkpoints: a checkpoints.Checkpoints to store each epoch in and, if it says so, to resume from; or None.
    model: what network.build(recipe, classes, seed) returned; None: it is built here.
    more_callbacks: of Keras, yours for example; called after those of this project.

    The returned model is uncompiled and computes in float32. The history is a dict of lists with one value per epoch:
    loss (what is minimized, with label smoothing), cross_entropy (without), accuracy, the same with val_ in front for
    the validation data, and seconds; and learning_rates, see used_rates. Training values are averages over the epoch,
    while the network still learns. The same arguments give the same weights, bit for bit, on the same machine, number
    of cores and versions.

    Raises UserError if the loss is not a number, the checkpoint is of another training, the devices cannot share a
    batch, memory runs out, or another process of the training has ended.
    """
    share = devices.share(recipe.batch_size)
    batches = Batches(*training, classes, recipe.batch_size, seed, recipe, share)
    to_validate = Batches(*validation, classes, batch_size=500 - 500 % share.devices, share=share)
    steps = recipe.epochs * len(batches)
    if model is None:
        with devices.alone():
            model = build(recipe, classes, seed)
    trained = model
    if recipe.bfloat16 or share.devices > 1:  # the same in 16 bits, or on all devices
        trained = build(recipe, classes, seed, "mixed_bfloat16" if recipe.bfloat16 else "float32")
    trained = compiled(recipe, trained, training[0], seed, steps)
    print(f"{trained.count_params():,} parameters; steps per epoch: {len(batches):,}")

    history = checkpoints.restore(trained) if checkpoints else {}
    batches.start_epoch(len(history.get("loss", [])))
    with callbacks.stop_between_batches(recipe.epochs, checkpoints) as stop, progress.bar("", len(batches)) as update:
        trained.fit(
            batches,
            validation_data=to_validate,
            initial_epoch=batches.epoch,
            epochs=recipe.epochs,
            shuffle=False,  # Batches shuffles
            verbose=0,
            callbacks=[
                callbacks.AfterEachEpoch(history, checkpoints),
                callbacks.Progress(history, update),
                stop,
                *more_callbacks,
            ],
        )

    weights = trained.get_weights()
    devices.stop_sharing()
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
