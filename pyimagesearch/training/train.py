"""Train the network by a recipe: learning-rate schedule, optimizer, loss, fit."""

import contextlib

import keras

from pyimagesearch import progress
from pyimagesearch.data import batches
from pyimagesearch.errors import UserError
from pyimagesearch.model_files import graphs
from pyimagesearch.training import callbacks, devices, fused, network, whitening

# A running average of batch normalization lags if more than this fraction of it is still its first value, 0 or 1.
LAGS = 1e-3


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
    raise UserError(f"unknown schedule {recipe.schedule!r}; recipes.py lists those that train.py knows")


def optimizer(recipe, steps):
    """Return the recipe's optimizer, stochastic gradient descent, for a training of `steps` steps."""
    rates, decay = learning_rates(recipe, steps), recipe.weight_decay or None
    chosen = keras.optimizers.SGD(rates, momentum=recipe.momentum, nesterov=recipe.nesterov, weight_decay=decay)
    chosen = fused.fused_optimizer(chosen)
    if decay:  # it keeps kernels small; a bias or the scale of a normalization does no harm when large
        chosen.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return chosen


def loss(recipe):
    """Return what training minimizes, a Keras loss of one-hot targets and predicted probabilities."""
    return keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing)


def compiled(recipe, model, images, seed, steps):
    """Return the model with the same layers that is trained, ready for `steps` steps.

    images: uint8 (N, 28, 28, 1), the training images, from which whitening is computed with the seed.
    """
    model = fused.fused_model(model)
    if recipe.whitening:
        whitening.whiten(model, images, seed)
    model.compile(
        optimizer(recipe, steps),
        loss=loss(recipe),
        # The loss without label smoothing, so that training and validation can be compared.
        metrics=[keras.metrics.CategoricalCrossentropy(name="cross_entropy"), "accuracy"],
        # XLA makes convolutions several times slower on a CPU; JAX cannot do without it.
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
    )
    return model


@devices.default_settings()
def train(recipe, training, validation, classes, seed, checkpoints=None, model=None, more_callbacks=()):
    """Train a network and return (model, history).

    training, validation: (images uint8 (N, 28, 28, 1), labels (N,) from 0 to classes - 1).
    checkpoints: a checkpoints.Checkpoints to store each epoch in and, if it says so, to resume from; or None.
    model: what network.build(recipe, classes, seed) returned; None: it is built here.
    more_callbacks: of Keras, yours for example; called after those of this project.

    The returned model is uncompiled and computes in float32. The history is a dict of lists with one value per epoch:
    loss (what is minimized, with label smoothing), cross_entropy (without), accuracy, the same with val_ in front for
    the validation data, seconds, and learning_rates, a list of those of some 32 steps. Training values are averages
    over the epoch, while the network still learns. The same arguments give the same weights, bit for bit, on the same
    machine, number of cores and versions.

    Raises UserError if augmentation divides pixels, compiled() has another optimizer or loss than is recorded, the loss
    is not a number, the checkpoint is of another training, or a callback sets the learning rate that a schedule sets.
    """
    to_train = batches.Batches(*training, classes, recipe.batch_size, seed, recipe)
    to_validate = batches.Batches(*validation, classes, batch_size=500)
    steps = recipe.epochs * len(to_train)
    model = model or network.build(recipe, classes, seed)
    trained = model  # what learns is a copy, of faster layers and in 16 bits; the model gets its weights at the end
    if recipe.bfloat16:
        trained = network.build(recipe, classes, seed, "mixed_bfloat16")
        trained.set_weights(model.get_weights())
    trained = compiled(recipe, trained, training[0], seed, steps)
    check_compiled(trained, recipe, steps)
    print(f"{trained.count_params():,} parameters; steps per epoch: {len(to_train):,}")
    normalizations = [one for one in graphs.every_layer(model) if isinstance(one, keras.layers.BatchNormalization)]
    if any(layer.momentum**steps > LAGS for layer in normalizations):
        progress.say(
            f"  only {steps} steps in all: validation figures may be far too low, because validation uses the running "
            "averages of batch normalization, which lag behind the weights at first"
        )
    check_callbacks(trained.optimizer, more_callbacks)

    history = checkpoints.restore(trained) if checkpoints else {}
    to_train.start_epoch(len(history.get("loss", [])))
    with callbacks.stop_between_batches(recipe.epochs, checkpoints) as stop, progress.bar("", len(to_train)) as update:
        own = callbacks.AfterEachEpoch(history, checkpoints, update, more_callbacks)
        # For each batch: forward pass, loss, gradient, step; training/README.md has these steps one by one.
        trained.fit(
            to_train,
            validation_data=to_validate,
            initial_epoch=to_train.epoch,
            epochs=recipe.epochs,
            shuffle=False,  # Batches shuffles
            verbose=0,
            callbacks=[own, stop, *more_callbacks, keras.callbacks.LambdaCallback(on_train_batch_begin=own.note_rate)],
        )
    model.set_weights(trained.get_weights())
    return model, history


def check_compiled(model, recipe, steps):
    """Raise UserError if the model has an optimizer or a loss that optimizer() and loss() know nothing of."""

    def choices(part):
        if isinstance(part, str):
            return part
        with contextlib.suppress(AttributeError, NotImplementedError):  # a function; a schedule of your own
            return part.get_config() | {"name": None}  # sgd_1, sgd_2, ...

    expected = {"optimizer": optimizer(recipe, steps), "loss": loss(recipe)}
    for part, meant in expected.items():
        found = getattr(model, part)
        if type(found) is not type(meant) or choices(found) != choices(meant):
            raise UserError(
                f"compiled() in train.py has another {part} than {part}(), which is what is printed and recorded; "
                f"change {part}() instead"
            )


def check_callbacks(optimizer, more_callbacks):
    """Raise UserError if one is no Keras callback, or sets the learning rate where the optimizer has a schedule."""
    setters = keras.callbacks.ReduceLROnPlateau | keras.callbacks.LearningRateScheduler
    for callback in more_callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise UserError(f"{callback!r} is no callback of Keras; write it as keras.callbacks.EarlyStopping(...)")
        if not isinstance(callback, setters):
            continue
        try:
            optimizer.learning_rate = float(optimizer.learning_rate)
        except TypeError as error:  # as Keras says that there is a schedule
            raise UserError(
                f"{type(callback).__name__} sets the learning rate, and so does a schedule; let recipes.py have "
                'schedule="constant", or give the optimizer in train.py a number'
            ) from error
