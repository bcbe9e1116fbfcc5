"""Runs scripts in children of a process that has loaded the libraries: a start takes 0.1 s of processor time, not 5.

    server = Server("tensorflow", home)
    done = server.run([script, *arguments], folder, environment)         like subprocess.run: a CompletedProcess
    child = server.start([script, *arguments], folder, environment, stdout, stderr)      child.pid, child.wait()

A child has its own current folder, environment, streams, and modules: those that lie beside the script or on PYTHONPATH
are imported anew, so that a `keras.py` there takes the place of Keras. It shares what the libraries read when they are
imported: settings in the home, and variables such as TF_CPP_MIN_LOG_LEVEL. Tests of those need a cold start.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path

# Elsewhere fork is missing, or breaks system libraries (macOS).
POSSIBLE = sys.platform == "linux"
LIBRARIES = "keras", "cv2", "h5py", "matplotlib.figure", "scipy.optimize", "scipy.stats", "rich.progress"
LIBRARIES += "sklearn.decomposition", "sklearn.linear_model", "sklearn.model_selection"


@dataclass(frozen=True)
class Child:
    """A script that runs; it must be waited for."""

    server: "Server"
    pid: int

    def wait(self, timeout=600):
        """Return its exit status, negative for a signal. After `timeout` seconds it is killed: TimeoutExpired."""
        connection = self.server.connection
        connection.send(json.dumps({"wait": self.pid}).encode())
        connection.settimeout(timeout)
        try:
            return int(connection.recv(100))
        except TimeoutError:
            os.kill(self.pid, signal.SIGKILL)
            connection.settimeout(None)
            connection.recv(100)
            raise subprocess.TimeoutExpired(str(self.pid), timeout) from None
        finally:
            connection.settimeout(None)


class Server:
    """The process with the libraries, on one Keras backend, with an empty folder as its home."""

    def __init__(self, backend, home):
        self.connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "KERAS_BACKEND": backend}
        # OpenBLAS starts its threads when NumPy is imported, and no thread survives a fork.
        environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd=home,
                env=environment,
            )
        threads = self.connection.recv(100).decode() or "ended"
        assert threads == "1", f"a process with the libraries loaded must have one thread to be forked: {threads}"

    def start(self, command, cwd, environment, stdout, stderr, stdin=None):
        """Start a script, the first of `command`; the streams are open files. Returns a Child."""
        request = {"command": [str(part) for part in command], "cwd": str(cwd), "environment": dict(environment)}
        with open(os.devnull) if stdin is None else contextlib.nullcontext(stdin) as stdin:
            streams = [stream.fileno() for stream in (stdin, stdout, stderr)]
            socket.send_fds(self.connection, [json.dumps(request).encode()], streams)
        return Child(self, int(self.connection.recv(100)))

    def run(self, command, cwd, environment, timeout=600):
        """Run a script to its end. Returns a subprocess.CompletedProcess with its outputs as text."""
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
            status = self.start(command, cwd, environment, out, errors).wait(timeout)
            for file in (out, errors):
                file.seek(0)
            return subprocess.CompletedProcess(command, status, out.read(), errors.read())

    def close(self):
        self.connection.close()
        self.process.wait(timeout=60)


def _serve(connection):
    """Fork a child for each request, and return in the child: (the request, its three streams)."""
    while True:
        message, streams, *_ = socket.recv_fds(connection, 1 << 20, 3)
        if not message:
            os._exit(0)
        request = json.loads(message)
        if "wait" in request:
            status = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
            connection.send(str(status).encode())
        elif child := os.fork():
            for stream in streams:
                os.close(stream)
            connection.send(str(child).encode())
        else:
            connection.close()
            return request, streams


def _become(command, cwd, environment, streams):
    """Make this process look like one that has just been started with this command."""
    for number, (name, stream) in enumerate(zip(("stdin", "stdout", "stderr"), streams, strict=True)):
        os.dup2(stream, number)
        os.close(stream)
        errors = "backslashreplace" if name == "stderr" else "strict"
        file = open(number, "w" if number else "r", encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115
        setattr(sys, name, file)
        setattr(sys, f"__{name}__", file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    folders = [os.path.dirname(command[0]), *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    sys.path[:1] = folders
    sys.argv = command
    own = {module.name for module in pkgutil.iter_modules(folders)}
    for name in [name for name in sys.modules if name.partition(".")[0] in own]:
        del sys.modules[name]


def _run(script):
    """Run a script and end this process as Python would, but without taking down the libraries: that takes a second."""
    status = 0
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if end.code is not None and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        status = 1
    atexit._run_exitfuncs()  # noqa: SLF001
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    connection = socket.socket(fileno=int(sys.argv[1]))
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from pyimagesearch.cli import libraries

    with libraries.quiet():
        for name in LIBRARIES:
            importlib.import_module(name)
    sys.path.pop(0)
    gc.freeze()  # garbage collection in a child does not touch, and so copy, what it shares with this process
    connection.send(str(len(os.listdir("/proc/self/task"))).encode())
    request, streams = _serve(connection)
    _become(**request, streams=streams)
    _run(request["command"][0])
