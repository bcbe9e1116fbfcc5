"""Find photo files and read them: whatever a file holds, the result is an image of bounded size or a UserError."""

import contextlib
import glob
import os
import stat
import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from pyimagesearch.errors import UserError, reason, warn

SIDE = 200  # pixels: the longer edge of a photo after read()
# Raster formats in which people keep photos; Pillow recognizes them by content. It knows many more, and one of those,
# EPS, starts a foreign program. HEIF needs the package pillow-heif.
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "HEIF")
SUFFIXES = {".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif"}
SUFFIXES |= {".ppm", ".dng", ".cr2", ".cr3", ".nef", ".arw"}  # the last five: raw photos, which are named and not read
MAX_BYTES = 400e6  # of memory for decoding, at 4 bytes a pixel
COPIES = {"WEBP": 4, "AVIF": 4, "HEIF": 2, "TIFF": 2}  # of all pixels, held at once by a decoder; other formats: 1
MAX_ASPECT = 50  # longer edge / shorter edge


def find(paths):
    """Return the photo files among `paths`, and the number of files that cannot be used. Prints a warning for each.

    A folder stands for the photos in it, sorted; its other files, such as notes.txt, are ignored, and subfolders are
    named, not searched. A name with wildcards stands for the files that it matches: some shells leave that to the
    program. Only the files' headers are read. Raises UserError if no photo is left.
    """
    photos, errors = [], []
    for path in (Path(match) for name in map(str, paths) for match in _matches(name)):
        try:
            inside = [path / name for name in sorted(os.listdir(path)) if not name.startswith(".")]
        except (OSError, ValueError):  # a file, or nothing that can be read, as _opened finds out
            inside = [path]
        before, folders = len(photos + errors), [file.name for file in inside if file != path and file.is_dir()]
        for file in inside:
            try:
                with _opened(file):
                    photos.append(file)
            except UserError as error:
                if file == path or file.suffix.lower() in SUFFIXES:
                    errors.append(error)
        if len(photos + errors) == before:
            errors.append(UserError(f"the folder {path} holds no photos"))
        if folders:
            warn(f"{path}: subfolders are not searched: {', '.join(folders)}")
    if not photos and len(errors) == 1:
        raise errors[0]
    for error in errors:
        warn(str(error))
    if not photos:
        raise UserError(f"none of these {len(errors)} files can be used; see above")
    return photos, len(errors)


def _matches(name):
    return [name] if os.path.lexists(name) else sorted(glob.glob(name)) or [name]


def read(path):
    """Return the photo at `path` as a PIL image (RGBA, upright, at most 200 pixels high or wide) and notes about it.

    Raises UserError if the file cannot be read.
    """
    try:
        return _decoded(path), ()
    except UserError:  # perhaps only the last bytes are missing, which no browser minds
        before, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, True
        try:
            return _decoded(path), ("the file is cut off or damaged, so a part of the photo may be missing",)
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before


def _decoded(path):
    with _opened(path) as image:
        # Sampled first, so that the conversions below have little to do, and averaged at the end.
        image.thumbnail((5 * SIDE, 5 * SIDE), Image.Resampling.NEAREST)
        with contextlib.suppress(Exception):  # of a damaged EXIF header
            image = ImageOps.exif_transpose(image)
        if image.mode[0] in "IF":  # 16 bits and more
            values = np.nan_to_num(np.asarray(image, np.float32), posinf=0, neginf=0)
            image = Image.fromarray(cv2.normalize(values, None, 255, norm_type=cv2.NORM_INF, dtype=cv2.CV_8U))
        image = image.convert("RGBA")
        image.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
        return image


@contextlib.contextmanager
def _opened(path):
    """Yield the photo file at `path` as a PIL image, not decoded yet. Any error in the block becomes a UserError."""
    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
    Image.init()
    try:
        if stat.S_IFMT(path.stat().st_mode) not in (stat.S_IFREG, stat.S_IFDIR):  # to open a pipe would wait
            raise UserError(f"cannot read {path}: it is not a regular file")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged metadata
            with Image.open(path, formats=[name for name in FORMATS if name in Image.OPEN]) as image:
                _bound(path, image)
                yield image
    except (UserError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise UserError(f"{path} is too large (hundreds of megapixels); save it smaller") from error
    except FileNotFoundError as error:
        raise UserError(f"there is no file {path}") from error
    except UnidentifiedImageError as error:
        with open(path, "rb") as file:
            start = file.read(12)
        words = "is not a photo in a format that can be read (JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, HEIC)"
        if start[4:10] in (b"ftyphe", b"ftypmi", b"ftypms"):
            words = "is a HEIC photo, which cannot be read here; export it as JPEG, or run: pip install pillow-heif"
        raise UserError(f"{path} {words if start else 'is empty (0 bytes)'}") from error
    except Exception as error:  # Pillow's readers raise whatever they like on a damaged file
        words = reason(error) if isinstance(error, OSError) else str(error) or type(error).__name__
        raise UserError(f"cannot read {path}: {words}") from error


def _bound(path, image):
    """Have a JPEG decoded at 1/2, 1/4 or 1/8; raise UserError if decoding would take too much memory."""
    pixels = image.width * image.height
    image.draft("RGB", (2 * SIDE, 2 * SIDE))
    size = 4 * COPIES.get(image.format, 1) * image.width * image.height
    if "progressive" in image.info:  # libjpeg keeps three 16-bit coefficients for each pixel
        size += 6 * pixels
    if size > MAX_BYTES:
        raise UserError(f"{path} is too large ({pixels / 1e6:,.0f} megapixels); save it smaller")
    if max(image.size) > MAX_ASPECT * min(image.size):
        raise UserError(f"{path} is {image.width} x {image.height} pixels, too narrow for a photo; crop it")
