"""Figures of chapter 3, the evaluation. Each function takes arrays and returns a matplotlib Figure."""

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgba
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from pyimagesearch.evaluation.metrics import confident_mistakes
from pyimagesearch.evaluation.occlusion import PATCH
from pyimagesearch.figures.style import BLUE, GRAY, GREEN, ORANGE, RED, WIDTH, Figure, open_frame, own_style, short

MOST_CLASSES = 16  # in a confusion matrix, so that its numbers can be read
# Over an image: transparent at 0, orange above, blue below.
_OVERLAY = [to_rgba(color, alpha) for color, alpha in ((BLUE, 0.95), (BLUE, 0), ("#FF8C00", 0), ("#FF8C00", 0.95))]
OVERLAY = LinearSegmentedColormap.from_list("overlay", list(zip((0, 0.5, 0.5, 1), _OVERLAY, strict=True)))


@own_style
def confusion_matrix(matrix, class_names):
    """Draw counts[true class][predicted class] as a colored table; the color is the fraction of the true class.

    The title names the two classes that are confused most, and their cells have a frame. Of more than 16 classes, those
    with the most mistakes are drawn.
    """
    counts = np.asarray(matrix)
    right, total, classes = int(np.trace(counts)), int(counts.sum()), len(counts)
    wrong = counts - np.diag(np.diag(counts))
    shown = np.sort(np.argsort(-(wrong.sum(axis=0) + wrong.sum(axis=1)), kind="stable")[:MOST_CLASSES])
    fractions = (counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))[np.ix_(shown, shown)]
    figure = Figure(figsize=(WIDTH, 7.9), layout="constrained")
    axes = figure.subplots()
    # The square root makes the rare mistakes, which the figure is about, visible.
    axes.imshow(np.sqrt(fractions), cmap="Blues", vmin=0, vmax=1)
    size = 11 if len(shown) <= 10 else 9
    for (row, column), count in np.ndenumerate(counts[np.ix_(shown, shown)]):
        if count:
            color = "white" if fractions[row, column] > 0.4 else "black"
            weight = "bold" if row == column else "normal"
            axes.text(column, row, f"{count:,}", ha="center", va="center", color=color, weight=weight, fontsize=size)
    names = [short(class_names[number], 16) for number in shown]
    axes.set_xticks(range(len(shown)), names, rotation=40, ha="right", rotation_mode="anchor", fontsize=size)
    axes.set_yticks(range(len(shown)), names, fontsize=size)
    axes.set_xlabel("predicted class", fontsize=12)
    axes.set_ylabel("true class", fontsize=12)
    accuracy = f"{right:,} of {total:,} images are on the diagonal: predicted correctly"
    if len(shown) < classes:
        accuracy = f"the {len(shown)} of {classes} classes with the most mistakes"
    either = np.triu(wrong + wrong.T)[np.ix_(shown, shown)]
    one, other = (int(number) for number in np.unravel_index(either.argmax(), either.shape))
    if not either.any():
        axes.set_title(f"No mistakes\n{accuracy}", fontsize=13)
        return figure
    for row, column in ((one, other), (other, one)):
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=RED, linewidth=2.5))
    most = int(either[one, other])
    finding = f"{names[one]} and {names[other]} are confused most: {most:,} of {total - right:,} mistakes (framed)"
    axes.set_title(f"{finding}\n{accuracy}", fontsize=13)
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
    for axes in (panels := figure.subplots(rows, columns, squeeze=False)).flat:
        axes.set_axis_off()
    for axes, index in zip(panels.flat, chosen, strict=False):
        axes.imshow(images[index, :, :, 0], cmap="gray", vmin=0, vmax=255)
        guess, truth = short(class_names[predicted[index]], 13), short(class_names[labels[index]], 13)
        if predicted[index] == labels[index]:
            axes.set_title(f"\n{guess}", color=GREEN, fontsize=10)
        else:
            axes.set_title(f"{guess}\n({truth})", color=RED, fontsize=10, weight="bold")
    figure.suptitle(
        f"{len(chosen)} test images and their predicted classes: {len(chosen) - wrong} right (green), {wrong} wrong\n"
        "(red and bold, with the true class in brackets)",
        fontsize=12,
    )
    return figure


@own_style
def mistakes(images, labels, probabilities, class_names, rows=2, columns=5):
    """Draw the images of the most confident mistakes, the most confident first; arguments as of predictions()."""
    predicted = probabilities.argmax(axis=1)
    wrong = int((predicted != labels).sum())
    worst = confident_mistakes(probabilities, labels, rows * columns)
    figure = Figure(figsize=(WIDTH, 4.7), layout="constrained")
    for axes in (panels := figure.subplots(rows, columns, squeeze=False)).flat:
        axes.set_axis_off()
    for axes, index in zip(panels.flat, worst, strict=False):
        axes.imshow(images[index, :, :, 0], cmap="gray", vmin=0, vmax=255)
        guess = f"{short(class_names[predicted[index]], 13)} {probabilities[index].max():.0%}"
        axes.set_title(f"{guess}\n(label: {short(class_names[labels[index]], 13)})", fontsize=11, color=RED)
    title = f"The most confident of {wrong:,} mistakes: prediction and confidence, and the label in brackets"
    figure.suptitle(title if wrong else "No mistakes", fontsize=13)
    return figure


