"""Find the garment in a photo: where it is, as a mask."""

import cv2
import numpy as np

SIDE = 300  # pixels: the longer edge of the photo that is segmented
PLAIN = 13  # 5% of 255: how far a plain background may vary (section 2 of the paper)
INSIDE = 0.86  # of the way from the center to the edge: what is farther out is background
LIGHTNESS = 0.7  # its weight beside the two axes of color: shadows change it most
SMALLEST = 0.04  # of the photo: a garment is not smaller


def plain_background(pixels):
    """Return the color, float (3,), that nine tenths of the border of `pixels` (height, width, 3) have, or None."""
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    color = np.median(border, axis=0)
    return color if (np.abs(border - color).max(axis=1) <= PLAIN).mean() >= 0.9 else None


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
    rows, columns = np.ogrid[: size[1], : size[0]]
    off_center = np.maximum(abs(2 * rows + 1 - size[1]) / size[1], abs(2 * columns + 1 - size[0]) / size[0])
    start = np.where(off_center < INSIDE, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
    cv2.setRNGSeed(0)  # of k-means, by which the mixtures start
    labels, _, _ = cv2.grabCut(colors, start.copy(), None, None, None, 3, cv2.GC_INIT_WITH_MASK)
    mask = cv2.morphologyEx((labels % 2).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))  # 1, 3: garment
    mask = filled(mask, outlines(mask))
    if mask.mean() < SMALLEST:
        mask = start % 2
    return cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST) > 0


def outlines(mask):
    """Return the outlines of the largest piece and of those that are at least 30% of it."""
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    areas = [cv2.contourArea(outline) for outline in found]
    return [outline for outline, area in zip(found, areas, strict=True) if area >= 0.3 * max(areas)]


def filled(mask, pieces):
    """Return a mask, uint8 like `mask`, of pieces given by their outlines."""
    return cv2.drawContours(np.zeros_like(mask), pieces, -1, 1, cv2.FILLED)
