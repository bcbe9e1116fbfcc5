"""Figures of the network itself: its layers, its filters, its feature maps. Arrays in, a matplotlib Figure out."""

import numpy as np
from matplotlib.patches import Rectangle

from pyimagesearch.figures import style
from pyimagesearch.figures.style import BLUE, GRAY, SUMS, WIDTH, Figure, draw_image, own_style, short

MIDDLE, LEFT = 1.1, 0.5  # of the boxes, in inches: their middle, and where the lines past them go
NAMES, SHAPES, COUNTS = 1.75, 4.95, WIDTH - 0.12  # in inches, from the left: what is written beside the boxes


@own_style
def diagram(rows):
    """Draw a network from top to bottom: a box for each shape that the image takes, and lines where it goes.

    rows: (layer, output shape, parameters, inputs) for the input and each layer, as of layers.layer_table: strings such
    as "Conv2D 3x3, 32 filters" and "28 x 28 x 32", an int, and the places in `rows` of what the layer gets. A box is as
    high as the shape, and the longer the deeper. A layer that keeps the shape of the one before it and is neither
    convolutional nor dense stands below that one, unless other layers get the same.
    """
    inputs = [place for *_, places in rows for place in places]
    groups, group_of = [], {}  # [layers, shape, parameters, the groups that it gets]; row: its group
    for row, (layer, shape, parameters, places) in enumerate(rows):
        (before, *others), kinds = places or [None], ("Conv", "Dense", "Pooling")
        layer = layer if not others else "+" if layer == "Add" else f"{layer} of {len(places)}"
        joins = before is not None and not others and inputs.count(before) == 1 and shape == rows[before][1]
        if joins and not any(kind in layer for kind in kinds):
            group_of[row] = group_of[before]
            groups[group_of[row]][0].append(layer)
            groups[group_of[row]][2] += parameters
        else:
            group_of[row] = len(groups)
            groups.append([[layer], shape, parameters, [group_of[place] for place in places]])
    sizes = [_size(shape) for _, shape, *_ in groups]
    largest_side, largest_depth = max(side for side, _ in sizes) or 1, max(depth for _, depth in sizes)
    heights = [0.1 + 0.34 * side / largest_side for side, _ in sizes]
    tops = np.cumsum([1.0] + [height + 0.32 for height in heights])
    total, (largest, _, most, _) = sum(group[2] for group in groups), max(groups, key=lambda group: group[2])

    notes = "blue: has parameters; higher: larger maps; wider: more maps or numbers"
    if any("BatchNormalization" in names for names, *_ in groups):
        notes += "\nparameters include the averages of BatchNormalization, which are not trained"
    figure = Figure(tops[-1] + 0.8, layout=None)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(tops[-1] + 0.8, 0))  # in inches from the upper left corner
    axes.set_axis_off()
    finding = f"{most / max(total, 1):.0%} of the {total:,} parameters are in {short(largest[0], 30)}"
    axes.text(WIDTH / 2, 0.3, finding, ha="center", va="center")
    for x, text, align in ((NAMES, "layers", "left"), (SHAPES, "output", "left"), (COUNTS, "parameters", "right")):
        axes.text(x, 0.7, text, ha=align, va="center", weight="bold")
    for number, ((names, shape, parameters, sources), (_, depth)) in enumerate(zip(groups, sizes, strict=True)):
        top, height = tops[number], heights[number]
        # Lengths grow with a power of the depth: in proportion, 1 next to 512 would not be seen.
        length = max(0.06, (depth / largest_depth) ** 0.4)
        color = "#BBDDF2" if parameters else "#E0E0E0"
        axes.add_patch(Rectangle((MIDDLE - length / 2, top), length, height, facecolor=color, edgecolor="#404040"))
        for source in sources:
            begin, end = (MIDDLE, tops[source] + heights[source]), (MIDDLE, top)
            if source < number - 1:  # past the boxes between; lines from different boxes lie side by side
                x, y = LEFT - 0.12 * (source % 4), tops[source] + 0.7 * heights[source]
                begin, end = (x, top + 0.3 * height), (MIDDLE - length / 2, top + 0.3 * height)
                axes.plot([MIDDLE, x, x], [y, y, begin[1]], color=GRAY, linewidth=1, zorder=0)
            line = {"arrowstyle": "->", "color": GRAY, "shrinkA": 0, "shrinkB": 0}
            axes.annotate("", end, begin, arrowprops=line)
        middle, count = top + height / 2, f"{parameters:,}" if parameters else "-"
        upper = middle - 0.12 if names[1:] else middle
        for x, text, align in ((NAMES, short(names[0], 28), "left"), (SHAPES, shape, "left"), (COUNTS, count, "right")):
            axes.text(x, upper, text, ha=align, va="center")
        axes.text(NAMES, middle + 0.12, short(", ".join(names[1:]), 33), va="center", fontsize=12.5, color=GRAY)
    axes.text(0.15, tops[-1] + 0.05, notes, color=GRAY, va="top")
    return figure


