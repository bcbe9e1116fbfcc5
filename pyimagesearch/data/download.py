"""Fetch Fashion-MNIST into Keras's cache: Keras's own download, or the package of Debian and Ubuntu."""

import http.client
import io
import os
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from pyimagesearch import progress
from pyimagesearch.data import idx
from pyimagesearch.errors import UserError, reason, warn
from pyimagesearch.files import replacing

CHUNK = 1 << 16  # bytes that are read at a time
URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"  # where Keras downloads from
PACKAGE = "dataset-fashion-mnist"
PACKAGE_FOLDER = Path("/usr/share/datasets/fashion-mnist")  # where the package installs the files

# What a fetch can raise when its source is out of reach or delivers something else. The last two: a proxy variable that
# is no URL, or has no such port.
ERRORS = (OSError, http.client.HTTPException, idx.BadFile, subprocess.SubprocessError, ValueError, OverflowError)


def keras_cache():
    """Return Keras's folder for this data set, determined as Keras does, without importing Keras."""
    home = os.environ.get("KERAS_HOME")
    if not home:
        base = os.path.expanduser("~")
        home = Path(base if os.access(base, os.W_OK) else "/tmp", ".keras")
    return Path(home, "datasets", "fashion-mnist")


def from_url(cache):
    """Download the four files into `cache`. Returns {name: array}. Raises one of ERRORS.

    Each file is verified in memory first: an interrupted download leaves nothing behind.
    """
    arrays, opener = {}, urllib.request.build_opener()  # urlopen would remember the proxies of its first call
    for name in idx.SHA256:
        with opener.open(f"{URL}{name}.gz", timeout=30) as response:
            size = int(response.headers.get("Content-Length", 0))
            progress.say(f"downloading {name}.gz ({size / 1e6:.1f} MB) from {URL}")
            parts = progress.track(iter(lambda: response.read(CHUNK), b""), f"{name}.gz", max(1, size // CHUNK))
            arrays[name] = _verified(b"".join(parts), cache, name)
    return arrays


def from_package(cache):
    """Unpack the package of Debian and Ubuntu into `cache`. Returns {name: array}. Raises one of ERRORS.

    Needs no root and installs nothing; apt's own state and lists stay as they are.
    """
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for part in ("state/lists/partial", "cache/archives/partial"):
            (home / part).mkdir(parents=True)
        configuration = home / "apt.conf"
        configuration.write_text(
            f'Dir::State "{home}/state";\nDir::Cache "{home}/cache";\n'
            'Dir::State::status "/var/lib/dpkg/status";\n'
            'APT::Sandbox::User "";\n'  # or apt, as root, drops to a user who cannot write here
            "#clear APT::Update;\n#clear DPkg;\n"  # the system's hooks act on the system
        )
        progress.say(f"downloading the package {PACKAGE} (30 MB, and lists of packages) with apt-get")
        with progress.bar(PACKAGE):
            for command in (["update"], ["download", PACKAGE]):
                command = ["apt-get", "-c", configuration, "-q", *command]
                subprocess.run(command, cwd=home, check=True, capture_output=True, text=True, timeout=600)
        (package,) = home.glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", package, home / "unpacked"], check=True, capture_output=True, text=True)
        unpacked = home / "unpacked" / PACKAGE_FOLDER.relative_to("/")
        return {name: _verified((unpacked / f"{name}.gz").read_bytes(), cache, name) for name in idx.SHA256}


def explain(error):
    """Return what an error of a fetch says to a person."""
    if isinstance(error, subprocess.CalledProcessError):
        return (error.stderr.strip().splitlines() or ["it failed"])[-1]
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    return reason(error) if isinstance(error, OSError) else str(error)


def store(path, content):
    """Write bytes to a file of Keras's cache, or warn if that is not possible."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(content)
    except (OSError, UserError) as error:
        warn(f"the data is fine, but cannot be stored as {path}: {explain(error)}")


def _verified(compressed, cache, name):
    """Verify the bytes of a .gz file, write them to the cache if possible, and return the array."""
    with idx.decompressed(io.BytesIO(compressed)) as file:
        array = idx.read(file, name)
    idx.verify(array, name)
    store(cache / f"{name}.gz", compressed)
    return array
