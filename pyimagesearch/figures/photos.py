"""The figure of the user's own photos: each on its way to the network. Arrays in, a matplotlib Figure out."""

import numpy as np
from matplotlib.ticker import PercentFormatter

from pyimagesearch.figures.style import BLUE, ORANGE, WIDTH, Figure, own_style, short

TITLES = "the photo", "background removed", "gray, negated", "what the network sees", "probability"


@own_style
def photos(rows, class_names):
    """Draw a row for each photo: the photo, the garment, its grays, the 28 x 28 image, the probabilities as bars.

    rows: (path, prediction.Prediction), at least one.
    """
    figure = Figure(figsize=(WIDTH, 0.8 + 1.75 * len(rows)), layout="constrained")
    panels = figure.subplots(len(rows), 5, squeeze=False, width_ratios=(1, 1, 1, 1, 1.15))
    for axes, title in zip(panels[0], TITLES, strict=True):
        axes.set_title(title, fontsize=10)
    for (*axes, bars), (path, one) in zip(panels, rows, strict=True):
        photo, probabilities = one.photo, one.probabilities
        cut_out = np.where(photo.mask[..., None], photo.pixels, 255)
        for panel, image in zip(axes, (photo.pixels, cut_out, photo.gray, photo.images[0, ..., 0]), strict=True):
            panel.imshow(image, cmap="gray", vmin=0, vmax=255)
            panel.set(xticks=[], yticks=[])
            panel.spines[:].set_color("#C0C0C0")
        axes[0].set_xlabel(short(path.name), fontsize=9.5)
        best = np.argsort(probabilities)[-5:]
        bars.barh(range(len(best)), probabilities[best], color=[*[BLUE] * (len(best) - 1), ORANGE])
        bars.set_yticks(range(len(best)), [short(class_names[k], 14) for k in best], fontsize=10)
        bars.set(xlim=(0, 1), xticks=[0, 0.5, 1])
        bars.xaxis.set_major_formatter(PercentFormatter(1.0))
        bars.tick_params(axis="x", labelsize=9.5)
        bars.spines[["top", "right"]].set_visible(False)
    figure.suptitle("From a photo to the image that the network sees, and its five largest probabilities", fontsize=12)
    return figure
