"""The figure of chapter 2, the training: arrays in, a matplotlib Figure out."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from pyimagesearch.figures.style import BLUE, GREEN, ORANGE, WIDTH, own_style


@own_style
def curves(history, recipe):
    """Draw cross-entropy and accuracy of training and validation against the epoch, and the learning rate below.

    history: dict of lists with one value per epoch: cross_entropy and accuracy (0 to 1), the same with val_ in front;
    and learning_rates, those of steps that are spread evenly from the first to the last. recipe: whether training
    images were mixed (CutMix), which the legend says.
    """
    figure = Figure(figsize=(WIDTH, 5.2), layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=(3.6, 1))
    epochs, rates = np.arange(1, len(history["accuracy"]) + 1), history["learning_rates"]
    mixed = " (CutMix: mixed images)" if recipe.cutmix else ""
    panels = (
        ("cross_entropy", "Cross-entropy: lower is better", "cross-entropy (nats)"),
        ("accuracy", "Accuracy: higher is better", "accuracy"),
    )
    for column, (key, title, unit) in enumerate(panels):
        axes = figure.add_subplot(grid[0, column])
        axes.plot(epochs, history[key], "o-", color=BLUE, markersize=4, label=f"training{mixed}")
        axes.plot(epochs, history[f"val_{key}"], "s--", color=ORANGE, markersize=4, label="validation")
        axes.set(title=title, xlabel="epoch", ylabel=unit)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        if key == "accuracy":
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    axes = figure.add_subplot(grid[1, :])
    axes.plot(np.linspace(0, len(epochs), len(rates)), rates, color=GREEN)
    axes.set(xlabel="epochs of training", ylabel="learning rate", xlim=(0, len(epochs)), ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
