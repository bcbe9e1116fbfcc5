"""Read pictures of any size from a folder for each class, and make a 28x28 gray image of each.

The pictures are in DIR/CLASS/, or in DIR/train/CLASS/ and DIR/test/CLASS/.
"""

import dataclasses
import hashlib
import io
import os
import unicodedata
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from pyimagesearch import progress
from pyimagesearch.data import idx
from pyimagesearch.data.download import keras_cache, store
from pyimagesearch.errors import UserError, printable, reason, warn

TRAIN, TEST = ("train", "training"), ("test", "testing", "validation", "valid", "val")  # names of folders
HELD_OUT = 1 / 5  # of each class, for the test, where no folder holds test pictures
SEGMENTED, RESIZED = "segmented", "resized"  # the conversions; a model's record names that of its training pictures
WORDS = {
    SEGMENTED: "cut out of their background, as for --image (--resize scales them as a whole)",
    RESIZED: "scaled as a whole",
}


@dataclasses.dataclass(frozen=True)
class Pictures:
    """The picture files of a folder; train and test map the name of each class to its paths."""

    folder: Path
    train: dict
    test: dict
    held_out: bool  # whether the test pictures are a fifth of each class

    @property
    def names(self):
        """The names of the classes, in the order of keras.utils.image_dataset_from_directory."""
        return tuple(self.train or self.test)

    def digest(self):
        """Return the SHA-256 of the names of the training pictures, if the names decide which ones these are."""
        names = sorted(f"{name}/{path.name}" for name, paths in self.train.items() for path in paths)
        return hashlib.sha256(repr(names).encode()).hexdigest() if self.held_out else ""

    def load(self, part, conversion, known=()):
        """Return the images, uint8 (N, 28, 28), and labels, uint8 (N,), of `part`: "train" or "test".

        conversion: SEGMENTED or RESIZED, see convert(). known: the names of a model's classes, by which labels are
        numbered; default: those of this folder.

        Prints what is read, and names each file that is left out. Raises UserError if no picture can be used, or if the
        folder has a class that is not known.
        """
        if not 2 <= len(self.names) <= idx.MAX_CLASSES or max(map(len, self.names)) > idx.MAX_NAME:
            raise UserError(
                f"{self.folder} has pictures of {len(self.names)} class(es) in folders; make one for each class: "
                f"2 to {idx.MAX_CLASSES}, with names of at most {idx.MAX_NAME} characters"
            )
        classes, names = getattr(self, part), [name.replace("/", "-") for name in known or self.names]
        if unknown := [name for name in classes if name not in names]:
            raise UserError(
                f"{self.folder} has a class {unknown[0]!r}, but the {'model' if known else 'training data'} has only "
                f"{', '.join(names)}; rename that folder, or take it away"
            )
        print(f"{'training' if part == 'train' else 'test'} data: {self.folder}")
        numbers = {path: names.index(name) for name, paths in classes.items() for path in paths}
        converted = self._converted(numbers, conversion)
        labels = np.array([numbers[path] for path in converted], np.uint8)
        present = [names[number] for number in sorted(set(labels))]
        progress.say(f"  {len(labels):,} pictures of {len(present)} classes: {', '.join(present)}")
        if len(present) < (2 if part == "train" else 1):
            raise UserError(f"{self.folder} has too few {part} pictures that can be used; see above")
        progress.say(f"  28x28 gray pictures stay as they are; others become gray and are {WORDS[conversion]}")
        light = sum(np.median(image[[0, -1]]) > 127 and _stays(path, image) for path, image in converted.items())
        if light and conversion == SEGMENTED:
            warn(
                f"{light} of the pictures are 28x28 on a light background, and stay so; others, also those of --image, "
                "become light on black: invert the former, or train with --resize"
            )
        if self.held_out:
            progress.say("  a fifth of each class is for the test, by the files' names; the others are for training")
        if missing := [name for name in names if name not in present]:
            progress.say(f"  no pictures of {', '.join(missing)}")
        return np.stack(list(converted.values())), labels

    def _converted(self, paths, conversion):
        """Return {path: image, uint8 (28, 28)} of those pictures that can be used; name the others.

        What was converted before is taken from Keras's cache, unless the file or the code has changed since.
        """
        from pyimagesearch.photos import files  # late: most data needs no OpenCV

        code = hashlib.sha256(conversion.encode())
        for source in (Path(__file__), *sorted(Path(files.__file__).parent.glob("*.py"))):
            code.update(source.read_bytes())
        place = hashlib.sha256(os.fsencode(self.folder.resolve()) + conversion.encode()).hexdigest()[:16]
        cache = keras_cache().parent / "fashion-mnist-pictures" / f"{place}.npz"
        known, converted = _cached(cache, code.hexdigest()), {}
        before = len(known)
        try:
            for path in progress.track(paths, f"reading {len(paths):,} pictures"):
                try:
                    status = path.stat()
                    key = f"{path.relative_to(self.folder)} {status.st_size} {status.st_mtime_ns}"
                    if key not in known:
                        image, notes = files.read(path)
                        known[key] = convert(image, notes, path, conversion).images[0, ..., 0]
                        for note in notes:
                            warn(f"{path}: {note}")
                    converted[path] = known[key]
                except (OSError, UserError) as error:
                    words = error if isinstance(error, UserError) else f"cannot read {path}: {reason(error)}"
                    warn(f"{words}; it is left out")
        finally:  # also what was done before Ctrl-C
            if len(known) > before:
                arrays = io.BytesIO()
                np.savez(arrays, code=code.hexdigest(), keys=list(known), images=list(known.values()))
                store(cache, arrays.getvalue())
        return converted


