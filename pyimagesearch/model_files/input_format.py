"""The input format of a network: what it expects in place of uint8 images, and what its outputs mean.

Networks for Fashion-MNIST differ in the shape of an image (28x28x1, 784, 32x32x3, ...), in the range of the pixels (0
to 1, -1 to 1, ...) and in their outputs (probabilities, logits, ...). A model file names only the shape.
"""

import math
from dataclasses import dataclass, field

SIDE = 28  # pixels
MAX_SIDE = 512  # of the images that a network may expect
LARGE_SIDE = 64  # from here on, predictions take long, and 28x28 pixels are enlarged, not padded
OTHER_SIDES = (32, 64, 96, 128, 224)  # tried for a network that takes any size and does not know 28x28

# Scales of the pixels, name: (zero, unit). The network gets (pixel - zero) / unit, for pixels from 0 to 255.
SCALES = {
    "0..1": (0, 255),
    "0..255": (0, 1),
    "minus1..1": (127.5, 127.5),
    "minus0.5..0.5": (127.5, 255),
    "standardized": (255 * 0.2860, 255 * 0.3530),  # mean and standard deviation of the training pixels
    "divided-twice": (0, 255 * 255),  # 0..1, divided by 255 once more: a notebook cell that ran again
}
SCALES |= {f"{name}-inverted": (255 - zero, -unit) for name, (zero, unit) in SCALES.items()}  # black on white


COLOR_SCALES = {  # of images with three channels: preprocess_input of keras.applications, for ImageNet's colors
    "caffe": ((103.939, 116.779, 123.68), 1),
    "torch": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
}
# Ranges in which the unit is a length as a vector, and its axes: of an image, a row (keras.utils.normalize), a column.
LENGTHS = {"unit-norm": (1, 2), "unit-rows": 2, "unit-columns": 1}
MEASURED = ("mean-image-subtracted", "standardized-per-pixel", "standardized-per-image")
RANGES = (*SCALES, *MEASURED, *LENGTHS, *COLOR_SCALES)


@dataclass(frozen=True)
class InputFormat:
    """What a network expects in place of an image, and what its outputs are. The defaults are this project's.

    shape     of one image, without None: (28, 28, 1), (784,), (1, 28, 28), (32, 32, 3), ...
    range     of the pixels: one of RANGES
    fit       how 28x28 pixels become another size: "padded" (black margins) or "resized" (bilinear)
    outputs   "probabilities"; "logits"; "scores" (each from 0 to 1, but with another sum than 1); or "sigmoid logits"
              (scores that have not been through their sigmoid)
    classes   for each class, the number of the output that belongs to it; () if outputs and classes are the same
    mean, deviation   of each pixel of the training images, float32 (height, width); only for ranges that need them
    """

    shape: tuple = (SIDE, SIDE, 1)
    range: str = "0..1"
    fit: str = "unchanged"
    outputs: str = "probabilities"
    classes: tuple = ()
    mean: object = field(default=None, compare=False, repr=False)
    deviation: object = field(default=None, compare=False, repr=False)

    def describe(self, outputs):
        """Return the format in words; outputs: how many the network has."""
        (height, width), channels, _ = layout(self.shape)
        size = f" {self.fit} to {height}x{width}" if self.fit != "unchanged" else ""
        shape = "x".join(map(str, self.shape)) + (" (gray in each color)" if channels == 3 else "")
        kind = self.outputs.replace("sigmoid logits", "sigmoids")
        if self.classes:
            kind += f", numbers {self.classes[0]} to {self.classes[-1]} of 0 to {outputs - 1} for the classes"
        return f"28x28 images{size} as {shape}, pixels {self.range}; output: {kind}"

    def inputs(self, images):
        """Return uint8 images (N, 28, 28, 1) as the float32 array that the network expects, (N, *shape)."""
        (height, width), channels, first = layout(self.shape)
        pixels = _fit(images[..., 0], (height, width), self.fit).astype("float32")
        pixels = self._in_range(pixels[..., None].repeat(channels, axis=-1)).astype("float32")
        return (pixels.transpose(0, 3, 1, 2) if first else pixels).reshape(-1, *self.shape)

    def _in_range(self, pixels):
        """Return pixels, float32 (N, height, width, channels) from 0 to 255, in the network's range."""
        scales = SCALES | COLOR_SCALES
        if self.range in scales:
            zero, unit = scales[self.range]
        elif self.range in LENGTHS:
            zero, unit = 0, ((pixels**2).sum(axis=LENGTHS[self.range], keepdims=True) ** 0.5).clip(1e-6)
        elif self.range == "standardized-per-image":
            zero, unit = pixels.mean(axis=(1, 2), keepdims=True), pixels.std(axis=(1, 2), keepdims=True).clip(1e-6)
        else:
            zero = self.mean[..., None]
            unit = 255 if self.range == "mean-image-subtracted" else self.deviation[..., None]
        return (pixels - zero) / unit

    def probabilities(self, outputs):
        """Return the network's outputs, float32 (N, outputs), as probabilities (N, classes)."""
        from scipy.special import expit, softmax  # late: --help of a script imports this module

        if self.classes:
            outputs = outputs[:, list(self.classes)]
        if self.outputs == "logits":
            return softmax(outputs, axis=1)
        if self.outputs == "sigmoid logits":
            # Where sigmoids are saturated (1.0), their order is that of the logits.
            ranks = outputs.argsort(axis=1).argsort(axis=1)
            outputs = expit(outputs.astype("float64")) * (1 + 1e-6 * ranks)
        elif self.outputs == "probabilities" and not self.classes:
            return outputs
        outputs = outputs + 1e-12  # a row may be nothing but zeros
        return outputs / outputs.sum(axis=1, keepdims=True)


