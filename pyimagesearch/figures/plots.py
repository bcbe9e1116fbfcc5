"""Every figure. Arrays in, a PNG out; no Keras and no global state of matplotlib here."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from pyimagesearch.files import replacing

# Colours that colour-blind readers can tell apart (Okabe and Ito, "Color Universal Design", 2008).
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#007A5A", "#C23B00"
# One for each class, the same in every figure: Okabe and Ito's, a grey and a brown.
CLASS_COLOURS = (
    *("#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442"),
    *("#0072B2", "#D55E00", "#CC79A7", "#808080", "#7A4A12"),
)
WIDTH = 9  # inches; at 110 dots an inch about the width of a README


def save(figure, path):
    """Write a figure to `path` as PNG on white. Raises UserError if it cannot be written."""
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, facecolor="white")


def training_curves(history, rates, recipe, path):
    """Draw loss and accuracy against the epoch, training and validation side by side, and the learning rate below.

    history: dict of lists with one value an epoch: loss, accuracy, val_loss, val_accuracy (accuracies 0 to 1).
    rates: the learning rate at moments spread evenly over the training, from its start to its end. recipe: what made
    the training's pictures and labels unlike those of the validation, which the figure says.
    """
    figure = Figure(figsize=(WIDTH, 5.2), layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=(3.6, 1))
    epochs = np.arange(1, len(history["loss"]) + 1)
    smoothed = f", labels smoothed by {recipe.label_smoothing:g}" if recipe.label_smoothing else ""
    mixed = ", on mixed pictures" if recipe.cutmix else ""
    panels = (
        ("loss", "Loss", f"cross-entropy (nats{smoothed})"),
        ("accuracy", "Accuracy", "pictures classified correctly"),
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
    axes.set(xlabel="epochs done", ylabel="learning rate", xlim=(0, len(epochs)), ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, path)


def samples(images, labels, class_names, path, count=10):
    """Draw the first `count` pictures of each class, a row a class. images: uint8 (N, 28, 28); labels: (N,)."""
    rows = len(class_names)
    sheet = np.full((rows * 30, count * 30), 255, np.uint8)
    for number in range(rows):
        for column, image in enumerate(images[labels == number][:count]):
            sheet[number * 30 + 1 : number * 30 + 29, column * 30 + 1 : column * 30 + 29] = image
    figure = Figure(figsize=(WIDTH, WIDTH * 0.82), layout="constrained")
    axes = figure.subplots()
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=255)
    axes.set_xticks([])
    axes.set_yticks(np.arange(rows) * 30 + 15, [f"{n}  {name}" for n, name in enumerate(class_names)], fontsize=12)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title("Fashion-MNIST: ten training pictures of each class", fontsize=13)
    save(figure, path)


def class_means(means, typical, deviations, class_names, path):
    """Draw for each class its mean picture, its most typical picture, and how much each pixel varies.

    means, typical, deviations: (classes, 28, 28) each, 0 to 255.
    """
    figure = Figure(figsize=(WIDTH, 3.7), layout="constrained")
    panels = figure.subplots(3, len(class_names))
    for row, (title, pictures) in enumerate((("mean", means), ("most typical", typical), ("variation", deviations))):
        for column, (axes, picture) in enumerate(zip(panels[row], pictures, strict=True)):
            axes.imshow(picture, cmap="gray", vmin=0, vmax=255 if row < 2 else 128)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
            if row == 0:
                axes.set_title(class_names[column], fontsize=10)
        panels[row, 0].set_ylabel(title, fontsize=11)
    figure.suptitle("Each class: its mean, the picture nearest to it, where its pictures differ (bright)", fontsize=12)
    save(figure, path)


def pixels(images, path):
    """Draw a histogram of all pixel values. images: uint8 (N, 28, 28)."""
    counts = np.bincount(images.ravel(), minlength=256) / images.size
    figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
    axes = figure.subplots()
    axes.bar(range(1, 256), counts[1:], width=1, color=BLUE)
    axes.set(xlabel="pixel value", ylabel="share of all pixels", xlim=(0, 256))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(f"{counts[0]:.0%} of the pixels are 0, the black background; the others spread over the whole range")
    save(figure, path)


def map_of_pictures(places, images, labels, class_names, path, thumbnails=120):
    """Draw pictures as dots at `places` (N, 2), coloured by class, some of them as the pictures themselves."""
    figure = Figure(figsize=(WIDTH, 8), layout="constrained")
    axes = figure.subplots()
    for number, name in enumerate(class_names):
        chosen = labels == number
        axes.scatter(*places[chosen].T, s=9, color=CLASS_COLOURS[number], label=name, linewidths=0)
    low, high = places.min(axis=0), places.max(axis=0)
    size = 0.03 * (high - low)
    drawn = np.empty((0, 2))
    for place, image, label in zip(places, images, labels, strict=True):
        if len(drawn) == thumbnails:
            break
        if (np.abs(drawn - place) < 1.25 * size).all(axis=1).any():
            continue  # it would cover another one
        drawn = np.vstack([drawn, place])
        (left, bottom), (right, top) = place - size / 2, place + size / 2
        axes.imshow(255 - image, cmap="gray", extent=(left, right, bottom, top), zorder=3, vmin=0, vmax=255)
        colour = CLASS_COLOURS[label]
        axes.add_patch(Rectangle((left, bottom), *size, fill=False, edgecolor=colour, linewidth=1.4, zorder=4))
    axes.set(xlim=(low[0] - size[0], high[0] + size[0]), ylim=(low[1] - size[1], high[1] + size[1]), aspect="auto")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color("#C0C0C0")
    figure.legend(loc="outside lower center", ncols=5, frameon=False, fontsize=11, markerscale=3)
    axes.set_title(f"{len(labels):,} training pictures: neighbours look alike (t-SNE)", fontsize=13)
    save(figure, path)


def suspicious_labels(images, doubts, class_names, path, rows=5, columns=10):
    """Draw a contact sheet of pictures whose label looks wrong (analysis.Doubt): label, and what it might be."""
    figure = Figure(figsize=(WIDTH, 1.28 * rows + 0.4), layout="constrained")
    for axes in (panels := figure.subplots(rows, columns)).flat:
        axes.set_axis_off()
    for axes, doubt in zip(panels.flat, doubts, strict=False):
        axes.imshow(images[doubt.index], cmap="gray", vmin=0, vmax=255)
        axes.set_title(f"{class_names[doubt.label]}\n{class_names[doubt.other]}?", fontsize=9, color=RED)
    figure.suptitle("Training pictures whose label looks wrong: the label, and what the neighbours say", fontsize=12)
    save(figure, path)


def confusion_matrix(matrix, class_names, path):
    """Draw counts[true class][predicted class] as a coloured table; the colour is the share of the true class."""
    counts = np.asarray(matrix)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(WIDTH, 7.6), layout="constrained")
    axes = figure.subplots()
    # The square root gives the rare mistakes, which the figure is about, a colour that can be seen.
    axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if shares[row, column] > 0.4 else "black"
            weight = "bold" if row == column else "normal"
            axes.text(column, row, f"{count:,}", ha="center", va="center", color=colour, weight=weight, fontsize=11)
    ticks = range(len(class_names))
    axes.set_xticks(ticks, class_names, rotation=40, ha="right", rotation_mode="anchor", fontsize=11)
    axes.set_yticks(ticks, class_names, fontsize=11)
    axes.set_xlabel("predicted class", fontsize=12)
    axes.set_ylabel("true class", fontsize=12)
    right, total = int(np.trace(counts)), int(counts.sum())
    axes.set_title(f"{right:,} of {total:,} test pictures are on the diagonal: right", fontsize=13)
    save(figure, path)


def predictions(images, labels, probabilities, class_names, path, rows=5, columns=8):
    """Draw a montage of pictures spread evenly over the set, each with the predicted class.

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
        f"{len(chosen)} test pictures and what the network says: green is right, red is wrong ({wrong}), "
        "with the true class in brackets",
        fontsize=11,
    )
    save(figure, path)


