"""Figures of chapter 1, the data. Each function takes arrays and returns a matplotlib Figure."""

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from pyimagesearch.figures.style import BLUE, RED, WIDTH, Figure, class_colors, no_ticks, own_style, short


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
def class_means(means, typical, deviations, class_names, columns=10):
    """Draw for each class its mean image, its most typical image, and how much each pixel varies.

    means, typical, deviations: (classes, 28, 28) each, 0 to 255. Up to `columns` classes stand side by side.
    """
    blocks = -(-len(class_names) // columns)
    columns = min(columns, len(class_names))
    figure = Figure(figsize=(WIDTH, 0.5 + blocks * min(32 / columns, 5)), layout="constrained")
    panels = figure.subplots(3 * blocks, columns, squeeze=False)
    for axes in panels.flat:
        no_ticks(axes)
    for row, (title, images) in enumerate((("mean", means), ("most typical", typical), ("variation", deviations))):
        for number, image in enumerate(images):
            axes = panels[3 * (number // columns) + row, number % columns]
            axes.imshow(image, cmap="gray", vmin=0, vmax=255 if row < 2 else 128)
            if row == 0:
                axes.set_title(short(class_names[number], 11), fontsize=10)
        for block in range(blocks):
            panels[3 * block + row, 0].set_ylabel(title, fontsize=11)
    figure.suptitle("Each class: its mean, the image nearest to it, where its images differ (bright)", fontsize=13)
    return figure


@own_style
def pixels(images):
    """Draw a histogram of all pixel values. images: uint8 (N, 28, 28)."""
    counts = np.bincount(images.ravel(), minlength=256) / images.size
    figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
    axes = figure.subplots()
    axes.bar(range(1, 256), counts[1:], width=1, color=BLUE)
    axes.set(xlabel="pixel value (1: nearly black, 255: white)", ylabel="fraction of all pixels", xlim=(0, 256))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(f"Pixel values above 0 (the {counts[0]:.0%} that are 0, the black background, are not shown)")
    return figure


@own_style
def map_of_images(places, images, labels, class_names, thumbnails=120):
    """Draw images as dots at `places` (N, 2), colored by class, some of them as the images themselves.

    images: uint8 (N, 28, 28); labels: (N,).
    """
    figure = Figure(figsize=(WIDTH, 8), layout="constrained")
    axes = figure.subplots()
    colors = class_colors(len(class_names))
    for number, name in enumerate(class_names):
        chosen = labels == number
        axes.scatter(*places[chosen].T, s=9, color=colors[number], label=short(name), linewidths=0)
    low, high = places.min(axis=0), places.max(axis=0)
    size = 0.03 * (high - low)
    drawn = np.empty((0, 2))
    for place, image, label in zip(places, images, labels, strict=True):
        if len(drawn) == thumbnails:
            break
        if (np.abs(drawn - place) < 1.25 * size).all(axis=1).any():
            continue  # it would cover another one
        drawn = np.vstack([drawn, place])
        (left, bottom), (right, top) = place - size / 2, place + size / 2
        axes.imshow(image, cmap="gray", extent=(left, right, bottom, top), zorder=3, vmin=0, vmax=255)
        axes.add_patch(Rectangle((left, bottom), *size, fill=False, edgecolor=colors[label], linewidth=2, zorder=4))
    axes.set(xlim=(low[0] - size[0], high[0] + size[0]), ylim=(low[1] - size[1], high[1] + size[1]), aspect="auto")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color("#C0C0C0")
    if len(class_names) <= 20:
        figure.legend(loc="outside lower center", ncols=5, frameon=False, fontsize=11, markerscale=3)
    axes.set_title(f"{len(labels):,} training images: those that look alike lie together (t-SNE)", fontsize=13)
    return figure


@own_style
def suspicious_labels(images, suspects, class_names, rows=5, columns=10):
    """Draw a contact sheet of images whose label looks wrong: the label, and what it might be.

    images: uint8 (N, 28, 28); suspects: label_errors.Suspect each, of which index, label and other are used.
    """
    figure = Figure(figsize=(WIDTH, 1.28 * rows + 0.4), layout="constrained")
    for axes in (panels := figure.subplots(rows, columns, squeeze=False)).flat:
        axes.set_axis_off()
    for axes, suspect in zip(panels.flat, suspects, strict=False):
        axes.imshow(images[suspect.index], cmap="gray", vmin=0, vmax=255)
        label, other = (short(class_names[number], 12) for number in (suspect.label, suspect.other))
        axes.set_title(f"{label}\n{other}?", fontsize=9, color=RED)
    figure.suptitle("Training images whose label looks wrong: the label, and the class of their neighbors", fontsize=12)
    return figure