def _stays(path, image):
    """Return whether an image, uint8 (28, 28), is what the picture file at `path` holds, unchanged."""
    with Image.open(path) as picture:
        return picture.size == idx.SIZE and bool((np.asarray(picture.convert("L")) == image).all())


def find(folder):
    """Return the Pictures of a folder, or None if it does not have two folders with pictures, or train/ or test/.

    Reads names alone. A folder without files that are named as pictures is no class. Raises OSError.
    """
    inside = {path.name.lower(): path for path in folder.iterdir() if path.is_dir() and path.name[0] != "."}
    found = {name: _classes(inside[name]) for name in TRAIN + TEST if name in inside}
    parts = [next((name for name in names if found.get(name)), None) for names in (TRAIN, TEST)]
    train, test = (found.get(name, {}) for name in parts)
    if not train and not test and len(classes := _classes(folder)) > 1:
        train = classes
    elif (train or test) and (others := [path.name for name, path in inside.items() if name not in parts]):
        warn(f"{folder}: not read, beside {' and '.join(filter(None, parts))}: {', '.join(sorted(others))}")
    if test or not train:
        return Pictures(folder, train, test, held_out=False) if test else None
    rest = {}
    for name, paths in train.items():
        order = sorted(paths, key=lambda path: hashlib.sha256(os.fsencode(path.name)).digest())
        count = max(1, round(len(paths) * HELD_OUT))
        test[name], rest[name] = sorted(order[:count]), sorted(order[count:])
    return Pictures(folder, rest, test, held_out=True)


def convert(image, notes, name, conversion):
    """Convert a PIL image into a Photo of one view, in the way that its network's training pictures were.

    28x28 gray pixels stay as they are. Of other pictures, what they show is separated from the background (SEGMENTED),
    or the whole is scaled (RESIZED). Raises UserError if there is nothing but background.
    """
    from pyimagesearch.photos import conversion as photos

    opaque = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    pixels = np.asarray(opaque)[..., :3]
    if conversion == SEGMENTED and (image.size != idx.SIZE or np.ptp(pixels, axis=2).any()):
        photo = photos.convert(image, name, notes, shoes=False)
        return dataclasses.replace(photo, images=photo.images[:1])
    gray = opaque.convert("L")
    small = np.asarray(gray if image.size == idx.SIZE else gray.resize(idx.SIZE, Image.Resampling.BOX))
    everywhere = np.ones(pixels.shape[:2], bool)
    return photos.Photo(pixels, everywhere, np.asarray(gray), small[None, ..., None], True, tuple(notes))


def _classes(folder):
    """Return {name of a class: its picture files} from the folders in `folder`, in Keras's order."""
    from pyimagesearch.photos.files import SUFFIXES

    classes, deeper, empty = {}, [], []
    others = [one for one in os.listdir(folder) if Path(one).suffix.lower() in SUFFIXES]  # in no class
    for name in sorted(os.listdir(folder)):
        if not name.startswith(".") and (folder / name).is_dir():
            entries = sorted((one for one in os.scandir(folder / name) if one.name[0] != "."), key=lambda one: one.name)
            deeper += [f"{name}/{one.name}" for one in entries if one.is_dir()]
            paths = [Path(one) for one in entries if Path(one).suffix.lower() in SUFFIXES]
            others += [f"{name}/{one.name}" for one in entries if one.is_file() and Path(one) not in paths]
            if paths:
                name = printable(unicodedata.normalize("NFC", name))
                classes[name] = classes.get(name, []) + paths
            else:
                empty.append(name)
    if classes and deeper:
        warn(f"{folder}: folders inside those of the classes are not read: {', '.join(deeper[:5])}")
    if classes and others:
        warn(f"{folder}: files in no class, or not named as pictures, are not read: {', '.join(others[:5])}")
    if classes and empty:
        warn(f"{folder}: folders without files that are named as pictures are not read: {', '.join(empty[:5])}")
    return classes


def _cached(cache, code):
    """Return {key: image} as Pictures stored it; {} if there is nothing that this code converted."""
    try:
        with np.load(cache) as stored:
            return dict(zip(stored["keys"].tolist(), stored["images"], strict=True)) if stored["code"] == code else {}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):  # none yet, or damaged
        return {}
