"""What happens between the batches and the epochs of a training: checkpoints, progress, an orderly stop."""

import contextlib
import math
import signal
import statistics
import threading
import time

import keras

from pyimagesearch.errors import UserError
from pyimagesearch.training import checkpoints


class AfterEachEpoch(keras.callbacks.Callback):
    """Add the epoch to the history, stop if the loss is not a number, keep a checkpoint."""

    def __init__(self, history, folder, facts):
        super().__init__()
        self.history, self.folder, self.facts = history, folder, facts

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        for name, value in (logs | {"seconds": time.perf_counter() - self.start}).items():
            self.history.setdefault(name, []).append(float(value))
        if not math.isfinite(logs["loss"]):
            raise UserError(
                f"the loss is not a number after epoch {epoch + 1}, and no model was saved; "
                "try again with a smaller --learning-rate"
            )
        if self.folder:
            checkpoints.save(self.folder, self.model, self.facts, self.history)


def time_left(seconds, epochs):
    """Return how long the rest of `epochs` will take, in words, after epochs that took `seconds` (a list) each."""
    # The median of the latest: the first takes longer, and the machine may have been busy for a while.
    left = statistics.median(seconds[-3:]) * (epochs - len(seconds))
    return f"about {left / 60:.0f} min left" if left > 90 else f"about {left:.0f} s left"


class TimeLeft(keras.callbacks.Callback):
    """Say how long the training will still take, above the progress bar of each epoch but the first."""

    def __init__(self, history):
        super().__init__()
        self.history = history

    def on_epoch_begin(self, epoch, logs=None):
        if self.history:
            print(time_left(self.history["seconds"], self.params["epochs"]))


class OneLineAnEpoch(keras.callbacks.Callback):
    """Progress for a log file, where a progress bar would leave thousands of lines; the time left is in the line."""

    def __init__(self, history):
        super().__init__()
        self.history = history

    def on_epoch_end(self, epoch, logs=None):
        done, epochs = epoch + 1, self.params["epochs"]
        print(
            f"epoch {done}/{epochs}: "
            f"training loss {logs['loss']:.4f}, accuracy {logs['accuracy']:.2%}; "
            f"validation loss {logs['val_loss']:.4f}, accuracy {logs['val_accuracy']:.2%}"
            + ("" if done == epochs else f"; {time_left(self.history['seconds'], epochs)}")
        )


class StopBetweenBatches(keras.callbacks.Callback):
    """Let Ctrl-C and SIGTERM wait for the end of the batch at hand; a second one does not wait.

    JAX loses an exception that a signal's handler raises deep inside of it, and the training would go on.
    """

    def __init__(self):
        super().__init__()
        self.handlers, self.waiting = {}, None

    @contextlib.contextmanager
    def listening(self):
        """Catch the signals within this block."""
        if threading.current_thread() is threading.main_thread():  # no other thread may set handlers
            for number in (signal.SIGINT, signal.SIGTERM):
                if callable(handler := signal.getsignal(number)):
                    self.handlers[number] = handler
                    signal.signal(number, self._wait)
        try:
            yield
        finally:
            for number, handler in self.handlers.items():
                signal.signal(number, handler)
        self._stop()

    def _wait(self, number, frame):
        if self.waiting:
            self.handlers[number](number, frame)
        self.waiting = number

    def _stop(self):
        if self.waiting:
            self.handlers[self.waiting](self.waiting, None)

    def on_train_batch_end(self, batch, logs=None):
        self._stop()

    def on_test_batch_end(self, batch, logs=None):
        self._stop()

    def on_epoch_end(self, epoch, logs=None):
        self._stop()