def _size(shape):
    """Return (side, depth) of a shape such as "28 x 28 x 32" or "512"; a size that is not fixed counts as 28."""
    numbers = [int(number) if number.isdigit() else 28 for number in shape.split(" x ")]
    return (max(numbers[:-1]) if numbers[1:] else 0), numbers[-1]


@own_style
def filters(stages, shown=4):
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
    size = f"{height}x{width}" + (f", the first of {channels} channels" if channels > 1 else "")
    title = f"{len(chosen)} of {count} filters of the first convolution ({size})"
    title += ", those whose pattern changed most" if len(stages) > 1 else ""
    title += ".\nOrange adds a pixel, purple subtracts it. Each square has its own scale"
    figure = Figure(0.8 + 1.7 * len(stages), title)
    grid = figure.subplots(len(stages), max(len(chosen), 4), squeeze=False)
    for axes in grid[:, len(chosen) :].flat:
        axes.set_axis_off()
    for row, (stage, kernels) in zip(grid, stages.items(), strict=True):
        for axes, number in zip(row, chosen, strict=False):
            kernel = kernels[:, :, 0, number]
            scale, texts = np.abs(kernel).max() or 1.0, np.empty((0, 0))
            if max(height, width) <= 3:
                rounded = np.round(kernel.astype(float), 2) + 0.0  # no "-0"
                texts = [[f"{weight:.2g}".replace("0.", ".") for weight in line] for line in rounded]
            title = f"filter {number + 1}" if axes.get_subplotspec().is_first_row() else ""
            style.draw_table(axes, kernel, texts, title, **SUMS, vmin=-scale, vmax=scale)
        row[0].set_ylabel(stage.replace(" ", "\n", 1))
    return figure


@own_style
def feature_maps(image, label, activations, kernels, probabilities, class_names, shown=4):
    """Draw the way of an image through a network: filters, feature maps of each convolution, and the prediction.

    image          (28, 28) or (28, 28, 1), 0 to 255
    label          what it shows
    activations    [(name, float (height, width, filters))] of each convolution in their order, as of layers.activations
    kernels        float (rows, columns, channels, filters) of the first convolution, drawn above its feature maps; None
                   if its filters do not belong to one feature map each
    probabilities  float (classes,), the prediction; the three largest are drawn as bars

    Of each convolution, the `shown` feature maps are drawn that vary most within the image, in the order of their
    filters; each row has one scale of colors. A filter has a scale of its own: how large its weights are matters little
    before a batch normalization.
    """
    rows = 2 + len(activations)
    title = f"Up to {shown} feature maps of each convolution, those that vary most,\n"
    title += "after normalization and activation (if any), and the prediction"
    figure = Figure(0.6 + 1.4 * rows, title)
    ratios = {"width_ratios": [1.3] + [1] * shown + [0.1], "height_ratios": [1.3] + [1] * (rows - 2) + [0.7]}
    grid = figure.subplots(rows, shown + 2, gridspec_kw=ratios)
    for axes in grid.flat:
        axes.set_axis_off()
    draw_image(grid[0, 0], np.squeeze(image), short(label, 14))
    for row, (name, maps) in enumerate(activations, start=1):
        chosen = np.sort(np.argsort(-maps.std(axis=(0, 1)), kind="stable")[:shown])
        grid[row, 0].text(0, 0.5, name.replace(": ", "\n"), va="center", transform=grid[row, 0].transAxes)
        scale = float(np.abs(maps[..., chosen]).max()) or 1.0
        for column, number in enumerate(chosen, start=1):
            title = f"map {number + 1}"
            drawn = draw_image(grid[row, column], maps[..., number], title, **SUMS, vmin=-scale, vmax=scale)
            if row == 1 and kernels is not None:
                kernel = kernels[:, :, 0, number]
                size, title = float(np.abs(kernel).max()) or 1.0, f"filter {number + 1}"
                draw_image(grid[0, column], kernel, title, **SUMS, vmin=-size, vmax=size)
        grid[row, -1].set_axis_on()
        figure.colorbar(drawn, cax=grid[row, -1], ticks=[0, scale], format="{x:.2g}")
        grid[row, -1].set_ylim(min(0.0, float(maps[..., chosen].min())), scale)
    grid[-1, 0].text(0, 0.5, "prediction", va="center", transform=grid[-1, 0].transAxes)
    bars = figure.add_subplot(grid[-1, 1].get_gridspec()[-1, 1:4])
    style.draw_bars(bars, np.asarray(probabilities), class_names, BLUE)
    return figure
