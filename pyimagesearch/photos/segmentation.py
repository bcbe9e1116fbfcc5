"""Find the garment in a photo: where it is, as a mask."""

import warnings

import numpy as np
from PIL import Image
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

SIDE = 96  # pixels: the longer edge of the photo that is segmented
PLAIN = 13  # 5% of 255: how far a plain background may vary (section 2 of the paper)


def plain_background(pixels):
    """Return the color, float (3,), that nine tenths of the border of `pixels` (height, width, 3) have, or None."""
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    color = np.median(border, axis=0)
    return color if (np.abs(border - color).max(axis=1) <= PLAIN).mean() >= 0.9 else None


def segment(image):
    """Return where the garment is, bool (height, width), in a photo (PIL, RGB) whose background is not plain.

    As GrabCut does (Rother, Kolmogorov and Blake, SIGGRAPH 2004), one mixture of colors is fitted to the background
    and one to the garment, in turns with the map of what is which. The border is background, the middle more likely
    garment. A random walk (Grady, CVPR 2005: "Multilabel Random Walker Image Segmentation Using Prior Models") carries
    each pixel's odds to its neighbors, less so across an edge.
    """
    small = image.copy()
    small.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    colors = _lab(np.asarray(small))
    height, width = colors.shape[:2]
    colors = colors.reshape(-1, 3)

    rows, columns = np.mgrid[0:height, 0:width]
    off_center = np.maximum(abs(2 * columns + 1 - width) / width, abs(2 * rows + 1 - height) / height)
    prior = (0.5 - 3.5 * off_center**4).ravel()  # log-odds of garment
    garment = 1 / (1 + np.exp(-prior))
    garment[off_center.ravel() > 0.93] = 0

    number = np.arange(height * width).reshape(height, width)
    one = np.concatenate([number[:, :-1].ravel(), number[:-1].ravel()])
    other = np.concatenate([number[:, 1:].ravel(), number[1:].ravel()])
    difference = ((colors[one] - colors[other]) ** 2).sum(axis=1)
    weight = np.exp(-difference / (difference.mean() + 1e-6)) + 1e-4
    links = sparse.coo_matrix((weight, (one, other)), (height * width, height * width))
    links = links + links.T
    laplacian = sparse.diags(np.asarray(links.sum(axis=1)).ravel()) - links
    walk = (20 * laplacian + sparse.identity(height * width)).tocsc()

    features = colors * (0.7, 1, 1)  # lightness counts less: shadows
    rng = np.random.default_rng(0)
    for _ in range(4):
        likelihoods = []
        for weights in (garment, 1 - garment):
            sample = rng.choice(len(features), 1500, p=weights / weights.sum())
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # an early stop does; the map changes anyway
                mixture = GaussianMixture(4, reg_covar=4.0, max_iter=30, random_state=0).fit(features[sample])
            likelihoods.append(mixture.score_samples(features))
        odds = np.clip(0.8 * (likelihoods[0] - likelihoods[1]), -5, 5) + prior
        garment = np.clip(spsolve(walk, 1 / (1 + np.exp(-odds))), 0, 1)

    mask = _main_pieces(garment.reshape(height, width) > 0.5)
    enlarged = Image.fromarray(mask.astype(np.uint8) * 255).resize(image.size, Image.Resampling.BILINEAR)
    return np.asarray(enlarged) > 127


def _main_pieces(mask):
    """Keep the largest connected piece and what is at least 30% of it (the other shoe), without holes or threads."""
    pieces, count = ndimage.label(ndimage.binary_opening(mask))
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
    if not count:
        return mask
    large = 1 + np.flatnonzero(sizes >= 0.3 * sizes.max())
    return ndimage.binary_fill_holes(np.isin(pieces, large))


def _lab(pixels):
    """Turn sRGB, uint8 (..., 3), into CIELAB, float: distances there are as people see them (CIE 15:2004)."""
    srgb = pixels / 255
    linear = np.where(srgb > 0.04045, ((srgb + 0.055) / 1.055) ** 2.4, srgb / 12.92)
    to_xyz = [[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]]
    xyz = linear @ np.array(to_xyz) / (0.9505, 1, 1.089)
    x, y, z = np.moveaxis(np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def luminance(pixels):
    return pixels @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow's gray
