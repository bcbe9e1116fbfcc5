"""Find a pair of shoes seen from above by its outline."""

import itertools

import cv2
import numpy as np

from pyimagesearch.photos.segmentation import filled, outlines


def one_of_a_pair(mask):
    """Return one piece of a pair of shoes seen from above, bool like `mask`, and its rectangle; None if there is none.

    A pair is two similar pieces side by side, each taller than wide. Shoes that touch are one piece with two notches,
    at the toes and at the heels; it is cut from notch to notch. rectangle: (center, (width, height), tilt in degrees).
    """
    mask = mask.astype(np.uint8)
    pieces = outlines(mask)
    mask = filled(mask, pieces)
    pairs = [(pieces, np.inf)]
    if len(pieces) == 1:
        for (_, one), (depth, other) in itertools.combinations(_notches(mask, pieces[0]), 2):
            pairs.append((outlines(cv2.line(mask.copy(), one, other, 0, 2)), depth))
    for pieces, depth in pairs:
        rectangles = [_upright(piece) for piece in pieces]
        if len(pieces) == 2 and _are_shoes(*rectangles, depth):
            largest = int(cv2.contourArea(pieces[0]) < cv2.contourArea(pieces[1]))
            return filled(mask, [pieces[largest]]) > 0, rectangles[largest]
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
