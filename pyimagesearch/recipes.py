"""The training recipes: every choice that is not the network, as plain values side by side."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """How to train.

    epochs            times that the network sees the training pictures
    batch_size        pictures a step
    schedule          "inverse time": learning_rate / (1 + learning_rate / epochs * step)
                      "one cycle": linear warm-up over the first fifth of the steps, then a cosine down to zero
    learning_rate     where "inverse time" starts; the peak of "one cycle"
    momentum          of stochastic gradient descent; Nesterov's form if `nesterov`
    weight_decay      share of a kernel that a step takes away, times the learning rate (decoupled:
                      Loshchilov and Hutter, arXiv:1711.05101); biases and batch normalization keep theirs. Not scaled
                      up by momentum: PyTorch's 5e-4, which is, means 5e-3 here
    label_smoothing   probability that the target gives away to the other classes (Szegedy et al., arXiv:1512.00567)
    flip              mirror each training picture with probability 1/2
    shift             move each training picture by up to this number of pixels, up or down and left or right
    stretch           scale each training picture's height and width, each by up to this many percent, up or down
    erase             black a rectangle of up to this many pixels a side out in each training picture, anywhere
    cutmix            share of the training pictures in which a rectangle shows another picture of the batch, from
                      nothing to all of it, and the label is mixed in the same proportion (Yun et al.,
                      arXiv:1905.04899); the training's own loss and accuracy count these pictures, and look worse
    filters, dense    the widths of the network's convolutions, block by block, and of its dense layer
    dropout           rates after each block and after the dense layer
    whitening         set the first convolution from the data and leave it so (see whitening.py)
    bfloat16          compute in 16-bit numbers where that is faster; the weights stay float32 (mixed precision:
                      Micikevicius et al., arXiv:1710.03740; with bfloat16 the loss needs no scaling)
    """

    epochs: int
    batch_size: int
    schedule: str
    learning_rate: float
    momentum: float
    nesterov: bool
    weight_decay: float
    label_smoothing: float
    flip: bool
    shift: int
    stretch: int
    erase: int
    cutmix: float
    filters: tuple[int, ...]
    dense: int
    dropout: tuple[float, ...]
    whitening: bool
    bfloat16: bool


RECIPES = {
    # What the well-known tutorials train. Here it validates on held-out training pictures, not on the test set.
    "classic": Recipe(
        epochs=25,
        batch_size=32,
        schedule="inverse time",
        learning_rate=0.01,
        momentum=0.9,
        nesterov=False,
        weight_decay=0.0,
        label_smoothing=0.0,
        flip=False,
        shift=0,
        stretch=0,
        erase=0,
        cutmix=0.0,
        filters=(32, 64),
        dense=512,
        dropout=(0.25, 0.25, 0.5),
        whitening=False,
        bfloat16=False,
    ),
    # The default: the same network in a third of the epochs. Moved and mirrored pictures keep it from learning them by
    # heart, hence no dropout.
    "fast": Recipe(
        epochs=8,
        batch_size=128,
        schedule="one cycle",
        learning_rate=0.1,
        momentum=0.9,
        nesterov=True,
        weight_decay=1e-2,
        label_smoothing=0.1,
        flip=True,
        shift=1,
        stretch=0,
        erase=0,
        cutmix=0.0,
        filters=(32, 64),
        dense=512,
        dropout=(0.0, 0.0, 0.0),
        whitening=True,
        bfloat16=False,
    ),
    # The most accurate that was found for this network: more of the same, for longer. Pictures that are stretched and
    # mixed are never the same twice.
    "best": Recipe(
        epochs=60,
        batch_size=128,
        schedule="one cycle",
        learning_rate=0.1,
        momentum=0.9,
        nesterov=True,
        weight_decay=5e-3,
        label_smoothing=0.1,
        flip=True,
        shift=1,
        stretch=10,
        erase=0,
        cutmix=0.5,
        filters=(32, 64),
        dense=512,
        dropout=(0.0, 0.0, 0.0),
        whitening=True,
        bfloat16=True,
    ),
}
