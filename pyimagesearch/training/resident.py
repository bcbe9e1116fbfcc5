"""Train on an accelerator with JAX: the pictures stay in its memory, and a whole epoch is one launch.

A GPU is done with a step of this network before Python has made the next batch. So the host makes no batches: it sends
one small table an epoch (which picture, mirrored or not, moved where, ...), and the device does the rest.
"""

import jax
import keras
import numpy as np

from pyimagesearch.data.preparation import sources


class Pictures(keras.layers.Layer):
    """Holds the pictures, uint8 (N, height, width, 1), and makes batches of them by the tables of Batches.

    Input: int32 (batch, 16), see Batches.table. Output: float32 (batch, height, width, 1) from 0.0 to 1.0.
    """

    def __init__(self, images):
        super().__init__()
        self.side = images.shape[1:3]
        self.images = self.add_weight(
            images.shape[:3], lambda shape, dtype: images[..., 0], dtype="uint8", trainable=False
        )

    def call(self, table):
        top, bottom, left, right = (table[:, k, None] for k in range(12, 16))
        rows, columns = np.arange(self.side[0]), np.arange(self.side[1])
        rows, columns = (rows >= top) & (rows < bottom), (columns >= left) & (columns < right)
        pixels = jax.numpy.where(
            rows[:, :, None] & columns[:, None], self._moved(table[:, 6:12]), self._moved(table[:, :6])
        )
        return pixels[..., None].astype("float32") / 255

    def _moved(self, rows):
        number, mirrored, up, left, height, width = (rows[:, k, None] for k in range(6))
        rows, columns = sources(self.side[0], up, height), sources(self.side[1], left, width)
        # Mirrored first, then stretched and moved: column c of the result is column -c of the picture.
        columns = jax.numpy.where(mirrored == 1, self.side[1] - 1 - columns, columns)
        number, rows, columns = number[:, :, None], rows[:, :, None], columns[:, None]
        inside = (number >= 0) & (rows >= 0) & (rows < self.side[0]) & (columns >= 0) & (columns < self.side[1])
        return jax.numpy.where(inside, self.images.value[number, rows, columns], 0)

    def compute_output_spec(self, table):
        return keras.KerasTensor((table.shape[0], *self.side, 1), "float32")


class WholeEpochs(keras.Sequential):
    """Takes a step for each column of a table of tables, int32 (batch, steps, 16): Keras's own step, `steps` times."""

    def train_step(self, state, data):
        kind = jax.tree.structure(state)

        def one(state, batch):
            logs, state = super(WholeEpochs, self).train_step(state, batch)
            return jax.tree.unflatten(kind, jax.tree.leaves(state)), logs

        # The batch comes first, as it is what several devices share; scan() wants the steps first.
        state, logs = jax.lax.scan(one, state, jax.tree.map(lambda array: jax.numpy.moveaxis(array, 1, 0), data))
        return jax.tree.map(lambda values: values[-1], logs), state


class Tables(keras.utils.PyDataset):
    """The tables of a Batches and its labels, one-hot: batch by batch or, for training, an epoch at a time.

    first: where Pictures holds the first picture of this Batches.
    """

    def __init__(self, batches, first, whole_epochs=False):
        super().__init__()
        self.batches, self.first, self.whole_epochs = batches, first, whole_epochs

    def __len__(self):
        return 1 if self.whole_epochs else len(self.batches)

    def __getitem__(self, index):
        if not self.whole_epochs:
            return self._one(index)
        parts = [self._one(step) for step in range(len(self.batches))]
        return tuple(np.stack(arrays, axis=1) for arrays in zip(*parts, strict=True))

    def _one(self, index):
        table = self.batches.table(index)
        targets = self.batches.targets(table)
        table[:, 0] += self.first
        return table, targets

    def on_epoch_end(self):
        self.batches.on_epoch_end()


def on_device(model, training, validation):
    """Return (a model with the layers of `model`, uncompiled; training data; validation data), for Keras's fit().

    training, validation: Batches. What fit() learns is in the layers of `model` too.
    """
    pictures = Pictures(np.concatenate([training.images, validation.images]))
    whole = WholeEpochs([keras.Input((16,), dtype="int32"), pictures, *model.layers])
    return whole, Tables(training, 0, whole_epochs=True), Tables(validation, len(training.images))
