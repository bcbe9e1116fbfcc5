"""The training recipes, side by side: every choice that is not the network. A recipe names only what differs."""

import dataclasses
import math
from dataclasses import dataclass, field

LEAST_STEPS = 300  # with fewer steps in all, a network has hardly begun to learn


@dataclass(frozen=True)
class Recipe:
    """How to train. The defaults are those of Keras, and of MiniVGGNet.build for the network."""

    epochs: int  # passes over the training images
    batch_size: int = 32  # images per step; a step is one update of the weights
    learning_rate: float = 0.01  # the largest one that the schedule reaches
    # "constant"
    # "inverse time": learning_rate / (1 + decay * step), with decay = learning_rate / epochs
    # "one cycle": a linear warm-up over the first fifth of the steps, then a cosine decay to zero
    schedule: str = "constant"
    momentum: float = 0.0  # of stochastic gradient descent (SGD)
    nesterov: bool = False  # take the gradient where the momentum is about to carry the weights, not where they are
    # Fraction of a kernel that a step takes away, times the learning rate (decoupled: Loshchilov and Hutter,
    # arXiv:1711.05101). Biases and batch normalization keep theirs. PyTorch multiplies it by 1 / (1 - momentum): its
    # 5e-4 with momentum 0.9 is 5e-3 here.
    weight_decay: float = 0.0
    label_smoothing: float = 0.0  # probability that the target spreads over all classes (arXiv:1512.00567, section 7)
    flip: bool = False  # augmentation: mirror half of the training images left to right
    shift: int = 0  # augmentation: move each training image by up to this many pixels
    stretch: int = 0  # augmentation: scale height and width, each by up to this many percent
    cutmix: float = 0.0  # augmentation: fraction of the images that get a patch of another one (arXiv:1905.04899)
    whitening: bool = False  # start the first convolution from the data, not at random; see whitening.py
    bfloat16: bool = False  # compute in 16 bits where that is faster; weights stay float32 (arXiv:1710.03740)
    network: dict = field(default_factory=dict)  # arguments of MiniVGGNet.build that differ from its defaults


RECIPES = {
    # What the well-known tutorials train. They validate on the test set; here it is on held-out training images.
    "classic": Recipe(
        epochs=25,
        schedule="inverse time",
        momentum=0.9,
    ),
    # The default: the same network in fewer epochs.
    "fast": Recipe(
        epochs=7,
        batch_size=256,  # keeps two cores busy; 32 gives half as many images per second
        learning_rate=0.2,  # a larger batch has a more certain gradient, and allows longer steps
        schedule="one cycle",  # the high rate in the middle gets far, the low one at the end settles
        momentum=0.9,
        nesterov=True,
        weight_decay=1e-2,
        label_smoothing=0.1,
        flip=True,  # augmentation prevents overfitting, ...
        shift=1,
        whitening=True,
        bfloat16=True,
        network={"dropout": 0, "dense_dropout": 0},  # ... so dropout, which slows learning down, is not needed
    ),
    # The most accurate that was found for this network: stronger augmentation, for longer.
    "best": Recipe(
        epochs=60,
        batch_size=128,
        learning_rate=0.1,
        schedule="one cycle",
        momentum=0.9,
        nesterov=True,
        weight_decay=5e-3,
        label_smoothing=0.1,
        flip=True,
        shift=1,
        stretch=10,
        cutmix=0.5,
        whitening=True,
        bfloat16=True,
        network={"dropout": 0, "dense_dropout": 0},
    ),
}


def for_few_images(recipe, images, given=()):
    """Return the recipe with at least LEAST_STEPS steps for `images` training images.

    The batch size is halved, down to 16, with the learning rate in proportion; then there are more epochs. given: names
    of fields of the recipe that a user has chosen, and that stay.
    """
    size, epochs, rate = recipe.batch_size, recipe.epochs, recipe.learning_rate
    while "batch_size" not in given and size >= 32 and epochs * (images // size) < LEAST_STEPS:
        size //= 2
    if "learning_rate" not in given:
        rate *= size / recipe.batch_size
    if "epochs" not in given:
        epochs = max(epochs, math.ceil(LEAST_STEPS / max(1, images // size)))
    return dataclasses.replace(recipe, batch_size=size, epochs=epochs, learning_rate=rate)
