"""Captions of hand-made tracks, and whose vocabulary they use."""

import numpy as np
import pytest

from experts.annotate.clip import describe
from experts.annotate.preview import Preview
from experts.annotate.tracking.tracker import TrackedObject
from experts.masks.packed import MaskTrack
from experts.write.checks import check
from experts.write.language.templates import all_from_templates
from experts.write.prompts import note
from experts.write.request import WriteRequest

FRAMES, HEIGHT, WIDTH = 8, 100, 100
PLAIN = Preview.of(np.full((FRAMES, HEIGHT, WIDTH, 3), 90, np.uint8))
"""Of frames that show nothing but what the tracks say."""


def tracked(label, score, box, first=0, last=FRAMES - 1, mean=None, rivals=()):
    """An object at `box` (x0, y0, x1, y1 of 100) from frame `first` to `last`."""
    x0, y0, x1, y1 = box
    masks = np.zeros((FRAMES, HEIGHT, WIDTH), bool)
    masks[first : last + 1, y0:y1, x0:x1] = True
    boxes = np.tile(np.float32(box), (FRAMES, 1))
    packed = MaskTrack(masks, (HEIGHT, WIDTH))
    return TrackedObject(
        label, score, packed, np.ones(FRAMES, np.float32), first, last, boxes, mean, rivals
    )


def crowd(count, side):
    """People far off, in the upper left corner."""
    return [
        tracked("person", 0.65, (k * (side + 1), 0, k * (side + 1) + side, side))
        for k in range(count)
    ]


MIDDLE = (20, 30, 80, 90)  # 36 % of the picture


@pytest.mark.parametrize(
    ("seen", "labels", "told"),
    [
        ([tracked("dog", 0.9, MIDDLE)], None, "a dog"),
        ([tracked("bear", 0.74, MIDDLE)], None, ""),  # a squirrel: it knows no better word
        ([tracked("bear", 0.74, MIDDLE), *crowd(5, 9)], None, ""),
        ([tracked("dog", 0.9, MIDDLE), *crowd(5, 9)], ["person"], ""),  # not in the vocabulary
        ([tracked("car", 0.5, MIDDLE)], ["car"], "a car"),  # in it: believed
        ([tracked("car", 0.5, MIDDLE, mean=0.3)], ["car"], ""),  # but not once in a while
        (crowd(4, 3), None, ""),  # .4 % of the picture
        (crowd(5, 9), None, "several people"),
        ([tracked("kite", 0.65, (0, 90, 20, 100)), *crowd(2, 9)], None, "two people and a kite"),
        ([tracked("kite", 0.42, (0, 90, 20, 100)), tracked("cow", 0.9, MIDDLE)], None, "a cow"),
        ([tracked("bear", 0.7, (40, 0, 70, 20)), tracked("bus", 0.9, MIDDLE)], None, "a bus"),
        ([], None, ""),
    ],
)
def test_a_caption_says_what_fills_the_picture_or_nothing(seen, labels, told):
    assert describe(seen, PLAIN, labels) == told


def test_what_passes_by_is_not_named_but_counted():
    cars = [tracked("car", 0.9, (0, 0, 20, 20)), tracked("car", 0.9, (40, 0, 60, 20), last=2)]
    assert describe(cars, PLAIN) == "cars"
    assert describe(cars[1:], PLAIN) == ""


@pytest.mark.parametrize("task", ["inpainting", "outpainting", "canny_to_video", "colorization"])
def test_instructions_without_a_caption_name_nothing(task):
    request = WriteRequest(task)
    for text in [note(request), *all_from_templates(request)]:
        assert "showing" not in text and ":" not in text and "  " not in text
    assert all(not check(text, request) for text in all_from_templates(request))
