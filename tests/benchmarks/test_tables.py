"""tables.py and experiments.py: the READMEs show what was measured, and no runs of anything else."""

import re

import experiments
import numpy as np
import pytest
import tables

RESULTS, SPEEDS = tables.read("results.jsonl"), tables.read("speed.jsonl")


def test_the_tables_of_the_readme_are_those_of_the_stored_measurements():
    text = tables.README.read_text()
    assert tables.TABLE.search(text)
    others = [one | other | {"seed": 99} for one in RESULTS for other in ({"edited": "x"}, {"held_out": 7})]
    others += [one | {"values": one["values"] | {"epochs": 99}} for one in RESULTS if one["recipe"] == "best"]
    made = tables.written(text, RESULTS + others, SPEEDS)
    for line, expected in zip(text.splitlines(), made.splitlines(), strict=True):
        assert line == expected, "python tests/benchmarks/tables.py"


def test_the_ladder_of_the_lesson_has_the_stored_means():
    lesson = (tables.ROOT / "README.md").read_text().split("## What each idea is worth")[1]
    shown = re.findall(r"\| ([\d.]+) ± ([\d.]+)% \|\n", lesson)
    stored = re.findall(r"\| (\d+\.\d+) ± (\d+\.\d+) \(", tables.README.read_text().split("<!-- table: ladder -->")[1])
    assert len(shown) == 7
    for one, other in zip(shown, stored, strict=False):
        assert [float(number) for number in one] == pytest.approx([float(number) for number in other], abs=0.06)


def test_shuffled_images_have_the_same_pixels_in_the_same_other_order():
    images = np.arange(2 * 784, dtype=np.int32).reshape(2, 28, 28, 1)
    shuffled = experiments.shuffle(images)
    np.testing.assert_array_equal(shuffled[1] - shuffled[0], 784)
    np.testing.assert_array_equal(np.sort(shuffled[0].ravel()), np.arange(784))
    assert (shuffled[0] != images[0]).mean() > 0.9
    np.testing.assert_array_equal(experiments.shuffle(images), shuffled)


def test_the_networks_of_the_ladder_are_of_the_same_size():
    sizes = [build(28, 28, 1, 10).count_params() for _, build, _ in experiments.RUNGS.values()]
    assert sizes == [7_850, 1_678_255, 1_676_266, *[1_678_378] * 3]
