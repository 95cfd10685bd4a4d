"""Captions of clips whose every fact is known."""

import itertools

import numpy as np
import pytest

from experts.annotate.colours import named_colours
from experts.annotate.motion.camera import camera_motion
from experts.annotate.motion.statistics import flows
from experts.local_edits.captions import (
    LONG,
    MEDIUM,
    SHORT,
    Facts,
    MeasuredCaptioner,
    Region,
    words,
    write,
)
from experts.local_edits.captions import measure as measure_region

HEIGHT, WIDTH, FRAMES = 120, 200, 16
RED = (200, 30, 30)


def texture(seed: int = 0, width: int = WIDTH) -> np.ndarray:
    levels = np.random.default_rng(seed).integers(90, 160, (HEIGHT // 8, width // 8, 3), np.uint8)
    return levels.repeat(8, 0).repeat(8, 1)


def square(
    step: tuple[float, float] = (0, 0),
    grow: float = 0,
    start: tuple[int, int] = (20, 40),
    side: int = 24,
    pan: int = 0,
    colour: tuple[int, int, int] = RED,
    frames: int = FRAMES,
    label: str = "square",
    fps: float = 8,
) -> Region:
    """A square that goes `step` px a frame over a texture that goes `pan` px a frame."""
    wide = texture(width=WIDTH + abs(pan) * frames)
    clip = np.empty((frames, HEIGHT, WIDTH, 3), np.uint8)
    masks = np.zeros((frames, HEIGHT, WIDTH), bool)
    for k in range(frames):
        offset = pan * (frames - 1 - k) if pan > 0 else -pan * k
        clip[k] = wide[:, offset : offset + WIDTH]
        half = (side + grow * k) / 2
        x, y = start[0] + side / 2 + step[0] * k, start[1] + side / 2 + step[1] * k
        left, top = round(x - half), round(y - half)
        masks[k, top : top + round(2 * half), left : left + round(2 * half)] = True
        clip[k][masks[k]] = colour
    steps = camera_motion(flows(clip), masks)
    return Region(label, clip, masks, fps, steps)


def test_a_red_square_moving_right() -> None:
    captions = MeasuredCaptioner().captions(square(step=(5, 0)))
    assert captions.short == "a red square moving right"
    assert captions.medium == ("a red square at the left of the picture, moving to the right")
    assert captions.long == (
        "A red square at the left of the picture, moving to the right. "
        "It is small, about 2 percent of the picture, and about as wide as tall. "
        "Against the background it goes four tenths of the picture's width."
    )


@pytest.mark.parametrize(
    ("clip", "motion"),
    [
        (dict(step=(-5, 0), start=(140, 50)), "left"),
        (dict(step=(0, 3), start=(90, 10)), "down"),
        (dict(step=(0, -3), start=(90, 80)), "up"),
        (dict(grow=1.5, start=(90, 45)), "closer"),
        (dict(grow=-0.8, start=(90, 45), side=30), "away"),
        (dict(), "still"),
        (dict(step=(0.8, 0)), ""),  # neither still nor going
        (dict(step=(3, 0), pan=3), "still"),  # the camera turns, the square belongs to the scene
        (dict(step=(0, 0), pan=4, start=(90, 50)), "left"),  # the camera follows it
    ],
)
def test_motion_is_against_the_background(clip: dict, motion: str) -> None:
    assert measure_region(square(**clip)).motion == motion


def test_an_image_does_not_move() -> None:
    captions = MeasuredCaptioner().captions(square(frames=1))
    assert captions.short == "a red square on the left"
    assert captions.medium == "a red square at the left of the picture"


def test_nobody_walks_faster_than_people_do() -> None:
    assert measure_region(square(step=(5, 0), label="person", fps=4)).verb == "walking"
    assert measure_region(square(step=(5, 0), label="person", fps=12)).verb == "moving"
    riding = square(step=(5, 0), label="person", fps=4)
    riding = Region(riding.label, riding.frames, riding.masks, 4, riding.camera, rides=True)
    assert measure_region(riding).verb == "moving"


def test_people_are_in_their_colours_and_things_have_them() -> None:
    person = MeasuredCaptioner().captions(square(label="person", step=(5, 0), fps=4))
    assert person.short.startswith("a person in red walking")
    assert "red square" not in MeasuredCaptioner().captions(square(colour=(120, 120, 120))).short


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((200, 20, 20), "red"), ((20, 140, 40), "green"), ((25, 60, 180), "blue"),
        ((240, 220, 40), "yellow"), ((240, 140, 20), "orange"), ((110, 30, 140), "purple"),
        ((245, 160, 190), "pink"), ((110, 70, 40), "brown"), ((225, 205, 170), "beige"),
        ((240, 240, 240), "white"), ((130, 130, 135), "grey"), ((20, 20, 22), "black"),
        ((45, 60, 95), "blue"), ((190, 200, 205), "white"),
    ],
)  # fmt: skip
def test_colours_have_their_names_in_any_light(rgb: tuple[int, int, int], name: str) -> None:
    noise = np.random.default_rng(0).normal(0, 4, (500, 3))
    pixels = np.clip(np.array(rgb) + noise, 0, 255).astype(np.uint8)
    assert named_colours(pixels)[0][0] == name


