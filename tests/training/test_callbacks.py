"""callbacks.py: what is printed and kept of an epoch, and a stop that waits for the end of the batch."""

import signal
from types import SimpleNamespace

import pytest

from pyimagesearch.errors import UserError
from pyimagesearch.training.callbacks import AfterEachEpoch, stop_between_batches

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
    callback.start -= 100
    callback.on_train_batch_end(4, LOGS)  # half of the first of three epochs after 100 s
    history["seconds"] = [90.0, 30.0]
    callback.on_epoch_begin(2)
    callback.start -= 10
    callback.on_train_batch_end(0, LOGS)  # the median of two is their mean
    notes = [(5, "accuracy 81.00%, 8 min left", "epoch 1/3"), (1, "accuracy 81.00%, 50 s left", "epoch 3/3")]
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
