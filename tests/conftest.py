"""What the tests share: small data sets that they write, the scripts as real processes, the genuine data."""

import contextlib
import dataclasses
import gc
import gzip
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

# Each process of pytest-xdist and its children keep to their share of the cores: threads that wait for each other on a
# core that others use take several times as long. (Before NumPy is imported, which counts the cores.)
if (WORKER := os.environ.get("PYTEST_XDIST_WORKER")) and hasattr(os, "sched_setaffinity"):
    cores, count = sorted(os.sched_getaffinity(0)), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    os.sched_setaffinity(0, cores[int(WORKER[2:]) :: count] or cores)

import numpy as np
import pytest
import warm

ROOT = Path(__file__).resolve().parent.parent
# Variables that warm.py's children cannot be given.
READ_AT_IMPORT = ("CUDA", "JAX", "KERAS", "LANG", "LC_", "MPL", "OMP", "PYTHONIO", "TF_", "TMPDIR", "XLA")
SKIPS_FAIL = "SKIPS_FAIL" in os.environ  # as in .ci/run
WITH_PIPES = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes in a folder")
sys.path.insert(0, str(ROOT))

from pyimagesearch.cli import libraries  # noqa: E402
from pyimagesearch.data import download, loading  # noqa: E402
from pyimagesearch.data.idx import FILES, SHA256  # noqa: E402
from pyimagesearch.recipes import RECIPES  # noqa: E402

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts jobs in the background so, and the scripts would inherit it: no test of Ctrl-C could pass.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config):
    if WORKER or not config.getoption("numprocesses"):  # not the process that only hands out tests
        with libraries.quiet():
            import keras  # noqa: F401
        gc.freeze()  # garbage collection need not look at the libraries' million objects


def _not_installed(item):
    """Return the packages and programs that a test is marked to need and that are not installed."""
    needed = [marker.args[0] for marker in item.iter_markers("needs")]
    return [name for name in needed if not importlib.util.find_spec(name) and not shutil.which(name)]


def pytest_runtest_setup(item):
    if missing := _not_installed(item):
        pytest.skip(f"{missing[0]} is not installed")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """With SKIPS_FAIL, a skipped test fails, except those that wait for a pass with the packages that they need."""
    report = yield
    if report.skipped and SKIPS_FAIL and not _not_installed(item):
        report.outcome, report.longrepr = "failed", f"skipped: {report.longrepr[-1]}"
    return report


def pictures(count, seed=0):
    """Return `count` pictures, uint8 (N, 28, 28), that are easy to learn, and their labels 0 to 9, uint8 (N,).

    A picture of class k has a bright bar across rows 2k + 4 and 2k + 5.
    """
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) % 10).astype(np.uint8)
    images = rng.integers(0, 60, (count, 28, 28), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label + 4 : 2 * label + 6, 4:24] = 220
    return images, labels


def data(count, seed=0):
    """Return pictures() as training takes them: uint8 (N, 28, 28, 1) and labels."""
    images, labels = pictures(count, seed)
    return images[..., np.newaxis], labels


def chain(*members, shape=(28, 28, 1)):
    """Return a Keras Sequential of an input and these layers."""
    import keras  # not at the top: see pytest_configure

    return keras.Sequential([keras.Input(shape), *members])


def small(name, **changes):
    """Return the recipe `name`, with a small network, which is trained in a fraction of the time, and these changes."""
    network = {"filters": (8,), "dense": 16} | RECIPES[name].network | changes.pop("network", {})
    return dataclasses.replace(RECIPES[name], network=network, **changes)


def idx(array):
    """Return the bytes of a uint8 array as an IDX file."""
    return np.array([0x800 + array.ndim, *array.shape], ">u4").tobytes() + array.tobytes()


