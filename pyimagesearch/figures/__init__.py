"""The figures. Importing this imports matplotlib, whatever the user's settings of it are."""

import contextlib
import importlib.util
import logging
import os
import sys
from pathlib import Path


def _import_matplotlib():
    """Import matplotlib with its own settings.

    MPLBACKEND may name a backend that is not installed, and a matplotlibrc, of the user or in the current folder, may
    be of another version, not text, or a pipe. matplotlib looks for one in the current folder first.
    """
    backend, folder = os.environ.pop("MPLBACKEND", None), os.getcwd()
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    try:
        os.chdir(Path(importlib.util.find_spec("matplotlib").origin).parent / "mpl-data")
        import matplotlib.figure
    finally:
        os.chdir(folder)
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
            with contextlib.suppress(ValueError):
                matplotlib.rcParams["backend"] = backend


if "matplotlib" not in sys.modules and importlib.util.find_spec("matplotlib"):  # a notebook's stays as it is
    _import_matplotlib()
