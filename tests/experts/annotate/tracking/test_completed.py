"""What the background adds to tracked objects."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from experts.annotate.motion.foreground import Foreground
from experts.annotate.tracking.completed import completed
from experts.annotate.tracking.results import TrackedObject
from experts.masks.packed import MaskTrack

FRAMES, HEIGHT, WIDTH = 4, 100, 160


def tracked(mask: NDArray[np.bool_]) -> TrackedObject:
    masks = MaskTrack([mask] * FRAMES, (HEIGHT, WIDTH))
    boxes = np.tile(np.float32([50, 20, 70, 60]), (FRAMES, 1))
    sure = np.full(FRAMES, 0.4, np.float32)
    return TrackedObject("person", 0.8, masks, sure, 0, FRAMES - 1, boxes)


def rectangle(top: int, bottom: int, left: int, right: int) -> NDArray[np.bool_]:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[top:bottom, left:right] = True
    return mask


BODY, LEG = rectangle(20, 60, 50, 70), rectangle(60, 68, 52, 60)


def foreground(came: NDArray[np.bool_]) -> Foreground:
    ground = np.full((HEIGHT, WIDTH, 4), 90, np.uint8)
    ground[..., 3] = 255
    frame = ground[..., :3].copy()
    frame[came] = 220
    found = Foreground(ground)
    list(found.watch([frame] * FRAMES))
    return found


def test_a_leg_that_was_left_out_belongs_to_it() -> None:
    found = completed(tracked(BODY), [], foreground(BODY | LEG))
    for mask in found.masks:
        assert np.count_nonzero(mask ^ (BODY | LEG)) <= 6  # corners
    assert found.boxes[0].tolist() == [50, 20, 70, 68]
    assert found.confidence == pytest.approx(1, abs=0.02)


def test_who_is_tracked_beside_it_does_not() -> None:
    beside = rectangle(25, 65, 70, 88)
    found = completed(tracked(BODY), [tracked(beside)], foreground(BODY | beside))
    assert all(np.count_nonzero(mask ^ BODY) <= 4 for mask in found.masks)
    assert found.confidence == pytest.approx(1, abs=0.02)


def test_what_touches_it_and_is_large_makes_it_unsure() -> None:
    beside = rectangle(10, 80, 70, 110)
    found = completed(tracked(BODY), [], foreground(BODY | beside))
    assert all((mask == BODY).all() for mask in found.masks)
    assert found.confidence == pytest.approx(0.61, abs=0.05)  # 800 of its and 8·66 others' pixels
