"""arguments.py: the commands that the scripts suggest."""

import argparse
from pathlib import Path

from pyimagesearch.cli.arguments import command


def test_a_suggested_command_carries_the_flags_that_were_given():
    args = argparse.Namespace(
        model=Path("my model.h5"), data_dir=None, any_data=True, class_names=Path("n.txt"), limit=3
    )
    names = "model", "data_dir", "any_data", "class_names"
    assert command("x.py", args, *names) == "python x.py --model 'my model.h5' --any-data --class-names n.txt"
    assert command("x.py", argparse.Namespace(any_data=False), "any_data") == "python x.py"
