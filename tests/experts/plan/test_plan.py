import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.records import Clip, Track
from experts.edit.tasks import TASKS
from experts.plan.attached import attached
from experts.plan.draw import draw
from experts.plan.framing import Crop, around, boxes_of, never_uncovered, widest
from experts.plan.planners import Scene
from experts.plan.referring import refer
from experts.plan.rules import Planning
from experts.plan.view import HOLE_MARGIN, edit_size, removal_context, view, windows
from flows.recipe import Clips
from flows.stages.clips.ingest import cuts

PAN = [value for t in range(64) for value in (4.0 * t, 0.0)]
CLIP = Clip("c1", "s1", "uri", "MIT", "media/aa/a.mp4", 0, 64, 25.0, 854, 480, camera=PAN)


def track(name: str, x: float, *, area: float = 0.05, first: int = 0, last: int = 63) -> Track:
    """A car of 80×60 px centred at x, alive from first to last."""
    alive = [first <= t <= last for t in range(64)]
    box = [x - 40, 200.0, x + 40, 260.0]
    boxes = [value for a in alive for value in (box if a else [0.0] * 4)]
    confidence = [0.9 if a else 0.0 for a in alive]
    return Track(name, "c1", "car", 0.8, "media/bb/b.mkv", first, last, confidence, area, boxes)


RULES = Planning(edits_per_clip=4, weights={name: 1.0 for name in TASKS})


def test_the_same_seed_draws_the_same_plans() -> None:
    scene = Scene(CLIP, [track("t1", 400)], RULES)
    assert draw(scene, 3) == draw(scene, 3)
    assert any(draw(scene, 3) != draw(scene, s) for s in range(4, 8))


@given(st.integers(0, 50), st.integers(1, 20), st.booleans())
def test_draws_differ_and_object_tasks_have_an_object(seed: int, count: int, has: bool) -> None:
    rules = RULES.model_copy(update={"edits_per_clip": count})
    plans = draw(Scene(CLIP, [track("t1", 400)] if has else [], rules), seed)
    drawn = [(plan.task, plan.track_id) for plan in plans]
    assert len(set(drawn)) == len(drawn) <= count
    assert len({plan.plan_id for plan in plans}) == len(plans)
    for plan in plans:
        assert bool(plan.track_id) == TASKS[plan.task].needs_track
        assert plan.width <= CLIP.width
        assert plan.height <= CLIP.height
        assert plan.first_frame + plan.frames <= CLIP.frames


def test_removal_and_addition_of_one_object_are_the_same_edit() -> None:
    rules = Planning(edits_per_clip=2, weights={"object_removal": 1, "object_addition": 1})
    removal, addition = draw(Scene(CLIP, [track("t1", 400)], rules), 0)
    same = ("seed", "expert", "prompt", "first_frame", "frames", "width", "height", "params")
    assert all(getattr(removal, f) == getattr(addition, f) for f in same)
    assert addition.target_prompt == "a car"


def test_a_removal_looks_as_far_around_as_its_track_is_sure() -> None:
    rules = Planning(edits_per_clip=1, weights={"object_removal": 1}, removal_span=20)
    own = track("t1", 400)
    alive = slice(24, 57)
    assert removal_context(own, alive, rules) == slice(4, 64)
    own.confidence[10] = 0.3
    own.boxes[4 * 60 : 4 * 61] = [380.0, 200.0, 390.0, 260.0]  # most of it is hidden
    assert removal_context(own, alive, rules) == slice(11, 60)
    (plan,) = draw(Scene(CLIP, [own], rules), 0)
    first, count = plan.params["span"]
    assert first <= plan.first_frame
    assert plan.first_frame + plan.frames <= first + count
    assert count > plan.frames
    narrow = rules.model_copy(update={"removal_span": 0})
    assert "span" not in draw(Scene(CLIP, [own], narrow), 0)[0].params


def test_what_the_picture_mostly_cuts_is_not_grounded() -> None:
    grounding = TASKS["object_grounding"]
    whole, at_the_edge = track("t1", 400), track("t2", 41)
    assert view(CLIP, whole, [whole, at_the_edge], grounding, RULES)
    assert view(CLIP, at_the_edge, [whole, at_the_edge], grounding, RULES) is None
    square = dataclasses.replace(CLIP, width=854, height=854)
    above = track("t3", 400)
    above.boxes[1::4] = [150.0] * 64  # the picture of the edit begins lower
    above.boxes[3::4] = [210.0] * 64
    assert view(square, above, [above], grounding, RULES) is None


