"""photos.py: which photos count to which half, and what is correct."""

import numpy as np
import photos
from PIL import Image
from test_explain import save_network

from conftest import pictures


def test_halves_and_classes_are_counted_apart(tmp_path, capsys):
    images, _ = pictures(3)
    for name in ("Dress", "Shoes", "Hats"):  # Hats are no class
        (tmp_path / name).mkdir()
        for number, image in enumerate(images):
            Image.fromarray(image).save(tmp_path / name / f"{number}.png")
    save_network(tmp_path / "model.h5")
    arguments = [str(tmp_path), "--model", str(tmp_path / "model.h5")]

    photos.main(arguments)
    halves = capsys.readouterr().out.split("second half, n = 4")
    rows = [{line.split()[0]: line.split()[1:] for line in half.splitlines() if line} for half in halves]
    assert [row["n"] for row in rows] == [["1", "1", "2"], ["2", "2", "4"]]
    assert all(len(row["photos/"]) == 3 for row in rows)
    photos.main([*arguments, "--first-half"])
    assert "second half" not in capsys.readouterr().out


def test_any_of_the_right_classes_is_correct():
    probabilities = np.array([0.1, 0.5, 0.15, 0.25])
    assert [photos.rank(probabilities, right) for right in ({1}, {2}, {0, 3}, {0})] == [0, 2, 1, 3]