def write_data(folder, train=600, test=200, packed=True):
    """Write a small data set, four IDX files under the published names, to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, count, seed in (("train", train, 1), ("test", test, 2)):
        for name, array in zip(FILES[part], pictures(count, seed), strict=True):
            content = gzip.compress(idx(array), mtime=0) if packed else idx(array)
            (folder / f"{name}{'.gz' if packed else ''}").write_bytes(content)
    return folder


RECORD = {"recipe": "fast", "seed": 1, "epochs": 2, "training_images": 3, "versions": {}}  # of a model file


@contextlib.contextmanager
def file_size(most):
    """Let no file of this process grow over so many bytes: a full disk."""
    resource = pytest.importorskip("resource")  # not on Windows
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def small_data(tmp_path):
    return write_data(tmp_path / "data")


@pytest.fixture
def empty_machine(tmp_path, monkeypatch):
    """A machine without data, network or apt-get, for which the small data set is the genuine one.

    Returns the folder of the small data set's files.
    """
    source = write_data(tmp_path / "source")
    for name in SHA256:
        content = gzip.decompress((source / f"{name}.gz").read_bytes())
        monkeypatch.setitem(SHA256, name, hashlib.sha256(content).hexdigest())
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("FASHION_MNIST_DIR", raising=False)
    monkeypatch.setattr(download, "PACKAGE_FOLDER", tmp_path / "usr/share/datasets/fashion-mnist")
    monkeypatch.setattr(download, "URL", "http://127.0.0.1:9/")  # nobody listens there
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))  # no apt-get
    return source


def load(*arguments, **settings):
    """Return (training images, labels), (test images, labels) of loading.Data with these arguments."""
    data = loading.Data(*arguments, **settings)
    return data.part("train"), data.part("test")


def assert_small_data(loaded):
    for part, expected in zip(loaded, (pictures(600, 1), pictures(200, 2)), strict=True):
        for array, wanted in zip(part, expected, strict=True):
            assert array.dtype == np.uint8
            np.testing.assert_array_equal(array, wanted)


@pytest.fixture(scope="session")
def warm_start(tmp_path_factory):
    """warm.start(), where the libraries can be loaded beforehand."""
    if not warm.POSSIBLE:
        return None
    warm.load(tmp_path_factory.mktemp("home"))
    return warm.start


@pytest.fixture
def run(tmp_path, warm_start):
    """Run a script of the project in an empty home: run("fashion_mnist.py", "--help") -> CompletedProcess.

    The libraries are loaded already (see warm.py), except with cold=True, options of Python, another Keras backend, or
    variables that are read when a library is imported.
    """
    home = tmp_path / "home"
    home.mkdir()
    environment = {key: os.environ[key] for key in ("PATH", "KERAS_BACKEND", "SYSTEMROOT") if key in os.environ}
    environment |= {"HOME": str(home), "LANG": "C.UTF-8"}

    def script(name, *arguments, options=(), check=None, cold=False, cwd=tmp_path, **variables):
        command, given = [str(ROOT / name), *map(str, arguments)], environment | variables
        if cold or options or not warm_start or any(variable.startswith(READ_AT_IMPORT) for variable in variables):
            pipes = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
            done = subprocess.run([sys.executable, *options, *command], cwd=cwd, env=given, timeout=600, **pipes)
        else:
            with tempfile.NamedTemporaryFile("r") as out, tempfile.NamedTemporaryFile("r") as errors:
                process = warm_start(command, cwd, given, out.name, errors.name)
                process.join(600)
                done = subprocess.CompletedProcess(command, process.exitcode, out.read(), errors.read())
        if check is not None:
            assert done.returncode == check, done.stdout + done.stderr
        return done

    return script


@pytest.fixture(scope="session")
def genuine():
    """The folder with the genuine data; skips where there is none."""
    given = os.environ.get("FASHION_MNIST_DIR")
    for folder in [Path(given)] if given else [download.keras_cache(), download.PACKAGE_FOLDER]:
        if all((folder / name).exists() or (folder / f"{name}.gz").exists() for name in SHA256):
            return folder
    return pytest.skip("the genuine Fashion-MNIST is not on this machine (run a script once, it fetches the data)")
