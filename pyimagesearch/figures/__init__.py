"""Every figure: a function takes arrays and returns a matplotlib Figure. No Keras and no pyplot in here.

To import this package is to import matplotlib so that nothing personal can stop it: a value of MPLBACKEND that is wrong
here, or a matplotlibrc that cannot be read. Keras imports matplotlib too, so this comes first.
"""

import contextlib
import importlib.util
import logging
import os
import sys
from pathlib import Path


@contextlib.contextmanager
def quiet_matplotlib():
    """Hold back what matplotlib logs in this block: fonts that are not installed, a cache that it builds, settings."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _import_matplotlib():
    """Import matplotlib with its own settings.

    MPLBACKEND may name a backend that is not installed, and a matplotlibrc, of the user or in the current folder, may
    be of another version, not text, or a pipe. matplotlib looks for one in the current folder first.
    """
    backend, folder = os.environ.pop("MPLBACKEND", None), os.getcwd()
    try:
        os.chdir(Path(importlib.util.find_spec("matplotlib").origin).parent / "mpl-data")
        with quiet_matplotlib():
            import matplotlib.figure
    finally:
        os.chdir(folder)
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    if backend:  # for pyplot, if it is a backend that there is
        with contextlib.suppress(ValueError):
            matplotlib.rcParams["backend"] = backend


if "matplotlib" not in sys.modules and importlib.util.find_spec("matplotlib"):  # a notebook's stays as it is
    _import_matplotlib()
