"""The input format of a network: what it expects in place of uint8 images, and what its outputs mean.

Networks for Fashion-MNIST differ in the shape of an image (28x28x1, 784, ...), in the range of the pixels (0 to 1, -1
to 1, ...) and in their outputs (probabilities, logits). A model file names only the shape.
"""

from dataclasses import dataclass

# Ranges of the pixels, name: (zero, unit). The network gets (pixel - zero) / unit, for pixels from 0 to 255.
RANGES = {
    "0..1": (0, 255),
    "0..255": (0, 1),
    "minus1..1": (127.5, 127.5),
    "standardized": (255 * 0.2860, 255 * 0.3530),  # mean and standard deviation of the training pixels
}
RANGES |= {f"{name}-inverted": (255 - zero, -unit) for name, (zero, unit) in RANGES.items()}  # black on white

SHAPES = ((28, 28, 1), (28, 28), (1, 28, 28), (784,), (28, 28, 3))


@dataclass(frozen=True)
class InputFormat:
    """The shape and pixel range that a network expects, and the kind of its outputs. The defaults are this project's.

    shape     of one image: one of SHAPES
    range     of the pixels: a key of RANGES
    outputs   "probabilities", "logits", or "scores" (each from 0 to 1, but with another sum than 1)
    """

    shape: tuple = SHAPES[0]
    range: str = "0..1"
    outputs: str = "probabilities"

    def inputs(self, images):
        """Return uint8 images (N, 28, 28, 1) as the float32 array that the network expects."""
        zero, unit = RANGES[self.range]
        scaled = (images.astype("float32") - zero) / unit
        return scaled.repeat(3, axis=-1) if self.shape[-1] == 3 else scaled.reshape(-1, *self.shape)

    def probabilities(self, outputs):
        """Return the network's outputs (N, 10) as probabilities."""
        if self.outputs == "logits":
            from scipy.special import softmax  # late: --help of a script imports this module

            return softmax(outputs, axis=-1)
        if self.outputs == "scores":
            return outputs / outputs.sum(axis=-1, keepdims=True).clip(1e-12)
        return outputs


def output_kind(outputs):
    """Return the kind of a network's outputs (N, 10): "probabilities", "logits" or "scores"."""
    if outputs.min() < 0 or outputs.max() > 1 + 1e-3:
        return "logits"
    return "probabilities" if (abs(outputs.sum(axis=-1) - 1) < 1e-2).all() else "scores"
