"""occlusion.py: the map of a network that looks at known places shows these places."""

import numpy as np
import pytest

from pyimagesearch.data.loading import CLASS_NAMES
from pyimagesearch.evaluation import occlusion

WHITE = np.full((28, 28, 1), 255, np.uint8)


def looks_at(row, column):
    """Return a network of two classes that is certain of class 0 if this pixel is white, of class 1 if it is black."""

    def probabilities(images):
        light = images[:, row, column, 0] / 255
        return np.stack([light, 1 - light], axis=1)

    return probabilities


@pytest.mark.parametrize(
    "place, rows, columns",
    [
        ((10, 20), (7, 14), (17, 24)),
        ((0, 27), (0, 4), (24, 28)),  # at the border the patch is smaller
    ],
)
def test_the_map_of_a_network_that_looks_at_one_pixel(place, rows, columns):
    image = WHITE.copy()
    one = occlusion.explain(looks_at(*place), "corner", image)
    expected = np.zeros((28, 28))
    expected[slice(*rows), slice(*columns)] = 1
    np.testing.assert_array_equal(one.falls, expected)
    assert (one.predicted, one.truth, one.probabilities.tolist()) == (0, None, [1, 0])
    assert (image == 255).all()
    # Of the other class, the probability rises.
    np.testing.assert_array_equal(occlusion.explain(looks_at(*place), "", image, predicted=1).falls, -expected)


def test_what_is_printed():
    one = occlusion.explain(looks_at(10, 20), "test image 3", WHITE, truth=1)
    line = "test image 3: T-shirt/top 100% (label: Trouser); 100 percentage points less without the pixels around row 7"
    assert one.describe(CLASS_NAMES).startswith(line)
    dark = occlusion.explain(looks_at(10, 20), "a.png", WHITE * 0)
    assert dark.describe(CLASS_NAMES) == "a.png: Trouser 100%; no place matters alone"
