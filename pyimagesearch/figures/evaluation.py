"""Figures of chapter 3, the evaluation. Each function takes arrays and returns a matplotlib Figure."""

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm, to_rgba
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from pyimagesearch.evaluation.occlusion import PATCH
from pyimagesearch.figures import style
from pyimagesearch.figures.style import BLUE, GRAY, GREEN, ORANGE, RED, WIDTH, Figure, open_frame, own_style, short

MOST_CLASSES = 16  # in a confusion matrix, so that its numbers can be read
FEW = 20  # images in a bin of a calibration curve: the accuracy of fewer says little
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
    figure = Figure(figsize=(WIDTH, 8.1), layout="constrained")
    axes = figure.subplots()
    # The square root makes the rare mistakes, which the figure is about, visible.
    axes.imshow(np.sqrt(fractions), cmap="Blues", vmin=0, vmax=1)
    size = 12 if len(shown) <= 10 else 9.5
    for (row, column), count in np.ndenumerate(counts[np.ix_(shown, shown)]):
        if count:
            color = "white" if fractions[row, column] > 0.4 else "black"
            weight = "bold" if row == column else "normal"
            axes.text(column, row, f"{count:,}", ha="center", va="center", color=color, weight=weight, fontsize=size)
    names = [short(class_names[number], 16) for number in shown]
    axes.set_xticks(range(len(shown)), names, rotation=40, ha="right", rotation_mode="anchor", fontsize=size)
    axes.set_yticks(range(len(shown)), names, fontsize=size)
    axes.set_xlabel("predicted class (an empty cell: 0 images)", fontsize=12)
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
def predictions(images, labels, probabilities, class_names, right=9, wrong=3, columns=6):
    """Draw images, most of which are predicted correctly, each with its class and its three largest probabilities.

    Correct predictions and mistakes are chosen evenly over the set. Green: correct. Red: wrong. images: uint8
    (N, 28, 28, 1); labels: (N,); probabilities: (N, classes).
    """
    predicted = probabilities.argmax(axis=1)
    groups = np.flatnonzero(predicted == labels), np.flatnonzero(predicted != labels)
    chosen = [_evenly(group, count) for group, count in zip(groups, (right, wrong), strict=True)]
    indices = np.sort(np.concatenate(chosen))
    rows = -(-len(indices) // columns)
    figure = Figure(figsize=(WIDTH, 0.6 + 2.4 * rows), layout="constrained")
    grid = figure.subplots(2 * rows, columns, squeeze=False, height_ratios=[1.5, 0.75] * rows)
    for axes in grid.flat:
        axes.set_axis_off()
    for place, index in enumerate(indices):
        row, column = divmod(place, columns)
        style.draw_image(
            grid[2 * row, column], images[index, :, :, 0], short(class_names[labels[index]], 14), fontsize=11
        )
        bars, likeliest = grid[2 * row + 1, column], np.argsort(-probabilities[index], kind="stable")[:3]
        values, color = probabilities[index][likeliest], GREEN if predicted[index] == labels[index] else RED
        bars.barh(range(len(values)), values, color=[color] + [GRAY] * 2, alpha=0.35, height=0.9)
        for height, (value, number) in enumerate(zip(values, likeliest, strict=True)):
            text = f" {short(class_names[number], 12)} {value:.0%}"
            bars.text(0, height, text, va="center_baseline", fontsize=10, weight="normal" if height else "bold")
        bars.set(xlim=(0, 1), ylim=(2.6, -0.6))
    figure.suptitle(
        f"{len(chosen[0])} of {len(groups[0]):,} test images that are predicted correctly (green), "
        f"{len(chosen[1])} of {len(groups[1]):,} that are not (red)\n"
        "Above: the label. Below: the three largest probabilities",
        fontsize=12,
    )
    return figure


def _evenly(values, count):
    """Return `count` of the values, spread evenly, or all if there are no more."""
    return values[np.unique(np.linspace(0, len(values) - 1, min(count, len(values))).astype(int))]


@own_style
def explanations(explanations, class_names):
    """Draw for each image: the image, its occlusion map over it, and the largest probabilities as bars.

    explanations: occlusion.Explanation each. All maps have one scale of colors; where a map has no color, the
    probability does not change.
    """
    columns = 1 if len(explanations) == 1 else 2
    lines = -(-len(explanations) // columns)
    each = 1.8 if len(explanations) <= 4 else 1.3  # inches
    figure = Figure(figsize=(WIDTH, 1.4 + each * lines), layout="constrained")
    *bands, foot = figure.subfigures(lines + 1, 1, height_ratios=[each] * lines + [0.7], squeeze=False).flat
    low = 100 * min(one.falls.min() for one in explanations)  # percentage points
    high = 100 * max(one.falls.max() for one in explanations)
    least = max(5, 0.2 * max(-low, high))  # so that the noise of a prediction that nothing changes has hardly a color
    colors = ScalarMappable(TwoSlopeNorm(0, -max(least, -low), max(least, high)), OVERLAY)
    cells = [cell for band in bands for cell in band.subfigures(1, columns, squeeze=False).flat]
    for cell, one in zip(cells, explanations, strict=False):
        panels = cell.subplots(1, 3, width_ratios=(1, 1, 1.1))
        for axes in panels[:2]:
            axes.imshow(one.image, cmap="gray", vmin=0, vmax=255)
            axes.set_axis_off()
        panels[1].imshow(100 * one.falls, cmap=colors.cmap, norm=colors.norm)
        panels[0].set_title(short(one.name, 40), fontsize=10, loc="left", pad=3)
        _class_bars(panels[2], one, class_names)
    bar = foot.colorbar(colors, cax=foot.add_axes((0.2, 0.7, 0.6, 0.2)), orientation="horizontal")
    bar.set_label("fall of the probability of the predicted class, percentage points", fontsize=10)
    star = "" if explanations[0].truth is None else ", the label has a *"
    figure.suptitle(
        f"Orange: a black patch of {PATCH}x{PATCH} pixels here makes the predicted class less probable; blue: more\n"
        f"Bars: the largest probabilities; the prediction is orange{star}",
        fontsize=12,
    )
    return figure


def _class_bars(axes, explanation, class_names, most=3):
    """Draw the largest probabilities and that of the true class, which has a star, as bars, and the sum of all others.

    The largest is at the top.
    """
    probabilities, truth, predicted = np.asarray(explanation.probabilities), explanation.truth, explanation.predicted
    order = np.argsort(-probabilities, kind="stable")
    chosen = [number for place, number in enumerate(order) if place < most or number in (truth, predicted)]
    names = [f"{'* ' if number == truth else ''}{short(class_names[number], 12)}" for number in chosen]
    values, others = list(probabilities[chosen]), len(order) - len(chosen)
    if others:
        names.append(f"{others} other{'s' if others > 1 else ''}")
        values.append(probabilities.sum() - sum(values))
    bars = axes.barh(names, values, color=[ORANGE if number == predicted else BLUE for number in chosen] + [GRAY])
    axes.bar_label(bars, [f"{value:.0%}" for value in values], fontsize=9.5, padding=2)
    for text in axes.get_yticklabels():
        text.set(fontsize=9.5, weight="bold" if text.get_text().startswith("* ") else "normal")
    axes.set(xlim=(0, 1.5), xticks=[], ylim=(4.5, -0.5))
    axes.tick_params(length=0, pad=2)
    axes.spines[["top", "right", "bottom"]].set_visible(False)


@own_style
def reliability(result):
    """Draw accuracy against confidence, before and after temperature scaling.

    result: a dict as of metrics.evaluate, of which calibration, calibration_after_scaling and temperature are used.
    """
    figure = Figure(figsize=(WIDTH, 5), layout="constrained")
    titles = "as predicted", f"after temperature scaling (T = {result['temperature']:.2f})"
    both = result["calibration"], result["calibration_after_scaling"]
    for axes, title, bins in zip(figure.subplots(1, 2, sharey=True), titles, both, strict=True):
        confidence, accuracy, count = (np.array(bins[name]) for name in ("confidence", "accuracy", "count"))
        axes.plot([0, 1], [0, 1], "--", color=GRAY)
        for few, color, face in (False, BLUE, BLUE), (True, GRAY, "none"):
            chosen = (count < FEW) == few
            axes.scatter(
                confidence[chosen], accuracy[chosen], s=45, edgecolor=color, facecolor=face, zorder=3, clip_on=False
            )
        axes.text(0.03, 0.94, "underconfident", color=GRAY, fontsize=11)
        axes.text(0.98, 0.04, "overconfident", color=GRAY, fontsize=11, ha="right")
        axes.set_title(f"{title}\nexpected calibration error {bins['error']:.1%}", fontsize=12)
        axes.set(xlim=(0, 1.04), ylim=(0, 1.04), xlabel="confidence (largest probability)")
        open_frame(axes)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    figure.axes[0].set_ylabel("accuracy")
    gaps = [np.average(np.subtract(bins["accuracy"], bins["confidence"]), weights=bins["count"]) for bins in both]
    before, after = (f"{100 * abs(gap):.1f} points {'below' if gap > 0 else 'above'}" for gap in gaps)
    figure.suptitle(
        f"The mean confidence is {before} the accuracy; after temperature scaling {after}\n"
        f"Dashed: confidence equals accuracy. Hollow: fewer than {FEW} images",
        fontsize=12,
    )
    return figure