def test_a_kind_of_which_one_was_lost_in_the_picture_is_not_grounded() -> None:
    grounding, whole = TASKS["object_grounding"], track("t1", 400)
    for lost in (track("t2", 600, last=50), track("t2", 600, first=10)):
        assert view(CLIP, whole, [whole, lost], grounding, RULES) is None
    walked_out = track("t2", CLIP.width - 41, last=50)
    assert walked_out.boxes[4 * 50 + 2] > CLIP.width - 3
    assert view(CLIP, whole, [whole, walked_out], grounding, RULES)
    dog = dataclasses.replace(track("t2", 600, last=50), label="dog")
    assert view(CLIP, whole, [whole, dog], grounding, RULES)


def test_weight_zero_is_never_drawn() -> None:
    rules = RULES.model_copy(update={"weights": {"deblur": 1.0, "upscaling": 0.0}})
    assert [p.task for p in draw(Scene(CLIP, [], rules), 0)] == ["deblur"]


@pytest.mark.parametrize(
    ("area", "last"),
    [(0.001, 63), (0.6, 63), (0.05, 20)],
    ids=["too small", "too large", "lives too briefly"],
)
def test_an_object_that_does_not_suit_gets_no_removal(area: float, last: int) -> None:
    rules = RULES.model_copy(update={"weights": {"object_removal": 1.0}})
    assert draw(Scene(CLIP, [track("t1", 400, area=area, last=last)], rules), 0) == []


def test_sizes_are_the_papers_but_never_upscaled() -> None:
    assert edit_size(CLIP, TASKS["object_removal"], RULES) == (336, 592, 33)
    height, width, frames = edit_size(CLIP, TASKS["inpainting"], RULES)
    assert (height, width) < (481, 855)
    assert frames == 64
    portrait = Clip("c", "s", "u", "MIT", "v", 0, 64, 25.0, 480, 854)
    assert edit_size(portrait, TASKS["object_removal"], RULES)[:2] == (592, 336)


def test_the_window_is_where_the_track_is_surest() -> None:
    sure = track("t", 400, first=10, last=60)
    sure.confidence[30:50] = [1.0] * 20
    assert windows(sure, 20) == [30, 10, 41]
    assert windows(sure, 60) == []


def test_references_tell_instances_apart() -> None:
    alive = slice(0, 64)
    left, right, close = track("l", 100), track("r", 700), track("c", 720)
    whole = Crop(0, 0, 854, 480, (854, 480))
    assert refer(left, [left], CLIP, whole, alive) == "car"
    assert refer(left, [left, right], CLIP, whole, alive) == "car on the left"
    assert refer(right, [left, right], CLIP, whole, alive) == "car on the right"
    assert refer(right, [left, right, close], CLIP, whole, alive) is None
    right_half = Crop(427, 0, 427, 480, (854, 480))
    assert refer(right, [left, right], CLIP, right_half, alive) == "car"


def test_what_hides_its_background_throughout_is_not_removed() -> None:
    rules = RULES.model_copy(update={"weights": {"object_removal": 1.0}})
    tracks = [track("t1", 400)]
    still = dataclasses.replace(CLIP, camera=[0.0] * 128)
    assert draw(Scene(still, tracks, rules), 0) == []
    assert len(draw(Scene(CLIP, tracks, rules), 0)) == 1
    everything = rules.model_copy(update={"max_invented": 1.0})
    assert len(draw(Scene(still, tracks, everything), 0)) == 1


def test_what_is_hidden_is_the_hole_and_not_the_object_alone() -> None:
    rules = RULES.model_copy(update={"weights": {"object_removal": 1.0}})
    panned = [value for t in range(64) for value in (72 / 63 * t, 0.0)]
    clip = dataclasses.replace(CLIP, camera=panned)
    own = track("t1", 400)
    on_ground = np.array(panned).reshape(-1, 2)
    # 8 of the object's 80 px stay hidden, but 8 and twice the margin of its hole.
    assert never_uncovered(boxes_of(own), on_ground) == pytest.approx(8 * 60)
    assert never_uncovered(boxes_of(own), on_ground, 5) == pytest.approx(18 * 70)
    margin = HOLE_MARGIN * 846  # the widest picture, which the object fills least
    hidden = 0.5 * (8 + 2 * margin) * (60 + 2 * margin) / (846 * 480)
    for most, count in ((0.95 * hidden, 0), (1.05 * hidden, 1)):
        allowed = rules.model_copy(update={"max_invented": most})
        assert len(draw(Scene(clip, [own], allowed), 0)) == count


