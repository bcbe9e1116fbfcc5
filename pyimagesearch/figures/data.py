"""Figures of chapter 1, the data. Each function takes arrays and returns a matplotlib Figure."""

import numpy as np
from matplotlib.patches import Rectangle

from pyimagesearch.figures import style
from pyimagesearch.figures.style import BLUE, GRAY, RED, WIDTH, Figure, draw_image, no_ticks, own_style, short


@own_style
def numbers(image, name, corner=(14, 0), side=10):
    """Draw an image, uint8 (height, width), and beside it a square of it as the numbers that it is.

    name: of its class; corner: row and column of the square's upper left pixel; side: of the square, in pixels.
    """
    top, left = corner
    part = image[top : top + side, left : left + side]
    figure = Figure(figsize=(WIDTH, 5), layout="constrained")
    whole, square = figure.subplots(1, 2)
    draw_image(whole, image, "{} x {} pixels".format(*image.shape), fontsize=11)
    draw_image(square, part, "the blue square, in numbers", fontsize=11)
    for axes in (whole, square):
        no_ticks(axes)
    whole.add_patch(Rectangle((left - 0.5, top - 0.5), side, side, fill=False, edgecolor="#56B4E9", linewidth=3))
    for (row, column), value in np.ndenumerate(part):
        color = "black" if value > 127 else "white"
        square.text(column, row, str(value), ha="center", va="center_baseline", color=color, fontsize=10)
    figure.suptitle(
        f"What a computer sees of this image ({short(name)}): numbers from 0 (black) to 255 (white)", fontsize=12
    )
    return figure


