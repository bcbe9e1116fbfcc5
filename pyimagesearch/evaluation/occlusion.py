"""Which places of an image a prediction rests on: black out one after the other, and see how the probability falls.

Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", arXiv:1311.2901, section 4. Their patch is
gray; here it is black, which in these images means that nothing is there.
"""

from dataclasses import dataclass

import numpy as np

PATCH = 7  # side of the patch in pixels, odd: a quarter of the image's, about a sleeve or a heel


@dataclass(frozen=True)
class Explanation:
    """A prediction, and which places of the image it rests on."""

    name: str  # of the image
    image: np.ndarray  # uint8 (height, width)
    probabilities: np.ndarray  # (classes,), of this image
    predicted: int  # the number of the class whose probability is followed
    falls: np.ndarray  # float (height, width): by how much it falls, -1 to 1, when a patch around that pixel is black
    truth: int | None = None  # the number of the true class, if it is known

    def describe(self, class_names):
        """Return one line: the prediction, and the place whose loss changes it most."""
        row, column = np.unravel_index(self.falls.argmax(), self.falls.shape)
        label = "" if self.truth is None else f" (label: {class_names[self.truth]})"
        points = f"{100 * self.falls.max():.0f}"
        place = f"{points} percentage points less without the pixels around row {row}, column {column}"
        return (
            f"{self.name}: {class_names[self.predicted]} {self.probabilities[self.predicted]:.0%}{label}; "
            f"{place if points != '0' else 'no place matters alone'}"
        )

    def as_dict(self, class_names):
        """Return all of it but the pixels as a dict that JSON can hold."""
        label = {} if self.truth is None else {"label": class_names[self.truth]}
        return {
            "image": self.name,
            "prediction": class_names[self.predicted],
            **label,
            "probabilities": dict(zip(class_names, self.probabilities.tolist(), strict=True)),
            "occlusion": self.falls.round(4).tolist(),
        }


def explain(predict, name, image, truth=None, predicted=None):
    """Return the Explanation of an image, uint8 (height, width, 1). At its border, the patch is smaller.

    predict      function: uint8 (N, height, width, 1) -> probabilities (N, any number of classes)
    predicted    the number of the class whose probability is followed; None: the most probable
    """
    size, half = image.shape[:2], PATCH // 2
    copies = np.repeat(image[np.newaxis], np.prod(size), axis=0)
    for copy, (row, column) in zip(copies, np.ndindex(size), strict=True):
        copy[max(0, row - half) : row + half + 1, max(0, column - half) : column + half + 1] = 0
    probabilities = predict(image[np.newaxis])[0]
    predicted = int(probabilities.argmax()) if predicted is None else predicted
    falls = probabilities[predicted] - predict(copies)[:, predicted].reshape(size)
    return Explanation(name, image[..., 0], probabilities, predicted, falls, truth)