def test_an_object_out_of_sight_still_confuses() -> None:
    alive, whole = slice(40, 64), Crop(0, 0, 854, 480, (854, 480))
    middle, lost = track("m", 400), track("l", 100, last=20)
    gone = track("g", 40, last=20)  # its box touches the edge: it left the picture
    assert refer(middle, [middle, gone], CLIP, whole, alive) == "car"
    assert refer(middle, [middle, lost], CLIP, whole, alive) is None


def test_movement_and_nearness_tell_instances_apart() -> None:
    alive, whole = slice(0, 64), Crop(0, 0, 854, 480, (854, 480))
    still, going = track("s", 400), track("g", 400)
    for t in range(64):
        going.boxes[4 * t] += 2 * t - 64
        going.boxes[4 * t + 2] += 2 * t - 64
    stands = dataclasses.replace(CLIP, camera=[0.0] * 128)
    assert refer(going, [still, going], stands, whole, alive) == "car driving to the right"
    assert refer(still, [still, going], stands, whole, alive) is None
    # The picture pans twice as fast: in the scene it goes to the left.
    assert refer(going, [still, going], CLIP, whole, alive) is None
    near = track("n", 420)
    for t in range(64):
        near.boxes[4 * t + 3] += 75
    assert refer(near, [still, near], CLIP, whole, alive) == "car closest to the camera"


def test_the_far_side_is_far_and_nobody_is_a_large_person() -> None:
    alive, whole = slice(0, 64), Crop(0, 0, 854, 480, (854, 480))
    near, far, beyond = track("n", 480), track("f", 540), track("b", 720)
    assert (
        refer(near, [near, track("l", 420)], CLIP, whole, alive) is None
    )  # right of it, but not far
    assert refer(far, [near, far], CLIP, whole, alive) is None
    assert refer(track("r", 600), [far], CLIP, whole, alive) == "car on the far right"
    assert refer(beyond, [far, beyond], CLIP, whole, alive) == "car on the right"
    big = track("big", 427)
    big.boxes[1::4], big.boxes[2::4] = [60.0] * 64, [560.0] * 64
    assert refer(big, [big, track("o", 430)], CLIP, whole, alive) == "large car"
    people = [dataclasses.replace(t, label="person") for t in (big, track("o", 430))]
    assert refer(people[0], people, CLIP, whole, alive) is None


def test_what_may_be_a_reflection_is_not_edited_and_not_grounded() -> None:
    grounding, removal = TASKS["object_grounding"], TASKS["object_removal"]
    sure, doubtful = track("t1", 400), dataclasses.replace(track("t2", 700), score=0.55)
    assert view(CLIP, sure, [sure], removal, RULES)
    assert view(CLIP, doubtful, [doubtful], removal, RULES) is None
    assert view(CLIP, sure, [sure], grounding, RULES)
    assert view(CLIP, sure, [sure, doubtful], grounding, RULES) is None


@given(st.integers(45, 800), st.sampled_from([(336, 592), (592, 336)]))
def test_a_frame_holds_its_object_and_never_enlarges(x: int, size: tuple[int, int]) -> None:
    one = track("t", x)
    crop = around(CLIP, boxes_of(one), *size)
    most = widest(CLIP, *size)
    assert 0 <= crop.x <= CLIP.width - crop.width
    assert 0 <= crop.y <= CLIP.height - crop.height
    assert min(size[1], most.width) <= crop.width <= most.width
    assert crop.share_in_view(boxes_of(one)) > 0.99
    assert abs(crop.width / crop.height - size[1] / size[0]) < 0.01


def test_cuts_leave_no_scraps_and_spread_over_the_source() -> None:
    rules = Clips(max_frames=64, min_frames=33)
    assert cuts([(0, 100), (100, 120), (120, 184)], rules) == [(0, 64), (64, 36), (120, 64)]
    one = rules.model_copy(update={"per_source": 1})
    assert cuts([(0, 120)], one) == [(0, 64)]  # a whole one rather than the rest
    few = cuts([(0, 640)], rules.model_copy(update={"per_source": 2}))
    assert few == [(128, 64), (448, 64)]


@given(st.lists(st.integers(1, 900), max_size=6), st.integers(33, 500))
def test_cuts_never_cross_a_shot(lengths: list[int], most: int) -> None:
    edges = np.cumsum([0, *lengths]).tolist()
    shots = list(pairwise(edges))
    for first, count in cuts(shots, Clips(max_frames=most)):
        assert 33 <= count <= most
        assert any(a <= first and first + count <= b for a, b in shots)


