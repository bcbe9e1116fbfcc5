"""Figures of the evaluation. Each function takes arrays and returns a matplotlib Figure."""

from pathlib import PurePath

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.ticker import PercentFormatter

from pyimagesearch.evaluation.occlusion import PATCH
from pyimagesearch.figures import style
from pyimagesearch.figures.style import BLUE, GRAY, GREEN, RED, Figure, draw_image, own_style, short

MOST_CLASSES = 16  # in a confusion matrix, so that its numbers can be read
# Over an image: transparent at 0, orange above, purple below.
_OVERLAY = [to_rgba(color, alpha) for color, alpha in (("#8A4FD0", 1), ("#8A4FD0", 0), ("#FF8C00", 0), ("#FF8C00", 1))]
OVERLAY = LinearSegmentedColormap.from_list("overlay", list(zip((0, 0.5, 0.5, 1), _OVERLAY, strict=True)))


@own_style
def confusion_matrix(matrix, class_names):
    """Draw counts[true class][predicted class] as a colored table; the color is the fraction of the true class.

    The title names the two classes that are confused most, and their cells have a frame. Beside each true class stands
    the number of its mistakes. Of more than 16 classes, those with the most mistakes are drawn.
    """
    counts = np.asarray(matrix)
    right, total = int(np.trace(counts)), int(counts.sum())
    wrong = counts - np.diag(np.diag(counts))
    shown = np.sort(np.argsort(-(wrong.sum(axis=0) + wrong.sum(axis=1)), kind="stable")[:MOST_CLASSES])
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    either = np.triu(wrong + wrong.T)[np.ix_(shown, shown)]
    one, other = np.unravel_index(either.argmax(), either.shape)
    names = [short(class_names[number], 12) for number in shown]
    title = f"{right:,} of {total:,} images are predicted correctly (diagonal)"
    if len(shown) < len(counts):
        title = f"The {len(shown)} of {len(counts)} classes with the most mistakes"
    if either.any():
        most = f"{either[one, other]:,} of {total - right:,} mistakes"
        title += f"\nConfused most: {names[one]} and {names[other]}, {most} (framed)"
    figure = Figure(7, title)
    axes = figure.subplots()
    texts = [[f"{count:,}" if count else "" for count in row] for row in counts[np.ix_(shown, shown)]]
    colors = {"cmap": "Blues", "vmax": 1, "size": 15 if len(shown) <= 10 else 10}
    # The square root makes the rare mistakes, which the figure is about, visible.
    style.draw_table(axes, np.sqrt(fractions)[np.ix_(shown, shown)], texts, **colors)
    axes.set_xticks(range(len(shown)), names, rotation=40, ha="right", rotation_mode="anchor")
    mistakes = wrong.sum(axis=1)[shown]
    axes.set_yticks(range(len(shown)), [f"{name}: {count:,}" for name, count in zip(names, mistakes, strict=True)])
    axes.set(xlabel="predicted class (empty: 0 images)", ylabel="true class, and how many are wrong")
    for row, column in ((one, other), (other, one)) if either.any() else ():
        style.draw_frame(axes, column, row, color=RED)
    return figure


