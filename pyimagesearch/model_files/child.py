"""A process of its own reads a model file and tries it out: what a file may cost is bounded here, in one place.

HDF5 hangs or crashes on some damaged files, and one line of a config can ask for a billion units. So a second Python
process reads the file, within the system's limits of memory and processor time. Then it builds the network and runs it
once, unless this project saved the file and its checksum holds. The first process reads the file after the second has
read it, and builds the network after the second has found it harmless.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

from pyimagesearch.errors import UserError, first_line, printable, reason, warn

MEMORY = 500_000_000  # bytes, beside the libraries: for reading; for building, eight times the weights more
SECONDS = 10  # of processor time, for reading; for building, one for each 50 arrays more (DenseNet201: 30)
PATIENCE = 10  # seconds until a line says that reading takes long: a slow disk is no reason to give up
START = "import sys; sys.path[:] = sys.argv[3:]; from pyimagesearch.model_files import child; child.main()"
# On the CPU, whatever Keras's file of settings says, without plugins of HDF5, and without libraries that Keras imports
# only if they are there.
ENVIRONMENT = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu", "KERAS_HOME": os.devnull, "OMP_NUM_THREADS": "1"}
ENVIRONMENT |= {"HDF5_PLUGIN_PRELOAD": "::", "TF_ENABLE_ONEDNN_OPTS": "0"}  # oneDNN waits 10 s if memory is refused
NOT_NEEDED = ("matplotlib", "pandas", "sklearn")


class Child:
    """The process for the file at `path`, with the network in the JSON file `architecture` if one is given."""

    def __init__(self, path, architecture=None):
        command = [sys.executable, "-c", START, path, architecture or "", *sys.path]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        try:
            self._process = subprocess.Popen(command, env=os.environ | ENVIRONMENT, **streams)
        except OSError as error:
            raise UserError(f"the system starts no process to read it: {reason(error)}") from error
        weakref.finalize(self, self._process.kill)
        patience = threading.Timer(PATIENCE, warn, [f"reading {path} takes long; Ctrl-C gives up"])
        patience.daemon = True
        patience.start()
        try:
            self._wait("it is damaged: the HDF5 library crashes on it")
        finally:
            patience.cancel()

    def check(self):
        """Wait until the network has been tried out. Raises UserError if it cannot be used."""
        self._wait("its network takes too much memory, or crashes Keras")

    def _wait(self, failure):
        """Wait for the next line from the process. Raises UserError with its text, or if none comes."""
        line = self._process.stdout.readline().decode()
        if not line and self._process.wait() == -getattr(signal, "SIGXCPU", 0):
            failure = "it takes too much processor time; no network for 28x28 images needs so much"
        if line != "\n":
            raise UserError(line.strip() or failure)


def main():
    """Do the work of the second process: a line for each step goes to its stdout, empty or what is wrong."""
    from pyimagesearch.model_files import reading

    path, architecture = Path(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2] else None
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)  # what libraries print goes nowhere
    what = "it is damaged"
    try:
        _limit(MEMORY, SECONDS)
        contents = reading.parse(path, architecture)
        print(file=answers, flush=True)
        if contents.record:
            return
        what = "Keras cannot use it"
        _limit(10 * MEMORY, 10 * SECONDS)  # to import Keras
        sys.modules.update(dict.fromkeys(NOT_NEEDED))
        from pyimagesearch.model_files import building

        size, count = sum(array.nbytes for _, array in contents.weights), len(contents.weights)
        _limit(MEMORY + 8 * size, SECONDS + min(20, count // 50))
        building.try_out(contents)
        print(file=answers, flush=True)
    except Exception as error:
        print(sentence(error, what), file=answers, flush=True)


def sentence(error, what):
    """Return what an exception says of a model file; `what` begins the sentence for one that nobody foresaw."""
    if isinstance(error, UserError):
        return printable(str(error))
    if isinstance(error, MemoryError):
        return f"it takes more than {MEMORY:,} bytes of memory; no network for 28x28 images needs that"
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    return printable(f"{what}: {first_line(error)}")


def _limit(memory, seconds):
    """Let this process take so many bytes, and seconds of processor time, from now on.

    Does nothing where the system has no such limits (Windows; macOS: none for memory).
    """
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        def limit(kind, most):
            hard = resource.getrlimit(kind)[1]
            resource.setrlimit(kind, (most if hard < 0 else min(most, hard), hard))

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if hasattr(os, "sched_setaffinity"):  # what one thread takes does not depend on how many cores there are
            os.sched_setaffinity(0, [max(os.sched_getaffinity(0))])
        limit(resource.RLIMIT_CPU, int(time.process_time()) + 1 + seconds)
        taken = int(re.search(r"VmData:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
        limit(resource.RLIMIT_DATA, taken + memory)