def mistakes(images, labels, probabilities, class_names, path, rows=2, columns=5):
    """Draw the pictures that the network is most sure of and wrong about, the worst first; arguments as above."""
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
    figure.suptitle(f"Of {len(wrong):,} mistakes, those that the network is most sure of", fontsize=13)
    save(figure, path)


def reliability(result, path):
    """Draw accuracy against confidence, before and after temperature scaling. result: of evaluation.evaluate."""
    figure = Figure(figsize=(WIDTH, 4.4), layout="constrained")
    titles = "as the network says", f"after temperature scaling (T = {result['temperature']:.2f})"
    both = result["calibration"], result["calibration_cooled"]
    for axes, title, bins in zip(figure.subplots(1, 2), titles, both, strict=True):
        axes.plot([0, 1], [0, 1], "--", color="#808080", label="as sure as right")
        share = np.array(bins["count"]) / sum(bins["count"])
        axes.scatter(bins["confidence"], bins["accuracy"], s=20 + 600 * share, color=BLUE, alpha=0.8)
        axes.set(title=f"{title}\nexpected calibration error {bins['error']:.2%}", xlim=(0, 1.04), ylim=(0, 1.04))
        axes.set(xlabel="how sure the network is", ylabel="how often it is right")
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("larger dots: more pictures; below the line: too sure, above it: not sure enough", fontsize=11)
    save(figure, path)


