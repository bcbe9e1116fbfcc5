"""Find the garment in a photo: where it is, as a mask."""

import cv2
import numpy as np

SIDE = 300  # pixels: the longer edge of the photo that is segmented
PLAIN = 13  # 5% of 255: how far a plain background may vary (section 2 of the paper)
MARGIN = 0.07  # of the photo, at each edge, is background
LIGHTNESS = 0.7  # its weight beside the two axes of color: shadows change it most
SMALLEST = 0.04  # of the photo: a garment is not smaller


def border(pixels):
    """Return the pixels at the four edges of an array (height, width, ...), in one row."""
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


def plain_background(pixels):
    """Return the color, float (3,), that nine tenths of the border of `pixels` (height, width, 3) have, or None."""
    color = np.median(border(pixels), axis=0)
    return color if (np.abs(border(pixels) - color).max(axis=1) <= PLAIN).mean() >= 0.9 else None


def segment(pixels):
    """Return where the garment is, bool (height, width), in a photo, uint8 (height, width, 3), of any background.

    GrabCut (Rother, Kolmogorov and Blake, SIGGRAPH 2004) fits a mixture of colors to the background and one to the
    garment, and cuts the photo in two along edges, in turns. At the start, all but the border may be the garment; if
    next to nothing of that is left at the end, all of it is returned. The result has no holes, threads or small pieces.
    """
    height, width = pixels.shape[:2]
    size = np.maximum(1, np.rint(np.array([width, height]) * SIDE / max(width, height))).astype(int)
    colors = cv2.cvtColor(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2LAB)
    colors[..., 0] = LIGHTNESS * colors[..., 0]
    left, top = (MARGIN * size + 0.5).astype(int)
    start = np.full(size[::-1], cv2.GC_BGD, np.uint8)
    start[top : size[1] - top, left : size[0] - left] = cv2.GC_PR_FGD
    cv2.setRNGSeed(0)  # of k-means, by which the mixtures start
    labels, _, _ = cv2.grabCut(colors, start.copy(), None, None, None, 3, cv2.GC_INIT_WITH_MASK)
    mask = cv2.morphologyEx(labels & 1, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))  # odd labels: garment
    mask = filled(mask, outlines(mask))
    if mask.mean() < SMALLEST:
        mask = start & 1
    return cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST) > 0


def outlines(mask):
    """Return the outlines of the largest piece and of those that are at least 30% of it."""
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(map(cv2.contourArea, found), default=0)
    return [outline for outline in found if cv2.contourArea(outline) >= 0.3 * largest]


def filled(mask, pieces):
    """Return a mask, uint8 like `mask`, of pieces given by their outlines."""
    return cv2.drawContours(np.zeros_like(mask), pieces, -1, 1, cv2.FILLED)
