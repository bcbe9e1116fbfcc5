"""experiments.py: what is done to the images, which networks are compared, and the ladder."""

import experiments
import numpy as np
from tables import plain


def test_shuffled_images_have_the_same_pixels_in_the_same_other_order():
    images = np.arange(2 * 784, dtype=np.int32).reshape(2, 28, 28, 1)
    shuffled = experiments.shuffle(images)
    np.testing.assert_array_equal(shuffled[1] - shuffled[0], 784)
    np.testing.assert_array_equal(np.sort(shuffled[0].ravel()), np.arange(784))
    assert (shuffled[0] != images[0]).mean() > 0.9
    np.testing.assert_array_equal(experiments.shuffle(images), shuffled)


def test_the_networks_of_the_ladder_are_of_the_same_size():
    sizes = {name: build(28, 28, 1, 10).count_params() for name, (_, build, _) in experiments.RUNGS.items()}
    assert sizes == {
        "logistic regression": 7_850,
        "one hidden layer": 1_678_255,
        "convolutions": 1_676_266,
        "batch normalization": 1_678_378,
        "momentum and schedule": 1_678_378,
        "augmentation": 1_678_378,
    }


def test_the_ladder_has_means_and_counts():
    def results(kind, name, recipe, tests):
        values = plain(vars(recipe))
        return [{kind: name, "values": values, "seed": seed, "test": test} for seed, test in enumerate(tests)]

    rungs = results("experiment", "augmentation", experiments.recipe_of("augmentation"), (0.9, 0.92))
    rungs += results("experiment", "one hidden layer", experiments.RECIPES["fast"], (0.5,))  # of an older form
    recipes = results("recipe", "fast", experiments.RECIPES["fast"], (0.94,))
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in experiments.table(rungs, recipes).splitlines()]
    assert [(row[0], row[2]) for row in rows[2:]] == [
        ("augmentation", "91.00 ± 1.41 (2)"),
        ("the recipe `fast`", "94.00 (1)"),
    ]
