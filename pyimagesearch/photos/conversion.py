"""Convert a photo into 28x28 images like those of the data set.

The data set's authors (Xiao, Rasul and Vollgraf, arXiv:1708.07747, section 2) trimmed the plain background of a product
photo, scaled the longer edge to 28, centered, negated and turned it gray. At home the background is a floor, a bed or a
door, so the garment is segmented first.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from pyimagesearch.data.loading import CLASS_NAMES
from pyimagesearch.errors import UserError
from pyimagesearch.photos import files, pairs, segmentation

SIDE = 28
BLACK = 8  # pixels up to this are black background; JPEG's noise is less
# The median and standard deviation that the garment's pixels get; those of the training images are about 178 and 48.
GARMENT_MEDIAN, GARMENT_DEVIATION = 140, 48
# Clothes laid out on a bed spread their sleeves; those of the data set let them hang, and are narrower than tall. So a
# photo gives an image as it is and three of other widths, at most 1 time the height; their predictions are combined.
WIDTHS = (1.0, 0.85, 0.7)
# A shoe from above is about as long and wide as the data set's, which are seen from the side; the toe may be at either
# end. Which of the three it is, the network says.
HEIGHTS = (0.7, 1.0, 1.4)
SHOES = tuple(CLASS_NAMES.index(name) for name in ("Sandal", "Sneaker", "Ankle boot"))
BT601 = np.array([0.299, 0.587, 0.114])  # the weights of red, green and blue in gray, as Pillow has them


@dataclass(frozen=True)
class Photo:
    """A photo and what it was converted to."""

    pixels: np.ndarray  # uint8 (height, width, 3): the photo
    mask: np.ndarray  # bool (height, width): where the garment is
    gray: np.ndarray  # uint8 (height, width): the garment, light on black
    images: np.ndarray  # uint8 (views, 28, 28, 1): the network's input; one view if the background is plain
    notes: tuple  # sentences about what may make the prediction wrong
    plain: bool  # whether the background is plain, as in the photos that the data set was made from
    classes: tuple | None = None  # the numbers of the only possible classes (of a pair: shoes), or None for all


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
        return Photo(pixels, gray > 0, gray, gray[np.newaxis, ..., np.newaxis], (), plain=True)
    background = segmentation.plain_background(pixels)
    plain = background is not None
    mask, gray = _garment(pixels, background)
    notes = []
    if not plain:
        notes.append("the background is not plain: see in photos.png whether the garment was cut out whole")
    if not gray.any():
        raise UserError(f"{name} shows nothing but background")
    if segmentation.border(mask).mean() > 0.05:
        notes.append("the garment touches the edge of the photo: is all of it visible?")
    if shoe := pairs.one_of_a_pair(mask):
        notes.append(
            "a pair of shoes: the network sees one of them, turned to lie, and only the classes of shoes are compared; "
            "a photo of one shoe from the side, toe to the left, is better"
        )
        mask, rectangle = shoe
        gray = np.where(mask, gray, 0)
        crop = _lying(gray, rectangle)
        widths = [crop.shape[1] / factor for factor in HEIGHTS]
    else:
        left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
        crop = gray[top : top + height, left : left + width]
        widths = [width, *(min(width, height) * factor for factor in WIDTHS if not plain)]
    images = np.stack([_view(crop, width) for width in widths])
    if shoe or not plain:
        images = np.concatenate([images, images[:, :, ::-1]])
    return Photo(pixels, mask, gray, images[..., np.newaxis], tuple(notes), plain, SHOES if shoe else None)


def _data_set_image(pixels):
    """Return `pixels` (height, width, 3) as an image of the data set, uint8 (28, 28), if they look like one, or None.

    That is: 28x28, gray, light on black or, then negated, dark on white. The background reaches the border: more than a
    fifth of the border is black in all but 4 of the data set's 70,000 images, and never as much of it white.
    """
    gray = pixels[..., 0]
    black, white = (np.mean(segmentation.border(part) <= BLACK) for part in (gray, 255 - gray))
    if gray.shape != (SIDE, SIDE) or (pixels != gray[..., np.newaxis]).any() or gray.min() == gray.max():
        return None
    return None if max(black, white) < 0.2 else gray if black > white else 255 - gray


def _garment(pixels, background):
    """Return where the garment is, bool (height, width), and the garment in gray on black, uint8 (height, width).

    On a plain background, gray is how far a pixel is from it, 255 the farthest: the negative, as in the paper, where it
    is light, and the photo as it is where it is dark. Otherwise it is the negative with a fixed median and contrast:
    how light a photo is depends more on the lamp than on the cloth.
    """
    if background is not None:
        difference = np.abs(pixels - background)
        mask, gray = difference.max(axis=2) > BLACK, difference @ BT601
        gray *= 255 / max(gray.max(), 1)
    else:
        mask, luminance = segmentation.segment(pixels), pixels @ BT601
        contrast = (np.median(luminance[mask]) - luminance) / max(luminance[mask].std(), 4)
        gray = (GARMENT_MEDIAN + GARMENT_DEVIATION * contrast).clip(20, 255)
    return mask, np.where(mask, gray, 0).astype(np.uint8)


def _lying(gray, rectangle):
    """Return what is in a rectangle of one_of_a_pair(), turned so that what was up in the photo is at the left."""
    center, (width, height), tilt = rectangle
    matrix = cv2.getRotationMatrix2D(center, tilt + 90, 1)
    matrix[:, 2] += np.subtract((height / 2, width / 2), center)
    return cv2.warpAffine(gray, matrix, (max(1, round(height)), max(1, round(width))))


def _view(crop, width):
    """Stretch a crop, uint8 (height, any), to `width`, scale its longer edge to 28 and center it on black."""
    size = np.array([width, len(crop)])
    size = np.maximum(1, np.rint(size * SIDE / size.max())).astype(int)
    left, top = (SIDE - size) // 2
    image = np.zeros((SIDE, SIDE), np.uint8)
    image[top : top + size[1], left : left + size[0]] = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
    return image
