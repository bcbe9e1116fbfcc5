"""Every figure is drawn, with its texts inside the canvas."""

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from conftest import pictures
from pyimagesearch import errors
from pyimagesearch.data.loading import CLASS_NAMES
from pyimagesearch.data.preparation import reshape
from pyimagesearch.evaluation.label_errors import Suspect
from pyimagesearch.figures import data, evaluation, network, photos, style, training
from pyimagesearch.photos.conversion import Photo
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
PHOTO = Photo(np.zeros((60, 40, 3), np.uint8), np.eye(60, 40) > 0, IMAGES[0], IMAGES[:1, ..., None], ())
ROWS = [("Input", "28 x 28 x 1", 0), ("Conv2D 3x3, 32 filters", "28 x 28 x 32", 288)]
FIGURES = {
    "training_curves": lambda: training.curves(HISTORY, RECIPES["best"]),
    "one epoch": lambda: training.curves({k: v[:1] for k, v in HISTORY.items()}, RECIPES["classic"]),
    "samples": lambda: data.samples(IMAGES, LABELS, CLASS_NAMES),
    "confusion_matrix": lambda: evaluation.confusion_matrix(np.eye(10, dtype=int) * 1000, CLASS_NAMES),
    "predictions": lambda: evaluation.predictions(
        reshape(IMAGES), LABELS, np.eye(10, dtype=np.float32)[(LABELS + 1) % 10], CLASS_NAMES
    ),
    "predictions of few": lambda: evaluation.predictions(
        reshape(IMAGES[:3]), LABELS[:3], np.eye(10)[LABELS[:3]], CLASS_NAMES
    ),
    "class_means": lambda: data.class_means(*[IMAGES[:10]] * 3, CLASS_NAMES),
    "pixels": lambda: data.pixels(IMAGES),
    "map": lambda: data.map_of_images(np.random.default_rng(0).normal(size=(200, 2)), IMAGES, LABELS, CLASS_NAMES),
    "suspicious_labels": lambda: data.suspicious_labels(
        IMAGES, [Suspect("train", k, 9, 0, 1.0) for k in range(50)], CLASS_NAMES
    ),
    "mistakes": lambda: evaluation.mistakes(reshape(IMAGES), LABELS, np.eye(10)[(LABELS + 1) % 10], CLASS_NAMES),
    "no mistakes": lambda: evaluation.mistakes(reshape(IMAGES), LABELS, np.eye(10)[LABELS], CLASS_NAMES),
    "reliability": lambda: evaluation.reliability(RELIABILITY),
    "filters": lambda: network.filters(np.random.default_rng(0).normal(size=(3, 3, 1, 32))),
    "feature_maps": lambda: network.feature_maps(IMAGES[0], [("convolution 1", IMAGES.transpose(1, 2, 0))] * 4),
    "photos": lambda: photos.photos([("a photo with a long name.jpg", PHOTO, np.eye(10)[1])] * 2, CLASS_NAMES),
    "network": lambda: network.diagram(ROWS),
}


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_figure_is_drawn_with_its_texts_inside(draw, tmp_path):
    figure = draw()
    style.save(tmp_path, figure=figure)
    drawn = figure.get_tightbbox()  # in inches: the box around all that can be seen, texts and ticks included
    width, height = figure.get_size_inches()
    assert drawn.x0 >= 0 and drawn.y0 >= 0 and drawn.x1 <= width and drawn.y1 <= height, drawn
    pixels = np.asarray(Image.open(tmp_path / "figure.png").convert("L"))
    assert 900 < pixels.shape[1] < 1100
    assert pixels.std() > 5


def test_curves_count_epochs_from_one_in_whole_numbers():
    figure = training.curves(HISTORY, RECIPES["classic"])
    assert figure.axes[2].get_xlabel() == "epochs of training"
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
    assert "training" in classic and "training (CutMix: mixed images)" in best
    assert "cross-entropy (nats)" in classic and "cross-entropy (nats)" in best
    lines = training.curves(HISTORY, RECIPES["fast"]).axes[0].lines
    assert [list(line.get_ydata()) for line in lines] == [HISTORY["cross_entropy"], HISTORY["val_cross_entropy"]]


def test_unwritable_figure_is_a_sentence(tmp_path):
    (tmp_path / "figure.png").mkdir()
    with pytest.raises(errors.UserError, match="cannot write .*figure.png"):
        style.save(tmp_path, figure=network.diagram(ROWS))
