"""The figure of the user's own photos: each on its way to the network. Arrays in, a matplotlib Figure out."""

import numpy as np
from matplotlib.ticker import PercentFormatter

from pyimagesearch.figures.style import BLUE, ORANGE, WIDTH, Figure, own_style, short

MOST = 12  # photos in a figure


@own_style
def photos(rows, class_names):
    """Draw a row for each photo: the photo, the garment, its grays, the 28 x 28 image, the probabilities as bars.

    rows: (name, conversion.Photo, probabilities of the classes); the first 12 of them are drawn.
    """
    rows = rows[:MOST]
    figure = Figure(figsize=(WIDTH, 0.8 + 1.75 * len(rows)), layout="constrained")
    panels = figure.subplots(len(rows), 5, squeeze=False, width_ratios=(1, 1, 1, 1, 1.15))
    for number, (axes, (name, photo, probabilities)) in enumerate(zip(panels, rows, strict=True)):
        cut_out = np.where(photo.mask[..., None], photo.pixels, 255)
        titles = ("the photo", "background removed", "gray, negated", "what the network sees")
        images = (photo.pixels, cut_out, photo.gray, photo.images[0, ..., 0])
        for panel, title, image in zip(axes, titles, images, strict=False):
            panel.imshow(image, cmap="gray", vmin=0, vmax=255)
            panel.set_xticks([])
            panel.set_yticks([])
            panel.spines[:].set_color("#C0C0C0")
            if number == 0:
                panel.set_title(title, fontsize=10)
        axes[0].set_xlabel(short(name), fontsize=9.5)
        best = np.argsort(probabilities)[-5:]
        bars = range(len(best))
        axes[4].barh(bars, np.asarray(probabilities)[best], color=[*[BLUE] * (len(best) - 1), ORANGE])
        axes[4].set_yticks(bars, [short(class_names[k], 14) for k in best], fontsize=10)
        axes[4].set_xlim(0, 1)
        axes[4].set_xticks([0, 0.5, 1])
        axes[4].xaxis.set_major_formatter(PercentFormatter(1.0))
        axes[4].tick_params(axis="x", labelsize=9.5)
        axes[4].spines[["top", "right"]].set_visible(False)
        if number == 0:
            axes[4].set_title("probability", fontsize=10)
    figure.suptitle("From a photo to the image that the network sees, and its five largest probabilities", fontsize=12)
    return figure
