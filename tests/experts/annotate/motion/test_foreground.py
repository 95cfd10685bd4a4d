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


def test_a_mask_that_is_right_agrees_and_one_that_is_half_as_large_does_half() -> None:
    foreground = watched(opaque(texture()), square())
    assert foreground.agreement(square()) == pytest.approx(1, abs=0.01)
    half = square()
    half[:, :, 52:] = False  # 12 of 30 columns; what is left lies further off than what is near
    assert foreground.agreement(half) == pytest.approx(12 / 13, abs=0.01)
    wide = square(34, 42)
    assert foreground.agreement(wide) == pytest.approx((30 * 30) / (42 * 42), abs=0.02)
    assert (foreground.agreement(square() & False) == 0).all()


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
