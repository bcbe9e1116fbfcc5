"""The figure of chapter 2, the training: arrays in, a matplotlib Figure out."""

import math

import numpy as np
from matplotlib.ticker import MaxNLocator, PercentFormatter

from pyimagesearch.figures.style import BLUE, GRAY, GREEN, ORANGE, WIDTH, Figure, open_frame, own_style

SCHEDULES = {
    "one cycle": "one cycle: a warm-up, then a decay to zero",
    "inverse time": "inverse-time decay",
    "constant": "constant",
}


@own_style
def curves(history, recipe, classes=10):
    """Draw cross-entropy and accuracy of training and validation against the epoch, and the learning rate below.

    history: dict of lists with one value per epoch: cross_entropy and accuracy (0 to 1), the same with val_ in front;
    and learning_rates, those of steps that are spread evenly from the first to the last. recipe: a Recipe, for what
    the legend and the notes say of CutMix, label smoothing and the schedule. classes: their number.
    """
    figure = Figure(figsize=(WIDTH, 6), layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=(3.4, 1))
    last, rates = len(history["accuracy"]), history["learning_rates"]
    epochs = np.arange(1, last + 1)
    ticks = MaxNLocator(integer=True, min_n_ticks=1).tick_values(1, last)
    mixed = " of mixed images (CutMix)" if recipe.cutmix else ""
    guess, chance = f"cross-entropy ({math.log(classes):.2f}: guessing)", f"accuracy ({1 / classes:.0%}: guessing)"
    for axes, key, title, unit, form in (
        (figure.add_subplot(grid[0, 0]), "cross_entropy", "Cross-entropy: lower is better", guess, "{:.3f}"),
        (figure.add_subplot(grid[0, 1]), "accuracy", "Accuracy: higher is better", chance, "{:.1%}"),
    ):
        trained, validated = history[key], history[f"val_{key}"]
        axes.plot(epochs, trained, "o-", color=BLUE, markersize=4, label=f"training: mean over the epoch{mixed}")
        axes.plot(epochs, validated, "s--", color=ORANGE, markersize=4, label="validation: after the epoch")
        for values, other, color in ((trained, validated, BLUE), (validated, trained, "#9A6A00")):
            above = values[-1] > other[-1] or (values[-1] == other[-1] and values is trained)
            place = (6, 6 if above else -6)  # points
            text = axes.annotate(form.format(values[-1]), (last, values[-1]), place, textcoords="offset points")
            text.set(color=color, va="center", fontsize=10, weight="bold")
        axes.set(title=title, xlabel="epoch", ylabel=unit, xticks=[tick for tick in ticks if 1 <= tick <= last])
        axes.set_xlim(0, 1.16 * last)  # with room for the last values
        axes.margins(y=0.08)
        open_frame(axes)
        if key == "accuracy":
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        elif recipe.label_smoothing:
            _label_smoothing(axes, recipe.label_smoothing, classes)
    figure.suptitle(_finding(history, recipe), fontsize=12)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    axes = figure.add_subplot(grid[1, :])
    axes.plot(np.linspace(0, last, len(rates)), rates, color=GREEN)
    axes.set(xlabel="epoch", ylabel="learning rate", xlim=(0, 1.16 * last), ylim=(0, 1.1 * max(rates) or 1))
    axes.set_title(SCHEDULES.get(recipe.schedule, recipe.schedule), loc="right", fontsize=10)
    axes.set_xticks([0, *[tick for tick in ticks if 1 <= tick <= last]])
    open_frame(axes)
    return figure


def _finding(history, recipe):
    """Say in two lines how the training ended, and where overfitting would be seen. Both are true of any training."""
    accuracy, trained, epochs = history["val_accuracy"][-1], history["accuracy"][-1], len(history["accuracy"])
    first = f"Validation accuracy {accuracy:.2%} after {epochs} epoch{'s' if epochs > 1 else ''}"
    if recipe.cutmix:
        return f"{first}\nTraining is measured on mixed images (CutMix), so the two curves cannot be compared"
    lowest = 1 + int(np.argmin(history["val_cross_entropy"]))
    second = f"Overfitting shows where validation cross-entropy keeps rising; here it is lowest after epoch {lowest}"
    gap = f"{100 * abs(accuracy - trained):.1f} points {'above' if accuracy > trained else 'below'} training"
    return f"{first}, {gap}\n{second}"


def _label_smoothing(axes, smoothing, classes):
    """Draw the cross-entropy of a network that predicts exactly what label smoothing asks for."""
    probability = 1 - smoothing + smoothing / classes
    level = -math.log(probability)
    axes.axhline(level, color=GRAY, linestyle=":")
    note = f"{level:.3f}: label smoothing asks for {probability:.0%}, not 100%"
    axes.annotate(note, (0.02, level), (0, -4), ("axes fraction", "data"), "offset points", va="top", color=GRAY)
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, level - 0.14 * (high - level)), high)
