"""recipes.py: what a recipe becomes where there are few images."""

from pyimagesearch.recipes import LEAST_STEPS, RECIPES, for_few_images


def test_few_images_are_trained_on_in_enough_steps_and_many_as_the_recipe_says():
    for recipe in RECIPES.values():
        assert for_few_images(recipe, 55_000) == recipe
        for images in (10, 330, 1833, 5000):
            adapted = for_few_images(recipe, images)
            assert adapted.epochs * max(1, images // adapted.batch_size) >= LEAST_STEPS
            assert 16 <= adapted.batch_size <= recipe.batch_size
            assert adapted.learning_rate / adapted.batch_size == recipe.learning_rate / recipe.batch_size
    chosen = {"epochs": 7, "batch_size": 256, "learning_rate": 0.2}
    assert for_few_images(RECIPES["fast"], 330, chosen) == RECIPES["fast"]
    assert for_few_images(RECIPES["fast"], 330, ["epochs"]).batch_size == 16
    assert for_few_images(RECIPES["fast"], 330, ["batch_size"]).epochs == LEAST_STEPS
