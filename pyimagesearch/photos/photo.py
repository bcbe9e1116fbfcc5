"""A photograph in, 28x28 pictures as the data set's authors made theirs out.

The authors (Xiao, Rasul and Vollgraf, arXiv:1708.07747, section 2) trimmed the plain background of a shop's picture,
scaled the longer edge to 28, centred, negated and turned it grey. At home the background is a floor, a bed or a door;
it is estimated from the picture's border and removed first.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from pyimagesearch.errors import UserError, reason

SIDE = 28
WORKING_SIDE = 400  # pixels that the longer edge of a photo is reduced to
SEGMENT_SIDE = 96  # and where the background is estimated, which takes long
PLAIN = 13  # 5% of 255: how far a plain background may stray (section 2 of the paper)
SEEN = 8  # and how far a garment's pixel must; JPEG's noise is less
# What the garment's pixels are brought to. In the training set they have medians around 178 and deviations around 48;
# less contrast than that serves photos better, where part of it is shadow.
GARMENT_MEDIAN, GARMENT_DEVIATION = 165, 36
# Clothes laid out on a bed spread their sleeves; those of the data set let them hang. So a photo is looked at in three
# widths, each also mirrored, and the network's answers are averaged.
WIDTHS = (1.0, 0.85, 0.7)


@dataclass(frozen=True)
class Photo:
    """A photograph on its way to the network.

    original   uint8 (height, width, 3)
    garment    bool (height, width), where the garment is
    grey       uint8 (height, width), the garment in the data set's greys on black
    pictures   uint8 (views, 28, 28, 1), for the network; more than one view if the background was not plain
    doubts     sentences about what does not look like the data
    """

    original: np.ndarray
    garment: np.ndarray
    grey: np.ndarray
    pictures: np.ndarray
    doubts: tuple


def find(paths):
    """Return the picture files among `paths`: a file as it is, a folder as all pictures right in it, sorted.

    A folder without pictures stays in the list, for read() to complain of.
    """
    files = []
    for path in paths:
        suffixes = Image.registered_extensions()
        inside = sorted(file for file in path.iterdir() if file.suffix.lower() in suffixes) if path.is_dir() else []
        files += inside or [path]
    return files


def read(path):
    """Return the picture file at `path` as a PIL image: RGB, upright, at most 400 pixels high or wide.

    Any format of Pillow's; what is transparent becomes white. Raises UserError if it cannot be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                image.draft("RGB", (2 * WORKING_SIDE, 2 * WORKING_SIDE))  # a JPEG of 50 megapixels need not be unpacked
                image = ImageOps.exif_transpose(image)
                if image.mode in ("I", "F") or image.mode.startswith("I;16"):  # 16 bits and more; the rest has 8
                    values = np.asarray(image, np.float64)
                    values *= 255 / max(65535 if image.mode != "F" else 0, values.max(), 1e-9)
                    image = Image.fromarray(values.clip(0, 255).astype(np.uint8))
                image = image.convert("RGBA")
                image.thumbnail((WORKING_SIDE, WORKING_SIDE), Image.Resampling.BOX)
    except IsADirectoryError as error:
        raise UserError(f"the folder {path} holds no pictures") from error
    except FileNotFoundError as error:
        raise UserError(f"there is no picture {path}") from error
    except UnidentifiedImageError as error:
        raise UserError(f"{path} is not a picture, or of a format that Pillow does not read") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UserError(f"{path} is too large a picture (over {Image.MAX_IMAGE_PIXELS:,} pixels)") from error
    except MemoryError:
        raise
    except Exception as error:  # Pillow's readers raise whatever they like on a damaged file
        words = reason(error) if isinstance(error, OSError) else str(error) or type(error).__name__
        raise UserError(f"{path} cannot be read: {words}") from error
    if image.getextrema()[3][0] == 0:  # cut out already, perhaps to its very edge
        image = ImageOps.expand(image, border=8, fill=(255, 255, 255, 0))
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def prepare(image, name="the picture"):
    """Turn a PIL image (RGB) into a Photo. Raises UserError if it shows nothing but background."""
    pixels = np.asarray(image)
    colour = plain_background(pixels)
    doubts = []
    if colour is None:
        doubts.append("the background is not plain: what was taken for the garment may be wrong")
        garment = segment(image)
        grey = _typical_grey(_luminance(pixels), garment)
    else:
        garment = np.abs(pixels - colour).max(axis=2) > SEEN
        grey = _distance_from_background(_luminance(pixels), _luminance(colour), garment)
    if not garment.any() or not grey.any():
        raise UserError(f"{name} shows nothing but background")
    edge = np.concatenate([garment[0], garment[-1], garment[:, 0], garment[:, -1]])
    if edge.mean() > 0.05:
        doubts.append("the garment touches the edge: is all of it in the picture?")
    pictures = np.stack([_picture(grey, garment, width) for width in (WIDTHS if colour is None else (1.0,))])
    if colour is None:
        pictures = np.concatenate([pictures, pictures[:, :, ::-1]])
    return Photo(pixels, garment, grey, pictures[..., np.newaxis], tuple(doubts))


def plain_background(pixels):
    """Return the colour, float (3,), that nine tenths of the border of `pixels` (height, width, 3) have, or None."""
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    colour = np.median(border, axis=0)
    return colour if (np.abs(border - colour).max(axis=1) <= PLAIN).mean() >= 0.9 else None


