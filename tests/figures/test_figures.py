"""Every figure is drawn, with its texts inside the canvas, and shows what it says, whatever matplotlib's settings."""

import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.text import Annotation, Text
from PIL import Image

from conftest import ROOT, pictures
from pyimagesearch import errors
from pyimagesearch.data.loading import CLASS_NAMES
from pyimagesearch.data.preparation import reshape
from pyimagesearch.evaluation.convolution import EDGES, convolve, example_place
from pyimagesearch.evaluation.label_errors import Suspect
from pyimagesearch.evaluation.occlusion import Explanation
from pyimagesearch.evaluation.photo_prediction import Prediction
from pyimagesearch.figures import data, evaluation, network, photos, style, training
from pyimagesearch.photos.conversion import Photo
from pyimagesearch.recipes import RECIPES

IMAGES, LABELS = pictures(200)
HISTORY = {"cross_entropy": [2.0, 1.0], "accuracy": [0.3, 0.6], "learning_rates": [[0, 0.1], [0.05, 0]]}
HISTORY |= {"val_cross_entropy": [1.9, 1.2], "val_accuracy": [0.35, 0.55]}
CALIBRATION = {"error": 0.02, "confidence": [0.3, 0.95], "accuracy": [0.4, 0.97], "count": [5, 95]}
RELIABILITY = {"calibration": CALIBRATION, "calibration_after_scaling": CALIBRATION, "temperature": 0.7}
PHOTO = Photo(np.zeros((60, 40, 3), np.uint8), np.eye(60, 40) > 0, IMAGES[0], IMAGES[:1, ..., None], plain=True)
SHAPE = "28 x 28 x 8"
ROWS = [  # conv -> normalization and ReLU -> conv -> normalization -> +, and a way past the second convolution
    ("Input", "28 x 28 x 1", 0, []),
    *[("Conv2D 3x3, 8 filters", SHAPE, 80, [0]), ("BatchNormalization", SHAPE, 32, [1]), ("ReLU", SHAPE, 0, [2])],
    *[("Conv2D 1x1, 8 filters", SHAPE, 7, [3]), ("Conv2D 3x3, 8 filters", SHAPE, 584, [3])],
    *[("BatchNormalization", SHAPE, 32, [4]), ("Add", SHAPE, 0, [5, 6]), ("Dense 10", "10", 900, [7])],
]
KERNELS = np.random.default_rng(0).normal(size=(3, 3, 1, 200))
MAPS = [(f"convolution {number}: 28 x 28 x 200", IMAGES.transpose(1, 2, 0)) for number in (1, 2, 3, 4)]


def predicted(name, classes):
    return Path(name), Prediction(PHOTO, np.linspace(0, 0.9, classes), 0, (), ())


def explained(count, classes=10, truth=1, scale=0.4):
    """Return `count` Explanations of predictions of the last class."""
    name = "a photo/with a long/\udcff name$x^$.png" + (", view 1 of 8" if truth is None else "")
    probabilities = np.linspace(0, 1, classes)
    falls = scale * (IMAGES[:count] / 255 - 0.1)
    return [Explanation(name, IMAGES[k], probabilities, classes - 1, falls[k], truth) for k in range(count)]


