"""Figures of the network itself: its layers, its filters, its feature maps. Arrays in, a matplotlib Figure out."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from pyimagesearch.figures.style import WIDTH, own_style


@own_style
def diagram(rows):
    """Draw a network as a column of boxes. rows: (layer, output shape, parameters, ...), strings, strings and ints."""
    colors = {"Conv2D": "#BBDDF2", "Dense": "#F6D9A0", "MaxPooling2D": "#BFE3D4", "Input": "#E0E0E0"}
    figure = Figure(figsize=(WIDTH, 0.36 * len(rows) + 0.7))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 10), ylim=(len(rows) + 0.15, -1.3))
    axes.set_axis_off()
    for x, text, align in ((2.9, "layer", "center"), (5.3, "output shape", "left"), (9.4, "parameters", "right")):
        axes.text(x, -0.75, text, ha=align, va="center", fontsize=12, weight="bold")
    for row, (layer, shape, parameters, *_) in enumerate(rows):
        color = colors.get(layer.split()[0], "white")
        axes.add_patch(Rectangle((1.1, row - 0.36), 3.6, 0.72, facecolor=color, edgecolor="#404040", linewidth=0.8))
        axes.text(2.9, row, layer, ha="center", va="center", fontsize=11)
        axes.text(5.3, row, shape, ha="left", va="center", fontsize=11)
        axes.text(9.4, row, f"{parameters:,}" if parameters else "-", ha="right", va="center", fontsize=11)
        if row:
            ends = (2.9, row - 0.66), (2.9, row - 0.34)
            axes.add_patch(FancyArrowPatch(*ends, arrowstyle="-|>", mutation_scale=8, color="#404040"))
    total = f"{sum(row[2] for row in rows):,} in all"
    axes.text(9.4, len(rows) - 0.25, total, ha="right", va="center", fontsize=11, weight="bold")
    return figure


@own_style
def filters(kernels):
    """Draw the filters of a first convolution, float (rows, columns, 1, filters)."""
    figure = Figure(figsize=(WIDTH, 1.9), layout="constrained")
    panels = figure.subplots(int(np.ceil(kernels.shape[-1] / 16)), min(16, kernels.shape[-1]), squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    for axes, kernel in zip(panels.flat, np.moveaxis(kernels[:, :, 0], -1, 0), strict=False):
        most = np.abs(kernel).max()
        axes.imshow(kernel, cmap="PuOr_r", vmin=-most, vmax=most)
    figure.suptitle("Filters of the first convolution: orange weights are positive, purple ones negative", fontsize=13)
    return figure


@own_style
def feature_maps(image, activations, shown=12):
    """Draw the feature maps of an image. activations: [(layer, (height, width, filters) float)], in their order."""
    figure = Figure(figsize=(WIDTH, 0.5 + 0.95 * len(activations)), layout="constrained")
    figure.suptitle(f"Feature maps of one image: the first {shown} of each convolution (yellow: large)", fontsize=13)
    strips = figure.subfigures(len(activations), 1, squeeze=False)[:, 0]
    for number, (strip, (name, maps)) in enumerate(zip(strips, activations, strict=True)):
        strip.suptitle(name, fontsize=11, x=0.09, ha="left")
        panels = strip.subplots(1, shown + 1)
        for axes in panels:
            axes.set_axis_off()
        if number == 0:
            panels[0].imshow(image, cmap="gray", vmin=0, vmax=255)
        for axes, feature_map in zip(panels[1:], np.moveaxis(maps, -1, 0), strict=False):
            axes.imshow(feature_map, cmap="viridis")
    return figure
