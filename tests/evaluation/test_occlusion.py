"""occlusion.py: the map of a network that looks at known places shows these places."""

import functools

import numpy as np
import pytest

from pyimagesearch.data.loading import CLASS_NAMES
from pyimagesearch.evaluation import occlusion, predict
from pyimagesearch.model_files.input_format import InputFormat

WHITE = np.full((2, 28, 28, 1), 255, np.uint8)


def looks_at(row, column):
    """Return a network of two classes that is certain of class 0 if this pixel is white, of class 1 if it is black."""

    def probabilities(images):
        light = images[:, row, column, 0] / 255
        return np.stack([light, 1 - light], axis=1)

    return probabilities


@pytest.mark.parametrize(
    "place, patch, rows, columns",
    [
        ((10, 20), 7, (7, 14), (17, 24)),
        ((10, 20), 3, (9, 12), (19, 22)),
        ((0, 27), 7, (0, 4), (24, 28)),  # at the border the patch is smaller
    ],
)
def test_the_map_of_a_network_that_looks_at_one_pixel(place, patch, rows, columns):
    probabilities, falls = occlusion.occlusion_maps(looks_at(*place), WHITE, patch=patch)
    expected = np.zeros((28, 28))
    expected[slice(*rows), slice(*columns)] = 1
    np.testing.assert_array_equal(falls, [expected] * 2)
    np.testing.assert_array_equal(probabilities, [[1, 0]] * 2)
    # Of the other class, the probability rises.
    _, falls = occlusion.occlusion_maps(looks_at(*place), WHITE, classes=[0, 1], patch=patch)
    np.testing.assert_array_equal(falls, [expected, -expected])


def test_the_image_stays_as_it_is_and_black_pixels_cost_nothing():
    images = np.zeros((3, 28, 28, 1), np.uint8)
    images[1, 5, 5] = 200
    before, sizes = images.copy(), []

    def count(copies):
        sizes.append(len(copies))
        return looks_at(5, 5)(copies)

    _, falls = occlusion.occlusion_maps(count, images)
    assert sizes == [3, 49]  # all in one call: 7x7 places at which the patch covers the one pixel
    np.testing.assert_array_equal(images, before)
    assert not falls[[0, 2]].any()


@pytest.mark.parametrize(
    "input_format",
    [
        InputFormat(),
        InputFormat((784,), "0..255-inverted", outputs="logits"),
        InputFormat((3, 28, 28), "minus1..1", outputs="scores"),
    ],
)
def test_any_network_and_any_number_of_classes(input_format):
    """Networks of three classes, class 2 of which is a light lower left corner."""
    import keras

    model = keras.Sequential([keras.Input(input_format.shape), keras.layers.Flatten(), keras.layers.Dense(3)])
    white, black = (input_format.inputs(WHITE[:1] * light).reshape(-1) for light in (1, 0))
    place = input_format.inputs(np.where(np.arange(784) == 27 * 28, 255, 0).astype(np.uint8).reshape(1, 28, 28, 1))
    lit = (place.reshape(-1) != black).astype(np.float32)  # the inputs in which that corner is seen
    kernel = np.zeros((len(lit), 3), np.float32)
    kernel[:, 2] = lit / (lit @ (white - black))
    bias = np.array([0.4, 0, -kernel[:, 2] @ black], np.float32)
    model.layers[-1].set_weights([kernel, bias])
    if input_format.outputs == "probabilities":
        model.add(keras.layers.Softmax())
    probabilities = functools.partial(predict.predict, model, input_format=input_format)
    (one,) = occlusion.explain(probabilities, ["corner"], WHITE[:1], [1])
    assert one.predicted == 2 and one.truth == 1
    changed = np.argwhere(one.falls > 1e-4)
    assert changed.min(axis=0).tolist() == [24, 0] and changed.max(axis=0).tolist() == [27, 3] and len(changed) == 16


def test_the_class_that_is_followed_can_be_given():
    one, other = occlusion.explain(looks_at(10, 20), ["a.png", "b.png"], WHITE, classes=(0, 1))
    np.testing.assert_array_equal(one.falls, -other.falls)
    assert (one.predicted, other.predicted) == (0, 1)
    assert one.falls.max() == one.probabilities[0] == 1


def test_what_is_printed_and_what_json_gets():
    (one,) = occlusion.explain(looks_at(10, 20), ["test image 3"], WHITE[:1], np.array([1]))
    line = (
        "test image 3: T-shirt/top 100% (label: Trouser); 100 percentage points less without the pixels around row 7,"
    )
    assert one.describe(CLASS_NAMES).startswith(line)
    made = one.as_dict(CLASS_NAMES[:2])
    assert (made["prediction"], made["label"]) == ("T-shirt/top", "Trouser")
    assert made["probabilities"] == {"T-shirt/top": 1.0, "Trouser": 0.0}
    assert made["occlusion"][10][20] == 1.0 and made["occlusion"][0][0] == 0.0
    (dark,) = occlusion.explain(looks_at(10, 20), ["a.png"], WHITE[:1] * 0)
    assert dark.describe(CLASS_NAMES) == "a.png: Trouser 100%; no place matters alone"
    assert occlusion.explain(looks_at(10, 20), [], WHITE[:0]) == []
