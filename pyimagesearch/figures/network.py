"""Figures of the network itself: its layers, its filters, its feature maps. Arrays in, a matplotlib Figure out."""

import matplotlib
import numpy as np
from matplotlib.patches import Polygon, Rectangle

from pyimagesearch.figures.style import BLUE, GRAY, ORANGE, WIDTH, Figure, draw_image, own_style, panels, short

COLORS = {"Conv2D": "#BBDDF2", "Dense": "#F6D9A0", "MaxPooling2D": "#BFE3D4", "Input": "#E0E0E0"}


@own_style
def diagram(rows):
    """Draw a network from top to bottom: a box for each shape that the image takes, and the parameters as bars.

    rows: (layer, output shape, parameters) for the input and each layer, as of layers.layer_table: strings such as
    "Conv2D 3x3, 32 filters" and "28 x 28 x 32", and ints. A box is as high as the shape, and the longer the deeper.
    Layers that keep the shape and are neither convolutional nor dense stand below the one before them.
    """
    groups = []  # [layers, shape, parameters]
    for layer, shape, parameters in rows:
        if groups and shape == groups[-1][1] and not any(kind in layer for kind in ("Conv", "Dense", "Pooling")):
            groups[-1][0].append(layer)
            groups[-1][2] += parameters
        else:
            groups.append([[layer], shape, parameters])
    sizes = [_size(shape) for _, shape, _ in groups]
    largest_side, largest_depth = max(side for side, _ in sizes) or 1, max(depth for _, depth in sizes)
    heights = [0.48 + 0.5 * side / largest_side for side, _ in sizes]
    total, most = sum(group[2] for group in groups), max(group[2] for group in groups)

    height = sum(heights) + 1.4
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(height, 0))  # in inches from the upper left corner
    axes.set_axis_off()
    largest = max(groups, key=lambda group: group[2])[0][0]
    finding = f"{most / max(total, 1):.0%} of the parameters are in {short(largest, 30)}"
    depths = [depth for side, depth in sizes if side]  # of the outputs that have a height and a width
    if sizes[0][0] > sizes[-1][0] and depths[0] < depths[-1]:
        finding = f"Height and width shrink, depth grows; {finding}"
    axes.text(WIDTH / 2, 0.3, finding, ha="center", va="center", fontsize=13)
    heads = (1.45, "output", "center"), (3.1, "layers", "left"), (5.75, "output shape", "left")
    for x, text, align in (*heads, (8.85, "parameters", "right")):
        axes.text(x, 0.75, text, ha=align, va="center", fontsize=11, weight="bold")
    y = 0.95
    for (layers, shape, parameters), (side, depth), space in zip(groups, sizes, heights, strict=True):
        middle = y + space / 2
        # Lengths grow with a power of the depth: in proportion, 1 next to 512 would not be seen.
        length = max(0.05, 2.3 * (depth / largest_depth) ** 0.4)
        color = next((color for kind, color in COLORS.items() if kind in layers[0]), "white")
        _cuboid(axes, (1.45, middle), length, 0.08 + 0.5 * side / largest_side, color)
        axes.text(3.1, middle - (0.09 if layers[1:] else 0), short(layers[0], 32), va="center", fontsize=11)
        if layers[1:]:
            axes.text(3.1, middle + 0.11, short(", ".join(layers[1:]), 40), va="center", fontsize=9.5, color=GRAY)
        axes.text(5.75, middle, shape, va="center", fontsize=11)
        if parameters:
            bar = 1.55 * parameters / most
            axes.add_patch(Rectangle((8.85 - bar, middle + 0.06), bar, 0.1, facecolor=BLUE))
        number = f"{parameters:,}" if parameters else "-"
        axes.text(8.85, middle - (0.09 if parameters else 0), number, ha="right", va="center", fontsize=11)
        y += space
    axes.text(8.85, y + 0.2, f"{total:,} in all", ha="right", va="center", fontsize=11, weight="bold")
    note = "boxes: height and width of the output in proportion, depth (left to right) compressed"
    axes.text(0.2, y + 0.2, note, va="center", fontsize=9.5, color=GRAY)
    return figure


