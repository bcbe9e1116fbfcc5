"""The batches of a training: shuffled and augmented by seed and epoch, the same in one process or several."""

import keras
import numpy as np

from pyimagesearch.data import preparation as preprocessing
from pyimagesearch.training import devices


class Batches(keras.utils.PyDataset):
    """What Keras asks for batches: (pictures, one-hot labels), float32, made when they are needed.

    images: uint8 (N, 28, 28, 1); labels: (N,). With a seed, the pictures are shuffled anew each epoch and, if so
    told, changed at random (flip, shift, stretch, erase and cutmix as in recipes.py): epoch k of a seed is always the
    same, and what is left over for less than a batch waits for another epoch. Without a seed all pictures come, in
    order and as they are.

    Where several processes train together, each gets its share of the same batches.
    """

    def __init__(
        self, images, labels, classes, batch_size, seed=None, flip=False, shift=0, stretch=0, erase=0, cutmix=0.0
    ):
        # On TensorFlow two threads make the batches: with one, Keras leaves that to tf.data, where an epoch can end
        # with up to 20 seconds of waiting for a timer (seen with 2.21). On JAX one: there Keras looks at the first
        # batch before the training, and with threads what they have made by then would come again in the next epoch.
        super().__init__(workers=2 if keras.backend.backend() == "tensorflow" else 1)
        self.images, self.labels, self.one_hot = images, labels, np.eye(classes, dtype=np.float32)
        self.batch_size, self.seed = batch_size, seed
        self.flip, self.shift, self.stretch, self.erase, self.cutmix = flip, shift, stretch, erase, cutmix
        self.spread = devices.spread()
        self.start_epoch(0)

    def __len__(self):
        whole, rest = divmod(len(self.order), self.batch_size)
        return whole + (rest > 0 and (whole == 0 or self.seed is None))

    def __getitem__(self, index):
        table = self.table(index)
        images = self._moved(table[:, :6])
        if self.erase or self.cutmix:
            fill = self._moved(table[:, 6:12]) if self.cutmix else np.uint8(0)
            images = preprocessing.paste(images, fill, *table[:, 12:].T)
        return preprocessing.scale(images), self.targets(table)

    def _moved(self, rows):
        number, mirrored, up, left, height, width = rows.T
        images = self.images[number]
        images[number < 0] = 0
        if self.flip:
            images = preprocessing.flip(images, mirrored == 1)
        if self.shift or self.stretch:
            rows = preprocessing.sources(images.shape[1], up[:, None], height[:, None])
            columns = preprocessing.sources(images.shape[2], left[:, None], width[:, None])
            images = preprocessing.gather(images, rows, columns)
        return images

    def targets(self, table):
        """Return float32 (share, classes), what the network should answer to the pictures of a table: one-hot labels.

        Where a rectangle shows another picture, its label counts as much as the rectangle has of the picture's area.
        """
        targets = self.one_hot[self.labels[table[:, 0]]]
        if self.cutmix:
            other, (top, bottom, left, right) = table[:, 6], table[:, 12:].T
            share = (other >= 0) * (bottom - top) * (right - left) / np.prod(self.images.shape[1:])
            targets += np.float32(share)[:, None] * (self.one_hot[self.labels[other]] - targets)
        return targets

    def table(self, index):
        """Return what this process's share of the batch is made of: int32 (share, 16), a row for each picture.

        Its number; 1 if it is mirrored; how many pixels it goes up and to the left; to how many percent of its height
        and width it is stretched. The same six of the picture that fills a rectangle in it, number -1 if black does.
        The rectangle: top, bottom, left and right, as preprocessing.paste wants them.
        """
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        table = np.zeros((len(chosen), 16), np.int32)
        table[:, :12] = [0, 0, 0, 0, 100, 100, -1, 0, 0, 0, 100, 100]
        table[:, 0] = chosen
        chance = np.random.default_rng([self.seed or 0, self.epoch, index])
        if self.flip:
            table[:, 1] = chance.random(len(chosen)) < 0.5
        if self.shift:
            table[:, 2:4] = chance.integers(-self.shift, self.shift + 1, (2, len(chosen))).T
        if self.stretch:
            table[:, 4:6] += chance.integers(-self.stretch, self.stretch + 1, (len(chosen), 2))
        if self.erase:
            sides = chance.integers(0, self.erase + 1, (len(chosen), 2))
            starts = chance.integers(0, self.images.shape[1:3] - sides + 1)
            table[:, 12::2], table[:, 13::2] = starts, starts + sides
        if self.cutmix:
            size = np.array(self.images.shape[1:3])
            mixed, other = chance.random(len(chosen)) < self.cutmix, chance.permutation(len(chosen))
            sides = np.rint(np.sqrt(chance.random((len(chosen), 1))) * size).astype(int)
            starts = chance.integers(0, size, (len(chosen), 2)) - sides // 2
            table[mixed, 6:12] = table[other[mixed], :6]
            table[mixed, 12::2] = starts.clip(0)[mixed]
            table[mixed, 13::2] = np.minimum(starts + sides, size)[mixed]
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
