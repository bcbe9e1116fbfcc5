"""Pairs of shoes seen from above are found, and nothing else is taken for one."""

import cv2
import numpy as np
import pytest
from PIL import Image

from pyimagesearch.photos import conversion, pairs


def drawn(*ellipses, rectangles=()):
    """Draw ellipses (center, half axes, tilt) and rectangles (left, top, right, bottom): bool (300, 300)."""
    mask = np.zeros((300, 300), np.uint8)
    for center, axes, tilt in ellipses:
        cv2.ellipse(mask, center, axes, tilt, 0, 360, 1, cv2.FILLED)
    for left, top, right, bottom in rectangles:
        mask[top:bottom, left:right] = 1
    return mask > 0


PAIRS = {
    "apart": drawn(((90, 150), (40, 100), 0), ((210, 150), (40, 100), 0)),
    "one smaller": drawn(((90, 150), (40, 100), 0), ((210, 150), (36, 88), 0)),
    "touching": drawn(((110, 150), (44, 100), 0), ((190, 150), (44, 100), 0)),
    "toes out": drawn(((105, 150), (40, 100), -8), ((195, 150), (40, 100), 8)),
    "beside a leaf": drawn(((90, 150), (40, 100), 0), ((210, 150), (40, 100), 0), ((150, 280), (20, 10), 0)),
    "tilted": drawn(((110, 120), (40, 100), 40), ((185, 185), (40, 100), 40)),
}
OTHERS = {
    "one shoe": drawn(((150, 150), (45, 120), 0)),
    "one above the other": drawn(((150, 90), (120, 40), 0), ((150, 210), (120, 40), 0)),
    "wider than tall": drawn(((80, 150), (65, 50), 0), ((220, 150), (65, 50), 0)),
    "round": drawn(((80, 150), (50, 55), 0), ((220, 150), (50, 55), 0)),
    "not parallel": drawn(((80, 150), (35, 100), -25), ((220, 150), (35, 100), 25)),
    "shorts": drawn(
        rectangles=[(80, 68, 220, 150), (80, 60, 145, 240), (155, 60, 220, 240)]  # the waist sags by 8 pixels
    ),
    "unlike": drawn(((90, 150), (40, 110), 0), ((210, 150), (40, 70), 0)),
    "three": drawn(*(((x, 150), (35, 100), 0) for x in (60, 150, 240))),
    "one ahead of the other": drawn(((150, 75), (30, 65), 0), ((165, 225), (30, 65), 0)),
    "trousers": drawn(rectangles=[(90, 30, 210, 110), (90, 110, 140, 280), (160, 110, 210, 280)]),
    "legs": drawn(((110, 150), (25, 140), 0), ((190, 150), (25, 140), 0)),
    "T-shirt": drawn(rectangles=[(90, 50, 210, 260), (40, 50, 260, 110)]),
    "sleeves": drawn(rectangles=[(70, 40, 230, 90), (100, 40, 200, 250), (70, 40, 85, 230), (215, 40, 230, 230)]),
}


@pytest.mark.parametrize("name", PAIRS)
def test_one_of_a_pair_is_found(name):
    piece, ((x, y), (width, height), tilt) = pairs.one_of_a_pair(PAIRS[name])
    assert 0.45 * PAIRS[name].sum() < piece.sum() < 0.6 * PAIRS[name].sum()  # the larger of the two
    assert not (piece & ~PAIRS[name]).any()
    assert piece[round(y), round(x)]
    assert 1.8 < height / width < 3
    assert tilt == pytest.approx(40 if name == "tilted" else 0, abs=11)


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_pair_of_shoes_is_not_taken_for_one(name):
    assert pairs.one_of_a_pair(OTHERS[name]) is None


@pytest.mark.parametrize("name", ["apart", "touching", "tilted"])
@pytest.mark.parametrize("floor", [160, 245])  # textured, or plain
def test_pair_is_shown_as_one_shoe_that_lies(name, floor):
    rng = np.random.default_rng(0)
    pixels = np.full((300, 300, 3), floor) + rng.normal(0, 25 if floor == 160 else 1, (300, 300, 1))
    shoe = (20 + np.arange(300) / 4)[:, None, None] + rng.normal(0, 5, (300, 300, 1))  # dark at the top
    pixels = np.where(PAIRS[name][..., None], shoe * (1, 0.7, 0.7), pixels)
    photo = conversion.convert(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)))
    alone = conversion.convert(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), shoes=False)
    assert np.array_equal(photo.whole.images, alone.images) and alone.whole is None
    assert photo.images.shape == (2 * len(conversion.HEIGHTS), 28, 28, 1)
    heights = [image.any(axis=1).sum() for image in photo.images[..., 0]]
    assert heights[0] < heights[1] < heights[2] < 28
    assert photo.images[..., 0].any(axis=1).sum(axis=1).tolist() == [28] * len(photo.images)
    lying = photo.images[1, ..., 0].astype(float)  # negated: the top is light, and at the left
    left, right = lying[:, 2:7], lying[:, 21:26]
    assert left[left > 0].mean() > 1.05 * right[right > 0].mean()
