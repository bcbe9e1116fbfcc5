"""training.py: the recipe is what is trained, and the same seed gives the same weights."""

import dataclasses
import signal

import keras
import numpy as np
import pytest

from conftest import data
from pyimagesearch.data import preparation as preprocessing
from pyimagesearch.data.batches import Batches
from pyimagesearch.errors import UserError
from pyimagesearch.recipes import RECIPES
from pyimagesearch.training.callbacks import StopBetweenBatches, time_left
from pyimagesearch.training.train import learning_rates, new_model, train


def epoch_of(batches):
    return [batches[index] for index in range(len(batches))]


def test_batches_are_full_and_of_different_pictures_in_a_new_order_each_epoch():
    images = np.arange(250, dtype=np.uint8)[:, None, None, None].repeat(28, 1).repeat(28, 2)
    labels = (np.arange(250) % 10).astype(np.uint8)
    batches = Batches(images, labels, 10, 64, seed=1)
    orders = []
    for _ in range(2):
        parts = epoch_of(batches)
        assert [len(x) for x, _ in parts] == [64, 64, 64]
        values = np.concatenate([x[:, 0, 0, 0] for x, _ in parts])
        targets = np.concatenate([y for _, y in parts])
        order = np.rint(values * 255).astype(int)
        assert len(set(order)) == 192  # the 58 left over have their turn another time
        np.testing.assert_array_equal(targets.argmax(axis=1), order % 10)
        assert (targets.sum(axis=1) == 1).all()
        orders.append(order)
        batches.on_epoch_end()
    assert (orders[0] != orders[1]).any()
    assert parts[0][0].dtype == parts[0][1].dtype == np.float32


def test_fewer_pictures_than_a_batch_are_one():
    assert [len(x) for x, _ in epoch_of(Batches(*data(30), 10, 64, seed=1))] == [30]


def test_batches_without_a_seed_are_all_pictures_in_order():
    images, labels = data(100)
    parts = epoch_of(Batches(images, labels, 10, 30))
    np.testing.assert_array_equal(np.concatenate([x for x, _ in parts]), preprocessing.scale(images))
    np.testing.assert_array_equal(np.concatenate([y for _, y in parts]).argmax(axis=1), labels)


def test_batches_repeat_by_seed_and_epoch():
    def second_epoch(seed):
        batches = Batches(*data(100), 10, 32, seed=seed, flip=True)
        batches.on_epoch_end()
        return np.concatenate([x for x, _ in epoch_of(batches)])

    np.testing.assert_array_equal(second_epoch(5), second_epoch(5))
    assert (second_epoch(5) != second_epoch(6)).any()


def test_batches_mirror_half_move_stretch_and_erase_at_random():
    images, labels = data(1000)
    batches = Batches(images, labels, 10, 1000, seed=2, flip=True, shift=1, stretch=10, erase=8)
    number, mirrored, row, column, height, width, *_, top, bottom, left, right = batches.table(0).T
    assert sorted(number) == list(range(1000))
    assert 400 < mirrored.sum() < 600
    assert set(zip(row.tolist(), column.tolist(), strict=True)) == {(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1)}
    assert set(height) == set(width) == set(range(90, 111))
    assert abs(np.corrcoef(height, width)[0, 1]) < 0.1
    for start, end in ((top, bottom), (left, right)):
        assert set(end - start) == set(range(9))
        assert (start.min(), end.max()) == (0, 28)
    made, _ = batches[0]
    picture = images[number[0]]
    picture = picture[:, ::-1] if mirrored[0] else picture
    picture = np.pad(picture, ((9, 9), (9, 9), (0, 0)))  # black around it; row 0 is now at 9
    rows, columns = (
        np.floor((np.arange(28) - 13.5) * 100 / size + 14).astype(int) + moved + 9
        for size, moved in ((height[0], row[0]), (width[0], column[0]))
    )
    picture = picture[rows][:, columns]
    picture[top[0] : bottom[0], left[0] : right[0]] = 0
    np.testing.assert_allclose(made[0] * 255, picture, atol=1e-4)


@pytest.mark.filterwarnings("error")
def test_cutmix_mixes_pictures_and_labels_in_proportion():
    images, labels = data(1000)
    changes = {"seed": 2, "flip": True, "shift": 1, "stretch": 10}
    plain, _ = Batches(images, labels, 10, 1000, **changes)[0]
    batches = Batches(images, labels, 10, 1000, **changes, cutmix=0.5)
    table = batches.table(0)
    number, other = table[:, 0], table[:, 6]
    assert 400 < (other >= 0).sum() < 600
    place = np.empty(1000, int)
    place[number] = np.arange(1000)
    made, targets = batches[0]
    shares = []
    for k, (top, bottom, left, right) in enumerate(table[:, 12:]):
        expected = plain[k].copy()
        expected[top:bottom, left:right] = plain[place[other[k]], top:bottom, left:right]
        np.testing.assert_array_equal(made[k], expected)  # the other picture is changed as in its own place
        shares.append((bottom - top) * (right - left) / 784)
        wanted = np.zeros(10)
        wanted[labels[number[k]]] += 1 - shares[-1]
        wanted[labels[other[k]]] += shares[-1]
        np.testing.assert_allclose(targets[k], wanted, atol=1e-6)
    assert not np.array(shares)[other < 0].any()
    assert np.quantile(np.array(shares)[other >= 0], [0, 0.5, 1]) == pytest.approx([0, 0.3, 1], abs=0.15)


