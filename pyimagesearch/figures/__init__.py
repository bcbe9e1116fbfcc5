"""The figures. Importing this imports matplotlib, whatever the user's settings of it are."""

import logging
import os
import sys

if "matplotlib" not in sys.modules:
    # MPLBACKEND may name a backend that is not installed, and a matplotlibrc may hold what matplotlib does not know.
    # The figures need neither; a notebook that has imported matplotlib already keeps its backend.
    _backend = os.environ.pop("MPLBACKEND", None)
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    import matplotlib  # noqa: F401

    if _backend is not None:
        os.environ["MPLBACKEND"] = _backend
