"""Find the garment in a photo: where it is, as a mask."""

import itertools

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
    mask = _filled(mask, _outlines(mask))
    if mask.mean() < SMALLEST:
        mask = start % 2
    return cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST) > 0


def one_of_a_pair(mask):
    """Return one piece of a pair of shoes seen from above, bool like `mask`, and its rectangle; None if there is none.

    A pair is two similar pieces side by side, each taller than wide. Shoes that touch are one piece with two notches,
    at the toes and at the heels; it is cut from notch to notch. rectangle: (center, (width, height), tilt in degrees).
    """
    mask = mask.astype(np.uint8)
    outlines = _outlines(mask)
    pairs = [(outlines, np.inf)] if len(outlines) == 2 else []
    if len(outlines) == 1:
        mask = _filled(mask, outlines)
        for (_, one), (depth, other) in itertools.combinations(_notches(mask, outlines[0]), 2):
            pairs.append((_outlines(cv2.line(mask.copy(), one, other, 0, 2)), depth))
    for outlines, depth in pairs:
        rectangles = [_upright(outline) for outline in outlines]
        if len(outlines) == 2 and _are_shoes(*rectangles, depth):
            largest = max(range(2), key=lambda number: cv2.contourArea(outlines[number]))
            return _filled(mask, [outlines[largest]]) > 0, rectangles[largest]
    return None


def _are_shoes(one, other, depth):
    """Say whether two rectangles, parted by notches of that depth (pixels), may hold the shoes of a pair."""
    sizes, tilts = np.array([one[1], other[1]]), np.array([one[2], other[2]])
    slender = sizes[:, 1] / np.maximum(sizes[:, 0], 1)
    offset, turn = np.subtract(one[0], other[0]), np.deg2rad(tilts.mean())
    return (
        (sizes.min(axis=0) > 0.75 * sizes.max(axis=0)).all()
        and slender.min() > 1.3
        and slender.max() < 3.3  # the legs of trousers are longer
        and depth > 0.15 * sizes[:, 0].max()  # the waist of a garment has no notch
        and abs(tilts).max() < 75
        and np.ptp(tilts) < 30
        and abs(offset @ (np.cos(turn), np.sin(turn))) > 0.7 * np.hypot(*offset)  # side by side
    )


def _notches(mask, outline):
    """Return the four deepest notches of a piece: (depth in pixels below the convex hull, the deepest point)."""
    hull = cv2.fillConvexPoly(np.zeros_like(mask), cv2.convexHull(outline), 1)
    depth = cv2.distanceTransform(np.pad(hull, 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    count, pockets = cv2.connectedComponents(hull - mask)
    found = [cv2.minMaxLoc(depth, (pockets == number).astype(np.uint8)) for number in range(1, count)]
    return sorted(((deepest, point) for _, deepest, _, point in found), reverse=True)[:4]


def _upright(outline):
    """Return the smallest rectangle around an outline: (center, (shorter, longer edge), tilt of the longer one)."""
    center, (width, height), tilt = cv2.minAreaRect(outline)
    if width > height:
        width, height, tilt = height, width, tilt + 90
    return center, (width, height), (tilt + 90) % 180 - 90


def _outlines(mask):
    """Return the outlines of the largest piece and of those that are at least 30% of it."""
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    areas = [cv2.contourArea(outline) for outline in outlines]
    return [outline for outline, area in zip(outlines, areas, strict=True) if area >= 0.3 * max(areas)]


def _filled(mask, outlines):
    return cv2.drawContours(np.zeros_like(mask), outlines, -1, 1, cv2.FILLED)