def filters(kernels, path):
    """Draw the filters of a first convolution, (rows, columns, 1, filters): orange adds brightness, blue takes it."""
    figure = Figure(figsize=(WIDTH, 1.9), layout="constrained")
    panels = figure.subplots(int(np.ceil(kernels.shape[-1] / 16)), min(16, kernels.shape[-1]), squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    for axes, kernel in zip(panels.flat, np.moveaxis(kernels[:, :, 0], -1, 0), strict=False):
        most = np.abs(kernel).max()
        axes.imshow(kernel, cmap="PuOr_r", vmin=-most, vmax=most)
    figure.suptitle("The first convolution's filters: orange adds the pixel, purple subtracts it", fontsize=13)
    save(figure, path)


def feature_maps(image, answers, path, shown=12):
    """Draw a picture's way through the network. answers: [(layer, (height, width, filters) float)], in their order."""
    figure = Figure(figsize=(WIDTH, 0.5 + 0.95 * len(answers)), layout="constrained")
    figure.suptitle(f"One picture on its way: answers of {shown} filters of each layer (yellow: strong)", fontsize=13)
    strips = figure.subfigures(len(answers), 1, squeeze=False)[:, 0]
    for number, (strip, (name, maps)) in enumerate(zip(strips, answers, strict=True)):
        strip.suptitle(name, fontsize=11, x=0.09, ha="left")
        panels = strip.subplots(1, shown + 1)
        for axes in panels:
            axes.set_axis_off()
        if number == 0:
            panels[0].imshow(image, cmap="gray", vmin=0, vmax=255)
        for axes, answer in zip(panels[1:], np.moveaxis(maps, -1, 0), strict=False):
            axes.imshow(answer, cmap="viridis")
    save(figure, path)


def photos(rows, class_names, path, most=12):
    """Draw, a row a photo: the photo, the garment found in it, its greys, the 28 x 28 picture, the answer as bars.

    rows: (name, photo.Photo, probabilities of the classes); the first `most` of them are drawn.
    """
    rows = rows[:most]
    figure = Figure(figsize=(WIDTH, 0.5 + 1.75 * len(rows)), layout="constrained")
    panels = figure.subplots(len(rows), 5, squeeze=False, width_ratios=(1, 1, 1, 1, 1.15))
    for number, (axes, (name, photo, probabilities)) in enumerate(zip(panels, rows, strict=True)):
        cut_out = np.where(photo.garment[..., None], photo.original, 255)
        titles = ("the photo", "background removed", "grey, negated", "28 x 28 pixels")
        pictures = (photo.original, cut_out, photo.grey, photo.pictures[0, ..., 0])
        for panel, title, picture in zip(axes, titles, pictures, strict=False):
            panel.imshow(picture, cmap="gray", vmin=0, vmax=255)
            panel.set_xticks([])
            panel.set_yticks([])
            panel.spines[:].set_color("#C0C0C0")
            if number == 0:
                panel.set_title(title, fontsize=10)
        axes[0].set_xlabel(name if len(name) < 22 else f"{name[:10]}...{name[-9:]}", fontsize=9)
        best = np.argsort(probabilities)[-5:]
        axes[4].barh(range(5), np.asarray(probabilities)[best], color=[BLUE] * 4 + [ORANGE])
        axes[4].set_yticks(range(5), [class_names[k] for k in best], fontsize=10)
        axes[4].set_xlim(0, 1)
        axes[4].set_xticks([0, 0.5, 1])
        axes[4].xaxis.set_major_formatter(PercentFormatter(1.0))
        axes[4].tick_params(axis="x", labelsize=9)
        axes[4].spines[["top", "right"]].set_visible(False)
        if number == 0:
            axes[4].set_title("probability", fontsize=11)
    save(figure, path)


def network(rows, path):
    """Draw a network as a column of boxes. rows: (layer, output shape, parameters, ...), strings, strings and ints."""
    colours = {"Conv2D": "#BBDDF2", "Dense": "#F6D9A0", "MaxPooling2D": "#BFE3D4", "Input": "#E0E0E0"}
    figure = Figure(figsize=(WIDTH, 0.36 * len(rows) + 0.7))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 10), ylim=(len(rows) + 0.15, -1.3))
    axes.set_axis_off()
    for x, text, align in ((2.9, "layer", "center"), (5.3, "output shape", "left"), (9.4, "parameters", "right")):
        axes.text(x, -0.75, text, ha=align, va="center", fontsize=12, weight="bold")
    for row, (layer, shape, parameters, *_) in enumerate(rows):
        colour = colours.get(layer.split()[0], "white")
        axes.add_patch(Rectangle((1.1, row - 0.36), 3.6, 0.72, facecolor=colour, edgecolor="#404040", linewidth=0.8))
        axes.text(2.9, row, layer, ha="center", va="center", fontsize=11)
        axes.text(5.3, row, shape, ha="left", va="center", fontsize=11)
        axes.text(9.4, row, f"{parameters:,}" if parameters else "-", ha="right", va="center", fontsize=11)
        if row:
            ends = (2.9, row - 0.66), (2.9, row - 0.34)
            axes.add_patch(FancyArrowPatch(*ends, arrowstyle="-|>", mutation_scale=8, color="#404040"))
    total = f"{sum(row[2] for row in rows):,} in all"
    axes.text(9.4, len(rows) - 0.25, total, ha="right", va="center", fontsize=11, weight="bold")
    save(figure, path)
