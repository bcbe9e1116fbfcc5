"""Runs scripts in forks of a process that has loaded the libraries: a start takes 0.1 s of processor time, not 5.

A script has its own current folder, environment, streams, and modules: those that lie beside it or on PYTHONPATH are
imported anew, so that a `keras.py` there takes the place of Keras. It shares what the libraries read when they are
imported: settings in the home, and variables such as TF_CPP_MIN_LOG_LEVEL. Tests of those need a cold start.
"""

import gc
import multiprocessing
import os
import pkgutil
import runpy
import sys
from multiprocessing import forkserver
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
POSSIBLE = sys.platform == "linux"  # elsewhere fork is missing, or breaks system libraries (macOS)
LIBRARIES = ["pyimagesearch.figures", "keras", "cv2", "h5py", "matplotlib.figure", "scipy.optimize", "scipy.stats"]
LIBRARIES += ["rich.progress", "sklearn.decomposition", "sklearn.linear_model", "sklearn.model_selection"]


def load(home):
    """Start the process that loads the libraries, with an empty folder as its home."""
    environment = {"HOME": str(home), "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    # OpenBLAS starts its threads when NumPy is imported, and no thread survives a fork.
    environment |= {"TF_ENABLE_ONEDNN_OPTS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    multiprocessing.get_context("forkserver").set_forkserver_preload(LIBRARIES)
    with mock.patch.dict(os.environ, environment):
        forkserver.ensure_running()


def start(command, cwd, environment, out, err):
    """Start a script, the first of `command`. Returns a multiprocessing.Process.

    out, err: paths of the files that its output is added to.
    """
    arguments = list(map(str, command)), str(cwd), dict(environment), str(out), str(err)
    process = multiprocessing.get_context("forkserver").Process(target=_run, args=arguments)
    process.start()
    return process


def _run(command, cwd, environment, out, err):
    """Make this process look like one that has just been started with this command, and run it."""
    for number, (name, path) in enumerate(zip(("stdin", "stdout", "stderr"), (os.devnull, out, err), strict=True)):
        with open(path, "a" if number else "r") as file:
            os.dup2(file.fileno(), number)
        errors = "backslashreplace" if name == "stderr" else "strict"
        file = open(number, "w" if number else "r", encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115
        setattr(sys, name, file)
        setattr(sys, f"__{name}__", file)
    multiprocessing.set_start_method(None, force=True)  # not that of this child
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    folders = [os.path.dirname(command[0]), *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    sys.path[:0] = folders
    sys.argv = command
    own = {module.name for module in pkgutil.iter_modules(folders)}
    for name in [name for name in sys.modules if name.partition(".")[0] in own]:
        del sys.modules[name]
    gc.freeze()  # garbage collection does not touch, and so copy, what is shared
    runpy.run_path(command[0], run_name="__main__")
