"""Every referring expression singles out one object by what a person sees: on generated tracks,
each expression is held against all objects by rules written anew here, from boxes and camera alone.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.records import Clip, Track
from experts.plan.framing import Crop
from experts.plan.referring import crowded, in_doubt, refer, surely_labelled

T, WIDTH, HEIGHT = 25, 640, 360
CLIP = Clip("c", "s", "u", "MIT", "v", 0, T, 25.0, WIDTH, HEIGHT, camera=[0.0] * 2 * T)
WHOLE, ALIVE = Crop(0, 0, WIDTH, HEIGHT, (WIDTH, HEIGHT)), slice(0, T)
FULL = np.arange(T)


def track(name, x, foot=250.0, height=80.0, speed=0.0, label="car", **more):
    """An object whose middle is at x in the first frame and goes `speed` px a frame."""
    middle = x + speed * FULL
    boxes = np.stack(
        [middle - height / 2, np.full(T, foot - height), middle + height / 2, np.full(T, foot)], 1
    )
    return Track(
        name, "c", label, 0.9, "m", 0, T - 1, [0.9] * T, 0.05, boxes.ravel().tolist(), **more
    )


def panned(speed):
    return dataclasses.replace(CLIP, camera=[v for t in range(T) for v in (speed * t, 0.0)])


PLACES = st.tuples(st.floats(60, 580), st.floats(140, 350), st.floats(30, 130), st.floats(-6, 6))
SCENES = st.lists(PLACES, min_size=2, max_size=5)


def middles(one):
    boxes = np.reshape(one.boxes, (-1, 4))
    return (boxes[:, 0] + boxes[:, 2]) / 2 / WIDTH


def feet(one):
    return np.reshape(one.boxes, (-1, 4))[:, 3] / HEIGHT


def areas(one):
    boxes = np.reshape(one.boxes, (-1, 4))
    return float(((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).mean())


def drawn(places):
    """Tracks that stay in the picture: what leaves it is another question."""
    tracks = [track(f"t{k}", x, y, h, v) for k, (x, y, h, v) in enumerate(places)]
    inside = all(((m := middles(t)) > 0.12).all() and (m < 0.88).all() for t in tracks)
    return tracks if inside else []


@settings(max_examples=150, deadline=None)
@given(SCENES, st.floats(-5, 5))
def test_an_expression_fits_its_object_and_no_other(places, pan):
    tracks, clip = drawn(places), panned(pan)
    for own in tracks:
        said = refer(own, tracks, clip, WHOLE, ALIVE)
        if said is None:
            continue
        rest = said.removeprefix("car").strip() if said != "large car" else "large"
        others = [t for t in tracks if t is not own and 12 * areas(t) >= areas(own)]
        if not rest:
            assert not others
        for side, sign in (("left", -1), ("right", 1)):
            if rest in (f"on the {side}", f"on the far {side}"):
                assert np.mean(sign * (middles(own) - 0.5) > 0) > 0.5
                for other in others:
                    assert np.mean(sign * (middles(own) - middles(other)) > 0) >= 0.9
            if rest == f"driving to the {side}":
                way = middles(own)[-1] - middles(own)[0]
                moved = pan * (T - 1) / WIDTH
                assert sign * way > 0 and sign * (way - moved) > 0  # in the picture and the scene
                for other in others:
                    gone = middles(other)[-1] - middles(other)[0]
                    assert max(sign * gone, sign * (gone - moved)) < 0.05
        if rest in ("in the foreground", "closest to the camera"):
            assert (rest == "in the foreground") == (np.median(feet(own)) >= 0.8)
            assert all(feet(own).mean() > feet(t).mean() for t in others)
            assert all(areas(own) > areas(t) for t in others)
        if rest == "large":
            assert all(areas(own) > 2 * areas(t) for t in others)


@settings(max_examples=100, deadline=None)
@given(SCENES)
def test_no_two_objects_have_one_expression(places):
    tracks = drawn(places)
    said = [refer(own, tracks, CLIP, WHOLE, ALIVE) for own in tracks]
    known = [each for each in said if each]
    assert len(set(known)) == len(known)


@settings(max_examples=60, deadline=None)
@given(SCENES, st.integers(0, T - 1), PLACES)
def test_what_was_only_seen_confuses_as_much_as_a_track(places, frame, other):
    """Whatever is said beside an object that no track follows would be said of it as a track, or
    of fewer others; and of nobody is it said that they go while others may."""
    x, foot, height, _ = other
    box = [x - height / 2, foot - height, x + height / 2, foot]
    tracks = drawn(places)
    beside = [dataclasses.replace(t, rivals=[float(frame), *box]) for t in tracks]
    for own in beside:
        said = refer(own, beside, CLIP, WHOLE, ALIVE)
        assert said is None or "driving" not in said or "moving" not in said
        if said == "car":
            assert 12 * height**2 < areas(own)


def test_a_person_seen_beside_the_tracks_is_one_of_them():
    own = track("a", 500, label="person")
    right = [5.0, 560.0, 170.0, 640.0, 250.0]
    assert refer(own, [own], CLIP, WHOLE, ALIVE) == "person"
    own = dataclasses.replace(own, rivals=right)
    assert refer(own, [own], CLIP, WHOLE, ALIVE) is None  # two on the right, side by side
    far_left = dataclasses.replace(own, rivals=[5.0, 40.0, 170.0, 120.0, 250.0])
    assert refer(far_left, [far_left], CLIP, WHOLE, ALIVE) == "person on the right"
    assert in_doubt("person", [far_left], WHOLE, ALIVE, 0.6)
    many = dataclasses.replace(own, rivals=right * 7)
    assert crowded("person", [many], WHOLE, ALIVE)
    assert refer(many, [many], CLIP, WHOLE, ALIVE) is None


@pytest.mark.parametrize(
    ("speed", "pan", "said"),
    [
        (4, 0, "walking to the right"),
        (-4, 0, "walking to the left"),
        (4, 4, None),  # they stand, the picture pans
        (4, 8, None),  # in the scene they go the other way
        (0, -4, None),  # the camera follows them
        (4, -1, "walking to the right"),
    ],
)
def test_who_walks_walks_through_the_scene(speed, pan, said):
    own = track("a", 320 - 12 * speed, label="person", speed=speed)
    other = track("b", 320 - 12 * pan, label="person", speed=pan)  # stands in the scene
    told = refer(own, [own, other], panned(pan), WHOLE, ALIVE)
    assert told == (said and f"person {said}")


def test_what_drifts_outwards_as_the_camera_comes_near_does_not_move():
    drifting = track("a", 400)
    boxes = np.reshape(drifting.boxes, (-1, 4))
    growth = np.linspace(1.0, 1.8, T)[:, None]
    middle = np.array([WIDTH / 2, HEIGHT / 2] * 2)
    near = dataclasses.replace(
        drifting, boxes=(middle + growth * (boxes - middle)).ravel().tolist()
    )
    opposite = track("b", 440, foot=200, height=75)
    assert refer(near, [near, opposite], CLIP, WHOLE, ALIVE) != "car driving to the right"


@pytest.mark.parametrize(("label", "speed"), [("person", 12), ("bicycle", 4), ("car", 4)])
def test_nobody_walks_who_rides_or_runs(label, speed):
    own = track("a", 320 - 12 * speed, label=label, speed=speed)
    other = track("b", 320, label=label)
    verb = {"person": "moving", "bicycle": "moving", "car": "driving"}[label]
    assert refer(own, [own, other], CLIP, WHOLE, ALIVE) == f"{label} {verb} to the right"
    if label == "person":
        slow = track("a", 272, label="person", speed=4)
        bike = track("c", 272, label="bicycle", speed=4)
        told = refer(slow, [slow, other, bike], CLIP, WHOLE, ALIVE)
        assert told == "person moving to the right"


def test_a_near_thing_is_not_large_and_a_speck_is_no_rival():
    for foot, place in ((280, "closest to the camera"), (340, "in the foreground")):
        near = track("n", 300, foot=foot, height=130)
        other = track("o", 330, foot=foot - 80)
        assert refer(near, [near, other], CLIP, WHOLE, ALIVE) == f"car {place}"
    big = track("b", 300, foot=250, height=130)
    assert refer(big, [big, track("o", 330)], CLIP, WHOLE, ALIVE) == "large car"
    speck = track("o", 100, height=30)
    assert refer(big, [big, speck], CLIP, WHOLE, ALIVE) == "car"
    assert refer(speck, [big, speck], CLIP, WHOLE, ALIVE) is None


@pytest.mark.parametrize(
    ("score", "mean", "sure"),
    [(0.9, None, True), (0.5, None, False), (0.62, 0.31, False), (0.6, 0.42, True)],
)
def test_a_label_needs_more_than_one_lucky_frame(score, mean, sure):
    one = dataclasses.replace(track("a", 300), score=score, mean_score=mean)
    assert surely_labelled(one, 0.6, 0.4) is sure