def shapes(shape):
    """Return the shapes of an image, without None, that fit the input shape of a network: the likeliest first.

    shape: that of one image, with None for sizes that are not fixed, such as (None, None, 1). Returns [] if no image
    fits.
    """
    if len(shape) == 3:
        shape = (*shape[:2], shape[2] or 1)
    filled = [tuple(side if size is None else size for size in shape) for side in (SIDE, *OTHER_SIDES)]
    return [sizes for sizes in dict.fromkeys(filled) if layout(sizes)]


def formats(shape, images, ranges):
    """Return the InputFormats for images of this shape, without outputs: each of these ranges that suits it.

    images: training images, uint8 (N, 28, 28, 1), whose pixels are measured.
    """
    size, channels, _ = layout(shape)
    fits = ["padded", "resized"] if min(size) >= SIDE and max(size) <= LARGE_SIDE else ["resized"]
    found = []
    for fit in ["unchanged"] if size == (SIDE, SIDE) else fits:
        pixels = images[:: len(images) // 5000 + 1, ..., 0].astype("float32")
        mean, deviation = _fit(pixels.mean(axis=0)[None], size, fit)[0], _fit(pixels.std(axis=0)[None], size, fit)[0]
        found += [
            InputFormat(shape, name, fit, mean=mean, deviation=deviation + (deviation < 1e-3))
            for name in ranges
            if channels == 3 or name not in COLOR_SCALES
        ]
    return found


def output_kind(outputs):
    """Return what a network's outputs (N, outputs) are by their values: "probabilities", "logits" or "scores"."""
    if outputs.min() < 0 or outputs.max() > 1 + 1e-3:
        return "logits"
    return "probabilities" if (abs(outputs.sum(axis=1) - 1) < 1e-2).all() else "scores"


def layout(shape):
    """Return ((height, width), channels, whether the channels come first) for the shape of one image, or None."""
    sizes = [size for size in shape if size != 1]
    first = len(sizes) == 3 and sizes[0] == 3
    channels = 3 if len(sizes) == 3 and 3 in (sizes[0], sizes[-1]) else 1
    if channels == 3:
        sizes = sizes[1:] if first else sizes[:-1]
    if len(sizes) == 1:
        sizes = [math.isqrt(sizes[0])] * 2 if math.isqrt(sizes[0]) ** 2 == sizes[0] else []
    if len(sizes) != 2 or not all(4 <= size <= MAX_SIDE for size in sizes):
        return None
    return tuple(sizes), channels, first


def _fit(images, size, fit):
    """Return images (N, 28, 28) as (N, height, width): with black margins, or resized."""
    import numpy as np

    if fit == "unchanged":
        return images
    if fit == "padded":
        return np.pad(images, [(0, 0), *(((one - SIDE) // 2, (one - SIDE + 1) // 2) for one in size)])
    rows, columns = map(_interpolation, size)
    return rows @ images.astype("float32") @ columns.T


def _interpolation(size):
    """Return the matrix, float32 (size, 28), of bilinear interpolation, as TensorFlow and OpenCV resize."""
    import numpy as np

    places = (np.arange(size) + 0.5) * SIDE / size - 0.5
    return np.stack([np.interp(places, np.arange(SIDE), one) for one in np.eye(SIDE)], axis=1).astype("float32")
