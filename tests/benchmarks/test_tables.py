"""tables.py: the READMEs show what was measured, and no runs of another network or other validation images."""

import re

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
