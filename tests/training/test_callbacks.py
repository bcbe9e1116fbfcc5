"""callbacks.py: the time left, and a stop that waits for the end of the batch."""

import signal

import pytest

from pyimagesearch.training.callbacks import StopBetweenBatches, time_left


def test_the_time_left_is_that_of_the_epochs_to_come():
    assert time_left([90.0, 30.0], 3) == "about 60 s left"  # the median of two is their mean
    assert time_left([200.0, 30.0, 30.0, 30.0], 14) == "about 5 min left"
    assert time_left([9.0], 2) == "about 9 s left"


def test_ctrl_c_waits_for_the_batch_and_a_second_one_does_not():
    before, events = signal.getsignal(signal.SIGINT), []
    stop = StopBetweenBatches()
    with pytest.raises(KeyboardInterrupt), stop.listening():
        signal.raise_signal(signal.SIGINT)
        events.append("the batch goes on")
        signal.raise_signal(signal.SIGINT)
        events.append("not reached")
    assert events == ["the batch goes on"]
    assert signal.getsignal(signal.SIGINT) is before

    stop = StopBetweenBatches()
    with pytest.raises(KeyboardInterrupt), stop.listening():
        signal.raise_signal(signal.SIGINT)
        stop.on_train_batch_end(0)
        events.append("not reached")
    assert events == ["the batch goes on"]
