"""What happens between batches and between epochs: history, checkpoints, progress, an orderly stop."""

import contextlib
import math
import signal
import statistics
import threading
import time

import keras

from pyimagesearch.errors import STOP_SIGNALS, Terminated, UserError
from pyimagesearch.progress import duration


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


class Progress(keras.callbacks.Callback):
    """Print a table, a line after each epoch; while an epoch runs, show below it on `update`'s bar how far it is.

    history: what AfterEachEpoch fills, before this callback is called.
    """

    def __init__(self, history, update):
        super().__init__()
        self.history, self.update = history, update

    def on_train_begin(self, logs=None):
        self.width = len(self._name(self.params["epochs"]))
        print(f"{'':{self.width}} {'accuracy':^19}  {'cross-entropy':^19}".rstrip())
        print(f"{'':{self.width}} training validation  training validation  left")

    def on_epoch_begin(self, epoch, logs=None):
        self.name, self.start = self._name(epoch + 1), time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        done, elapsed = batch + 1, time.perf_counter() - self.start
        left = self._left(elapsed, elapsed * self.params["steps"] / done)
        self.update(done, f"accuracy {logs['accuracy']:.2%}, {left} left", self.name)

    def on_epoch_end(self, epoch, logs=None):
        values = (
            f"{logs['accuracy']:>8.2%} {logs['val_accuracy']:>10.2%}  "
            f"{logs['cross_entropy']:>8.4f} {logs['val_cross_entropy']:>10.4f}"
        )
        left = self._left() if epoch + 1 < self.params["epochs"] else ""
        print(f"{self.name:{self.width}} {values}  {left}".rstrip())

    def _name(self, number):
        return f"epoch {number}/{self.params['epochs']}"

    def _left(self, elapsed=0.0, guess=0.0):
        """Return the time left after `elapsed` seconds of an epoch, as text; `guess`: seconds of the first one."""
        # The median of the last three: the first epoch takes longer, and the machine may have been busy for a while.
        seconds = self.history.get("seconds", [])
        each = statistics.median(seconds[-3:]) if seconds else guess
        return duration(max(each * (self.params["epochs"] - len(seconds)) - elapsed, 0))


class Stages(keras.callbacks.Callback):
    """Keep what `look(model)` returns before training, after the first epoch and at the end, in the dict `seen`.

    A training that is resumed has its end alone.
    """

    def __init__(self, look):
        super().__init__()
        self.look, self.seen = look, {}

    def on_train_begin(self, logs=None):
        if int(self.model.optimizer.iterations) == 0:
            self.seen["before training"] = self.look(self.model)

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0 and self.params["epochs"] > 1:
            self.seen["after one epoch"] = self.look(self.model)

    def on_train_end(self, logs=None):
        self.seen["at the end"] = self.look(self.model)


@contextlib.contextmanager
def stop_between_batches(epochs, checkpoints=None):
    """Yield a callback that lets Ctrl-C and STOP_SIGNALS wait for the end of the batch; a second one does not wait.

    (JAX loses an exception that a signal handler raises deep inside of it, and the training would go on.) The exception
    that then ends the training says how to resume it, if there is a checkpoint.
    """
    stop, handlers = StopBetweenBatches(), {}
    if threading.current_thread() is threading.main_thread():  # no other thread may set handlers
        for number in (signal.SIGINT, *STOP_SIGNALS):
            if callable(handler := signal.getsignal(number)):
                handlers[number] = handler
    try:
        for number, handler in handlers.items():
            signal.signal(number, stop.waiting_for(handler))
        yield stop
        stop.check()
    except (KeyboardInterrupt, Terminated) as stopped:
        if checkpoints and (epoch := checkpoints.finished()):
            stopped.args = (f"stopped after epoch {epoch} of {epochs}; to go on, add --resume to the same command",)
        raise
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


class StopBetweenBatches(keras.callbacks.Callback):
    """See stop_between_batches."""

    pending = None

    def waiting_for(self, handler):
        """Return a signal handler that calls this one at the next check, or at once if another signal is pending."""

        def wait(number, frame):
            if self.pending:
                handler(number, frame)
            self.pending = lambda: handler(number, frame)

        return wait

    def check(self, *arguments, **logs):
        """Call the handler of the signal that is pending, if any."""
        if self.pending:
            self.pending()

    on_train_batch_end = on_test_batch_end = on_epoch_end = check