def test_a_person_takes_the_bag_along() -> None:
    alive = slice(0, 64)
    person, bag, far = (
        dataclasses.replace(track(name, x), label=label)
        for name, x, label in (("p", 400, "person"), ("b", 410, "handbag"), ("f", 700, "handbag"))
    )
    assert attached(person, [person, bag, far], alive) == [bag]
    assert attached(bag, [person, bag, far], alive) == []
    rules = RULES.model_copy(update={"weights": {"object_removal": 1.0}, "edits_per_clip": 9})
    plans = draw(Scene(CLIP, [person, bag, far], rules), 0)
    taken = {plan.label: plan.params.get("tracks") for plan in plans}
    assert taken["person"] == ["p", "b"]


def moved(name: str, label: str, boxes: list[tuple[float, float, float, float]]) -> Track:
    """An object with these boxes, frame by frame."""
    return dataclasses.replace(
        track(name, 400), label=label, boxes=[value for box in boxes for value in box]
    )


def test_a_rider_goes_with_the_mount_and_takes_the_bag_along() -> None:
    places = [4.0 * t for t in range(64)]
    bicycle = moved("b", "bicycle", [(x, 260.0, x + 110, 330.0) for x in places])
    rider = moved("r", "person", [(x + 25, 190.0, x + 85, 320.0) for x in places])
    bag = moved("h", "backpack", [(x + 20, 200.0, x + 45, 240.0) for x in places])
    walker = moved("w", "person", [(x / 2 + 60, 190.0, x / 2 + 100, 325.0) for x in places])
    near = moved("n", "person", [(x + 20, 200.0, x + 80, 370.0) for x in places])  # nearer than it
    scene = [bicycle, rider, bag, walker, near]
    assert attached(bicycle, scene, slice(0, 33)) == [rider, bag]
    assert attached(rider, scene, slice(0, 33)) == [bicycle, bag]
    assert bicycle not in attached(walker, scene, slice(0, 33))
    assert attached(bicycle, [bicycle, walker, near], slice(0, 33)) == []


def test_only_what_is_uncovered_must_be_small() -> None:
    close = dataclasses.replace(track("t1", 400), area=0.4, boxes=[200.0, 60.0, 640.0, 430.0] * 64)
    clip = dataclasses.replace(CLIP, camera=[0.0] * 128)
    assert view(clip, close, [close], TASKS["local_style_transfer"], RULES)
    assert view(clip, close, [close], TASKS["object_removal"], RULES) is None
    loose = RULES.model_copy(update={"max_area": 0.5, "max_invented": 1.0})
    assert view(clip, close, [close], TASKS["object_removal"], loose)


@pytest.mark.parametrize("spoilt", ["confidence", "size"])
def test_an_object_half_lost_for_a_while_is_not_edited(spoilt: str) -> None:
    whole = track("t1", 400)
    confidence, boxes = list(whole.confidence), list(whole.boxes)
    for t in range(26, 38):  # in the middle, so that no window of 33 frames avoids it
        if spoilt == "confidence":
            confidence[t] = 0.4
        else:
            boxes[4 * t + 2] = boxes[4 * t] + 20  # a quarter of its width
    lost = dataclasses.replace(whole, confidence=confidence, boxes=boxes)
    task = TASKS["local_style_transfer"]
    assert view(CLIP, whole, [whole], task, RULES)
    assert view(CLIP, lost, [lost], task, RULES) is None


def test_cars_are_not_pointed_out_beside_what_may_be_a_car_too() -> None:
    car, van = track("t1", 200), dataclasses.replace(track("t2", 600), label="vehicle")
    grounding, look = TASKS["object_grounding"], TASKS["local_style_transfer"]
    assert view(CLIP, car, [car], grounding, RULES)
    assert view(CLIP, car, [car, van], grounding, RULES) is None
    both = view(CLIP, van, [car, van], grounding, RULES)
    assert both
    assert both.phrase == "vehicle"
    shown = view(CLIP, car, [car, van], look, RULES)
    assert shown is None or shown.phrase != "car"
    plans = draw(Scene(CLIP, [car, van], Planning(weights={"object_grounding": 1})), 0)
    assert [(p.label, p.count, p.params["tracks"]) for p in plans] == [("vehicle", 2, ["t1", "t2"])]