@own_style
def explanations(explanations, class_names):
    """Draw for each image: the image, its occlusion map over it, and the probability of each class as a bar.

    explanations: occlusion.Explanation each. All maps have one scale of colors; where a map has no color, the
    probability does not change. Of more than ten classes, those with the highest probabilities and the true one.
    """
    columns = 1 if len(explanations) == 1 else 2
    lines = -(-len(explanations) // columns)
    figure = Figure(figsize=(WIDTH, 1.55 + 2.2 * lines), layout="constrained")
    *bands, foot = figure.subfigures(lines + 1, 1, height_ratios=[2.2] * lines + [0.7], squeeze=False).flat
    low = 100 * min(one.falls.min() for one in explanations)  # percentage points
    high = 100 * max(one.falls.max() for one in explanations)
    scale = max(5, -low, high)  # so that the noise of a prediction that nothing changes has hardly a color
    colors = ScalarMappable(Normalize(-scale, scale), OVERLAY)
    cells = [cell for band in bands for cell in band.subfigures(1, columns, squeeze=False).flat]
    for cell, one in zip(cells, explanations, strict=False):
        panels = cell.subplots(1, 3)
        for axes in panels[:2]:
            axes.imshow(one.image, cmap="gray", vmin=0, vmax=255)
            axes.set_axis_off()
        panels[1].imshow(100 * one.falls, cmap=colors.cmap, norm=colors.norm)
        title = f"prediction: {short(class_names[one.predicted], 14)} {one.probabilities[one.predicted]:.0%}"
        title += "" if one.truth is None else f", label: {short(class_names[one.truth], 14)}"
        color = "black" if one.truth in (None, one.predicted) else RED
        cell.suptitle(f"{short(one.name, 40)}\n{title}", fontsize=10, color=color)
        _class_bars(panels[2], one, class_names)
    bar = foot.colorbar(colors, cax=foot.add_axes((0.2, 0.7, 0.6, 0.2)), orientation="horizontal")
    bar.ax.set_xlim(min(low, -0.1 * scale), max(high, 0.1 * scale))
    bar.set_label("fall of the probability of the predicted class, percentage points", fontsize=10)
    star = "" if explanations[0].truth is None else ", the true one with *"
    figure.suptitle(
        f"Which places decide? Orange: with {PATCH}x{PATCH} black pixels around here, the probability of the\n"
        f"predicted class falls; blue: it rises. Bars: the predicted class in orange{star}",
        fontsize=12,
    )
    return figure


def _class_bars(axes, explanation, class_names, most=10):
    """Draw the probabilities as bars from left to right, one below the other; a star marks the true class."""
    probabilities, truth = np.asarray(explanation.probabilities), explanation.truth
    chosen = np.sort(np.argsort(-probabilities, kind="stable")[:most])
    if truth is not None and truth not in chosen:
        chosen = np.append(chosen, truth)
    places, colors = range(len(chosen)), [ORANGE if number == explanation.predicted else BLUE for number in chosen]
    bars = axes.barh(places, probabilities[chosen], color=colors)
    axes.bar_label(bars, [f"{value:.0%}" for value in probabilities[chosen]], fontsize=9, padding=2)
    names = [f"{'* ' if number == truth else ''}{short(class_names[number], 12)}" for number in chosen]
    axes.set_yticks(places, names, fontsize=9)
    for text, number in zip(axes.get_yticklabels(), chosen, strict=True):
        text.set_weight("bold" if number == truth else "normal")
    axes.set(xlim=(0, 1.45), xticks=[], ylim=(len(chosen) - 0.5, -0.5))
    axes.tick_params(length=0, pad=2)
    axes.spines[["top", "right", "bottom"]].set_visible(False)


@own_style
def reliability(result):
    """Draw accuracy against confidence, before and after temperature scaling.

    result: a dict as of metrics.evaluate, of which calibration, calibration_after_scaling and temperature are used.
    """
    figure = Figure(figsize=(WIDTH, 5.4), layout="constrained")
    titles = "as predicted", f"after temperature scaling (T = {result['temperature']:.2f})"
    both = result["calibration"], result["calibration_after_scaling"]
    for axes, title, bins in zip(figure.subplots(1, 2), titles, both, strict=True):
        axes.plot([0, 1], [0, 1], "--", color=GRAY)
        fraction = np.array(bins["count"]) / sum(bins["count"])
        axes.scatter(bins["confidence"], bins["accuracy"], s=20 + 600 * fraction, color=BLUE, alpha=0.8)
        axes.text(0.06, 0.94, "underconfident", color=GRAY, fontsize=11)
        axes.text(0.98, 0.04, "overconfident", color=GRAY, fontsize=11, ha="right")
        axes.set(title=f"{title}\nexpected calibration error {bins['error']:.2%}", xlim=(0, 1.06), ylim=(0, 1.06))
        axes.set(xlabel="confidence (largest probability)", ylabel="accuracy", aspect="equal")
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        open_frame(axes)
    gaps = [np.average(np.subtract(bins["accuracy"], bins["confidence"]), weights=bins["count"]) for bins in both]
    before, after = (f"{100 * abs(gap):.1f} points {'below' if gap > 0 else 'above'}" for gap in gaps)
    figure.suptitle(
        f"The mean confidence is {before} the accuracy; after temperature scaling {after}\n"
        "Dashed line: confidence equals accuracy. Larger dots: more images",
        fontsize=12,
    )
    return figure
