"""The figure of the training: arrays in, a matplotlib Figure out."""

import math

import numpy as np
from matplotlib.ticker import MaxNLocator, PercentFormatter

from pyimagesearch.figures.style import BLUE, Figure, own_style


@own_style
def curves(history, recipe, classes=10, saved=None):
    """Draw cross-entropy and accuracy of training and validation against the epoch, and the learning rate below.

    history: dict of lists with one value per epoch: cross_entropy and accuracy (0 to 1), the same with val_ in front;
    and learning_rates, for each epoch a list of those of steps that are spread evenly over it. recipe: a Recipe, for
    what the legend and the notes say of CutMix and the schedule. classes: their number. saved: validation accuracy of
    the weights that are saved, which callbacks or an optimizer may have changed at the end.
    """
    figure = Figure(6, _finding(history, recipe, saved))
    loss, accuracy, rate = figure.subplot_mosaic("ab;cc", height_ratios=(3, 1)).values()
    last = len(history["accuracy"])
    ticks = [tick for tick in MaxNLocator(6, integer=True, min_n_ticks=1).tick_values(1, last) if 1 <= tick <= last]
    for axes, key, title, guess, form in (
        (loss, "cross_entropy", "cross-entropy: lower is better", f"{math.log(classes):.2f}", "{:.3f}"),
        (accuracy, "accuracy", "accuracy: higher is better", f"{1 / classes:.0%}", "{:.2%}"),
    ):
        trained, validated = history[key], history[f"val_{key}"]
        epochs = np.arange(1, last + 1)
        mixed = " (CutMix)" if recipe.cutmix else ""
        axes.plot(epochs, trained, "o-", color=BLUE, markersize=4, label=f"training: mean over the epoch{mixed}")
        axes.plot(epochs, validated, "s--", color="black", markersize=4, label="validation: after the epoch")
        for values, other, color in ((trained, validated, BLUE), (validated, trained, "black")):
            place = 6, 6 if values[-1] > other[-1] or (values[-1] == other[-1] and values is trained) else -6  # points
            text = axes.annotate(form.format(values[-1]), (last, values[-1]), place, textcoords="offset points")
            text.set(color=color, va="center", weight="bold")
        axes.set(title=title, xlabel="epoch", ylabel=f"{key.replace('_', '-')} ({guess}: guessing)", xticks=ticks)
    accuracy.yaxis.set_major_formatter(PercentFormatter(1.0))
    rates = np.concatenate(history["learning_rates"])
    rate.plot(np.linspace(0, last, len(rates), endpoint=False), rates, color=BLUE)
    rate.set(xlabel="epoch", ylabel="learning rate", xticks=[0, *ticks], ylim=(0, 1.1 * rates.max() or 1))
    rate.set_title(f"schedule: {recipe.schedule}", loc="right")
    for axes in (loss, accuracy, rate):
        axes.set_xlim(0, 1.25 * last)  # with room for the last values, which may be the lowest, too
        axes.margins(y=0.1)
        axes.grid()
    figure.legend(*accuracy.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def _finding(history, recipe, saved):
    """Say in two lines how the training ended, and where overfitting would be seen. Both are true of any training."""
    accuracy, trained, epochs = history["val_accuracy"][-1], history["accuracy"][-1], len(history["accuracy"])
    first = f"Validation accuracy {accuracy:.2%} after {epochs} epoch{'s' if epochs > 1 else ''}"
    if saved and abs(saved - accuracy) > 0.002:  # more than 16 bits explain
        return f"{first}\nThe saved weights are not those of the end: {saved:.2%}"
    if recipe.cutmix:
        return f"{first}\nTraining is measured on mixed images (CutMix): do not compare the curves"
    lowest = 1 + int(np.argmin(history["val_cross_entropy"]))
    gap = f"{100 * abs(accuracy - trained):.1f} points {'above' if accuracy > trained else 'below'} training"
    if lowest == epochs:
        return f"{first}, {gap}\nValidation cross-entropy is lowest at the end: no overfitting is seen"
    return f"{first}, {gap}\nIf only training improves, it overfits: validation loss is lowest at epoch {lowest}"
