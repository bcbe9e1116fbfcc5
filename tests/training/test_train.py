"""train.py: the recipe is what is trained, step by step. callbacks.py: what is printed and kept of an epoch, a stop."""

import dataclasses
import signal
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from conftest import chain, data, small
from pyimagesearch.data.batches import Batches, scale
from pyimagesearch.errors import UserError
from pyimagesearch.recipes import RECIPES, Recipe
from pyimagesearch.training import devices
from pyimagesearch.training.callbacks import AfterEachEpoch, Stages, stop_between_batches
from pyimagesearch.training.fused import fused_model, fused_optimizer
from pyimagesearch.training.network import build
from pyimagesearch.training.train import compiled, learning_rates, loss, optimizer, train


def test_one_cycle_warms_up_and_ends_at_zero_and_classic_decays_as_the_tutorial_does():
    schedule, highest = learning_rates(RECIPES["fast"], 100), RECIPES["fast"].learning_rate
    rates = [float(schedule(step)) for step in range(101)]
    # The first step moves the weights, too.
    assert [rates[step] for step in (0, 20, 100)] == pytest.approx([highest / 21, highest, 0], abs=1e-8)
    assert (np.diff(rates[:21]) > 0).all() and (np.diff(rates[20:]) < 0).all()

    schedule = learning_rates(RECIPES["classic"], 1000)
    assert [float(schedule(step)) for step in (0, 500)] == pytest.approx([0.01, 0.01 / (1 + 0.01 / 25 * 500)])


def test_the_loss_is_smoothed_and_the_cross_entropy_is_not():
    images, labels = data(50)
    recipe = small("fast", whitening=False)
    model = compiled(recipe, build(recipe, 10, 0), images, seed=0, steps=10)
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([100 * kernel, bias])  # probabilities that differ
    probabilities = np.asarray(model(scale(images), training=False), np.float64)
    targets = np.eye(10)[labels]
    smoothed = 0.9 * targets + 0.1 / 10
    logs = model.test_on_batch(scale(images), targets.astype(np.float32), return_dict=True)
    assert logs["loss"] == pytest.approx(-(smoothed * np.log(probabilities)).sum(axis=1).mean(), rel=1e-4)
    assert logs["cross_entropy"] == pytest.approx(-(targets * np.log(probabilities)).sum(axis=1).mean(), rel=1e-4)


@pytest.mark.parametrize(("momentum", "nesterov", "decay"), [(0.0, False, 0.0), (0.9, False, 0.0), (0.9, True, 1e-2)])
def test_steps_are_those_of_sgd_and_weight_decay_is_for_kernels_alone(momentum, nesterov, decay):
    """Against a few lines of NumPy, with the gradients of a loss that is a weighted sum of the weights."""
    recipe = Recipe(1, learning_rate=0.1, momentum=momentum, nesterov=nesterov, weight_decay=decay)
    sgd = optimizer(recipe, 10)
    assert (type(sgd) is keras.optimizers.SGD) == (not momentum or keras.backend.backend() == "jax")
    rng = np.random.default_rng(0)
    variables = [keras.Variable(rng.normal(size=5), name=name) for name in ("kernel", "bias", "gamma", "beta")]
    expected, velocity = np.array(variables, np.float64), np.zeros((4, 5))
    for _ in range(3):
        gradients = rng.normal(size=(4, 5)).astype(np.float32)
        sgd.apply(list(map(keras.ops.convert_to_tensor, gradients)), variables)
        expected[0] *= 1 - 0.1 * decay
        velocity = momentum * velocity - 0.1 * gradients
        expected += momentum * velocity - 0.1 * gradients if nesterov else velocity
    np.testing.assert_allclose(np.array(variables), expected, rtol=1e-5)


def normalization(**settings):
    return chain(keras.layers.BatchNormalization(**settings), shape=(5, 5, 4))