def figures(names):
    """Return {name: function that draws a figure} of data with these classes, not all of which have images."""
    count = len(names)
    labels = LABELS.astype(int) * max(1, count // 10) % count
    probabilities = np.eye(count, dtype=np.float32)[(labels + LABELS // 9) % count]
    return {
        "numbers": lambda: data.numbers(IMAGES[0], names[-1]),
        "samples": lambda: data.samples(IMAGES, labels, names),
        "class_means": lambda: data.class_means(IMAGES[:count], names),
        "suspicious": lambda: data.suspicious_labels(IMAGES, [Suspect("train", 3, 1, 0, 1.0)] * 50, names),
        "confusion_matrix": lambda: evaluation.confusion_matrix(np.full((count, count), 1000), names),
        "predictions": lambda: evaluation.predictions(reshape(IMAGES), labels, probabilities, names),
        "explanations": lambda: evaluation.explanations(explained(12, count), names),
        "feature_maps": lambda: network.feature_maps(IMAGES[0], names[-1], MAPS, KERNELS, np.eye(count)[-1], names),
        "photos": lambda: photos.photos([predicted("\udcff with a long name $x^$.png", count)] * 2, names),
    }


# Other data: 2 or 23 classes, and names that are long, in other scripts, formulas, not UTF-8.
FEW = ["a", "a$x^$b"]
MANY = [f"class {number} with a long name" for number in range(20)] + ["$_$ {", "\u978b \U0001f600", "\udcff\n"]
FIGURES = {
    f"{figure} of {len(names)}": draw for names in (CLASS_NAMES, FEW, MANY) for figure, draw in figures(names).items()
} | {
    "training_curves": lambda: training.curves(HISTORY, RECIPES["best"]),
    "convolution": lambda: data.convolution(IMAGES[0]),
    "convolution of a black image": lambda: data.convolution(IMAGES[0] * 0),
    "augmentation": lambda: data.augmentation([("stretched by 10%\n60% of pixels differ", IMAGES[0])] * 8),
    "one explanation": lambda: evaluation.explanations(explained(1), CLASS_NAMES),
    "explanations of photos": lambda: evaluation.explanations(explained(3, truth=None, scale=0), CLASS_NAMES),
    "reliability": lambda: evaluation.reliability(RELIABILITY),
    "filters": lambda: network.filters({"before training": KERNELS, "after one epoch": KERNELS**2}),
    "filters of color images": lambda: network.filters({"at the end": np.zeros((5, 5, 3, 3))}),
    "feature_maps of a dense network": lambda: network.feature_maps(IMAGES[0], "", [], None, np.eye(4)[3], [*"abcd"]),
    "network": lambda: network.diagram(ROWS),
    "network of any size": lambda: network.diagram([("Input", "any x 1", 0, []), ("Dense 8", "any x 8", 16, [0])]),
}


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_figure_is_drawn_with_its_texts_inside(draw):
    figure = draw()
    with style.settings():
        figure.draw_without_rendering()
        drawn = [figure.get_tightbbox()]  # in inches: the box around what can be seen, but for the texts of bars
        written = [text for text in figure.findobj(Text) if text.get_text()]
        bars = [text.get_window_extent() for text in written if not text.get_in_layout()]
        drawn += [box.transformed(figure.dpi_scale_trans.inverted()) for box in bars]
    assert figure.get_figwidth() == style.WIDTH
    width, height = figure.get_size_inches() + 1e-6
    for box in drawn:
        assert box.x0 > -1e-6 and box.y0 > -1e-6 and box.x1 <= width and box.y1 <= height, box
    # On a phone, where the figure is 390 pixels wide, 12.5 points are 9 pixels.
    assert min(text.get_fontsize() for text in written if not text.get_text().replace(",", "").isdigit()) >= 12.5


def texts(figure):
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def test_notebook_shows_what_is_saved_without_pyplot(tmp_path):
    figure = network.diagram(ROWS)
    (path,) = style.save(tmp_path, network=figure)
    assert figure._repr_png_() == path.read_bytes()
    pixels = np.asarray(Image.open(path).convert("L"))
    assert pixels.shape[1] == 900 and pixels.std() > 5
    with pytest.raises(errors.UserError, match="cannot write .*figure.png"):
        style.save(tmp_path / "network.png", figure=figure)  # a file in place of the folder


def test_confusion_matrix_names_the_most_confused_classes():
    matrix = np.diag([90, 80, 70])
    matrix[0, 2], matrix[2, 0], matrix[1, 2] = 10, 5, 12
    figure = evaluation.confusion_matrix(matrix, ["Shirt", "Bag", "a$x^$b"])
    (axes,) = figure.axes
    assert axes.get_xlabel().startswith("predicted") and axes.get_ylabel().startswith("true class")
    assert [text.get_text() for text in axes.get_yticklabels()] == ["Shirt: 10", "Bag: 12", "a$x^$b: 5"]
    numbers = {text.get_text(): text.get_position() for text in axes.texts}
    assert numbers["10"] == (2, 0) and numbers["5"] == (0, 2) and numbers["12"] == (2, 1)  # x: predicted, y: true
    assert axes.images[0].get_array()[0, 2] ** 2 == pytest.approx(10 / 100)  # the color: of the true class
    assert "Shirt and a$x^$b, 15 of 27 mistakes" in texts(figure) and "240 of 267 images" in texts(figure)
    assert sorted(patch.get_xy() for patch in axes.patches) == [(-0.5, 1.5), (1.5, -0.5)]


def test_explanations_show_the_map_over_the_image_between_label_and_prediction():
    figure = evaluation.explanations(explained(1), CLASS_NAMES)
    image, overlay = figure.axes[:2]
    np.testing.assert_array_equal(image.images[0].get_array(), IMAGES[0])
    np.testing.assert_allclose(overlay.images[1].get_array(), 100 * explained(1)[0].falls)  # percentage points
    none, most = (overlay.images[1].to_rgba(np.array([[value]]))[0, 0] for value in (0, 36))
    assert none[3] < 0.01 and most[3] > 0.9 and most[0] > most[2]  # transparent where nothing changes, orange at a fall
    assert image.get_title() == "? name$x^$.png\nlabel: Trouser"
    photo = evaluation.explanations(explained(1, truth=None), CLASS_NAMES).axes[0]
    assert photo.get_title() == "? name$x^$.png\nview 1 of 8"
    assert overlay.get_title() == "prediction:\nAnkle boot 100%"


def test_predictions_show_correct_ones_and_mistakes_with_their_largest_probabilities():
    probabilities = np.full((200, 10), 0.01)
    probabilities[np.arange(200), LABELS] = 0.91
    probabilities[150] = np.eye(10)[3]  # wrong: it is class 0
    figure = evaluation.predictions(reshape(IMAGES), LABELS, probabilities, CLASS_NAMES, right=2, wrong=3, columns=3)
    assert "2 images that are predicted correctly (green), 1 that are not (red)" in texts(figure)
    assert [axes.get_title() for axes in figure.axes[:3]] == ["T-shirt/top", "T-shirt/top", "Ankle boot"]
    below = [[text.get_text().strip() for text in axes.texts] for axes in figure.axes[3:6]]
    assert [names[0] for names in below] == ["T-shirt/top 91%", "Dress 100%", "Ankle boot 91%"]
    colors = [axes.patches[0].get_facecolor()[:3] for axes in figure.axes[3:6]]
    assert colors == [to_rgba(color)[:3] for color in (style.GREEN, style.RED, style.GREEN)]


def test_a_convolution_is_drawn_in_numbers_that_add_up():
    sums, image = convolve(IMAGES[0], EDGES), np.pad(IMAGES[0].astype(int), 1)
    row, column = example_place(IMAGES[0], sums)
    figure = data.convolution(IMAGES[0])
    pixels, weights, products, block = ([int(text.get_text()) for text in axes.texts] for axes in figure.axes[:4])
    assert pixels == image[row : row + 3, column : column + 3].ravel().tolist() and weights == [-1, 0, 1] * 3
    assert products == [pixel * weight for pixel, weight in zip(pixels, weights, strict=True)]
    assert figure.axes[2].get_xlabel() == f"added: {sum(products)}" and sum(products) == sums[row, column]
    assert figure.axes[3].get_xlabel() == f"largest: {max(block)}" and max(block) == sums[row, column]


def test_the_label_is_above_an_image_and_what_it_may_be_below():
    suspects = [Suspect("train", 3, 9, 0, 1.0), Suspect("train", 5, 1, 2, 1.0)]
    figure = data.suspicious_labels(IMAGES, suspects, CLASS_NAMES, "the class of a friend")
    shown = [(axes.get_title(), axes.get_xlabel()) for axes in figure.axes[:2]]
    assert shown == [("Ankle boot", "T-shirt/top"), ("Trouser", "Pullover")]
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), IMAGES[5])


@pytest.mark.parametrize("accuracy, finding", [([0.4, 0.97], "2.4 points below"), ([0.2, 0.75], "19.5 points above")])
def test_reliability_says_whether_the_confidence_is_too_high_and_which_images_are_too_few(accuracy, finding):
    before = CALIBRATION | {"accuracy": accuracy, "error": 0.05}
    figure = evaluation.reliability(RELIABILITY | {"calibration": before})
    assert figure.axes[0].get_title() == "as predicted\nexpected calibration error 5.0%"
    assert f"is {finding} the accuracy;\nafter temperature scaling 2.4 points below" in texts(figure)
    (points,) = figure.axes[0].collections
    assert points.get_offsets().tolist() == [[0.3, accuracy[0]], [0.95, accuracy[1]]]
    assert points.get_sizes().tolist() == [32, 392]  # 5 images, 95


def test_filters_are_drawn_at_each_stage_with_their_weights_those_that_changed_most_first():
    before = np.zeros((3, 3, 1, 6))
    before[0, 0, 0] = 1
    after = before.copy()
    after[..., 5] *= 2  # a scale is no change
    after[2, 2, 0, 4] = 0.5
    figure = network.filters({"before training": before, "at the end": after}, shown=2)
    assert [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()] == ["before\ntraining", "at\nthe end"]
    assert [axes.get_title() for axes in figure.axes[:2]] == ["filter 5", "filter 1"]  # those that changed most
    assert [text.get_text() for text in figure.axes[4].texts] == ["1", *["0"] * 7, ".5"]


def test_feature_maps_are_tied_to_their_filters_have_a_scale_and_end_with_the_prediction():
    maps = np.zeros((28, 28, 200))
    maps[3, 4, [17, 150]] = 1, 7  # only these two vary
    figure = network.feature_maps(IMAGES[0], "Bag", [("convolution 1", maps)], KERNELS, np.eye(10)[8], CLASS_NAMES, 2)
    shown = {axes.get_title(): axes.images[0] for axes in figure.axes if axes.get_title()}
    assert list(shown) == ["Bag", "filter 18", "filter 151", "map 18", "map 151"]
    np.testing.assert_array_equal(shown["filter 151"].get_array(), KERNELS[:, :, 0, 150])
    assert shown["map 18"].get_clim() == shown["map 151"].get_clim() == (-7, 7)
    assert figure.axes[-1].texts[0].get_text() == " Bag 100%"


def test_a_network_is_drawn_as_a_graph():
    (axes,) = network.diagram(ROWS).axes
    drawn = [text.get_text() for text in axes.texts if text.get_text()]
    assert drawn[0] == "55% of the 1,635 parameters are in Dense 10"
    boxes = {name: drawn[drawn.index(name) :][:4] for name in ("Conv2D 3x3, 8 filters", "Conv2D 1x1, 8 filters", "+")}
    first, second, added = boxes.values()
    assert "BatchNormalization, ReLU" in first and "112" in first
    assert "BatchNormalization" in second and "39" in second  # its own, though another convolution stands between
    assert SHAPE in added and "-" in added
    # Two lines go past a box: from the first convolution to the third, and from the second to the sum.
    assert len(axes.lines) == 2 and len({line.get_xdata()[1] for line in axes.lines}) == 2
    assert len([text for text in axes.texts if isinstance(text, Annotation)]) == 6  # as many as there are connections


def test_each_curve_has_its_own_name_and_color_and_counts_epochs_from_one():
    figure = training.curves(HISTORY, RECIPES["classic"])
    for axes, key in zip(figure.axes, ("cross_entropy", "accuracy"), strict=False):
        drawn = {line.get_label().partition(":")[0]: list(line.get_ydata()) for line in axes.lines}
        assert drawn == {"training": HISTORY[key], "validation": HISTORY[f"val_{key}"]}
        assert axes.lines[0].get_xdata().tolist() == [1, 2]
    colors = [line.get_color() for line in figure.axes[0].lines]
    assert [handle.get_color() for handle in figure.legends[0].legend_handles] == colors
    last = {text.get_text(): text.get_color() for text in figure.axes[0].texts}
    assert last["1.000"] == colors[0] != last["1.200"]


def test_the_samples_of_a_class_are_in_its_row():
    axes = data.samples(IMAGES, LABELS, CLASS_NAMES, count=2).axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array()[91:119, 31:59], IMAGES[LABELS == 3][1])
    assert axes.get_yticklabels()[3].get_text() == f"3  {CLASS_NAMES[3]}"


