"""Find the garment in a photo: where it is, as a mask."""

import cv2
import numpy as np

PLAIN = 13  # 5% of 255: how far a plain background may vary (section 2 of the paper)
MARGIN = 0.02  # of the width or height: what is so near to the edge of a photo is background
LIGHTNESS = 0.7  # its weight beside the two axes of color: shadows change it most
SMALLEST = 0.04  # of the photo: a garment is not smaller


def border(pixels):
    """Return the pixels at the four edges of an array (height, width, ...), in one row."""
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


def plain_background(pixels):
    """Return the color, float (3,), that nine tenths of the border of `pixels` (height, width, 3) have, or None."""
    edge = border(pixels)
    color = np.median(edge, axis=0)
    return color if (np.abs(edge - color).max(axis=1) <= PLAIN).mean() >= 0.9 else None


def segment(pixels):
    """Return where the garment is, bool (height, width), in a photo, uint8 (height, width, 3), of any background.

    GrabCut (Rother, Kolmogorov and Blake, SIGGRAPH 2004) fits a mixture of colors to the background and one to the
    garment, and cuts the photo in two along edges, in turns. At the start, all but the margin may be the garment; if
    next to nothing of it is left at the end, all is returned. The result has no holes, threads or small pieces.
    """
    size = np.array(pixels.shape[1::-1])
    margin = np.ceil(MARGIN * size).astype(int)
    everything = np.ones(pixels.shape[:2], bool)
    if min(size - 2 * margin) < 1:
        return everything
    colors = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)
    colors[..., 0] = LIGHTNESS * colors[..., 0]
    cv2.setRNGSeed(0)  # of k-means, by which the mixtures start
    labels, _, _ = cv2.grabCut(colors, None, (*margin, *size - 2 * margin), None, None, 3, cv2.GC_INIT_WITH_RECT)
    mask = cv2.morphologyEx(labels & 1, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))  # odd labels: garment
    mask = filled(mask, outlines(mask)) > 0
    return mask if mask.mean() >= SMALLEST else everything


def outlines(mask):
    """Return the outlines of the largest piece and of those that are at least 30% of it."""
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(map(cv2.contourArea, found), default=0)
    return [outline for outline in found if cv2.contourArea(outline) >= 0.3 * largest]


def filled(mask, pieces):
    """Return a mask, uint8 like `mask`, of pieces given by their outlines."""
    return cv2.drawContours(np.zeros_like(mask), pieces, -1, 1, cv2.FILLED)
