"""The batches of a training: shuffled and augmented by seed and epoch, the same in one process or several."""

import keras
import numpy as np

from pyimagesearch import devices, preprocessing


class Batches(keras.utils.PyDataset):
    """What Keras asks for batches: (pictures, one-hot labels), float32, made when they are needed.

    images: uint8 (N, 28, 28, 1); labels: (N,). With a seed, the pictures are shuffled anew each epoch and, if so
    told, mirrored, moved and blacked out in part at random (flip, shift and erase as in recipes.py): epoch k of a seed
    is always the same, and what is left over for less than a batch waits for another epoch. Without a seed all
    pictures come, in order and as they are.

    Where several processes train together, each gets its share of the same batches.
    """

    def __init__(self, images, labels, classes, batch_size, seed=None, flip=False, shift=0, erase=0):
        # Two threads, so that Keras makes the batches by itself. With one it leaves that to tf.data, and there an epoch
        # can end with up to 20 seconds of waiting for a timer (seen with TensorFlow 2.21).
        super().__init__(workers=2)
        self.images, self.labels, self.one_hot = images, labels, np.eye(classes, dtype=np.float32)
        self.batch_size, self.seed, self.flip, self.shift, self.erase = batch_size, seed, flip, shift, erase
        self.spread = devices.spread()
        self.start_epoch(0)

    def __len__(self):
        whole, rest = divmod(len(self.order), self.batch_size)
        return whole + (rest > 0 and (whole == 0 or self.seed is None))

    def __getitem__(self, index):
        number, mirrored, row, column, *rectangle = self.table(index).T
        images = self.images[number]
        if self.flip:
            images = preprocessing.flip(images, mirrored == 1)
        if self.shift:
            images = preprocessing.shift(images, row, column, self.shift)
        if self.erase:
            images = preprocessing.erase(images, *rectangle)
        return preprocessing.scale(images), self.one_hot[self.labels[number]]

    def table(self, index):
        """Return what this process's share of the batch is made of: int32 (share, 8), a row for each picture.

        Its number; 1 if it is mirrored; at which row and column, 0 to 2 * shift, it is cut out of a black frame that
        leaves `shift` pixels on each side; top, bottom, left and right of what is blacked out, as preprocessing.erase
        wants them.
        """
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        table = np.zeros((len(chosen), 8), np.int32)
        table[:, 0] = chosen
        chance = np.random.default_rng([self.seed or 0, self.epoch, index])
        if self.flip:
            table[:, 1] = chance.random(len(chosen)) < 0.5
        if self.shift:
            table[:, 2:4] = chance.integers(0, 2 * self.shift + 1, (2, len(chosen))).T
        if self.erase:
            sides = chance.integers(0, self.erase + 1, (len(chosen), 2))
            starts = chance.integers(0, self.images.shape[1:3] - sides + 1)
            table[:, 4::2], table[:, 5::2] = starts, starts + sides
        share = len(chosen) // self.spread.processes
        return table[self.spread.process * share : (self.spread.process + 1) * share]

    def on_epoch_end(self):
        self.start_epoch(self.epoch + 1)

    def start_epoch(self, epoch):
        """Give the pictures the order of this epoch, counted from 0."""
        self.epoch = epoch
        self.order = np.arange(len(self.labels))
        if self.seed is not None:
            np.random.default_rng([self.seed, self.epoch]).shuffle(self.order)
        usable = len(self.order) - len(self.order) % self.spread.devices  # every device gets as many as the others
        self.order = self.order[:usable]