def _size(shape):
    """Return (side, depth) of a shape such as "28 x 28 x 32" or "512"; a size that is not fixed counts as 28."""
    numbers = [int(number) if number.isdigit() else 28 for number in shape.split(" x ")]
    return (max(numbers[:-1]) if numbers[1:] else 0), numbers[-1]


def _cuboid(axes, center, length, side, color):
    """Draw a box: `length` from left to right, `side` high and `side` to the back, in inches."""
    back, up = 0.4 * side, 0.3 * side
    left, right = center[0] - (length + back) / 2, center[0] + (length - back) / 2
    bottom, top = center[1] + (side * 0.8 + up) / 2, center[1] - (side * 0.8 - up) / 2
    style = {"edgecolor": "#404040", "linewidth": 0.8, "joinstyle": "round"}
    lid = (left, top), (right, top), (right + back, top - up), (left + back, top - up)
    end = (right, top), (right + back, top - up), (right + back, bottom - up), (right, bottom)
    axes.add_patch(Rectangle((left, top), right - left, bottom - top, facecolor=color, **style))
    axes.add_patch(Polygon(lid, facecolor=color, **style))
    axes.add_patch(Polygon(end, facecolor=[0.85 * part for part in matplotlib.colors.to_rgb(color)], **style))


@own_style
def filters(stages, shown=8):
    """Draw filters of a first convolution with their weights, a row for each stage of the training.

    stages: {"before training": float (rows, columns, channels, filters), ...}. The `shown` filters are drawn that
    changed most from the first stage to the last; of several channels, the first. Each has its own scale of colors: how
    large its weights are matters little before a batch normalization. Weights are written into the cells of filters of
    up to 3x3.
    """
    first, *_, last = [*stages.values()] * 2
    height, width, channels, count = last.shape
    flat = [kernel[:, :, 0].reshape(-1, count) for kernel in (first, last)]
    before, after = (one / np.maximum(np.linalg.norm(one, axis=0), 1e-12) for one in flat)
    chosen = np.argsort(-np.linalg.norm(after - before, axis=0), kind="stable")[:shown]
    figure, grid = panels(len(stages), max(len(chosen), 4), 0.9 + 1.15 * len(stages))
    for axes in grid[:, len(chosen) :].flat:
        axes.set_axis_off()
    for row, (stage, kernels) in enumerate(stages.items()):
        grid[row, 0].set_ylabel(stage.replace(" ", "\n", 1), fontsize=11)
        for axes, number in zip(grid[row], chosen, strict=False):
            kernel = kernels[:, :, 0, number]
            scale = np.abs(kernel).max() or 1.0
            axes.imshow(kernel, cmap="PuOr_r", vmin=-scale, vmax=scale)
            axes.set_title("" if row else f"filter {number + 1}", fontsize=10, pad=3)
            for (i, j), weight in np.ndenumerate(kernel if max(height, width) <= 3 else np.empty((0, 0))):
                color = "white" if abs(weight) > 0.7 * scale else "black"
                axes.text(j, i, _weight(weight), ha="center", va="center", fontsize=9.5, color=color)
    size = f"{height}x{width}" + (f", the first of {channels} channels" if channels > 1 else "")
    what = "the ones that changed most" if len(stages) > 1 else "as they are"
    figure.suptitle(
        f"{len(chosen)} of {count} filters of the first convolution ({size}), {what}, each in its own colors.\n"
        "Orange adds a pixel, purple subtracts it: opposite colors side by side respond to an edge between them",
        fontsize=12,
    )
    return figure


def _weight(weight):
    """Write a weight with two digits, in at most four characters: "-.12", "1.2", "-12"."""
    if abs(weight) >= 0.995:
        return f"{weight:.1f}" if abs(weight) < 9.95 else f"{weight:.0f}"
    text = f"{weight:.2f}"
    return "0" if float(text) == 0 else text.replace("0.", ".")


