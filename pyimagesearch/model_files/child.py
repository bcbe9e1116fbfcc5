"""A process of its own reads a model file and tries it out: what a file may cost is bounded here, in one place.

HDF5 hangs or crashes on some damaged files, and one line of a config can ask for a billion units. So a second Python
process reads the file, within the system's limits of memory and processor time, and hands over what it contains. Then
it builds the network and runs it once, unless this project saved the file and its checksum holds. Meanwhile the first
process goes on; it builds the network only when the second has found it harmless.
"""

import contextlib
import json
import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import numpy as np

from pyimagesearch.errors import UserError, printable, reason, warn

MEMORY = 500_000_000  # bytes, beside the libraries: for reading; for building, eight times the weights more
SECONDS = 10  # of processor time, for reading; for building, one for each 50 arrays more (DenseNet201: 30)
PATIENCE = 10  # seconds until a line says that reading takes long: a slow disk is no reason to give up
START = "import sys; sys.path[:] = sys.argv[3:]; from pyimagesearch.model_files import child; child.main()"
# On the CPU, whatever Keras's file of settings says, and without libraries that Keras imports only if they are there.
ENVIRONMENT = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu", "KERAS_HOME": os.devnull, "OMP_NUM_THREADS": "1"}
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
        weakref.finalize(self, _end, self._process)
        self._line = threading.Timer(PATIENCE, warn, [f"reading {path} takes long; Ctrl-C gives up"])
        self._line.daemon = True

    def read(self):
        """Return (fields of reading.Contents that JSON can hold, a dict, and the weights, [(name, array)])."""
        self._line.start()
        try:
            fields = self._answer("it is damaged: the HDF5 library crashes on it")
            return fields, [(name, self._array(*described)) for name, *described in fields.pop("arrays")]
        finally:
            self._line.cancel()

    def _array(self, dtype, shape):
        numbers = self._process.stdout.read(np.dtype(dtype).itemsize * math.prod(shape))
        return np.frombuffer(numbers, dtype).reshape(shape)

    def check(self):
        """Wait until the network has been tried out. Raises UserError if it cannot be used."""
        self._answer("its network takes too much memory, or crashes Keras")

    def _answer(self, failure):
        """Return the next line of JSON from the process. Raises UserError if that is an error, or if none comes."""
        if line := self._process.stdout.readline():
            answer = json.loads(line)
            if "error" in answer:
                raise UserError(answer["error"])
            return answer
        if self._process.wait() == -getattr(signal, "SIGXCPU", 0):
            failure = "it takes too much processor time; no network for 28x28 images needs so much"
        raise UserError(failure)


def _end(process):
    process.kill()
    process.stdout.close()
    process.wait()


def main():
    """Do the work of the second process; its answers go to its stdout."""
    from pyimagesearch.model_files import reading

    path, architecture = map(Path, sys.argv[1:3])
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print goes nowhere
    with _answering(answers, "it is damaged"):
        _limit(MEMORY, SECONDS)
        contents = reading.parse(path, architecture if sys.argv[2] else None)
    fields = {"config": contents.config, "record": contents.record, "by_layer": contents.by_layer}
    fields |= {"architecture": contents.architecture and str(contents.architecture), "verified": contents.verified}
    fields["arrays"] = [(name, array.dtype.str, array.shape) for name, array in contents.weights]
    answers.write(json.dumps(fields).encode() + b"\n")
    for _, array in contents.weights:
        answers.write(np.ascontiguousarray(array))
    answers.flush()
    if contents.verified:
        return
    with _answering(answers, "Keras cannot use it"):
        _limit(None, None)
        sys.modules.update(dict.fromkeys(NOT_NEEDED))
        from pyimagesearch.model_files import building

        size, count = sum(array.nbytes for _, array in contents.weights), len(contents.weights)
        _limit(MEMORY + 8 * size, SECONDS + min(20, count // 50))
        building.try_out(contents)
    answers.write(b"{}\n")
    answers.flush()


@contextlib.contextmanager
def _answering(answers, what):
    """Answer with a sentence for any exception in this block, and end the process."""
    try:
        yield
    except Exception as error:
        answers.write(json.dumps({"error": sentence(error, what)}).encode() + b"\n")
        answers.flush()
        os._exit(0)


def sentence(error, what):
    """Return what an exception says of a model file; `what` begins the sentence for one that nobody foresaw."""
    if isinstance(error, UserError):
        return printable(str(error))
    if isinstance(error, MemoryError):
        return f"it takes more than {MEMORY:,} bytes of memory; no network for 28x28 images needs that"
    if isinstance(error, RecursionError):
        return "its config is nested too deep"
    return printable(f"{what}: {next(iter(str(error).strip().splitlines()), type(error).__name__)}")


def _limit(memory, seconds):
    """Let this process take so many bytes, and seconds of processor time, from now on; None: without limits.

    Does nothing where the system has no such limits (Windows; macOS: none for memory).
    """
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        def limit(kind, most):
            hard = resource.getrlimit(kind)[1]
            resource.setrlimit(kind, (hard if most is None or 0 <= hard < most else most, hard))

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if hasattr(os, "sched_setaffinity"):  # what one thread takes does not depend on how many cores there are
            os.sched_setaffinity(0, [max(os.sched_getaffinity(0))])
        limit(resource.RLIMIT_CPU, seconds and int(time.process_time()) + 1 + seconds)
        taken = int(re.search(r"VmData:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
        limit(resource.RLIMIT_DATA, memory and taken + memory)