@pytest.mark.parametrize(
    "name, classes, accuracy, losses, finding",
    [
        ("best", 10, 0.3, [1.9, 1.2], "\nTraining is measured on mixed images (CutMix): do not compare"),
        ("fast", 10, 0.6, [1.9, 1.2], ", 5.0 points below training\nValidation cross-entropy is lowest at the end"),
        ("fast", 2, 0.3, [1.1, 1.2], ", 25.0 points above training\nIf only training improves, it overfits: "),
    ],
)
def test_curves_say_what_is_seen(name, classes, accuracy, losses, finding):
    changed = {"accuracy": [0.2, accuracy], "val_cross_entropy": losses}
    drawn = texts(training.curves(HISTORY | changed, RECIPES[name], classes))
    assert f"Validation accuracy 55.00% after 2 epochs{finding}" in drawn
    assert "of the end: 60.00%" in texts(training.curves(HISTORY | changed, RECIPES[name], classes, 0.6))
    assert ("lowest at epoch 1" in drawn) == (losses[0] < losses[1])
    assert ("cross-entropy (2.30: guessing)" if classes == 10 else "cross-entropy (0.69: guessing)") in drawn
    assert ("training: mean over the epoch (CutMix)" in drawn) == (name == "best")


def test_each_photo_is_drawn_with_its_own_steps_and_its_largest_probabilities():
    *steps, bars = photos.photos([predicted("a.png", 10)], CLASS_NAMES).axes
    drawn = [np.asarray(axes.images[0].get_array()) for axes in steps]
    assert (drawn[0] == 0).all() and (drawn[1][~PHOTO.mask] == 255).all() and (drawn[1][PHOTO.mask] == 0).all()
    assert np.array_equal(drawn[2], PHOTO.gray) and np.array_equal(drawn[3], PHOTO.images[0, ..., 0])
    assert [text.get_text() for text in bars.texts][:2] == [" Ankle boot 90%", " Bag 80%"]