@own_style
def predictions(images, labels, probabilities, class_names, right=6, wrong=2, columns=4):
    """Draw images, most of which are predicted correctly, each with its class and its three largest probabilities.

    Correct predictions and mistakes are chosen evenly over the set. Green: correct. Red: wrong. images: uint8
    (N, 28, 28, 1); labels: (N,); probabilities: (N, classes).
    """
    correct = probabilities.argmax(axis=1) == labels
    chosen = []
    for group, count in ((np.flatnonzero(correct), right), (np.flatnonzero(~correct), wrong)):
        places = np.linspace(0, len(group) - 1, min(count, len(group)))
        chosen += group[np.unique(places.astype(int))].tolist()
    rows = -(-len(chosen) // columns)
    green = int(correct[chosen].sum())
    title = f"{green} images that are predicted correctly (green), {len(chosen) - green} that are not (red)."
    title += "\nAbove: the label. Below: the three largest probabilities"
    figure = Figure(0.65 + 3 * rows, title)
    for band, indices in zip(
        figure.subfigures(rows, 1, squeeze=False).flat, np.array_split(np.sort(chosen), rows), strict=True
    ):
        above, below = band.subplots(2, columns, height_ratios=(1.9, 0.85))
        for axes, bars, index in zip(above, below, indices, strict=False):
            draw_image(axes, images[index, ..., 0], short(class_names[labels[index]], 14))
            style.draw_bars(bars, probabilities[index], class_names, GREEN if correct[index] else RED)
        for axes in [*above[len(indices) :], *below[len(indices) :]]:
            axes.set_axis_off()
    return figure


@own_style
def explanations(explanations, class_names):
    """Draw each image and beside it its occlusion map over it, with the probabilities of label and prediction above.

    explanations: occlusion.Explanation each. All maps have one scale of colors, on the darkened image; where a map has
    no color, the probability does not change.
    """
    pairs = min(len(explanations), 2)
    rows = -(-len(explanations) // pairs)
    low = 100 * min(one.falls.min() for one in explanations)  # percentage points
    high = 100 * max(one.falls.max() for one in explanations)
    most = max(5, -low, high)  # at least 5, so that the noise of a prediction that nothing changes has hardly a color
    title = f"Orange: without the {PATCH}x{PATCH} pixels around this place, the predicted class\nis less probable"
    title += "; purple: more probable" if -low > most / 5 else ""  # otherwise none can be seen
    figure = Figure(1.5 + rows * (0.5 + style.WIDTH / 2 / max(pairs, 1.5)), title)
    grid = figure.subplots(rows, 2 * pairs, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for (plain, covered), one in zip(grid.reshape(-1, 2), explanations, strict=False):
        lines = [short(part, 17) for part in PurePath(one.name).name.rsplit(", ", 1)]  # shirt.jpg, view 1 of 8
        if one.truth is not None:
            lines.append(f"label: {short(class_names[one.truth], 11)}")
        draw_image(plain, one.image, "\n".join(lines))
        prediction = f"{short(class_names[one.predicted], 11)} {one.probabilities[one.predicted]:.0%}"
        draw_image(covered, one.image, vmax=600)
        drawn = draw_image(covered, 100 * one.falls, f"prediction:\n{prediction}", cmap=OVERLAY, vmin=-most, vmax=most)
    label = "fall of the predicted class's probability, percentage points"
    bar = figure.colorbar(drawn, ax=grid, location="bottom", label=label, shrink=0.7, aspect=30)
    bar.ax.set_xlim(min(0, low), most)
    bar.ax.set_facecolor("black")  # as the darkened image
    return figure


@own_style
def reliability(result):
    """Draw accuracy against confidence, before and after temperature scaling.

    result: a dict as of metrics.evaluate, of which calibration, calibration_after_scaling and temperature are used.
    """
    titles = "as predicted", f"after scaling (T = {result['temperature']:.2f})"
    both = result["calibration"], result["calibration_after_scaling"]
    gaps = [np.average(np.subtract(bins["accuracy"], bins["confidence"]), weights=bins["count"]) for bins in both]
    before, after = (f"{100 * abs(gap):.1f} points {'below' if gap > 0 else 'above'}" for gap in gaps)
    figure = Figure(4.8, f"The mean confidence is {before} the accuracy;\nafter temperature scaling {after}")
    for axes, title, bins in zip(figure.subplots(1, 2, sharey=True), titles, both, strict=True):
        axes.plot([0, 1], [0, 1], "--", color=GRAY)
        sizes = 12 + 400 * np.array(bins["count"]) / sum(bins["count"])
        axes.scatter(bins["confidence"], bins["accuracy"], sizes, color=BLUE, zorder=3, clip_on=False)
        axes.text(0.03, 0.94, "underconfident", color=GRAY)
        axes.text(0.98, 0.04, "overconfident", color=GRAY, ha="right")
        axes.set_title(f"{title}\nexpected calibration error {bins['error']:.1%}")
        axes.set(xlim=(0, 1.04), ylim=(0, 1.04), xticks=np.linspace(0.25, 1, 4))
        axes.set_xlabel("confidence\n(larger dots: more images)")
        axes.grid()
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    figure.axes[0].set_ylabel("accuracy (dashed: equal)")
    return figure
