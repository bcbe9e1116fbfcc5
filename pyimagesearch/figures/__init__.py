"""Every figure: a function takes arrays and returns a matplotlib Figure. No Keras and no pyplot in here."""

import contextlib
import logging
import os
import sys


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


if "matplotlib" not in sys.modules:
    # matplotlib cannot be imported if MPLBACKEND names a backend that is not there. Figures that are saved need none.
    backend = os.environ.pop("MPLBACKEND", None)
    with quiet_matplotlib():
        import matplotlib.font_manager  # which may build a cache
    if backend is not None:
        os.environ["MPLBACKEND"] = backend
        with contextlib.suppress(ValueError):  # for pyplot, in a notebook
            matplotlib.rcParams["backend"] = backend
