"""The command line of the three scripts: flags that they share, and usage errors of one sentence."""

import argparse
import shlex
from pathlib import Path

from pyimagesearch.cli import libraries


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose help is the script's docstring and whose usage errors are one line, exit status 2."""

    def __init__(self, description):
        super().__init__(
            description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
        )

    def parse_args(self, arguments):
        """Parse a list of strings; then check that the libraries that every script needs are there."""
        args = super().parse_args([str(argument) for argument in arguments])
        libraries.check()
        return args

    def error(self, message):
        self.exit(2, f"{self.prog}: {message} (see --help)\n")

    def add_data_flags(self):
        """Add --data-dir, --any-data and --class-names."""
        self.add_argument(
            "--data-dir", type=Path, metavar="DIR", help="folder with the data files (default: found or downloaded)"
        )
        self.add_argument("--any-data", action="store_true", help="accept data in DIR that is not Fashion-MNIST")
        self.add_argument(
            "--class-names", type=Path, metavar="FILE", help="text file with the names of the classes, one a line"
        )

    def add_images_flag(self):
        """Add --images."""
        self.add_argument(
            "--images", type=Path, default=Path("images"), metavar="DIR", help="folder for figures (default: images)"
        )


def command(script, args, *names):
    """Return a command that a script suggests, with those of its own flags that the other script needs as well.

    names: of attributes of `args`, such as "data_dir"; flags that were not given are left out.
    """
    words = ["python", script]
    for name in names:
        if value := vars(args)[name]:
            words += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
    return shlex.join(words)


def number(kind, low, high, above_low=False):
    """Return an argparse type: a `kind` (int or float) from `low` (excluded if `above_low`) to `high`."""

    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high or (above_low and value == low):
            name = "a whole number" if kind is int else "a number"
            start = f"above {low}" if above_low else f"from {low}"
            raise argparse.ArgumentTypeError(f"{text!r} is not {name} {start} to {high}")
        return value

    return parse