def segment(image):
    """Return where the garment is, bool (height, width), in a photo (PIL, RGB) whose background is not plain.

    As GrabCut does (Rother, Kolmogorov and Blake, SIGGRAPH 2004), one mixture of colours is fitted to the background
    and one to the garment, in turns with the map of what is which. The border is background, the middle more likely
    garment. A random walk (Grady, CVPR 2005: "Multilabel Random Walker Image Segmentation Using Prior Models") carries
    each pixel's odds to its neighbours, less so across an edge.
    """
    small = image.copy()
    small.thumbnail((SEGMENT_SIDE, SEGMENT_SIDE), Image.Resampling.BOX)
    colours = _lab(np.asarray(small))
    height, width = colours.shape[:2]
    colours = colours.reshape(-1, 3)

    rows, columns = np.mgrid[0:height, 0:width]
    off_centre = np.maximum(abs(2 * columns + 1 - width) / width, abs(2 * rows + 1 - height) / height)
    prior = (0.5 - 3.5 * off_centre**4).ravel()  # log-odds of garment
    garment = 1 / (1 + np.exp(-prior))
    garment[off_centre.ravel() > 0.93] = 0

    number = np.arange(height * width).reshape(height, width)
    one = np.concatenate([number[:, :-1].ravel(), number[:-1].ravel()])
    other = np.concatenate([number[:, 1:].ravel(), number[1:].ravel()])
    difference = ((colours[one] - colours[other]) ** 2).sum(axis=1)
    weight = np.exp(-difference / (difference.mean() + 1e-6)) + 1e-4
    links = sparse.coo_matrix((weight, (one, other)), (height * width, height * width))
    links = links + links.T
    laplacian = sparse.diags(np.asarray(links.sum(axis=1)).ravel()) - links
    walk = (20 * laplacian + sparse.identity(height * width)).tocsc()

    features = colours * (0.7, 1, 1)  # lightness counts less: shadows
    chance = np.random.default_rng(0)
    for _ in range(4):
        fitness = []
        for share in (garment, 1 - garment):
            drawn = chance.choice(len(features), 1500, p=share / share.sum())
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # an early stop does; the map changes anyway
                mixture = GaussianMixture(4, reg_covar=4.0, max_iter=30, random_state=0).fit(features[drawn])
            fitness.append(mixture.score_samples(features))
        odds = np.clip(0.8 * (fitness[0] - fitness[1]), -5, 5) + prior
        garment = np.clip(spsolve(walk, 1 / (1 + np.exp(-odds))), 0, 1)

    found = _main_pieces(garment.reshape(height, width) > 0.5)
    mask = Image.fromarray(found.astype(np.uint8) * 255).resize(image.size, Image.Resampling.BILINEAR)
    return np.asarray(mask) > 127


def _main_pieces(found):
    """Keep the largest connected piece and what is at least 30% of it (the other shoe), without holes or threads."""
    pieces, count = ndimage.label(ndimage.binary_opening(found))
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
    if not count:
        return found
    large = 1 + np.flatnonzero(sizes >= 0.3 * sizes.max())
    return ndimage.binary_fill_holes(np.isin(pieces, large))


def _lab(pixels):
    """Turn sRGB, uint8 (..., 3), into CIELAB, float: distances there are as people see them (CIE 15:2004)."""
    part = pixels / 255
    linear = np.where(part > 0.04045, ((part + 0.055) / 1.055) ** 2.4, part / 12.92)
    to_xyz = [[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]]
    xyz = linear @ np.array(to_xyz) / (0.9505, 1, 1.089)
    x, y, z = np.moveaxis(np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def _luminance(pixels):
    return pixels @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow's grey


def _typical_grey(luminance, garment):
    """Return uint8 (height, width): the garment negated, its median and contrast set to the data set's, on black.

    How light a photo is says more of the lamp than of the cloth.
    """
    if not garment.any():
        return np.zeros(luminance.shape, np.uint8)
    negative = 255 - luminance
    values = negative[garment]
    contrast = (negative - np.median(values)) / max(values.std(), 4)
    return np.where(garment, np.clip(GARMENT_MEDIAN + GARMENT_DEVIATION * contrast, 20, 255), 0).astype(np.uint8)


def _distance_from_background(luminance, background, garment):
    """Return uint8 (height, width): how far each pixel is from a plain background, 255 the farthest.

    On a light background that is the negative, as in the paper; on a dark one the picture as it is.
    """
    distance = background - luminance if background > 127 else luminance - background
    distance = np.where(garment, distance.clip(0), 0)
    return (distance * 255 / max(distance.max(), 1)).astype(np.uint8)


def _picture(grey, garment, width):
    """Cut the garment out, make it `width` times as wide, scale its longer edge to 28 and centre it on black."""
    rows, columns = np.flatnonzero(garment.any(axis=1)), np.flatnonzero(garment.any(axis=0))
    cut = Image.fromarray(grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    size = np.array([cut.width * width, cut.height])
    size = np.maximum(1, np.rint(size * SIDE / size.max())).astype(int)
    picture = Image.new("L", (SIDE, SIDE))
    picture.paste(cut.resize(tuple(size), Image.Resampling.BOX), tuple((SIDE - size) // 2))
    return np.asarray(picture)


def prepared(paths):
    """Yield (path, Photo or the UserError that says why there is none) for each picture file."""
    for path in paths:
        try:
            yield path, prepare(read(path), path)
        except UserError as error:
            yield path, error
