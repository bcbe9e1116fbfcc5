"""Figures of the data. Each function takes arrays and returns a matplotlib Figure."""

import numpy as np

from pyimagesearch.evaluation.convolution import EDGES, convolve, example_place, max_pool
from pyimagesearch.figures import style
from pyimagesearch.figures.style import SUMS, Figure, draw_frame, draw_image, draw_table, own_style, short


@own_style
def numbers(image, name, corner=(14, 0), side=7):
    """Draw an image, uint8 (height, width), and beside it a square of it as the numbers that it is.

    name: of its class; corner: row and column of the square's upper left pixel; side: of the square, in pixels.
    """
    top, left = corner
    part = image[top : top + side, left : left + side]
    figure = Figure(4.3, f"What a computer sees of this image ({short(name)}):\nnumbers from 0 (black) to 255 (white)")
    whole, square = figure.subplots(1, 2)
    draw_image(whole, image, "{} x {} pixels".format(*image.shape))
    draw_table(square, part, part, "the blue square, in numbers")
    draw_frame(whole, left, top, side)
    return figure


@own_style
def convolution(image):
    """Draw a convolution and a max pooling of an image, uint8 (28, 28): one place in numbers, and the whole."""
    feature_map = convolve(image, EDGES)
    pooled = max_pool(feature_map)
    row, column = example_place(image, feature_map)
    top, left = row - row % 2, column - column % 2
    pixels = np.pad(image.astype(int), 1)[row : row + 3, column : column + 3]
    products, block = pixels * EDGES, feature_map[top : top + 2, left : left + 2]
    title = "A convolution multiplies, adds and slides; max pooling keeps the largest.\n"
    figure = Figure(5.3, f"{title}Orange: from left to right, dark turns light; purple: light turns dark")
    above, below = figure.subfigures(2, 1, height_ratios=(1, 1.3))
    cells, maps = above.subplots(1, 4), below.subplots(1, 3)
    scale = max(1.0, float(np.abs(feature_map).max()))
    sums = SUMS | {"vmin": -scale, "vmax": scale}
    draw_table(cells[0], pixels, pixels, "9 pixels")
    draw_table(cells[1], EDGES, EDGES, "x 9 weights", **SUMS, vmin=-3, vmax=3)
    draw_table(cells[2], products, products, "= 9 products", **SUMS, vmin=-510, vmax=510)
    draw_table(cells[3], block, block, "2x2 of the sums", **sums)
    cells[2].set_xlabel(f"added: {products.sum()}", weight="bold")
    cells[3].set_xlabel(f"largest: {block.max()}", weight="bold")
    draw_image(maps[0], image, "image, {} x {}".format(*image.shape))
    draw_image(maps[1], feature_map, "the sums, {} x {}".format(*feature_map.shape), **sums)
    drawn = draw_image(maps[2], pooled, "max pooling, {} x {}".format(*pooled.shape), **sums)
    below.colorbar(drawn, ax=maps, shrink=0.8, aspect=25, pad=0.01)
    draw_frame(cells[3], column - left, row - top)
    draw_frame(cells[3], 0, 0, 2, "black")
    draw_frame(maps[0], column - 1, row - 1, 3)
    draw_frame(maps[1], left, top, 2, "black")
    draw_frame(maps[1], column, row)
    draw_frame(maps[2], column // 2, row // 2, 1, "black")
    return figure


@own_style
def augmentation(versions):
    """Draw what augmentation makes of an image. versions: [(caption, uint8 (height, width))]."""
    title = "Augmentation: the pixels change, the label stays.\nCutMix, the last, mixes two images"
    captions, images = zip(*versions, strict=True)
    return style.sheet(title, images, captions, columns=4)


@own_style
def samples(images, labels, class_names, count=10):
    """Draw the first `count` images of each class, a row a class. images: uint8 (N, 28, 28); labels: (N,)."""
    rows = len(class_names)
    mosaic = np.full((rows, 30, count, 30), 255, np.uint8)
    for number in range(rows):
        for column, image in enumerate(images[labels == number][:count]):
            mosaic[number, 1:29, column, 1:29] = image
    figure = Figure(0.4 + 0.57 * rows, f"The first {count} training images of each class", layout="compressed")
    figure.get_layout_engine().set(w_pad=0.1)  # inches; the layout counts the names a little too short
    axes = figure.subplots()
    draw_image(axes, mosaic.reshape(rows * 30, count * 30))
    numbered = [f"{number}  {short(name)}" for number, name in enumerate(class_names)]
    axes.set_yticks(np.arange(rows) * 30 + 15, numbered)
    axes.tick_params(length=0)
    return figure


@own_style
def class_means(means, class_names):
    """Draw the mean image of each class. means: (classes, 28, 28), 0 to 255."""
    title = "The mean image of each class.\nClasses with nearly the same mean image are hard to tell apart"
    return style.sheet(title, means, [short(name, 14) for name in class_names])


@own_style
def suspicious_labels(images, suspects, class_names, other="the class of the neighbors", most=10):
    """Draw images whose label looks wrong: the label above, and below what it might be.

    images: uint8 (N, 28, 28); suspects: label_errors.Suspect each, of which index, label and other are used; other:
    what Suspect.other is.
    """
    names, shown = [short(name, 14) for name in class_names], suspects[:most]
    return style.sheet(
        f"Training images whose label looks wrong.\nAbove, red: the label. Below: {other}",
        [images[suspect.index] for suspect in shown],
        [names[suspect.label] for suspect in shown],
        below=[names[suspect.other] for suspect in shown],
    )