CODE = r"""
import sys, numpy as np
from pathlib import Path
from pyimagesearch.figures import evaluation, network, style
assert "matplotlib.pyplot" not in sys.modules and "keras" not in sys.modules
names = ["T-shirt/top", "a$x^$b", "$5", "\u978b", "\U0001f600", "_c", "\udcff"]
style.save(
    Path("."),
    figure=evaluation.confusion_matrix(np.arange(49).reshape(7, 7), names),
    network=network.diagram([("Input", "28 x 28 x 1", 0, []), ("Dense $x^$", "10", 5, [0])]),
)
"""


def python(code, folder, **variables):
    """Run Python code in a folder that is also its home. It prints nothing to stderr; returns what it prints."""
    environment = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment | variables, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


UNUSUAL = (
    "text.usetex: True\ntext.color: white\naxes.titlesize: 40\nfigure.dpi: 300\nsavefig.dpi: 30\naxes.grid: True\n"
    "font.family: No Such Font\nno.such.key: 3\nbackend: nonsense\n"
)


def test_the_figure_is_the_same_whatever_the_settings_are(tmp_path):
    drawn = []
    backend = "module://matplotlib_inline.backend_inline"  # a notebook's, in another Python
    for folder, text, variables in (tmp_path / "own", UNUSUAL, {"MPLBACKEND": backend}), (tmp_path / "plain", "", {}):
        (folder / "bin").mkdir(parents=True)
        (folder / "bin/latex").write_text("#!/bin/sh\ntouch started\nexit 1\n")
        (folder / "bin/latex").chmod(0o755)
        (folder / ".config/matplotlib").mkdir(parents=True)
        (folder / ".config/matplotlib/matplotlibrc").write_text(text)
        assert python(CODE, folder, **variables) == ""
        assert not (folder / "started").exists()
        drawn.append([(folder / name).read_bytes() for name in ("figure.png", "network.png")])
    assert drawn[0] == drawn[1]


IN_A_NOTEBOOK = """
import matplotlib
matplotlib.rcParams["font.size"] = 17
from pyimagesearch.figures import network
network.diagram([("Input", "784", 0, [])])._repr_png_()
import logging, matplotlib.pyplot
print(matplotlib.rcParams["font.size"], matplotlib.get_backend(), logging.getLogger("matplotlib").level)
"""


@pytest.mark.parametrize("early", ["", "from pyimagesearch import figures\n"])
def test_a_notebook_keeps_its_settings(tmp_path, early):
    cache = matplotlib.get_cachedir()  # building another takes long on a busy machine, and matplotlib says so
    assert python(early + IN_A_NOTEBOOK, tmp_path, MPLBACKEND="svg", MPLCONFIGDIR=cache) == "17.0 svg 0\n"
