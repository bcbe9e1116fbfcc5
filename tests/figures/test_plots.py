"""plots.py: every figure is drawn, with its texts inside the canvas."""

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from conftest import pictures
from pyimagesearch import errors
from pyimagesearch.data import preparation as preprocessing
from pyimagesearch.data.loading import CLASS_NAMES
from pyimagesearch.evaluation import analysis
from pyimagesearch.figures import plots
from pyimagesearch.photos import photo
from pyimagesearch.recipes import RECIPES

IMAGES, LABELS = pictures(200)
HISTORY = {"loss": [2.0, 1.0], "accuracy": [0.3, 0.6], "val_loss": [1.9, 1.2], "val_accuracy": [0.35, 0.55]}
CALIBRATION = {"error": 0.02, "confidence": [0.3, 0.95], "accuracy": [0.4, 0.97], "count": [5, 95]}
RELIABILITY = {"calibration": CALIBRATION, "calibration_cooled": CALIBRATION, "temperature": 0.7}
PHOTO = photo.Photo(np.zeros((60, 40, 3), np.uint8), np.eye(60, 40) > 0, IMAGES[0], IMAGES[:1, ..., None], ())
ROWS = [("Input", "28 x 28 x 1", 0), ("Conv2D 3x3, 32 filters", "28 x 28 x 32", 288)]
FIGURES = {
    "training_curves": lambda path: plots.training_curves(HISTORY, [0, 0.1, 0], RECIPES["best"], path),
    "one epoch": lambda path: plots.training_curves(
        {k: v[:1] for k, v in HISTORY.items()}, [0.1, 0], RECIPES["classic"], path
    ),
    "samples": lambda path: plots.samples(IMAGES, LABELS, CLASS_NAMES, path),
    "confusion_matrix": lambda path: plots.confusion_matrix(np.eye(10, dtype=int) * 1000, CLASS_NAMES, path),
    "predictions": lambda path: plots.predictions(
        preprocessing.reshape(IMAGES), LABELS, np.eye(10, dtype=np.float32)[(LABELS + 1) % 10], CLASS_NAMES, path
    ),
    "predictions of few": lambda path: plots.predictions(
        preprocessing.reshape(IMAGES[:3]), LABELS[:3], np.eye(10)[LABELS[:3]], CLASS_NAMES, path
    ),
    "class_means": lambda path: plots.class_means(*[IMAGES[:10]] * 3, CLASS_NAMES, path),
    "pixels": lambda path: plots.pixels(IMAGES, path),
    "map": lambda path: plots.map_of_pictures(
        np.random.default_rng(0).normal(size=(200, 2)), IMAGES, LABELS, CLASS_NAMES, path
    ),
    "suspicious_labels": lambda path: plots.suspicious_labels(
        IMAGES, [analysis.Doubt("train", k, 9, 0, 1.0) for k in range(50)], CLASS_NAMES, path
    ),
    "mistakes": lambda path: plots.mistakes(
        preprocessing.reshape(IMAGES), LABELS, np.eye(10)[(LABELS + 1) % 10], CLASS_NAMES, path
    ),
    "no mistakes": lambda path: plots.mistakes(
        preprocessing.reshape(IMAGES), LABELS, np.eye(10)[LABELS], CLASS_NAMES, path
    ),
    "reliability": lambda path: plots.reliability(RELIABILITY, path),
    "filters": lambda path: plots.filters(np.random.default_rng(0).normal(size=(3, 3, 1, 32)), path),
    "feature_maps": lambda path: plots.feature_maps(
        IMAGES[0], [("convolution 1", IMAGES.transpose(1, 2, 0))] * 4, path
    ),
    "photos": lambda path: plots.photos(
        [("a photo with a long name.jpg", PHOTO, np.eye(10)[1])] * 2, CLASS_NAMES, path
    ),
    "network": lambda path: plots.network(ROWS, path),
}


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_figure_is_drawn_with_its_texts_inside(draw, tmp_path, monkeypatch):
    figures = []
    save = plots.save
    monkeypatch.setattr(plots, "save", lambda figure, path: (figures.append(figure), save(figure, path)))
    draw(tmp_path / "figure.png")
    (figure,) = figures
    drawn = figure.get_tightbbox()  # in inches: the box around all that can be seen, texts and ticks included
    width, height = figure.get_size_inches()
    assert drawn.x0 >= 0 and drawn.y0 >= 0 and drawn.x1 <= width and drawn.y1 <= height, drawn
    pixels = np.asarray(Image.open(tmp_path / "figure.png").convert("L"))
    assert 900 < pixels.shape[1] < 1100
    assert pixels.std() > 5


def test_training_curve_counts_epochs_from_one_in_whole_numbers(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(plots, "save", lambda figure, path: figures.append(figure))
    plots.training_curves(HISTORY, [0.1, 0.0], RECIPES["classic"], tmp_path / "figure.png")
    assert figures[0].axes[2].get_xlabel() == "epochs done"
    for axes in figures[0].axes[:2]:
        assert axes.lines[0].get_xdata().tolist() == [1, 2]
        assert axes.get_legend() is None
        assert axes.get_xlabel() == "epoch"
        assert all(tick == int(tick) for tick in axes.get_xticks())


def test_training_curve_says_what_sets_training_apart_from_validation(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(plots, "save", lambda figure, path: figures.append(figure))
    for name in ("classic", "best"):
        plots.training_curves(HISTORY, [0.1, 0.0], RECIPES[name], tmp_path / "figure.png")
    classic, best = ([text.get_text() for text in figure.findobj(Text)] for figure in figures)
    assert "training" in classic and not any("smoothed" in text for text in classic)
    assert "training, on mixed pictures" in best and any("labels smoothed by 0.1" in text for text in best)


def test_unwritable_figure_is_a_sentence(tmp_path):
    (tmp_path / "figure.png").mkdir()
    with pytest.raises(errors.UserError, match="cannot write .*figure.png"):
        plots.network(ROWS, tmp_path / "figure.png")
