"""The batches of a training: images in a new order each epoch, augmented, scaled to floats when they are needed."""

import multiprocessing

import keras
import numpy as np

from pyimagesearch.data import idx, randomness
from pyimagesearch.errors import UserError, warn


def scale(images):
    """Turn uint8 pixels, 0 to 255, into float32 from 0.0 to 1.0: networks learn best from small numbers."""
    return np.asarray(images, np.float32) / np.float32(255)


def flip(images, rng):
    """Mirror half of the images left to right: a mirrored shirt is a shirt. uint8 (N, height, width, 1); a copy."""
    mirrored = rng.random(len(images)) < 0.5
    return np.where(mirrored[:, None, None, None], images[:, :, ::-1], images)


def shift(images, rng, pixels):
    """Move each image by up to `pixels` rows and columns; black comes in. uint8 (N, height, width, 1); a copy."""
    count, height, width, _ = images.shape
    up, left = rng.integers(-pixels, pixels + 1, (2, count, 1))
    return _resample(images, np.arange(height) + up, np.arange(width) + left)


def stretch(images, rng, percent):
    """Scale height and width about the middle, each by up to `percent`. uint8 (N, height, width, 1); a copy."""
    count, height, width, _ = images.shape
    tall, wide = rng.integers(100 - percent, 100 + percent + 1, (count, 2)).T[..., None]

    def sources(size, percents):  # which row (or column) comes to each place: the nearest one
        middle = (size - 1) / 2
        return np.floor((np.arange(size) - middle) * 100 / percents + middle + 0.5).astype(int)

    return _resample(images, sources(height, tall), sources(width, wide))


def cutmix(images, targets, rng, fraction):
    """Replace a patch in a `fraction` of the images by that of another image, and mix their labels by area.

    images: uint8 (N, height, width, 1); targets: float32 (N, classes), one-hot. Returns copies of both. The patch takes
    from nothing to all of the image, anywhere. (Yun et al., "CutMix", arXiv:1905.04899, section 3; there one patch per
    batch, here one per image.)
    """
    count, size = len(images), np.array(images.shape[1:3])
    mixed, other = rng.random(count) < fraction, rng.permutation(count)
    sides = np.rint(np.sqrt(rng.random((count, 1))) * size).astype(int)
    starts = rng.integers(0, size, (count, 2)) - sides // 2
    (top, left), (bottom, right) = starts.clip(0).T[..., None], np.minimum(starts + sides, size).T[..., None]
    rows, columns = np.arange(size[0]), np.arange(size[1])
    patch = ((rows >= top) & (rows < bottom))[:, :, None] & ((columns >= left) & (columns < right))[:, None, :]
    patch &= mixed[:, None, None]
    area = patch.mean(axis=(1, 2), dtype=np.float32)[:, None]
    return np.where(patch[..., None], images[other], images), targets + area * (targets[other] - targets)


def _resample(images, rows, columns):
    """Put each image together from these rows and columns of it, int (N, height) and (N, width); outside is black."""
    _, height, width, _ = images.shape
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    rows, columns = rows.clip(0, height - 1)[:, :, None], columns.clip(0, width - 1)[:, None, :]
    return np.where(inside[..., None], images[np.arange(len(images))[:, None, None], rows, columns], np.uint8(0))


def _threads_work():
    """Return whether Keras's threads can be used: they need a semaphore, and Linux keeps those in /dev/shm."""
    try:
        multiprocessing.Lock()
    except (ImportError, OSError):
        return False
    return True