@pytest.mark.parametrize("frozen", [False, True])
def test_fused_batch_normalization_is_batch_normalization(frozen):
    inputs = np.random.default_rng(0).normal(3, 2, (64, 5, 5, 4)).astype(np.float32)
    stock = normalization(momentum=0.9, epsilon=0.1)
    stock.set_weights([np.arange(4) + 1.0, np.arange(4) - 1.0, np.full(4, 0.5), np.full(4, 7.0)])
    stock.layers[0].trainable = not frozen
    assert keras.backend.backend() == "jax" or type(fused_model(stock).layers[0]) is not keras.layers.BatchNormalization
    found = [
        (np.asarray(model(inputs, training=True)), np.asarray(model(inputs, training=False)), *model.get_weights())
        for model in (stock, fused_model(stock))
    ]
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(two, one, rtol=2e-3, atol=1e-4)  # the running variance is the unbiased one
    assert (found[1][4] == 0.5).all() == frozen


def test_only_what_the_kernels_know_is_fused():
    own, own_sgd = (type("Own", (kind,), {}) for kind in (keras.layers.BatchNormalization, keras.optimizers.SGD))

    class Schedule(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.1

    models = [normalization(**settings) for settings in ({"scale": False}, {"axis": 1}, {"gamma_regularizer": "l2"})]
    models += [chain(own(), shape=(5, 5, 4)), chain(keras.layers.BatchNormalization(), shape=(4,))]
    for model in models:
        assert fused_model(model).layers[0] is model.layers[0]
    for one in (own_sgd(0.1, momentum=0.9), keras.optimizers.SGD(0.1), keras.optimizers.Adam()):
        assert fused_optimizer(one) is one
    own_schedule = keras.optimizers.SGD(Schedule(), momentum=0.9)
    assert float(fused_optimizer(own_schedule).learning_rate) == pytest.approx(0.1)


def cross_entropy(model, images, labels):
    probabilities = np.asarray(model(scale(images), training=False))
    return -np.log(probabilities[np.arange(len(labels)), labels]).mean()


def test_history_and_stages_are_those_of_the_network_that_learns_from_the_training_images_alone(capsys, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "pyimagesearch.data.batches.Batches", lambda *given, **more: asked.append(Batches(*given, **more)) or asked[-1]
    )
    recipe = small("fast", epochs=4, batch_size=16, learning_rate=0.05, bfloat16=False)
    images, held_out = data(320), data(50, 1)
    stages = Stages(lambda model: (int(model.optimizer.iterations), model.get_weights()[0]))
    model, history = train(recipe, images, held_out, 10, seed=7, more_callbacks=[stages])
    rates = np.concatenate(history.pop("learning_rates"))
    schedule = learning_rates(recipe, 80)
    np.testing.assert_allclose(rates, [float(schedule(step)) for step in range(80)], rtol=1e-5, atol=1e-8)
    names = "loss", "cross_entropy", "accuracy", "val_loss", "val_cross_entropy", "val_accuracy"
    assert set(history) == {*names, "seconds"}
    assert all(len(values) == 4 and np.isfinite(values).all() for values in history.values())
    assert history["val_accuracy"][-1] > 0.9
    assert cross_entropy(model, *held_out) == pytest.approx(history["val_cross_entropy"][-1], rel=1e-3)
    assert "running" not in capsys.readouterr().out

    assert list(stages.seen) == ["before training", "after one epoch", "at the end"]
    steps, (first, later, last) = zip(*stages.seen.values(), strict=True)
    assert steps == (0, 20, 80)
    whitened = compiled(recipe, build(recipe, 10, 7), images[0], seed=7, steps=80).get_weights()[0]
    np.testing.assert_array_equal(first, whitened)
    assert (first != later).all() and (later != last).any()
    np.testing.assert_array_equal(last, model.get_weights()[0])

    batches, to_validate = asked
    assert batches.recipe.flip and batches.seed == 7 and len(batches.images) == 320
    np.testing.assert_array_equal(to_validate[0][0], scale(held_out[0]))  # not augmented


def test_callbacks_of_keras_work_and_what_they_did_is_recorded(tmp_path, monkeypatch):
    recipe = small("fast", epochs=12, batch_size=32, schedule="constant", bfloat16=False)
    held_out, monitor = data(50, 1), {"monitor": "val_cross_entropy", "min_delta": 10, "patience": 2}
    more = [
        keras.callbacks.EarlyStopping("val_cross_entropy", patience=3, restore_best_weights=True),
        keras.callbacks.ReduceLROnPlateau(**monitor, factor=0.1),
        keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras"),
    ]
    model, history = train(recipe, data(320), held_out, 10, seed=0, more_callbacks=more)
    epochs, best = len(history["loss"]), int(np.argmin(history["val_cross_entropy"]))
    assert best < epochs - 1 < 11
    assert {len(values) for values in history.values()} == {epochs}  # pd.DataFrame(history)
    assert [set(values) for values in history["learning_rates"]][:5] == [{0.2}, {0.2}, {0.2}, {0.02}, {0.02}][:epochs]
    assert cross_entropy(model, *held_out) == pytest.approx(history["val_cross_entropy"][best], rel=1e-3)
    saved = keras.models.load_model(tmp_path / f"{best + 1}.keras")  # of Keras's own layers
    assert cross_entropy(saved, *held_out) == pytest.approx(history["val_cross_entropy"][best], rel=1e-3)
    with pytest.raises(UserError, match="ReduceLROnPlateau sets the learning rate.*recipes.py"):
        train(small("fast"), data(320), held_out, 10, seed=0, more_callbacks=more)
    with pytest.raises(UserError, match="EarlyStopping watches 'val_acc', which is none of accuracy, cross_entropy, "):
        train(recipe, data(320), held_out, 10, seed=0, more_callbacks=[keras.callbacks.EarlyStopping("val_acc")])
    plain = build(recipe, 10, 0)
    monkeypatch.setattr("pyimagesearch.training.train.compiled", lambda *given: plain)
    smooth, other = loss(recipe), keras.losses.CategoricalCrossentropy()
    parts = ("adam", smooth, "another optimizer"), (None, other, "another loss"), (None, smooth, "needs the metrics")
    for chosen, minimized, words in parts:
        plain.compile(chosen or optimizer(recipe, 1), minimized)
        with pytest.raises(UserError, match=words):
            train(recipe, data(320), held_out, 10, seed=0)


def test_whitened_layer_has_uncorrelated_outputs_by_a_seed_and_does_not_magnify_noise():
    images, _ = data(500)
    recipe = dataclasses.replace(RECIPES["fast"], bfloat16=False)  # 16 bits cannot add up so many numbers
    model, other = (compiled(recipe, build(recipe, 10, 0), images, seed, steps=10) for seed in (0, 1))
    outputs = np.asarray(model.layers[1](model.layers[0](scale(images)), training=False)).reshape(-1, 32)
    np.testing.assert_allclose(outputs.mean(axis=0), 0, atol=1e-2)
    np.testing.assert_allclose(outputs.std(axis=0), 1, atol=2e-2)
    np.testing.assert_allclose(np.corrcoef(outputs[:, :9], rowvar=False), np.eye(9), atol=2e-2)
    np.testing.assert_allclose(outputs[:, 9:18], -outputs[:, :9], atol=1e-2)
    assert (model.get_weights()[0][..., 18:] != other.get_weights()[0][..., 18:]).all()

    images = np.full((20, 28, 28, 1), 100, np.uint8)  # patches that hardly vary
    recipe = small("fast", bfloat16=False)
    kernel = compiled(recipe, build(recipe, 10, 0), images, seed=0, steps=10).get_weights()[0]
    assert abs(kernel).max() < 32  # 1 / sqrt(0.001): it does not magnify noise


def test_bfloat16_is_for_the_computing_and_not_for_the_weights_and_a_warning_says_that_one_epoch_is_short(capsys):
    def look(model):
        assert {layer.compute_dtype for layer in model.layers[:-1]} == {"bfloat16"}
        assert model.layers[-1].compute_dtype == "float32"  # probabilities need more than three digits
        assert {weight.dtype for weight in model.weights} == {"float32"}

    recipe, held_out, stages = small("fast", epochs=1, batch_size=16, bfloat16=True), data(40, 1), Stages(look)
    trained, history = train(recipe, data(320), held_out, 10, seed=0, more_callbacks=[stages])
    assert list(stages.seen) == ["before training", "at the end"]
    assert {layer.dtype_policy.name for layer in trained.layers} == {"float32"}
    assert cross_entropy(trained, *held_out) == pytest.approx(history["val_cross_entropy"][0], rel=0.05)
    assert "only 20 steps in all: validation figures may be far too low" in " ".join(capsys.readouterr().out.split())


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX's devices decide")
def test_bfloat16_is_used_where_the_processor_is_fast_at_it(monkeypatch):
    fast = ["GenuineIntel flags : avx512_bf16 amx_bf16", "AuthenticAMD flags : avx512_bf16"]
    slow = ["GenuineIntel flags : avx512_bf16", "AuthenticAMD flags : avx2"]
    for processor in fast + slow:
        monkeypatch.setattr(devices.Path, "read_text", lambda path, text=processor: text)
        assert devices.fast_bfloat16() == (processor in fast), processor


LOGS = {"accuracy": 0.81, "val_accuracy": 0.82, "cross_entropy": 0.5, "val_cross_entropy": 0.4, "loss": 0.9}


def after_each_epoch(history, epochs, checkpoints=None):
    """Return the callback in a training of `epochs` epochs with 10 steps, and the list of what it shows on the bar."""
    shown = []
    callback = AfterEachEpoch(history, checkpoints, lambda *update: shown.append(update))
    callback.set_params({"epochs": epochs, "steps": 10})
    callback.set_model(None)
    callback.on_train_begin()
    return callback, shown


def test_the_line_of_an_epoch_has_its_values_under_their_names(capsys):
    callback, _ = after_each_epoch({"seconds": [200.0, 30.0, 30.0]}, 14)
    callback.on_epoch_begin(3)
    callback.start -= 30
    callback.on_epoch_end(3, LOGS)
    quantities, parts, line = capsys.readouterr().out.splitlines()
    assert line.split() == ["epoch", "4/14", "81.00%", "82.00%", "0.5000", "0.4000", "5", "min"]
    assert quantities.split() == ["accuracy", "cross-entropy"]
    assert parts.split() == ["training", "validation", "training", "validation", "left"]
    for name, value in zip(("training", "validation"), ("81.00%", "82.00%"), strict=True):
        assert parts.index(name) + len(name) == line.index(value) + len(value)
    assert max(map(len, (quantities, parts, line))) <= 60


def test_the_bar_shows_the_accuracy_so_far_and_the_time_left():
    callback, shown = after_each_epoch(history := {}, 3)
    callback.on_epoch_begin(0)
    callback.start -= 1000  # the first batch of all takes long, and says nothing of the others
    callback.on_train_batch_end(0, LOGS)
    callback.second -= 80
    callback.on_train_batch_end(4, LOGS)  # four of ten batches in 80 s, in the first of three epochs
    history["seconds"] = [90.0, 30.0]
    callback.on_epoch_begin(2)
    callback.on_train_batch_end(0, LOGS)
    callback.second -= 10
    callback.on_train_batch_end(1, LOGS)  # the median of two is their mean
    notes = [(5, "accuracy 81.00%, 9 min left", "epoch 1/3"), (2, "accuracy 81.00%, 50 s left", "epoch 3/3")]
    assert shown == notes


def test_a_loss_that_is_not_a_number_is_not_stored():
    saved = []
    callback, _ = after_each_epoch({}, 3, SimpleNamespace(save=lambda _, history: saved.append(history["loss"][-1])))
    callback.on_epoch_begin(0)
    callback.on_epoch_end(0, LOGS)
    with pytest.raises(UserError, match="after epoch 2.*--learning-rate"):
        callback.on_epoch_end(1, LOGS | {"loss": float("nan")})
    assert saved == [0.9]


@pytest.mark.parametrize("presses", [1, 2])
@pytest.mark.parametrize("epochs, words", [(None, ""), (3, "stopped after epoch 3 of 8; to go on, add --resume")])
def test_ctrl_c_waits_for_the_batch_a_second_one_does_not_and_both_say_how_to_go_on(presses, epochs, words):
    before, events = signal.getsignal(signal.SIGINT), []
    checkpoints = SimpleNamespace(epochs=epochs) if epochs else None
    with pytest.raises(KeyboardInterrupt) as stop, stop_between_batches(8, checkpoints) as callback:
        for _ in range(presses):
            signal.raise_signal(signal.SIGINT)
            events.append("the batch goes on")
        callback.on_train_batch_end(0, logs={})
        events.append("the next batch")
    assert signal.getsignal(signal.SIGINT) is before
    assert events == ["the batch goes on"]
    assert str(stop.value).startswith(words) and bool(str(stop.value)) == bool(words)
