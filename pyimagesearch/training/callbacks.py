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

RATES = 32  # how many learning rates of an epoch are kept, at most, for the figure


def learning_rate(optimizer):
    """Return the learning rate of the optimizer's present step, as a float: 0.3, not 0.30000001 as a float32 gives."""
    return float(f"{float(optimizer.learning_rate):.7g}")


class AfterEachEpoch(keras.callbacks.Callback):
    """Add the epoch to the history, stop if the loss is not a number, store a checkpoint, print the row of a table.

    While an epoch runs, `update`, that of a progress.bar, shows below the table how far it is.
    """

    def __init__(self, history, checkpoints, update, others=()):
        super().__init__()
        self.history, self.checkpoints, self.update, self.others = history, checkpoints, update, others

    def on_train_begin(self, logs=None):
        self.width = len(self._name(self.params["epochs"]))
        print(f"{'':{self.width}} {'accuracy':^19}  {'cross-entropy':^19}".rstrip())
        print(f"{'':{self.width}} training validation  training validation  left")

    def on_epoch_begin(self, epoch, logs=None):
        self.name, self.start, self.rates = self._name(epoch + 1), time.perf_counter(), []

    def note_rate(self, batch, logs=None):
        """Keep the learning rate of a batch that begins; called after other callbacks, which may have set it."""
        steps = self.params["steps"]
        if batch * RATES // steps != (batch - 1) * RATES // steps:  # spread evenly
            if keras.backend.backend() == "jax":  # it updates the optimizer's count of steps when asked to
                self.model.jax_state_sync()
            self.rates.append(learning_rate(self.model.optimizer))

    def on_train_batch_end(self, batch, logs=None):
        if batch == 0:  # compiled first, so it took longer than others will
            self._check({*logs, *(f"val_{name}" for name in logs)})
            self.second = time.perf_counter()
            return
        elapsed = time.perf_counter() - self.second
        left = self._left(elapsed, elapsed * self.params["steps"] / batch)
        self.update(batch + 1, f"accuracy {logs['accuracy']:.2%}, {left} left", self.name)

    def _check(self, names):
        if not {"accuracy", "cross_entropy"} <= names:
            raise UserError(
                "compiled() in train.py needs the metrics accuracy and cross_entropy; add others beside them"
            )
        for callback in self.others:
            if (monitor := getattr(callback, "monitor", None)) and monitor not in names:
                kind = type(callback).__name__
                raise UserError(f"{kind} watches {monitor!r}, which is none of {', '.join(sorted(names))}")

    def on_epoch_end(self, epoch, logs=None):
        values = {name: float(value) for name, value in logs.items()}
        values |= {"seconds": time.perf_counter() - self.start, "learning_rates": self.rates}
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)
        if not math.isfinite(logs["loss"]):
            raise UserError(
                f"the loss is not a number after epoch {epoch + 1}, so no model was saved; "
                "the learning rate is probably too high: try a smaller --learning-rate"
            )
        if self.checkpoints:
            self.checkpoints.save(self.model, self.history)
        row = (
            f"{self.name:{self.width}} {logs['accuracy']:>8.2%} {logs['val_accuracy']:>10.2%}  "
            f"{logs['cross_entropy']:>8.4f} {logs['val_cross_entropy']:>10.4f}  "
        )
        print((row + (self._left() if epoch + 1 < self.params["epochs"] else "")).rstrip())

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

    A training run that is resumed has its end alone.
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
    pending, handlers = [], {}

    def wait(*signal_and_frame):
        if pending:
            handlers[signal_and_frame[0]](*signal_and_frame)
        pending.append(signal_and_frame)

    def check(*arguments, **logs):
        if pending:
            handlers[pending[0][0]](*pending[0])

    if threading.current_thread() is threading.main_thread():  # no other thread may set handlers
        for number in (signal.SIGINT, *STOP_SIGNALS):
            if callable(handler := signal.getsignal(number)):
                handlers[number] = handler
                signal.signal(number, wait)
    try:
        yield keras.callbacks.LambdaCallback(on_train_batch_end=check, on_test_batch_end=check, on_epoch_end=check)
        check()
    except (KeyboardInterrupt, Terminated) as stopped:
        if checkpoints and checkpoints.epochs:
            done = f"stopped after epoch {checkpoints.epochs} of {epochs}"
            stopped.args = (f"{done}; to go on, add --resume to the same command",)
        raise
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