class Batches(keras.utils.PyDataset):
    """What Keras asks for batches: (images, targets), float32 (N, 28, 28, 1) and (N, classes).

    images: uint8 (N, 28, 28, 1); labels: (N,), whole numbers.
    With a seed, epoch k always has the same order and augmentation (the recipe's), and the images left over for less
    than a batch wait for another epoch. Without a seed, all images come in order and as they are.

    Keras calls __getitem__ for each batch and on_epoch_end after each epoch. Raises UserError if images are not uint8,
    if images or labels have another shape, if augment() divides pixels, changes shapes, or leaves the range of pixels
    or targets, or if scale() or __getitem__() has another range.
    """

    def __init__(self, images, labels, classes, batch_size, seed=None, recipe=None):
        if images.dtype != np.uint8:
            raise UserError(
                f"pixels are {images.dtype}, and they must be uint8, 0 to 255, until scale() in data/batches.py; scale "
                "them further in minivggnet.py, with layers.Rescaling or layers.Normalization"
            )
        if images.shape[1:] != (*idx.SIZE, 1) or np.shape(labels) != images.shape[:1]:
            raise UserError(
                f"images have the shape {images.shape}, labels {np.shape(labels)}; needed are (N, 28, 28, 1), gray, "
                "and (N,); --data-dir takes a folder of pictures of any size and color for each class"
            )
        # On TensorFlow two threads make the batches: with one, Keras leaves that to tf.data, where an epoch can end
        # with up to 20 seconds of waiting for a timer (seen with 2.21). On JAX one: there Keras looks at the first
        # batch before the training, and with threads what they have made by then would come again in the next epoch.
        super().__init__(workers=2 if keras.backend.backend() == "tensorflow" and _threads_work() else 1)
        self.images, self.labels, self.one_hot = images, labels, np.eye(classes, dtype=np.float32)
        self.batch_size, self.seed, self.recipe = batch_size, seed, recipe
        self.start_epoch(0)
        if recipe:
            (pixels, _), (again, _) = self[0], self[0]  # an edit that is not possible is told before the training
            if (again != pixels).any():
                warn(
                    "augment() in data/batches.py draws numbers that the seed does not decide: draw them from rng alone"
                )
            if not pixels.min() >= 0 or not images.max() / 2550 <= pixels.max() < 1.01:
                raise UserError(
                    f"__getitem__() in data/batches.py turns pixels into {pixels.min():.2g} to {pixels.max():.2g}, and "
                    "the other scripts into 0.0 to 1.0; scale them further in minivggnet.py"
                )

    def _check(self, before, images, targets):
        """Check that an augmented batch is what the network and the other scripts expect."""
        if scale(np.array([0, 255], np.uint8)).tolist() != [0, 1]:
            raise UserError(
                "scale() in data/batches.py does not turn pixels from 0 to 255 into 0.0 to 1.0, as the others do; "
                "scale them further in minivggnet.py, with layers.Rescaling or layers.Normalization"
            )
        shape, most = (len(before), len(self.one_hot)), images.max()
        if images.shape != before.shape or targets.shape != shape:
            raise UserError(
                f"augment() in data/batches.py turns images of the shape {before.shape} into {images.shape}, and "
                f"targets of {shape} into {targets.shape}; they must keep it"
            )
        if most < before.max() / 10:
            raise UserError(
                f"augmentation in data/batches.py turns pixels up to {before.max()} into pixels up to {most:.2g}; do "
                "not divide there, because batches are divided by 255 after it"
            )
        # NaN is in no range; a mix of 255 and 255 may be a little more.
        pixels, labels = images.min() >= 0 and most < 255.01, targets.min() >= 0 and targets.max() < 1.01
        if not pixels or not labels or not np.allclose(targets.sum(axis=1), 1):
            raise UserError(
                "augment() in data/batches.py returns pixels that are not from 0 to 255, or targets that are not "
                "probabilities with the sum 1; clip the pixels, and mix the targets of an image with shares of 1 in all"
            )

    def start_epoch(self, epoch):
        """Put the images in the order of this epoch, counted from 0."""
        self.epoch, self.order = epoch, np.arange(len(self.labels))
        if self.seed is not None:
            randomness.generator(self.seed, "order", epoch).shuffle(self.order)

    def on_epoch_end(self):
        self.start_epoch(self.epoch + 1)

    def __len__(self):
        full, rest = divmod(len(self.order), self.batch_size)
        return full + (rest > 0 and (full == 0 or self.seed is None))

    def __getitem__(self, index):
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        images, targets = self.images[chosen], self.one_hot[self.labels[chosen]]
        if self.recipe:
            rng = randomness.generator(self.seed, "augmentation", self.epoch, index)
            before, (images, targets) = images, map(np.asarray, self.augment(images, targets, rng))
            self._check(before, images, targets)
        return scale(images), targets

    def augment(self, images, targets, rng):
        """Change the images at random as the recipe says, so that the network rarely sees the same image twice.

        images: uint8 (N, height, width, 1), 0 to 255, before scale(); returned are images of that range, and targets.
        uint8 wraps around (250 + 10 is 4), so compute brighter or noisy images in int16, and clip them to 0 and 255.
        Draw random numbers from rng alone, so that the seed decides them.
        """
        if self.recipe.flip:
            images = flip(images, rng)
        if self.recipe.shift:
            images = shift(images, rng, self.recipe.shift)
        if self.recipe.stretch:
            images = stretch(images, rng, self.recipe.stretch)
        if self.recipe.cutmix:
            images, targets = cutmix(images, targets, rng, self.recipe.cutmix)
        return images, targets
