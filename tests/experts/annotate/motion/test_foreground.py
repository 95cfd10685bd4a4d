"""What differs from a still background, and what that says of masks."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from experts.annotate.motion.foreground import Foreground

FRAMES, HEIGHT, WIDTH = 3, 100, 160


def texture() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(60, 160, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def opaque(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])


def square(left: int = 40, side: int = 30) -> NDArray[np.bool_]:
    masks = np.zeros((FRAMES, HEIGHT, WIDTH), bool)
    masks[:, 30 : 30 + side, left : left + side] = True
    return masks


def watched(background: NDArray[np.uint8], came: NDArray[np.bool_]) -> Foreground:
    """Of frames in which a light thing stands before the texture."""
    foreground = Foreground(background)
    frames = np.repeat(texture()[None], FRAMES, axis=0)
    frames[came] = 240
    assert sum(1 for _ in foreground.watch(frames)) == FRAMES
    return foreground


NOBODY = np.zeros((HEIGHT, WIDTH), bool)


def agreement(foreground: Foreground, mask: NDArray[np.bool_]) -> float:
    return foreground.agreement(0, mask, foreground.around(0, mask, NOBODY))


def test_a_mask_that_is_right_agrees_and_one_that_is_not_does_less() -> None:
    foreground = watched(opaque(texture()), square())
    assert agreement(foreground, square()[0]) == pytest.approx(1, abs=0.01)
    most = square()[0]
    most[:, 64:] = False  # 24 of 30 columns
    assert agreement(foreground, most) == pytest.approx(24 / 30, abs=0.01)
    wide = square(34, 42)[0]
    assert agreement(foreground, wide) == pytest.approx((30 * 30) / (42 * 42), abs=0.02)
    assert agreement(foreground, NOBODY) == 0


def test_around_a_mask_is_what_hangs_together_with_it_and_nobody_else_has() -> None:
    came = square()
    came[:, 45:50, 70:76] = True  # an arm
    came[:, 10:20, 100:110] = True  # somebody else, further off
    foreground = watched(opaque(texture()), came)
    whole = square()[0]
    whole[45:50, 70:76] = True
    around = foreground.around(0, square()[0], NOBODY)
    assert np.count_nonzero(around ^ whole) <= 4  # corners
    taken = NOBODY.copy()
    taken[45:50, 70:76] = True
    assert np.count_nonzero(foreground.around(0, square()[0], taken) ^ square()[0]) <= 4


def test_a_shadow_is_not_part_of_it() -> None:
    foreground = Foreground(opaque(texture()))
    frame = texture()
    frame[60:68, 40:70] = np.rint(frame[60:68, 40:70] * 0.7)
    frame[square()[0]] = 240
    list(foreground.watch([frame]))
    added = foreground.around(0, square()[0], NOBODY) & ~square()[0]
    assert added[60:68, 40:70].mean() < 0.1


def test_what_stood_there_is_not_uncovered() -> None:
    parked = texture()
    parked[square()[0]] = 240
    assert watched(opaque(texture()), square()).uncovers(square())
    assert not watched(opaque(parked), square()).uncovers(square())
    assert not watched(opaque(texture()), square()).uncovers(square() & False)


def test_nor_is_what_hides_what_is_not_known() -> None:
    partly = opaque(texture())
    partly[30:36, :, 3] = 0  # a fifth of what is behind
    assert not watched(partly, square()).uncovers(square())
