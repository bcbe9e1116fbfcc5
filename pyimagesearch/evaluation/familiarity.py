"""Which predictions to doubt: those with a low probability, and those of images that look unlike the data."""

import os
from pathlib import Path

import numpy as np

from pyimagesearch.data import download, loading
from pyimagesearch.errors import UserError
from pyimagesearch.evaluation import predict

TRAINING, TEST = 5000, 1000  # images to compare with; more bring little
FRACTION = 0.9  # of the test images look familiar
UNSURE = 0.5  # a highest probability below this is low
ADVICE = (
    "photograph one garment alone, whole, flat, from the front (a shoe from the side, toe to the left), on a plain "
    "background of another color"
)


def comparison(model, data_dir=None, any_data=False):
    """Return a function that says whether images, uint8 (N, 28, 28, 1), all look unlike the data: bool.

    An image looks unlike it if its distance to the nearest of 5,000 training images, in the last hidden layer, is
    greater than that of 90% of 1,000 test images (after Sun et al., "Out-of-Distribution Detection with Deep Nearest
    Neighbors", arXiv:2204.06507). model: one trained here. The arguments for the data are those of loading.load_part.

    Returns None where the data is not on this machine: it is not downloaded for this.
    """
    given = data_dir or os.environ.get("FASHION_MNIST_DIR")
    folders = [Path(given)] if given else [download.keras_cache(), download.PACKAGE_FOLDER]
    try:
        if not any(next(folder.glob("*train*"), None) for folder in folders):
            return None
        training, test = (loading.load_part(part, data_dir, any_data)[0] for part in ("train", "test"))
    except (OSError, UserError):
        return None
    from pyimagesearch.evaluation import neighbors

    hidden = predict.hidden(model)
    search = neighbors.search(predict.outputs(hidden, training[:TRAINING, ..., np.newaxis]), 1)

    def distances(images):
        return search.kneighbors(predict.outputs(hidden, images))[0][:, 0]

    limit = np.quantile(distances(test[:TEST, ..., np.newaxis]), FRACTION)
    return lambda images: bool(distances(images).min() > limit)


def doubts(probabilities, unlike):
    """Return the reasons, a list of str, to doubt a prediction, (classes,). unlike: as comparison() found."""
    reasons = []
    if probabilities.max() < UNSURE:
        reasons.append(f"no class has a probability of {UNSURE:.0%}")
    if unlike:
        reasons.append(
            f"what the network sees is less like the training images than {FRACTION:.0%} of the test images are"
        )
    return reasons
