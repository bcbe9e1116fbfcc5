"""The command line of the three scripts: flags that they share, and usage errors of one sentence."""

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path

from pyimagesearch import files
from pyimagesearch.cli import libraries
from pyimagesearch.errors import UserError

IMAGES = "images"
PHOTOS = {".jpg", ".jpeg", ".heic", ".heif", ".webp"}  # figures are PNG


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose help is the script's docstring and whose usage errors are one line, exit status 2."""

    def __init__(self, description):
        super().__init__(
            description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
        )

    def parse_args(self, arguments):
        """Parse a list of strings; then check outputs and libraries, and warn of edits since the import."""
        args = super().parse_args([str(argument) for argument in arguments])
        given = vars(args)
        inputs = [given.get(name) for name in ("model", "architecture", "class_names")] + (given.get("image") or [])
        for name in ("json", "csv", "images"):
            if any(_is_same(given.get(name), path) for path in inputs):
                self.error(f"argument --{name}: {given[name]} is also what is read; choose another")
        libraries.check()
        files.warn_of_edits()
        files.check_folder(args.images)
        if photo := next((path for path in args.images.glob("*") if path.suffix.lower() in PHOTOS), None):
            raise UserError(
                f"cannot draw figures in the folder {args.images}: it holds photos ({photo.name}); choose another with "
                "--images (photos to look at are given with --image)"
            )
        return args

    def error(self, message):
        self.exit(2, f"{self.prog}: {message} (see --help)\n")

    def add_data_flags(self):
        """Add --data-dir, --any-data, --resize and --class-names."""
        self.add_argument(
            "--data-dir", type=as_path, metavar="DIR", help="folder with the data files (default: found or downloaded)"
        )
        self.add_argument("--any-data", action="store_true", help="accept data in DIR that is not Fashion-MNIST")
        self.add_argument("--resize", action="store_true", help="scale pictures in DIR as a whole (see data/README.md)")
        self.add_argument(
            "--class-names", type=as_path, metavar="FILE", help="text file with the names of the classes, one a line"
        )

    def add_images_flag(self):
        """Add --images."""
        self.add_argument(
            "--images", type=as_path, default=IMAGES, metavar="DIR", help=f"folder for figures (default: {IMAGES})"
        )


def _is_same(one, other):
    """Return whether two paths, if they are given and exist, are of one file or folder, by whatever names."""
    return bool(one and other and os.path.exists(one) and os.path.exists(other) and os.path.samefile(one, other))


def command(script, args, *names):
    """Return a command that a script suggests, with those of its own flags that the other script needs as well.

    names: of attributes of `args`, such as "data_dir"; flags that were not given are left out. Python and the folder of
    the script are named as they were to start this one.
    """
    there = Path(sys.argv[0]).with_name(script)
    words = [(sys.orig_argv or ["python"])[0], str(there) if there.is_file() else script]
    for name in names:
        value = vars(args)[name]
        if value and value != Path(IMAGES):
            words += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def as_path(text):
    """An argparse type: a path. "~" is the home also where the shell leaves it, as in --images=~/figures."""
    if not text:
        raise argparse.ArgumentTypeError("'' is not the name of a file or folder")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"the home in {text!r} is unknown; give an absolute path") from error


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
