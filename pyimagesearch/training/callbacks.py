"""What happens between batches and between epochs: history, checkpoints, progress, an orderly stop."""

import contextlib
import math
import signal
import statistics
import sys
import threading
import time

import keras

from pyimagesearch.errors import STOP_SIGNALS, Terminated, UserError


class AfterEachEpoch(keras.callbacks.Callback):
    """Add the epoch to the history, stop if the loss is not a number, store a checkpoint."""

    def __init__(self, history, checkpoints):
        super().__init__()
        self.history, self.checkpoints = history, checkpoints

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        for name, value in (logs | {"seconds": time.perf_counter() - self.start}).items():
            self.history.setdefault(name, []).append(float(value))
        if not math.isfinite(logs["loss"]):
            raise UserError(
                f"the loss is not a number after epoch {epoch + 1}, so no model was saved; "
                "the learning rate is probably too high: try a smaller --learning-rate"
            )
        if self.checkpoints:
            self.checkpoints.save(self.model, self.history)


def progress_bar():
    """Return Keras's `verbose`: a progress bar on a terminal (1), none in a log file, where it would be long (0)."""
    return 1 if sys.stdout.isatty() else 0


class Progress(keras.callbacks.Callback):
    """Print one line after each epoch or, where Keras's progress bar does, the time left before each epoch."""

    def __init__(self, history):
        super().__init__()
        self.history = history

    def on_epoch_begin(self, epoch, logs=None):
        if progress_bar() and self.history:
            print(time_left(self.history["seconds"], self.params["epochs"]))

    def on_epoch_end(self, epoch, logs=None):
        if progress_bar():
            return
        done, epochs = epoch + 1, self.params["epochs"]
        print(
            f"epoch {done}/{epochs}: "
            f"training cross-entropy {logs['cross_entropy']:.4f}, accuracy {logs['accuracy']:.2%}; "
            f"validation cross-entropy {logs['val_cross_entropy']:.4f}, accuracy {logs['val_accuracy']:.2%}"
            + ("" if done == epochs else f"; {time_left(self.history['seconds'], epochs)}")
        )


def time_left(seconds, epochs):
    """Return the time that the rest of `epochs` will take, after epochs that took `seconds` (a list), as text."""
    # The median of the last three: the first epoch takes longer, and the machine may have been busy for a while.
    left = statistics.median(seconds[-3:]) * (epochs - len(seconds))
    return f"about {left / 60:.0f} min left" if left > 90 else f"about {left:.0f} s left"


@contextlib.contextmanager
def stop_between_batches(checkpoints=None):
    """Yield a callback that lets Ctrl-C and STOP_SIGNALS wait for the end of the batch; a second one does not wait.

    (JAX loses an exception that a signal handler raises deep inside of it, and the training would go on.) The exception
    that then ends the training says how to resume it, if there is a checkpoint.
    """
    stop = StopBetweenBatches()
    try:
        with stop.listening():
            yield stop
    except (KeyboardInterrupt, Terminated) as stopped:
        epoch = checkpoints.finished() if checkpoints else 0
        if not epoch:
            raise
        epochs = stop.params["epochs"]
        stopped.args = (f"stopped after epoch {epoch} of {epochs}; to go on, add --resume to the same command",)
        raise


class StopBetweenBatches(keras.callbacks.Callback):
    """See stop_between_batches."""

    def __init__(self):
        super().__init__()
        self.handlers, self.waiting = {}, None

    @contextlib.contextmanager
    def listening(self):
        """Catch the signals within this block."""
        if threading.current_thread() is threading.main_thread():  # no other thread may set handlers
            for number in (signal.SIGINT, *STOP_SIGNALS):
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