@own_style
def feature_maps(image, activations, kernels, probabilities, class_names, shown=8):
    """Draw the way of an image through a network: filters, feature maps of each convolution, and the prediction.

    image          (28, 28) or (28, 28, 1), 0 to 255
    activations    [(name, float (height, width, filters))] of each convolution in their order, as of layers.activations
    kernels        float (rows, columns, channels, filters) of the first convolution, drawn above its feature maps; None
                   if its filters do not belong to one feature map each
    probabilities  float (classes,), the prediction, drawn as bars

    Of each convolution, the `shown` feature maps are drawn that vary most within the image, in the order of their
    filters; each row has one scale of colors, from 0 to its largest value. A filter has a scale of its own: how large
    its weights are matters little before a batch normalization.
    """
    chosen = [np.sort(np.argsort(-maps.std(axis=(0, 1)), kind="stable")[:shown]) for _, maps in activations]
    filters = [(number, kernels[:, :, 0, number]) for number in chosen[0]] if kernels is not None else []
    rows = [1.0] * (len(activations) + bool(filters) or 1) + [1.5]
    figure = Figure(figsize=(WIDTH, 0.65 + 1.13 * sum(rows)), layout="constrained")
    grid = figure.add_gridspec(len(rows), shown + 1, height_ratios=rows, width_ratios=[1.45] + [1] * shown)

    def panel(row, column):
        axes = figure.add_subplot(grid[row, column])
        axes.set_axis_off()
        return axes

    first = "" if filters or not activations else f", then\n{activations[0][0].partition(':')[0]}"
    draw_image(panel(0, 0), np.squeeze(image), f"image{first}", fontsize=10, pad=3)
    for column, (number, kernel) in enumerate(filters, start=1):
        axes, scale = panel(0, column), float(np.abs(kernel).max()) or 1.0
        axes.imshow(kernel, cmap="PuOr_r", vmin=-scale, vmax=scale)
        axes.set_title(f"filter {number + 1}", fontsize=9.5, pad=3)
    for row, ((name, maps), numbers) in enumerate(zip(activations, chosen, strict=True), start=bool(filters)):
        if row:
            axes = panel(row, 0)
            axes.text(0, 0.5, name.replace(": ", "\n"), va="center", fontsize=10, transform=axes.transAxes)
        low, high = float(maps[..., numbers].min()), float(maps[..., numbers].max())
        for column, number in enumerate(numbers, start=1):
            axes = panel(row, column)
            axes.imshow(maps[..., number], cmap="viridis", vmin=min(0.0, low), vmax=high or 1.0)
            axes.set_title(f"map {number + 1}", fontsize=9.5, pad=3)
    _bars(figure.add_subplot(grid[-1, :]), np.asarray(probabilities), class_names)
    figure.suptitle(
        "From an image to a prediction: a feature map is bright where its filter fits.\n"
        + ("Filters (each on its own scale): orange is positive, purple negative. " if filters else "")
        + "Deeper maps are coarser",
        fontsize=12,
    )
    return figure


def _bars(axes, probabilities, class_names, most=10):
    """Draw the class probabilities as bars, those of the `most` likeliest classes in the order of the classes."""
    chosen = np.sort(np.argsort(-probabilities, kind="stable")[:most])
    best = int(probabilities.argmax())
    colors = [ORANGE if number == best else BLUE for number in chosen]
    bars = axes.bar(range(len(chosen)), probabilities[chosen], color=colors)
    axes.bar_label(bars, [f"{value:.0%}" for value in probabilities[chosen]], fontsize=10, padding=1)
    axes.set_xticks(range(len(chosen)), [short(class_names[number], 12) for number in chosen], fontsize=9.5)
    axes.set(ylim=(0, 1.2), yticks=[0, 0.5, 1], ylabel="probability")
    axes.set_title(f"prediction: {short(class_names[best])}, confidence {probabilities[best]:.0%}", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
