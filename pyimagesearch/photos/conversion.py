"""Convert a photo into 28x28 images like those of the data set.

The data set's authors (Xiao, Rasul and Vollgraf, arXiv:1708.07747, section 2) trimmed the plain background of a product
photo, scaled the longer edge to 28, centered, negated and turned it gray. At home the background is a floor, a bed or a
door, so the garment is segmented first.
"""

import dataclasses

import cv2
import numpy as np
from PIL import Image

from pyimagesearch.errors import UserError
from pyimagesearch.photos import pairs, segmentation

SIDE = 28
BLACK = 8  # pixels up to this are black background; JPEG's noise is less
BORDER = 0.2  # of the border is background even where the garment reaches it: in all but 4 of the data set's images
# The median and standard deviation that the garment's pixels get; those of the training images are about 178 and 48.
GARMENT_MEDIAN, GARMENT_DEVIATION = 140, 48
# Clothes laid out on a bed spread their sleeves; those of the data set let them hang, and are narrower than tall. So a
# photo gives an image as it is and three of other widths, at most 1 time the height; their predictions are combined.
WIDTHS = (1.0, 0.85, 0.7)
# A shoe from above is about as long and wide as the data set's, which are seen from the side; the toe may be at either
# end. Which of the three it is, the network says.
HEIGHTS = (0.7, 1.0, 1.4)
BT601 = np.array([0.299, 0.587, 0.114])  # the weights of red, green and blue in gray, as Pillow has them


@dataclasses.dataclass(frozen=True)
class Photo:
    """A photo and what it was converted to."""

    pixels: np.ndarray  # uint8 (height, width, 3): the photo
    mask: np.ndarray  # bool (height, width): where the garment is
    gray: np.ndarray  # uint8 (height, width): the garment, light on black
    images: np.ndarray  # uint8 (views, 28, 28, 1): the network's input; one view if the background is plain
    plain: bool  # whether the background is plain, as in the photos that the data set was made from
    notes: tuple = ()  # sentences about what may make the prediction wrong
    whole: "Photo | None" = None  # if this is one of a pair of shoes: the same photo as that of one garment


def convert(image, name="the photo", notes=(), shoes=True):
    """Convert a PIL image into a Photo that has these notes and perhaps more. shoes: look for a pair of shoes.

    Raises UserError if the image, which is called `name`, shows nothing but background.
    """
    image = image.convert("RGBA")
    alpha = np.asarray(image)[..., 3]
    pixels = np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image))[..., :3]
    cut_out = (segmentation.border(alpha) < 128).mean() > BORDER
    if not cut_out and (gray := _data_set_image(pixels)) is not None:
        # Sampled at the middles of the enlarged pixels: an average would blur what was enlarged smoothly.
        image = cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        return Photo(pixels, gray > 0, gray, image[np.newaxis, ..., np.newaxis], True, tuple(notes))
    mask, gray, plain = _garment(pixels, alpha if cut_out else None)
    if not mask.any():
        raise UserError(f"{name} shows nothing but background")
    if not plain:
        notes = (*notes, "the background is not plain: is the garment whole in photos.png?")
    if not cut_out and segmentation.border(mask).mean() > 0.05:
        notes = (*notes, "the garment touches the edge of the photo: is all of it visible?")
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    widths = [width, *(min(width, height) * factor for factor in WIDTHS if not plain)]
    images = _views(gray[top : top + height, left : left + width], widths, mirrored=not plain)
    photo = Photo(pixels, mask, gray, images, plain, tuple(notes))
    if not shoes or not (shoe := pairs.one_of_a_pair(mask)):
        return photo
    gray = np.where(shoe[0], gray, 0)
    crop = _lying(gray, shoe[1])
    images = _views(crop, [crop.shape[1] / factor for factor in HEIGHTS], mirrored=True)
    return dataclasses.replace(photo, mask=shoe[0], gray=gray, images=images, whole=photo)


def _data_set_image(pixels):
    """Return `pixels` (height, width, 3) in gray, uint8, if they are an image of the data set of any size, or None.

    That is: square, gray, light on black or, then negated, dark on white; and the garment fills one direction.
    """
    gray, side = pixels[..., 0], len(pixels)
    black, white = (np.mean(segmentation.border(part) <= BLACK) for part in (gray, 255 - gray))
    if side < SIDE or pixels.shape[1] != side or np.ptp(pixels, axis=2).max() > BLACK or max(black, white) < BORDER:
        return None
    gray = gray if black > white else 255 - gray
    size = cv2.boundingRect((gray > BLACK).astype(np.uint8))[2:]
    return gray if max(size) >= side * (1 - 2 / SIDE) else None


def _garment(pixels, alpha):
    """Return where the garment is, bool (height, width), its gray on black, uint8, and if the background is plain.

    alpha: opacity, uint8 (height, width), of a garment that is cut out already, or None.

    On a plain background, gray is how far a pixel is from it, 255 the farthest: the negative, as in the paper, where it
    is light, and the photo as it is where it is dark. Otherwise, and where garment and background have nearly the same
    color, it is the negative with a fixed median and contrast: how light a photo is depends more on the lamp than on
    the cloth.
    """
    background = segmentation.plain_background(pixels) if alpha is None else np.array([255, 255, 255])
    visible = plain = background is not None
    if plain:
        difference = np.abs(pixels - background)
        mask = difference.max(axis=2) > BLACK if alpha is None else alpha >= 128
        visible = not mask.any() or np.median(difference[mask].max(axis=1)) >= segmentation.PLAIN
    else:
        mask = segmentation.segment(pixels)
    if visible:
        gray = difference @ BT601
        gray *= 255 / max(gray.max(), 1)
    else:
        luminance = pixels @ BT601
        contrast = (np.median(luminance[mask]) - luminance) / max(luminance[mask].std(), 4)
        gray = (GARMENT_MEDIAN + GARMENT_DEVIATION * contrast).clip(20, 255)
    return mask, np.where(mask, gray, 0).astype(np.uint8), plain


def _lying(gray, rectangle):
    """Return what is in a rectangle of one_of_a_pair(), turned so that what was up in the photo is at the left."""
    center, (width, height), tilt = rectangle
    matrix = cv2.getRotationMatrix2D(center, tilt + 90, 1)
    matrix[:, 2] += np.subtract((height / 2, width / 2), center)
    return cv2.warpAffine(gray, matrix, (max(1, round(height)), max(1, round(width))))


def _views(crop, widths, mirrored):
    """Stretch a crop, uint8 (height, any), to each width, scale its longer edge to 28 and center it on black.

    Returns uint8 (views, 28, 28, 1): a view for each width, then, if `mirrored`, these from right to left.
    """
    images = np.zeros((len(widths), SIDE, SIDE, 1), np.uint8)
    for image, width in zip(images[..., 0], widths, strict=True):
        size = np.array([width, len(crop)])
        size = np.maximum(1, np.rint(size * SIDE / size.max())).astype(int)
        left, top = (SIDE - size) // 2
        image[top : top + size[1], left : left + size[0]] = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
    return np.concatenate([images, images[:, :, ::-1]]) if mirrored else images