@own_style
def convolution(image, kernel, place, feature_map, pooled):
    """Draw a convolution: one place in numbers, the whole feature map, and the pooling.

    image: uint8 (height, width); kernel: whole numbers (3, 3); place: (row, column); feature_map: (height, width) and
    pooled (height / 2, width / 2), as of evaluation.convolution.
    """
    row, column = place
    top, left = row - row % 2, column - column % 2
    pixels = np.pad(image.astype(int), 1)[row : row + 3, column : column + 3]
    products, block = pixels * kernel, feature_map[top : top + 2, left : left + 2]
    figure = Figure(figsize=(WIDTH, 6), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1, 1.6))
    cells = above.subplots(1, 8, width_ratios=(1, 0.15, 1, 0.15, 1, 0.5, 0.67, 0.5))
    maps = below.subplots(1, 3)
    scale = max(1.0, float(np.abs(feature_map).max()))
    grays = {"cmap": "gray", "vmin": 0, "vmax": 255}
    sums = {"cmap": "PuOr_r", "vmin": -scale, "vmax": scale}
    for axes, title, values, colors in (
        (cells[0], "9 pixels", pixels, grays),
        (cells[2], "9 weights: the filter", kernel, sums | {"vmin": -3, "vmax": 3}),
        (cells[4], "9 products", products, sums | {"vmin": -510, "vmax": 510}),
        (cells[6], "2x2 sums", block, sums),
        (maps[0], "image, {} x {}", image, grays),
        (maps[1], "feature map: the sums, {} x {}", feature_map, sums),
        (maps[2], "max pooling, {} x {}", pooled, sums),
    ):
        drawn = axes.imshow(values, **colors)
        axes.set_title(title.format(*values.shape), fontsize=11)
        no_ticks(axes)
        for (i, j), value in np.ndenumerate(values if axes in cells else np.empty((0, 0))):
            dark = value < 128 if colors is grays else abs(value) > 0.7 * colors["vmax"]
            color = "white" if dark else "black"
            axes.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=11, color=color)
    for axes, text in zip(cells[1::2], ("x", "=", "add:", "keep the\nlargest:"), strict=True):
        axes.text(0.5, 0.5, text, ha="center", va="bottom" if ":" in text else "center", transform=axes.transAxes)
        axes.set_axis_off()
    for axes, number in (cells[5], products.sum()), (cells[7], block.max()):
        axes.text(0.5, 0.4, f"{number:.0f}", ha="center", va="center", fontsize=15, color=BLUE, weight="bold")
    for axes, corner, side in (
        (maps[0], (column - 1.5, row - 1.5), 3),
        (maps[1], (left - 0.5, top - 0.5), 2),
        (maps[2], (column // 2 - 0.5, row // 2 - 0.5), 1),
        (cells[6], (column - left - 0.5, row - top - 0.5), 1),
    ):
        axes.add_patch(Rectangle(corner, side, side, fill=False, edgecolor="#56B4E9", linewidth=2.5, zorder=3))
    below.colorbar(drawn, ax=maps, label="sum of the products", shrink=0.8, aspect=25, pad=0.01)
    figure.suptitle(
        "A convolution multiplies, adds and slides. Orange: edges from dark to light; purple: from light to dark.\n"
        "Max pooling keeps the largest of each 2x2 sums. Blue: the 9 pixels, the 2x2 sums, the one that is kept",
        fontsize=11.5,
    )
    return figure


@own_style
def augmentation(versions, cutmix):
    """Draw what augmentation makes of an image, and below how CutMix mixes two images and their labels.

    versions, cutmix: [(caption, uint8 (height, width))], up to five each.
    """
    figure, grid = style.panels(2, 5, 5.4)
    figure.get_layout_engine().set(hspace=0.08)  # so that a caption is seen to belong to the image below it
    for axes, (caption, image) in zip([*grid[0], *grid[1, 1:]], versions + cutmix, strict=False):
        draw_image(axes, image, caption, fontsize=10)
    figure.suptitle(
        "Augmentation: the label stays, the pixels change, so the network rarely sees the same image twice.\n"
        "CutMix (below, only in the recipe best): a patch of another image, and labels mixed by area\n",
        fontsize=12,
    )
    return figure


@own_style
def quiz(images, labels, class_names, note):
    """Draw images without their labels, and the answers below, upside down.

    images: uint8 (N, 28, 28), up to ten; labels: (N,); note: a sentence below the answers.
    """
    names = [short(name, 14) for name in class_names]
    figure, grid = style.panels(2, 5, 5.1)
    for number, (axes, image) in enumerate(zip(grid.flat, images, strict=False), start=1):
        draw_image(axes, image, str(number), fontsize=11)
    answers = [f"{number} {names[label]}" for number, label in enumerate(labels, start=1)]
    text = "\n".join(["  ".join(answers[:5]), "  ".join(answers[5:]), note])
    figure.supxlabel(text, fontsize=9.5, color=GRAY, rotation=180)
    choices = ", ".join(names[number] for number in np.unique(labels))
    question = f"Which is which: {choices}?" if len(choices) < 60 else "Which class is which?"
    figure.suptitle(f"{question} The answers are below, upside down", fontsize=12)
    return figure


@own_style
def samples(images, labels, class_names, count=10):
    """Draw the first `count` images of each class, a row a class. images: uint8 (N, 28, 28); labels: (N,)."""
    rows = len(class_names)
    sheet = np.full((rows * 30, count * 30), 255, np.uint8)
    for number in range(rows):
        for column, image in enumerate(images[labels == number][:count]):
            sheet[number * 30 + 1 : number * 30 + 29, column * 30 + 1 : column * 30 + 29] = image
    figure = Figure(figsize=(WIDTH, WIDTH * 0.8 * rows / count + 0.4), layout="compressed")
    figure.get_layout_engine().set(w_pad=0.1)  # inches; the layout counts the names a little too short
    axes = figure.subplots()
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=255)
    no_ticks(axes)
    numbered = [f"{number}  {short(name)}" for number, name in enumerate(class_names)]
    axes.set_yticks(np.arange(rows) * 30 + 15, numbered, fontsize=12)
    axes.tick_params(length=0)
    figure.suptitle(f"The first {count} training images of each class: gray, light on black, 28x28 pixels", fontsize=13)
    return figure


@own_style
def class_means(means, nearest, deviations, class_names, columns=10):
    """Draw for each class its mean image, the image nearest to it, and how much each pixel varies.

    means, nearest, deviations: (classes, 28, 28) each, 0 to 255. Up to `columns` classes stand side by side.
    """
    blocks = -(-len(class_names) // columns)
    columns = min(columns, len(class_names))
    figure, grid = style.panels(3 * blocks, columns, 0.7 + blocks * min(30 / columns, 5))
    titles = "mean", "nearest\nto the mean", "standard\ndeviation"
    for row, (title, images, white) in enumerate(
        zip(titles, (means, nearest, deviations), (255, 255, 128), strict=True)
    ):
        for number, image in enumerate(images):
            axes = grid[3 * (number // columns) + row, number % columns]
            draw_image(axes, image, "" if row else short(class_names[number], 11), white, fontsize=10)
            axes.set_ylabel("" if number % columns else title, fontsize=11)
    figure.suptitle(
        "Classes with nearly the same mean image are hard to tell apart. Below the mean, the one image that\n"
        "differs least from it, and the standard deviation: bright where the images of the class differ",
        fontsize=12,
    )
    return figure


@own_style
def suspicious_labels(images, suspects, class_names, other="the class of the neighbors", rows=2, columns=5):
    """Draw a contact sheet of images whose label looks wrong: the label above, and below what it might be.

    images: uint8 (N, 28, 28); suspects: label_errors.Suspect each, of which index, label and other are used; other:
    what Suspect.other is.
    """
    figure, grid = style.panels(rows, columns, 2.4 * rows + 0.6)
    for axes, suspect in zip(grid.flat, suspects, strict=False):
        draw_image(axes, images[suspect.index], short(class_names[suspect.label], 12), fontsize=10, pad=3)
        axes.set_xlabel(short(class_names[suspect.other], 12), fontsize=10, color=RED, weight="bold", labelpad=3)
    figure.suptitle(
        f"Training images whose label looks wrong\nAbove: the label. Below, red and bold: {other}", fontsize=12
    )
    return figure