def test_the_light_is_taken_off() -> None:
    """A grey car at dusk is grey, a blue one stays blue, and a lawn is no light."""
    dusk, grey, blue = (
        (84, 98, 124),
        np.full((50, 3), (66, 80, 106)),
        np.full((50, 3), (30, 70, 150)),
    )
    street = np.broadcast_to(np.array(dusk, np.uint8), (40, 60, 3))
    assert named_colours(grey.astype(np.uint8))[0][0] == "blue"
    assert named_colours(grey.astype(np.uint8), street)[0][0] == "grey"
    assert named_colours(blue.astype(np.uint8), street)[0][0] == "blue"
    lawn = np.broadcast_to(np.array((60, 130, 50), np.uint8), (40, 60, 3))
    assert named_colours(np.full((50, 3), 128, np.uint8), lawn)[0][0] == "grey"


def test_what_was_hidden_and_comes_into_view_does_not_come_closer() -> None:
    clip = square(start=(90, 45), side=30)
    masks = clip.masks.copy()
    masks[:5, 62:] = masks[:5, :, 108:] = False  # a post in front of two of its sides
    hidden = Region(clip.label, clip.frames, masks, clip.fps, clip.camera)
    assert measure_region(hidden).motion == ""


def test_a_red_car_is_red_despite_its_windows_and_a_motley_one_has_no_colour() -> None:
    red, dark = np.full((40, 3), RED, np.uint8), np.full((60, 3), 20, np.uint8)
    assert [name for name, _ in named_colours(np.concatenate([red, dark]))] == ["red", "black"]
    motley = np.array([[200, 30, 30], [30, 160, 40], [30, 60, 200], [240, 240, 240], [9, 9, 9]])
    assert named_colours(motley.astype(np.uint8)) == []


def test_every_combination_of_facts_keeps_the_lengths_and_says_nothing_else() -> None:
    motions = ("", "left", "right", "up", "down", "closer", "away", "still")
    combinations = itertools.product(
        ("person", "car", "traffic light", "skis", "umbrella"),
        ([], ["orange"], ["white", "black"]),
        (0.004, 0.1, 0.5),
        itertools.product(("top", "", "bottom"), ("left", "", "right")),
        (0.4, 1, 3),
        motions,
    )
    for label, colours, area, place, shape, motion in combinations:
        verb = "driving" if label == "car" else "moving"
        facts = Facts(label, colours, area, place, shape, motion, verb, travel=0.34)
        made = write(facts)
        assert SHORT[0] <= words(made.short) <= SHORT[1], made
        assert MEDIUM[0] <= words(made.medium) <= MEDIUM[1], made
        assert LONG[0] <= words(made.long) <= LONG[1], made
        for text in (made.short, made.medium, made.long):
            assert label in text
            for colour in {"orange", "white", "black"} - set(colours):
                assert colour not in text
            if not motion:
                assert not {"moving", "driving", "still", "coming", "staying"} & set(text.split())


def test_nothing_to_describe() -> None:
    with pytest.raises(ValueError, match="empty"):
        MeasuredCaptioner().captions(
            Region("car", np.zeros((1, 8, 8, 3), np.uint8), np.zeros((1, 8, 8), bool), 8)
        )
