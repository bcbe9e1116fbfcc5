"""Which places of an image a prediction rests on: black out one after the other, and see how the probability falls.

Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", arXiv:1311.2901, section 4. Their patch is
gray; here it is black, which in these images means that nothing is there.
"""

from dataclasses import dataclass

import numpy as np

PATCH = 7  # side of the patch in pixels, odd: a quarter of the image's, about a sleeve or a heel


@dataclass(frozen=True)
class Explanation:
    """A prediction, and which places of the image it rests on.

    name            of the image
    image           uint8 (height, width)
    probabilities   (classes,), of this image
    predicted       the number of the class whose probability is followed
    falls           float (height, width), see occlusion_maps()
    truth           the number of the true class; None: not known
    """

    name: str
    image: np.ndarray
    probabilities: np.ndarray
    predicted: int
    falls: np.ndarray
    truth: int | None = None

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
            "probabilities": dict(zip(class_names, np.asarray(self.probabilities).tolist(), strict=True)),
            "occlusion": self.falls.round(4).tolist(),
        }


def explain(predict, names, images, truths=None, classes=None):
    """Return an Explanation of each image, uint8 (N, height, width, 1).

    predict, classes    as of occlusion_maps()
    names, truths       (N,): str; the numbers of the true classes or None
    """
    if not len(images):
        return []
    probabilities, falls = occlusion_maps(predict, images, classes)
    classes = probabilities.argmax(axis=1) if classes is None else classes
    truths = [None] * len(images) if truths is None else map(int, truths)
    rows = zip(names, images[..., 0], probabilities, map(int, classes), falls, truths, strict=True)
    return [Explanation(*row) for row in rows]


def occlusion_maps(predict, images, classes=None, patch=PATCH):
    """Return (probabilities, falls) of uint8 images (N, height, width, 1), such as (N, 28, 28, 1).

    predict   a function: uint8 (M, height, width, 1) -> probabilities (M, any number of classes)
    classes   (N,), the class of each image whose probability is followed; None: the predicted one

    probabilities   (N, classes), those of the images as they are
    falls           float (N, height, width): falls[n, row, column] is by how much the probability of the class falls,
                    -1 to 1, when a patch around that pixel is black; negative where it rises. Outside an image there is
                    nothing to black out, so at its border the patch is smaller.

    All images go through `predict` in one call, one copy for each patch that changes a pixel.
    """
    count, height, width = images.shape[:3]
    probabilities = predict(images)
    if classes is None:
        classes = probabilities.argmax(axis=1)
    half = patch // 2
    copies, places = [], []
    for number, row, column in np.ndindex(count, height, width):
        rows = slice(max(0, row - half), row + half + 1)
        columns = slice(max(0, column - half), column + half + 1)
        if images[number, rows, columns].any():
            copies.append(images[number].copy())
            copies[-1][rows, columns] = 0
            places.append((number, row, column))
    falls = np.zeros((count, height, width))
    if places:
        occluded = predict(np.stack(copies))
        numbers, rows, columns = np.array(places).T
        followed = np.asarray(classes)[numbers]
        before, after = probabilities[numbers, followed], occluded[np.arange(len(places)), followed]
        falls[numbers, rows, columns] = before - after
    return probabilities, falls