def test_one_cycle_warms_up_and_ends_at_zero():
    schedule = learning_rates(RECIPES["fast"], 100)
    rates = [float(schedule(step)) for step in range(101)]
    assert rates[0] == 0
    assert int(np.argmax(rates)) == 20
    assert max(rates) == pytest.approx(RECIPES["fast"].learning_rate)
    assert rates[100] == pytest.approx(0, abs=1e-9)
    assert (np.diff(rates[20:]) < 0).all()


def test_classic_decays_as_the_tutorial_does():
    recipe = RECIPES["classic"]
    schedule = learning_rates(recipe, 1000)
    for step in (0, 1, 500):
        assert float(schedule(step)) == pytest.approx(0.01 / (1 + 0.01 / 25 * step))


@pytest.mark.parametrize("name", RECIPES)
def test_same_seed_same_weights_bit_for_bit(name):
    recipe = dataclasses.replace(RECIPES[name], epochs=2)

    def weights(seed):
        return train(recipe, data(200), data(20, 1), 10, seed)[0].get_weights()

    first, second, other = weights(7), weights(7), weights(8)
    for one, two in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, two)
    assert (first[0] != other[0]).any()


def test_history_has_a_finite_value_an_epoch():
    recipe = dataclasses.replace(RECIPES["fast"], epochs=3, batch_size=32)
    model, history = train(recipe, data(320), data(40, 1), 10, seed=0)
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy", "seconds"}
    assert all(len(values) == 3 and np.isfinite(values).all() for values in history.values())
    assert history["val_accuracy"][-1] > 0.9


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


def test_weight_decay_spares_biases_and_batch_normalization():
    model = new_model(RECIPES["fast"], data(100)[0], 10, seed=0, steps=10)
    decayed = {
        variable.path.split("/")[-1]
        for variable in model.trainable_variables
        if model.optimizer._use_weight_decay(variable)
    }
    assert decayed == {"kernel"}


def test_whitened_layer_answers_with_uncorrelated_numbers_and_stays_as_it_is():
    images, labels = data(500)
    model = new_model(RECIPES["fast"], images, 10, seed=0, steps=10)
    before = model.get_weights()[:5]
    pixels = preprocessing.scale(images)
    answers = np.asarray(model.layers[1](model.layers[0](pixels), training=False)).reshape(-1, 32)
    np.testing.assert_allclose(answers.mean(axis=0), 0, atol=1e-2)
    np.testing.assert_allclose(answers.std(axis=0), 1, atol=2e-2)
    np.testing.assert_allclose(np.corrcoef(answers[:, :9], rowvar=False), np.eye(9), atol=2e-2)
    np.testing.assert_allclose(answers[:, 9:18], -answers[:, :9], atol=1e-2)

    trained, _ = train(dataclasses.replace(RECIPES["fast"], epochs=1), (images, labels), data(20, 1), 10, seed=0)
    for one, two in zip(before, trained.get_weights()[:5], strict=True):
        np.testing.assert_array_equal(one, two)
    assert all(layer.trainable for layer in trained.layers)  # who fine-tunes the saved network gets a whole one


def test_bfloat16_is_for_the_computing_and_not_for_the_weights():
    recipe = dataclasses.replace(RECIPES["fast"], epochs=5, batch_size=32, bfloat16=True)
    model = new_model(recipe, data(100)[0], 10, seed=0, steps=10)
    assert {layer.compute_dtype for layer in model.layers[:-1]} == {"bfloat16"}
    assert model.layers[-1].compute_dtype == "float32"  # probabilities need more than three digits
    assert {weight.dtype for weight in model.weights} == {"float32"}

    trained, history = train(recipe, data(320), data(40, 1), 10, seed=0)
    assert history["val_accuracy"][-1] > 0.9
    assert {layer.dtype_policy.name for layer in trained.layers} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"


def test_a_loss_that_is_no_number_is_said_in_a_sentence():
    recipe = dataclasses.replace(RECIPES["fast"], epochs=2, learning_rate=1e6, label_smoothing=0.0)
    with pytest.raises(UserError, match="not a number.*--learning-rate"):
        train(recipe, data(1000), data(20), 10, seed=0)
