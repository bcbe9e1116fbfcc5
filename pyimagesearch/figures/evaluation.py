"""Figures of chapter 3, the evaluation. Each function takes arrays and returns a matplotlib Figure."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from pyimagesearch.figures.style import BLUE, GREEN, RED, WIDTH, own_style


@own_style
def confusion_matrix(matrix, class_names):
    """Draw counts[true class][predicted class] as a colored table; the color is the fraction of the true class."""
    counts = np.asarray(matrix)
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(WIDTH, 7.6), layout="constrained")
    axes = figure.subplots()
    # The square root makes the rare mistakes, which the figure is about, visible.
    axes.imshow(np.sqrt(fractions), cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            color = "white" if fractions[row, column] > 0.4 else "black"
            weight = "bold" if row == column else "normal"
            axes.text(column, row, f"{count:,}", ha="center", va="center", color=color, weight=weight, fontsize=11)
    ticks = range(len(class_names))
    axes.set_xticks(ticks, class_names, rotation=40, ha="right", rotation_mode="anchor", fontsize=11)
    axes.set_yticks(ticks, class_names, fontsize=11)
    axes.set_xlabel("predicted class", fontsize=12)
    axes.set_ylabel("true class", fontsize=12)
    right, total = int(np.trace(counts)), int(counts.sum())
    axes.set_title(f"{right:,} of {total:,} test images are on the diagonal: predicted correctly", fontsize=13)
    return figure


@own_style
def predictions(images, labels, probabilities, class_names, rows=5, columns=8):
    """Draw a montage of images spread evenly over the set, each with the predicted class.

    Green: right. Red: wrong, with the true class in brackets. images: uint8 (N, 28, 28, 1); labels: (N,);
    probabilities: (N, classes).
    """
    chosen = np.unique(np.linspace(0, len(labels) - 1, rows * columns).astype(int))
    figure = Figure(figsize=(WIDTH, 7.4), layout="constrained")
    predicted = probabilities.argmax(axis=1)
    wrong = int((predicted[chosen] != labels[chosen]).sum())
    for axes in (panels := figure.subplots(rows, columns)).flat:
        axes.set_axis_off()
    for axes, index in zip(panels.flat, chosen, strict=False):
        axes.imshow(images[index, :, :, 0], cmap="gray", vmin=0, vmax=255)
        guess, truth = class_names[predicted[index]], class_names[labels[index]]
        if guess == truth:
            axes.set_title(f"\n{guess}", color=GREEN, fontsize=10)
        else:
            axes.set_title(f"{guess}\n({truth})", color=RED, fontsize=10, weight="bold")
    figure.suptitle(
        f"{len(chosen)} test images and their predicted classes: green is right, red is wrong ({wrong}), "
        "with the true class in brackets",
        fontsize=11,
    )
    return figure


@own_style
def mistakes(images, labels, probabilities, class_names, rows=2, columns=5):
    """Draw the images of the most confident mistakes, the most confident first; arguments as above."""
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    worst = wrong[np.argsort(-probabilities[wrong].max(axis=1))][: rows * columns]
    figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    for axes in (panels := figure.subplots(rows, columns)).flat:
        axes.set_axis_off()
    for axes, index in zip(panels.flat, worst, strict=False):
        axes.imshow(images[index, :, :, 0], cmap="gray", vmin=0, vmax=255)
        guess = f"{class_names[predicted[index]]} {probabilities[index].max():.0%}"
        axes.set_title(f"{guess}\n(label: {class_names[labels[index]]})", fontsize=11, color=RED)
    figure.suptitle(f"The most confident of {len(wrong):,} mistakes", fontsize=13)
    return figure


@own_style
def reliability(result):
    """Draw accuracy against confidence, before and after temperature scaling. result: of evaluation.evaluate."""
    figure = Figure(figsize=(WIDTH, 4.4), layout="constrained")
    titles = "as predicted", f"after temperature scaling (T = {result['temperature']:.2f})"
    both = result["calibration"], result["calibration_after_scaling"]
    for axes, title, bins in zip(figure.subplots(1, 2), titles, both, strict=True):
        axes.plot([0, 1], [0, 1], "--", color="#808080", label="calibrated")
        fraction = np.array(bins["count"]) / sum(bins["count"])
        axes.scatter(bins["confidence"], bins["accuracy"], s=20 + 600 * fraction, color=BLUE, alpha=0.8)
        axes.set(title=f"{title}\nexpected calibration error {bins['error']:.2%}", xlim=(0, 1.04), ylim=(0, 1.04))
        axes.set(xlabel="confidence", ylabel="accuracy")
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("larger dots: more images; below the line: overconfident, above it: underconfident", fontsize=11)
    return figure
