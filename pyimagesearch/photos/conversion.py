"""Convert a photo into 28x28 images like those of the data set.

The data set's authors (Xiao, Rasul and Vollgraf, arXiv:1708.07747, section 2) trimmed the plain background of a product
photo, scaled the longer edge to 28, centered, negated and turned it gray. At home the background is a floor, a bed or a
door, so the garment is segmented first.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from pyimagesearch.errors import UserError
from pyimagesearch.photos import files, segmentation

SIDE = 28
BLACK = 8  # pixels up to this are black background; JPEG's noise is less
# The median and standard deviation that the garment's pixels get. Those of the training images are about 178 and 48;
# less contrast serves photos better, where part of it is shadow.
GARMENT_MEDIAN, GARMENT_DEVIATION = 165, 36
# Clothes laid out on a bed spread their sleeves; those of the data set let them hang. So a photo gives images of three
# widths, each also mirrored, whose predictions are combined.
WIDTHS = (1.0, 0.85, 0.7)


@dataclass(frozen=True)
class Photo:
    """A photo and what it was converted to.

    pixels   uint8 (height, width, 3): the photo
    mask     bool (height, width): where the garment is
    gray     uint8 (height, width): the garment, light on black
    images   uint8 (views, 28, 28, 1): the network's input; one view if the background is plain
    notes    sentences about what may make the prediction wrong
    """

    pixels: np.ndarray
    mask: np.ndarray
    gray: np.ndarray
    images: np.ndarray
    notes: tuple


def convert_files(paths):
    """Yield (path, Photo, or the UserError that says why there is none) for each photo file."""
    for path in paths:
        try:
            yield path, convert(files.read(path), path)
        except UserError as error:
            yield path, error


def convert(image, name="the photo"):
    """Convert a PIL image (RGB) into a Photo. Raises UserError if it shows nothing but background."""
    pixels = np.asarray(image)
    if (gray := _data_set_image(pixels)) is not None:
        return Photo(pixels, gray > 0, gray, gray[np.newaxis, ..., np.newaxis], ())
    background = segmentation.plain_background(pixels)
    notes = []
    if background is None:
        notes.append("the background is not plain: the segmentation may be wrong")
        mask = segmentation.segment(image)
        gray = _normalized(_luminance(pixels), mask)
    else:
        mask = np.abs(pixels - background).max(axis=2) > BLACK
        gray = _distance_from_background(_luminance(pixels), _luminance(background), mask)
    if not mask.any() or not gray.any():
        raise UserError(f"{name} shows nothing but background")
    edge = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    if edge.mean() > 0.05:
        notes.append("the garment touches the edge of the photo: is all of it visible?")
    images = np.stack([_image(gray, mask, width) for width in (WIDTHS if background is None else (1.0,))])
    if background is None:
        images = np.concatenate([images, images[:, :, ::-1]])
    return Photo(pixels, mask, gray, images[..., np.newaxis], tuple(notes))


def _data_set_image(pixels):
    """Return `pixels` (height, width, 3) as an image of the data set, uint8 (28, 28), if they look like one, or None.

    That is: 28x28, gray, light on black or, then negated, dark on white. The background reaches the border: more than a
    fifth of the border is black in all but 4 of the data set's 70,000 images, and never as much of it white.
    """
    gray = pixels[..., 0]
    if gray.shape != (SIDE, SIDE) or (pixels != gray[..., np.newaxis]).any():
        return None
    border = np.concatenate([gray[0], gray[-1], gray[1:-1, 0], gray[1:-1, -1]])
    black, white = (border <= BLACK).mean(), (border >= 255 - BLACK).mean()
    if max(black, white) < 0.2 or gray.min() == gray.max():
        return None
    return gray if black > white else 255 - gray


def _luminance(pixels):
    return pixels @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow's gray


def _normalized(luminance, mask):
    """Return the garment negated, with the median and contrast of the data set, on black: uint8 (height, width).

    How light a photo is depends more on the lamp than on the cloth.
    """
    if not mask.any():
        return np.zeros(luminance.shape, np.uint8)
    negative = 255 - luminance
    values = negative[mask]
    contrast = (negative - np.median(values)) / max(values.std(), 4)
    return np.where(mask, np.clip(GARMENT_MEDIAN + GARMENT_DEVIATION * contrast, 20, 255), 0).astype(np.uint8)


def _distance_from_background(luminance, background, mask):
    """Return how far each pixel is from a plain background, 255 the farthest: uint8 (height, width).

    On a light background that is the negative, as in the paper; on a dark one the photo as it is.
    """
    distance = background - luminance if background > 127 else luminance - background
    distance = np.where(mask, distance.clip(0), 0)
    return (distance * 255 / max(distance.max(), 1)).astype(np.uint8)


def _image(gray, mask, width):
    """Crop the garment, stretch it to `width` times its width, scale its longer edge to 28 and center it on black."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    crop = Image.fromarray(gray[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    size = np.array([crop.width * width, crop.height])
    size = np.maximum(1, np.rint(size * SIDE / size.max())).astype(int)
    image = Image.new("L", (SIDE, SIDE))
    image.paste(crop.resize(tuple(size), Image.Resampling.BOX), tuple((SIDE - size) // 2))
    return np.asarray(image)
