"""How good a network is, and why. (Here scikit-learn is started quietly.)"""

import contextlib
import io
import warnings

import joblib

# scikit-learn asks joblib for the number of physical cores. Where the machine does not say (a small container, Windows
# without wmic), joblib prints a warning and a traceback, but only the first time that it is asked.
with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
    warnings.simplefilter("ignore")
    joblib.cpu_count(only_physical_cores=True)