def test_a_removal_knows_what_comes_near_its_object() -> None:
    rules = Planning(edits_per_clip=1, weights={"object_removal": 1})
    near, far = track("t2", 470, area=0.001), track("t3", 700, area=0.001)  # too small themselves
    near, far = (dataclasses.replace(t, label="dog") for t in (near, far))
    (plan,) = draw(Scene(CLIP, [track("t1", 400), near, far], rules), 0)
    assert (plan.track_id, plan.params["others"]) == ("t1", ["t2"])
    (plan,) = draw(Scene(CLIP, [track("t1", 400), far], rules), 0)
    assert "others" not in plan.params


def test_an_edit_is_as_long_as_its_object_is_surely_followed() -> None:
    removal, brief = TASKS["object_removal"], track("t1", 400, first=10, last=38)
    assert view(CLIP, brief, [brief], removal, RULES) is None
    rules = RULES.model_copy(update={"shortest_frames": 17})
    shown = view(CLIP, brief, [brief], removal, rules)
    assert shown is not None
    assert shown.frames == 25  # of 33, 25 and 17 the longest that fits into 29
    assert (brief.first_frame, brief.last_frame) == (10, 38)
    assert 10 <= shown.first <= 14
    assert view(CLIP, brief, [brief], TASKS["object_grounding"], rules) is None


def test_a_small_object_is_shown_closer_where_that_is_allowed() -> None:
    small = track("t1", 400, area=0.0009)
    removal, grounding = TASKS["object_removal"], TASKS["object_grounding"]
    assert view(CLIP, small, [small], removal, RULES) is None
    rules = RULES.model_copy(update={"smallest_long_side": 376})
    closer = view(CLIP, small, [small], removal, rules)
    assert closer is not None
    assert (closer.height, closer.width) == (216, 378)
    assert closer.crop.width >= closer.width  # nothing is enlarged
    assert small.area * CLIP.width * CLIP.height / (378 * 216) > rules.min_area
    assert view(CLIP, small, [small], grounding, rules) is None
    large = track("t2", 400)
    assert view(CLIP, large, [large], removal, rules) == view(CLIP, large, [large], removal, RULES)
    middling = track("t3", 400, area=0.006)  # large enough at the usual size, better seen closer
    assert view(CLIP, middling, [middling], removal, RULES)
    closer = view(CLIP, middling, [middling], removal, rules)
    assert closer is not None
    assert closer.width == 378


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("share", "local"), [(0.0, 0), (0.5, 3), (0.6, 4)])
def test_objects_come_before_maps_as_far_as_there_are_any(
    seed: int, share: float, local: int
) -> None:
    weights = {"object_removal": 0.01, "object_addition": 0.01, "local_style_transfer": 0.01}
    weights |= {name: 100.0 for name in ("canny_to_video", "colorization", "deblur", "upscaling")}
    weights |= {"inpainting": 100.0, "outpainting": 100.0}
    rules = Planning(edits_per_clip=6, local_share=share, weights=weights)
    tracks = [track("t1", 200), track("t2", 650)]
    plans = draw(Scene(CLIP, tracks, rules), seed)
    assert len(plans) == 6
    assert sum(TASKS[plan.task].local for plan in plans) >= local
    # without objects the clip is not filled up: it gives what it would give beside them
    assert len(draw(Scene(CLIP, [], rules), seed)) == 6 - local


@pytest.mark.parametrize("seed", range(5))
def test_edits_of_the_whole_picture_keep_to_their_share_where_objects_are_few(seed: int) -> None:
    maps = {name: 1.0 for name in ("canny_to_video", "colorization", "deblur", "upscaling")}
    rules = Planning(edits_per_clip=5, local_share=0.8, weights=maps | {"object_removal": 0.1})
    drawn = [plan.task for plan in draw(Scene(CLIP, [track("t1", 400)], rules), seed)]
    assert len(drawn) == 2
    assert "object_removal" in drawn
    local = {"object_removal": 0.1, "local_style_transfer": 0.1}
    few = rules.model_copy(update={"edits_per_clip": 2, "weights": maps | local})
    both = {TASKS[plan.task].local for plan in draw(Scene(CLIP, [track("t1", 400)], few), seed)}
    assert both == {True, False}  # .8 of two edits is one, not two
    every = rules.model_copy(update={"local_share": 1.0})
    assert len(draw(Scene(CLIP, [], every), seed)) == 1  # of every clip something is made
    none = rules.model_copy(update={"weights": maps | {"object_swap": 1.0}})
    assert len(draw(Scene(CLIP, [], none), seed)) == 4  # nothing here could come before the maps
