"""Which images look unlike the data that a network was trained on."""

import numpy as np

from pyimagesearch.data import preparation
from pyimagesearch.errors import UserError
from pyimagesearch.evaluation import predict

TRAINING, TEST = 5000, 1000  # images to compare with; more bring little
FRACTION = 0.9  # of the test images look familiar


def comparison(model, data):
    """Return a function that says whether images, uint8 (N, 28, 28, 1), all look unlike the data: bool.

    An image looks unlike it if its distance to the nearest of 5,000 training images, in the last hidden layer, is
    greater than that of 90% of 1,000 test images (after Sun et al., "Out-of-Distribution Detection with Deep Nearest
    Neighbors", arXiv:2204.06507). model: one trained here. data: loading.Data.

    Returns None where the data is not on this machine: it is not downloaded for this.
    """
    try:
        training, test = (preparation.reshape(data.part(part, fetch=False)[0]) for part in ("train", "test"))
    except UserError:
        return None
    from pyimagesearch.evaluation import neighbors

    hidden = predict.hidden(model)
    search = neighbors.search(predict.outputs(hidden, training[:TRAINING]), 1)

    def distances(images):
        return search.kneighbors(predict.outputs(hidden, images))[0][:, 0]

    limit = np.quantile(distances(test[:TEST]), FRACTION)
    return lambda images: bool(distances(images).min() > limit)
