"""Every figure is drawn, with its texts inside the canvas."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.text import Text
from PIL import Image

from conftest import pictures
from pyimagesearch import errors
from pyimagesearch.data.loading import CLASS_NAMES
from pyimagesearch.data.preparation import reshape
from pyimagesearch.evaluation import convolution
from pyimagesearch.evaluation.convolution import EDGES
from pyimagesearch.evaluation.label_errors import Suspect
from pyimagesearch.evaluation.occlusion import Explanation
from pyimagesearch.figures import data, evaluation, network, photos, style, training
from pyimagesearch.photos.conversion import Photo
from pyimagesearch.photos.prediction import Prediction
from pyimagesearch.recipes import RECIPES

IMAGES, LABELS = pictures(200)
HISTORY = {
    "cross_entropy": [2.0, 1.0],
    "accuracy": [0.3, 0.6],
    "val_cross_entropy": [1.9, 1.2],
    "val_accuracy": [0.35, 0.55],
}
HISTORY["learning_rates"] = [0, 0.1, 0]
CALIBRATION = {"error": 0.02, "confidence": [0.3, 0.95], "accuracy": [0.4, 0.97], "count": [5, 95]}
RELIABILITY = {"calibration": CALIBRATION, "calibration_after_scaling": CALIBRATION, "temperature": 0.7}
PHOTO = Photo(np.zeros((60, 40, 3), np.uint8), np.eye(60, 40) > 0, IMAGES[0], IMAGES[:1, ..., None], plain=True)


def predicted(name, classes):
    return Path(name), Prediction(PHOTO, np.linspace(0, 0.9, classes), 0, (), ())


ROWS = [
    ("Input", "28 x 28 x 1", 0),
    ("Conv2D 3x3, 32 filters", "28 x 28 x 32", 288),
    ("ReLU", "28 x 28 x 32", 0),
    ("Flatten", "25088", 0),
    ("Dense 10, softmax", "10", 250_890),
]
KERNELS = np.random.default_rng(0).normal(size=(3, 3, 1, 200))
MAPS = [(f"convolution {number}: 28 x 28 x 200", IMAGES.transpose(1, 2, 0)) for number in (1, 2, 3, 4)]


def explained(count, classes=10, truth=1, scale=0.4):
    """Return `count` Explanations of predictions of the last class."""
    falls = scale * (IMAGES[:count] / 255 - 0.1)
    probabilities = np.linspace(0, 1, classes)
    return [
        Explanation("a photo/with a long/\udcff name$x^$.png", *row, truth)
        for row in zip(IMAGES, [probabilities] * count, [classes - 1] * count, falls, strict=False)
    ]


# Other data: 2 or 23 classes, one without images, and names that are long, in other scripts, formulas, not UTF-8.
FEW = ["a", "a$x^$b"]
MANY = [f"class {number} with a long name" for number in range(20)] + ["$_$ {", "\u978b \U0001f600", "\udcff\n"]
VERSIONS = [("stretched by 10%\n(only recipe best)\n60% of pixels differ", image) for image in IMAGES[:5]]
FIGURES = {
    "training_curves": lambda: training.curves(HISTORY, RECIPES["best"]),
    "one epoch": lambda: training.curves({k: v[:1] for k, v in HISTORY.items()}, RECIPES["classic"]),
    "numbers": lambda: data.numbers(IMAGES[0], CLASS_NAMES[0]),
    "convolution": lambda: data.convolution(IMAGES[0], EDGES, (12, 13), IMAGES[0].astype(float), IMAGES[0, ::2, ::2]),
    "convolution of a black image": lambda: data.convolution(*[np.zeros((28, 28)), EDGES, (27, 0)], *IMAGES[:2] * 0),
    "augmentation": lambda: data.augmentation(VERSIONS, VERSIONS[:3]),
    "quiz": lambda: data.quiz(IMAGES[:10], LABELS[:10], CLASS_NAMES, "five neighbors name 5 of 10 correctly"),
    "quiz of few": lambda: data.quiz(IMAGES[:3], LABELS[:3], CLASS_NAMES, "note"),
    "samples": lambda: data.samples(IMAGES, LABELS, CLASS_NAMES),
    "confusion_matrix": lambda: evaluation.confusion_matrix(np.eye(10, dtype=int) * 1000, CLASS_NAMES),
    "predictions": lambda: evaluation.predictions(
        reshape(IMAGES), LABELS, np.eye(10, dtype=np.float32)[(LABELS + 1) % 10], CLASS_NAMES
    ),
    "predictions of few": lambda: evaluation.predictions(
        reshape(IMAGES[:3]), LABELS[:3], np.eye(10)[LABELS[:3]], CLASS_NAMES
    ),
    "class_means": lambda: data.class_means(*[IMAGES[:10]] * 3, CLASS_NAMES),
    "suspicious_labels": lambda: data.suspicious_labels(
        IMAGES, [Suspect("train", k, 9, 0, 1.0) for k in range(50)], CLASS_NAMES
    ),
    "explanations": lambda: evaluation.explanations(explained(12), CLASS_NAMES),
    "one explanation": lambda: evaluation.explanations(explained(1), CLASS_NAMES),
    "explanations of photos": lambda: evaluation.explanations(explained(3, truth=None), CLASS_NAMES),
    "explanations in which nothing matters": lambda: evaluation.explanations(explained(2, scale=0), CLASS_NAMES),
    "reliability": lambda: evaluation.reliability(RELIABILITY),
    "filters": lambda: network.filters(
        {"before training": KERNELS, "after one epoch": 2 * KERNELS, "at the end": KERNELS}
    ),
    "filters of color images": lambda: network.filters({"at the end": np.zeros((5, 5, 3, 3))}),
    "feature_maps": lambda: network.feature_maps(IMAGES[0, ..., None], MAPS, KERNELS, np.eye(10)[3], CLASS_NAMES),
    "feature_maps of a dense network": lambda: network.feature_maps(IMAGES[0], [], None, np.eye(10)[3], CLASS_NAMES),
    "photos": lambda: photos.photos([predicted("a photo with a long name.jpg", 10)] * 2, CLASS_NAMES),
    "network": lambda: network.diagram(ROWS),
    "network of any size": lambda: network.diagram(
        [("Input", "any x any x 1", 0), ("Conv2D 1x1", "any x any x 8", 16)]
    ),
    "dense network": lambda: network.diagram([("Input", "784", 0), ("Dense 10", "10", 7850)]),
}
for count, names in ((2, FEW), (23, MANY)):
    labels = LABELS.astype(int) * (count // 10) % count  # not every class has images
    FIGURES |= {
        f"{name} of {count} classes": draw
        for name, draw in {
            "numbers": lambda names=names: data.numbers(IMAGES[0], names[-1]),
            "quiz": lambda labels=labels, names=names: data.quiz(IMAGES[:10], labels[-10:], names, "a note"),
            "samples": lambda labels=labels, names=names: data.samples(IMAGES, labels, names),
            "class_means": lambda names=names: data.class_means(*[IMAGES[: len(names)]] * 3, names),
            "confusion_matrix": lambda names=names: evaluation.confusion_matrix(np.ones([len(names)] * 2, int), names),
            "feature_maps": lambda names=names: network.feature_maps(
                IMAGES[0], MAPS, None, np.eye(len(names))[-1], names
            ),
            "explanations": lambda names=names: evaluation.explanations(explained(2, len(names)), names),
            "photos": lambda names=names: photos.photos([predicted("\udcff$x^$.png", len(names))], names),
        }.items()
    }


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_figure_is_drawn_with_its_texts_inside(draw):
    figure = draw()
    with style.settings():
        figure.draw_without_rendering()
        drawn = figure.get_tightbbox()  # in inches: the box around all that can be seen, texts and ticks included
    width, height = figure.get_size_inches()
    assert width == style.WIDTH
    assert drawn.x0 >= 0 and drawn.y0 >= 0 and drawn.x1 <= width and drawn.y1 <= height, drawn
    sizes = [text.get_fontsize() for text in figure.findobj(Text) if text.get_text()]
    assert min(sizes) >= 9.5  # 9 in the README, 830 pixels wide


def texts(figure):
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def test_notebook_shows_what_is_saved_without_pyplot(tmp_path):
    figure = network.diagram(ROWS)
    (path,) = style.save(tmp_path, network=figure)
    assert figure._repr_png_() == path.read_bytes()
    pixels = np.asarray(Image.open(path).convert("L"))
    assert 900 < pixels.shape[1] < 1100 and pixels.std() > 5


def test_confusion_matrix_names_the_most_confused_classes():
    matrix = np.diag([90, 80, 70])
    matrix[0, 2], matrix[2, 0], matrix[1, 2] = 10, 5, 12
    axes = evaluation.confusion_matrix(matrix, ["Shirt", "Bag", "a$x^$b"]).axes[0]
    title = axes.get_title()
    assert axes.get_xlabel().startswith("predicted") and axes.get_ylabel() == "true class"
    numbers = {text.get_text(): text.get_position() for text in axes.texts}
    assert numbers["10"] == (2, 0) and numbers["5"] == (0, 2) and numbers["12"] == (2, 1)  # x: predicted, y: true
    assert "Shirt and a$x^$b are confused most: 15 of 27 mistakes" in title
    assert "240 of 267 images are on the diagonal" in title


def test_explanations_show_the_map_over_the_image_and_mark_predicted_and_true_class():
    figure = evaluation.explanations(explained(1), CLASS_NAMES)
    image, overlay, bars = figure.axes[0], figure.axes[1], figure.axes[2]
    np.testing.assert_array_equal(image.images[0].get_array(), IMAGES[0])
    np.testing.assert_array_equal(overlay.images[0].get_array(), IMAGES[0])
    np.testing.assert_allclose(overlay.images[1].get_array(), 100 * explained(1)[0].falls)  # percentage points
    none, most = (overlay.images[1].to_rgba(np.array([[value]]))[0, 0] for value in (0, 36))
    assert none[3] < 0.01 and most[3] > 0.9 and most[0] > most[2]  # transparent where nothing changes, orange at a fall
    # The three largest probabilities, the true class, however improbable, and the sum of the others.
    names = [text.get_text() for text in bars.get_yticklabels()]
    assert names == ["Ankle boot", "Bag", "Sneaker", "* Trouser", "6 others"]
    assert [bar.get_facecolor() == to_rgba(style.ORANGE) for bar in bars.patches] == [True] + [False] * 4
    widths = [bar.get_width() for bar in bars.patches]
    assert widths == pytest.approx([1, 8 / 9, 7 / 9, 1 / 9, (6 + 5 + 4 + 3 + 2) / 9])
    assert "percentage points" in texts(figure)
    few = evaluation.explanations(explained(1, 2), FEW).axes[2].get_yticklabels()
    assert [text.get_text() for text in few] == ["* a$x^$b", "a"]


def test_ten_explanations_fit_on_a_screen():
    assert evaluation.explanations(explained(10), CLASS_NAMES).get_figheight() < style.WIDTH


def test_a_square_of_an_image_is_drawn_as_its_numbers():
    whole, square = data.numbers(IMAGES[3], "Dress", corner=(8, 5), side=4).axes
    drawn = {(round(text.get_position()[1]), round(text.get_position()[0])): text.get_text() for text in square.texts}
    assert drawn == {place: str(value) for place, value in np.ndenumerate(IMAGES[3][8:12, 5:9])}
    for text, value in zip(square.texts, IMAGES[3][8:12, 5:9].flat, strict=True):
        assert (text.get_color() == "black") == (value > 127)  # to be seen on its gray
    assert whole.patches[0].get_bbox().bounds == (4.5, 7.5, 4, 4)  # left, top, width, height


def test_predictions_show_correct_ones_and_mistakes_with_their_largest_probabilities():
    probabilities = np.full((200, 10), 0.01)
    probabilities[np.arange(200), LABELS] = 0.91
    probabilities[150] = np.eye(10)[3]  # wrong: it is class 0
    figure = evaluation.predictions(reshape(IMAGES), LABELS, probabilities, CLASS_NAMES, right=2, wrong=3, columns=3)
    assert "2 of 199 test images" in texts(figure) and "1 of 1 that are not" in texts(figure)
    first, wrong, last = figure.axes[:3]
    assert [axes.get_title() for axes in (first, wrong, last)] == ["T-shirt/top", "T-shirt/top", "Ankle boot"]
    below = [[text.get_text().strip() for text in axes.texts] for axes in figure.axes[3:6]]
    assert [names[0] for names in below] == ["T-shirt/top 91%", "Dress 100%", "Ankle boot 91%"]
    colors = [axes.patches[0].get_facecolor()[:3] for axes in figure.axes[3:6]]
    assert colors == [to_rgba(color)[:3] for color in (style.GREEN, style.RED, style.GREEN)]


def test_a_convolution_is_drawn_in_numbers_that_add_up():
    sums = convolution.convolve(IMAGES[0], EDGES)
    figure = data.convolution(IMAGES[0], EDGES, (5, 3), sums, convolution.max_pool(sums))
    pixels, weights, products, (_, *result), block, (_, *pooled) = (
        [int(text.get_text()) if text.get_text().lstrip("-").isdigit() else "" for text in figure.axes[number].texts]
        for number in (0, 2, 4, 5, 6, 7)
    )
    assert pixels == IMAGES[0, 4:7, 2:5].ravel().tolist() and weights == [-1, 0, 1] * 3
    assert products == [pixel * weight for pixel, weight in zip(pixels, weights, strict=True)]
    assert result == [sum(products)] == [sums[5, 3]]
    assert block == sums[4:6, 2:4].ravel().tolist() and pooled == [max(block)]
    # The frames: the nine pixels, the 2x2 sums, what pooling keeps of them, and the sum among the 2x2.
    frames = [patch.get_bbox().bounds for axes in figure.axes for patch in axes.patches if not patch.get_fill()]
    assert frames == [(0.5, 0.5, 1, 1), (1.5, 3.5, 3, 3), (1.5, 3.5, 2, 2), (0.5, 1.5, 1, 1)]


def test_a_quiz_hides_its_answers_upside_down():
    figure = data.quiz(IMAGES[:10], LABELS[:10], CLASS_NAMES, "a note")
    assert [axes.get_title() for axes in figure.axes] == [str(number) for number in range(1, 11)]
    (answers,) = [text for text in figure.findobj(Text) if "1 T-shirt/top" in text.get_text()]
    assert answers.get_rotation() == 180
    for number, label in enumerate(LABELS[:10], start=1):
        assert f"{number} {CLASS_NAMES[label]}" in answers.get_text()


def test_a_class_has_its_mean_its_nearest_image_and_its_deviation_below_each_other():
    figure = data.class_means(IMAGES[:10], IMAGES[10:20], IMAGES[20:30], CLASS_NAMES)
    for row, (images, words) in enumerate(((IMAGES[:10], "mean"), (IMAGES[10:20], "near"), (IMAGES[20:30], "stand"))):
        assert figure.axes[10 * row].get_ylabel().startswith(words)
        for number, axes in enumerate(figure.axes[10 * row : 10 * row + 10]):
            np.testing.assert_array_equal(axes.images[0].get_array(), images[number])
    assert [axes.get_title() for axes in figure.axes[:10]] == list(CLASS_NAMES)


def test_the_samples_of_a_class_are_in_its_row():
    axes = data.samples(IMAGES, LABELS, CLASS_NAMES, count=2).axes[0]
    sheet = axes.images[0].get_array()
    np.testing.assert_array_equal(sheet[91:119, 31:59], IMAGES[LABELS == 3][1])
    assert axes.get_yticklabels()[3].get_text() == f"3  {CLASS_NAMES[3]}"


def test_augmentation_has_a_caption_over_each_image():
    versions, cutmix = [(f"version {k}", IMAGES[k]) for k in range(5)], [(f"mix {k}", IMAGES[5 + k]) for k in range(3)]
    drawn = [axes for axes in data.augmentation(versions, cutmix).axes if axes.images]
    assert [axes.get_title() for axes in drawn] == [caption for caption, _ in versions + cutmix]
    for axes, (_, image) in zip(drawn, versions + cutmix, strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), image)


def test_the_label_is_above_an_image_and_what_it_may_be_below():
    figure = data.suspicious_labels(IMAGES, [Suspect("train", 3, 9, 0, 1.0)], CLASS_NAMES, "the class of a friend")
    assert (figure.axes[0].get_title(), figure.axes[0].get_xlabel()) == ("Ankle boot", "T-shirt/top")
    assert "Above: the label. Below, red and bold: the class of a friend" in texts(figure)


@pytest.mark.parametrize(
    "accuracy, finding",
    [([0.4, 0.97], "2.4 points below the accuracy"), ([0.2, 0.75], "19.5 points above the accuracy")],
)
def test_reliability_says_whether_the_confidence_is_too_high(accuracy, finding):
    result = RELIABILITY | {"calibration": CALIBRATION | {"accuracy": accuracy, "error": 0.05}}
    figure = evaluation.reliability(result)
    drawn = texts(figure)
    assert "as predicted" in figure.axes[0].get_title() and "5.0" in figure.axes[0].get_title()
    assert "after temperature scaling (T = 0.70)" in figure.axes[1].get_title()
    assert [round(point[1], 2) for point in figure.axes[0].collections[0].get_offsets()] == [accuracy[1]]
    assert f"The mean confidence is {finding}; after temperature scaling 2.4 points below" in drawn


def test_a_calibration_curve_shows_how_many_images_and_which_are_too_few():
    figure = evaluation.reliability(RELIABILITY | {"calibration": CALIBRATION | {"count": [19, 20]}})
    assert "Hollow: fewer than 20 images" in texts(figure)
    enough, few = figure.axes[0].collections
    assert enough.get_offsets().tolist() == [[0.95, 0.97]] and few.get_offsets().tolist() == [[0.3, 0.4]]
    assert len(few.get_facecolor()) == 0 < len(enough.get_facecolor())


def test_filters_are_drawn_at_each_stage_with_their_weights_those_that_changed_most_first():
    before = np.zeros((3, 3, 1, 6))
    before[0, 0, 0] = 1
    before[0, 0, 0, 5], before[1, 1, 0, 5] = -0.123, -12.3
    after = before.copy()
    after[..., 5] *= 2  # a scale is no change
    after[2, 2, 0, 4] = 0.5
    figure = network.filters({"before training": before, "at the end": after}, shown=2)
    assert [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()] == ["before\ntraining", "at\nthe end"]
    assert [axes.get_title() for axes in figure.axes[:2]] == ["filter 5", "filter 1"]  # those that changed most
    assert [text.get_text() for text in figure.axes[4].texts] == ["1.0", *["0"] * 7, ".50"]
    assert [figure.axes[place].images[0].get_clim()[1] for place in (0, 1, 4)] == [1, 1, 1]
    (last,) = [axes for axes in network.filters({"at the end": before}, shown=6).axes if axes.get_title() == "filter 6"]
    assert [text.get_text() for text in last.texts] == ["-.12", "0", "0", "0", "-12", "0", "0", "0", "0"]


def test_feature_maps_are_tied_to_their_filters_and_end_with_the_prediction():
    maps = np.zeros((28, 28, 200))
    maps[3, 4, [17, 150]] = 1  # only these two vary
    figure = network.feature_maps(IMAGES[0], [("convolution 1: x", maps)], KERNELS, np.eye(10)[8], CLASS_NAMES, shown=2)
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles[:5] == ["image", "filter 18", "filter 151", "map 18", "map 151"]
    assert figure.axes[1].images[0].get_clim() == (-abs(KERNELS[:, :, 0, 17]).max(), abs(KERNELS[:, :, 0, 17]).max())
    assert "orange is positive, purple negative" in texts(figure)
    np.testing.assert_array_equal(figure.axes[2].images[0].get_array(), KERNELS[:, :, 0, 150])
    assert titles[-1] == "prediction: Bag, confidence 100%"
    assert [bar.get_facecolor() == to_rgba(style.ORANGE) for bar in figure.axes[-1].patches] == [
        *[False] * 8,
        True,
        False,
    ]


def test_diagram_names_the_layer_with_most_parameters():
    drawn = texts(network.diagram(ROWS))
    assert "Height and width shrink, depth grows; 100% of the parameters are in Dense 10, softmax" in drawn
    dense = texts(network.diagram([ROWS[0], ("Flatten", "784", 0), ("Dense 10", "10", 7850)]))
    assert "100% of the parameters are in Dense 10" in dense
    assert "depth grows" not in dense  # nothing shrinks or grows there
    assert "251,178 in all" in drawn


def test_curves_count_epochs_from_one_in_whole_numbers():
    figure = training.curves(HISTORY, RECIPES["classic"])
    assert len({axes.get_xlim() for axes in figure.axes}) == 1  # all three end at the same epoch
    for axes in figure.axes[:2]:
        assert axes.lines[0].get_xdata().tolist() == [1, 2]
        assert axes.get_legend() is None
        assert axes.get_xlabel() == "epoch"
        assert all(tick == int(tick) for tick in axes.get_xticks())


def test_curves_show_the_same_quantity_twice_and_say_what_sets_training_apart():
    classic, best = (
        [text.get_text() for text in training.curves(HISTORY, RECIPES[name]).findobj(Text)]
        for name in ("classic", "best")
    )
    assert "training: mean over the epoch" in classic and "validation: after the epoch" in classic
    assert "training: mean over the epoch of mixed images (CutMix)" in best
    assert "cross-entropy (2.30: guessing)" in classic and "cross-entropy (2.30: guessing)" in best
    assert "cross-entropy (0.69: guessing)" in texts(training.curves(HISTORY, RECIPES["fast"], 2))
    figure = training.curves(HISTORY, RECIPES["fast"])
    for axes, key in zip(figure.axes, ("cross_entropy", "accuracy"), strict=False):
        drawn = {line.get_label().partition(":")[0]: list(line.get_ydata()) for line in axes.lines[:2]}
        assert drawn == {"training": HISTORY[key], "validation": HISTORY[f"val_{key}"]}
        assert axes.get_ylabel().startswith(key.replace("_", "-"))
    handles = {
        text.get_text(): handle
        for handle, text in zip(figure.legends[0].legend_handles, figure.legends[0].texts, strict=True)
    }
    assert {text[:10]: handle.get_color() for text, handle in handles.items()} == {
        "training: ": figure.axes[0].lines[0].get_color(),
        "validation": figure.axes[0].lines[1].get_color(),
    }
    last = {text.get_text(): text.get_color() for text in figure.axes[0].texts}
    assert last["1.000"] == handles["training: mean over the epoch"].get_color() != last["1.200"]


RISING = "Overfitting shows where validation cross-entropy keeps rising; here it is lowest after epoch"


@pytest.mark.parametrize(
    "name, accuracy, losses, finding",
    [
        ("best", 0.3, [1.9, 1.2], "\nTraining is measured on mixed images (CutMix), so the two curves cannot"),
        ("fast", 0.6, [1.9, 1.2], f", 5.0 points below training\n{RISING} 2"),
        ("fast", 0.3, [1.1, 1.2], f", 25.0 points above training\n{RISING} 1"),
    ],
)
def test_curves_say_what_is_seen(name, accuracy, losses, finding):
    changed = {"accuracy": [0.2, accuracy], "val_cross_entropy": losses}
    drawn = texts(training.curves(HISTORY | changed, RECIPES[name]))
    assert f"Validation accuracy 55.00% after 2 epochs{finding}" in drawn
    assert "gap is overfitting" not in drawn  # a gap alone is not
    assert "0.094: label smoothing asks for 91%" in drawn  # -ln(1 - 0.1 + 0.1 / 10)


def test_unwritable_figure_is_a_sentence(tmp_path):
    (tmp_path / "figure.png").mkdir()
    with pytest.raises(errors.UserError, match="cannot write .*figure.png"):
        style.save(tmp_path, figure=network.diagram(ROWS))


def test_each_photo_is_drawn_with_its_own_steps_and_its_largest_probabilities():
    *steps, bars = photos.photos([predicted("a.png", 10)], CLASS_NAMES).axes
    drawn = [np.asarray(axes.images[0].get_array()) for axes in steps]
    assert (drawn[0] == 0).all() and (drawn[1][~PHOTO.mask] == 255).all() and (drawn[1][PHOTO.mask] == 0).all()
    assert np.array_equal(drawn[2], PHOTO.gray) and np.array_equal(drawn[3], PHOTO.images[0, ..., 0])
    largest = {CLASS_NAMES[k]: pytest.approx(k / 10) for k in range(5, 10)}
    names = [label.get_text() for label in bars.get_yticklabels()]
    assert dict(zip(names, (bar.get_width() for bar in bars.patches), strict=True)) == largest
