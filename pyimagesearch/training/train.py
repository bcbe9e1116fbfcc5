"""Fit a network by a recipe."""

import sys

import keras
import numpy as np

from pyimagesearch.data.batches import Batches
from pyimagesearch.errors import Terminated, UserError
from pyimagesearch.minivggnet import MiniVGGNet
from pyimagesearch.training import callbacks, checkpoints, devices
from pyimagesearch.training.whitening import whiten


def normalization_class():
    """Return Keras's BatchNormalization, or on TensorFlow a twin with the same weights that trains faster.

    Keras computes mean, variance and result one after the other, each a walk through memory; TensorFlow has one kernel
    for all. The twin is for training alone: what is saved is always the stock layer.
    """
    if keras.backend.backend() != "tensorflow":
        return keras.layers.BatchNormalization
    import tensorflow as tf

    class FusedBatchNormalization(keras.layers.BatchNormalization):
        def call(self, inputs, training=None, mask=None):
            if not (training and self.trainable) or len(inputs.shape) != 4:
                return super().call(inputs, training=training, mask=mask)
            outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
                inputs, self.gamma, self.beta, epsilon=self.epsilon
            )
            for average, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
                average.assign(average * self.momentum + value * (1 - self.momentum))
            return outputs

    return FusedBatchNormalization


def learning_rates(recipe, steps):
    """Return the recipe's learning-rate schedule over `steps` steps, as Keras's own class."""
    schedules = keras.optimizers.schedules
    if recipe.schedule == "inverse time":
        return schedules.InverseTimeDecay(recipe.learning_rate, decay_steps=1, decay_rate=0.01 / recipe.epochs)
    # One cycle (Smith and Topin, arXiv:1708.07120): warm up, so that the early noise does no harm, then cool to zero.
    warmup = steps // 5
    return schedules.CosineDecay(0.0, steps - warmup, warmup_target=recipe.learning_rate, warmup_steps=warmup)


def sampled_rates(recipe, count):
    """Return the learning rate at `count` moments spread evenly over a training of the recipe, for a plot."""
    schedule = learning_rates(recipe, 1000 * recipe.epochs)
    return [float(schedule(step)) for step in np.linspace(0, 1000 * recipe.epochs, count)]


def compile_model(model, recipe, steps):
    """Give the model the recipe's loss and optimizer, for a training of `steps` steps."""
    optimizer = keras.optimizers.SGD(
        learning_rates(recipe, steps), recipe.momentum, recipe.nesterov, weight_decay=recipe.weight_decay or None
    )
    if recipe.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    model.compile(
        optimizer,
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
        # XLA makes convolutions several times slower on a CPU; JAX cannot do without it.
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
    )


def build(recipe, classes, normalization=keras.layers.BatchNormalization, precision="float32"):
    """Return the recipe's network, untrained and uncompiled; precision: a name of Keras's dtype policies."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        return MiniVGGNet.build(28, 28, 1, classes, recipe.dropout, normalization, recipe.filters, recipe.dense)
    finally:
        keras.config.set_dtype_policy(before)


def new_model(recipe, images, classes, seed, steps):
    """Return a compiled MiniVGGNet, ready for a training of `steps` steps by the recipe; the seed sets its weights.

    images: uint8 (N, 28, 28, 1), what it will be trained on.
    """
    keras.utils.set_random_seed(seed)
    model = build(recipe, classes, normalization_class(), "mixed_bfloat16" if recipe.bfloat16 else "float32")
    if recipe.whitening:
        whiten(*model.layers[:2], images, seed)
    compile_model(model, recipe, steps)
    return model


@devices.together()
def train(recipe, training, validation, classes, seed, folder=None, facts=None, resume=False, resident=None):
    """Train a new MiniVGGNet and return it with its history.

    training, validation: (images uint8 (N, 28, 28, 1), labels (N,)). The history is Keras's dict of lists, one value
    an epoch: loss, accuracy (both averaged over the epoch, while the network still learns), val_loss, val_accuracy,
    seconds.
    The same arguments give the same weights, bit for bit, on the same machine and versions.

    folder    where each epoch leaves a checkpoint, with `facts` about the training in it (see checkpoints.py)
    resume    go on from the newest checkpoint there; the weights at the end are those of a run without a break
    resident  keep the pictures on the device (see resident.py; JAX alone); by default on accelerators

    Raises UserError when the loss is no longer a number, there is nothing to resume, the devices cannot share a batch,
    or another process of the training has ended.
    """
    augmentation = recipe.flip, recipe.shift, recipe.stretch, recipe.erase, recipe.cutmix
    batches = Batches(*training, classes, recipe.batch_size, seed, *augmentation)
    if recipe.batch_size % batches.spread.devices:
        raise UserError(
            f"{batches.spread.devices} devices cannot share batches of {recipe.batch_size}: choose another --batch-size"
        )
    to_validate = Batches(*validation, classes, batch_size=500 - 500 % batches.spread.devices)
    steps = recipe.epochs * len(batches)
    model = fitted = new_model(recipe, training[0], classes, seed, steps)
    data = batches
    if devices.accelerated() if resident is None else resident:
        from pyimagesearch.training.resident import on_device

        fitted, data, to_validate = on_device(model, batches, to_validate)
        compile_model(fitted, recipe, steps)
        fitted.test_on_batch(*to_validate[0])  # tells Keras the shape of a batch, which it cannot see in whole epochs
    history = {}
    if resume:
        history = checkpoints.restore(folder, fitted, facts)
        batches.start_epoch(len(history["loss"]))
    progress = sys.stdout.isatty() and data is batches
    words = callbacks.TimeLeft(history) if progress else callbacks.OneLineAnEpoch(history)
    stop = callbacks.StopBetweenBatches()
    try:
        with stop.listening():
            fitted.fit(
                data,
                validation_data=to_validate,
                initial_epoch=batches.epoch,
                epochs=recipe.epochs,
                shuffle=False,  # Batches does it
                verbose=1 if progress else 0,
                callbacks=[callbacks.AfterEachEpoch(history, folder, facts), words, stop],
            )
    except (KeyboardInterrupt, Terminated) as stopped:
        done = checkpoints.unfinished(folder) if folder else 0
        if not done:
            raise
        advice = f"stopped after epoch {done} of {recipe.epochs}; to go on, add --resume to the same command"
        raise type(stopped)(advice) from None
    weights = model.get_weights()
    devices.part_ways()
    stock = build(recipe, classes)
    stock.set_weights(weights)
    return stock, history
