"""The figure of the user's own photos: each on its way to the network. Arrays in, a matplotlib Figure out."""

import numpy as np

from pyimagesearch.figures.style import BLUE, Figure, draw_bars, draw_image, own_style, short

TITLES = "the photo", "background\nremoved", "gray,\nnegated", "what the\nnetwork sees", "its largest\nprobabilities"


@own_style
def photos(rows, class_names):
    """Draw a row for each photo: the photo, the garment, its grays, the 28 x 28 image, the probabilities as bars.

    rows: (path, photo_prediction.Prediction), at least one.
    """
    figure = Figure(0.9 + 1.5 * len(rows), "From a photo to the image that the network sees")
    panels = figure.subplots(len(rows), 5, squeeze=False, width_ratios=(1, 1, 1, 1, 1.5))
    for (*axes, bars), (path, one) in zip(panels, rows, strict=True):
        photo = one.photo
        cut_out = np.where(photo.mask[..., None], photo.pixels, 255)
        for panel, image in zip(axes, (photo.pixels, cut_out, photo.gray, photo.images[0, ..., 0]), strict=True):
            draw_image(panel, image)
            panel.spines[:].set(visible=True, color="#C0C0C0")
        axes[0].set_xlabel(short(path.name, 14))
        draw_bars(bars, one.probabilities, class_names, BLUE, most=5)
    for axes, title in zip(panels[0], TITLES, strict=True):
        axes.set_title(title)
    return figure
