"""Which donors match a place: hand-made tracks and appearances, no pictures."""

import dataclasses

import numpy as np
import pytest

from catalog.records import Clip, Plan, Track
from experts.edit.swap.appearance import GRID, STRIDE, Appearance, appearance_of
from experts.edit.tasks import TASKS
from experts.plan.bank import Bank, DonorCandidate
from experts.plan.donors import replacements
from experts.plan.draw import draw_swaps
from experts.plan.planners import Scene
from experts.plan.rules import Planning

FRAMES = 64
TASK = TASKS["object_swap"]
RULES = Planning(weights={"object_swap": 1.0})


def clip(name: str, source: str = "s1", fps: float = 25.0) -> Clip:
    return Clip(name, source, f"uri {source}", "MIT", f"media/{name}.mp4", 0, FRAMES, fps, 854, 480)


def track(name: str, where: Clip, label: str, x: float, *, foot: float = 300.0) -> Track:
    """100 px high, 50 wide; a vehicle is 60 × 70."""
    height, width = (100, 50) if label == "person" else (60, 70)
    box = [x - width / 2, foot - height, x + width / 2, foot]
    return Track(
        name, where.clip_id, label, 0.9, f"media/{name}.mkv", 0, FRAMES - 1,
        [0.9] * FRAMES, width * height / (854 * 480), box * FRAMES,
    )  # fmt: skip


def seen_as(one: Track, colour: str, light: float, **changed: object) -> tuple[Appearance, ...]:
    plain = Appearance(0, one.boxes[:4], [2**GRID - 1] * GRID, [light, 0.0, 0.0] * 2,
                       [50.0, 0.0, 0.0], 1.0, colour, 0.0)  # fmt: skip
    return tuple(
        dataclasses.replace(plain, frame=t, **changed)  # type: ignore[arg-type]
        for t in range(0, FRAMES, STRIDE)
    )


HERE, THERE = clip("here"), clip("there", "s2")
ANNA = track("anna", HERE, "person", 400)
BERT = track("bert", THERE, "person", 420)
RED, DARK = seen_as(ANNA, "red", 40.0), seen_as(BERT, "dark clothes", 15.0)


def bank(*others: DonorCandidate) -> Bank:
    return Bank([DonorCandidate(HERE, ANNA, (ANNA,), RED), *others])


def found(*others: DonorCandidate) -> list[str]:
    fitting = replacements(HERE, ANNA, [ANNA], TASK, bank(*others), RULES)
    return [swap.donor.candidate.track.track_id for swap in fitting]


DONOR = DonorCandidate(THERE, BERT, (BERT,), DARK)


def test_an_object_of_another_clip_that_looks_different_fits() -> None:
    assert found(DONOR) == ["bert"]


@pytest.mark.parametrize(
    "donor",
    [
        pytest.param(
            DonorCandidate(THERE, dataclasses.replace(BERT, label="car"), (), DARK),
            id="another kind",
        ),
        pytest.param(
            dataclasses.replace(DONOR, appearances=seen_as(BERT, "red", 15.0)),
            id="called the same",
        ),
        pytest.param(
            dataclasses.replace(DONOR, appearances=seen_as(BERT, "dark clothes", 38.0)),
            id="looks alike",
        ),
        pytest.param(
            dataclasses.replace(
                DONOR, appearances=seen_as(BERT, "dark clothes", 15.0, occluded=0.2)
            ),
            id="partly hidden",
        ),
        pytest.param(
            dataclasses.replace(DONOR, appearances=seen_as(BERT, "dark clothes", 15.0, blur=4.0)),
            id="much softer",
        ),
        pytest.param(
            dataclasses.replace(
                DONOR,
                appearances=seen_as(BERT, "dark clothes", 15.0, surround_lab=[95.0, 0.0, 0.0]),
            ),
            id="another light",
        ),
        pytest.param(
            DonorCandidate(THERE, track("low", THERE, "person", 420, foot=470), (), DARK),
            id="seen from elsewhere",
        ),
        pytest.param(
            DonorCandidate(THERE, track("gone", THERE, "person", 20), (), DARK), id="cut off"
        ),
        pytest.param(dataclasses.replace(DONOR, clip=clip("slow", "s2", 10.0)), id="slow steps"),
    ],
)
def test_one_that_does_not_fit_is_left_out(donor: DonorCandidate) -> None:
    assert found(donor) == []


def alive(one: Track, first: int, last: int) -> Track:
    """There from `first` to `last`, coming in at the left edge and leaving there."""
    boxes = np.zeros((FRAMES, 4))
    boxes[first : last + 1] = one.boxes[:4]
    for t in {first, last} - {0, FRAMES - 1}:
        boxes[t, [0, 2]] -= one.boxes[0]
    return dataclasses.replace(
        one, first_frame=first, last_frame=last, boxes=boxes.ravel().tolist()
    )


@pytest.mark.parametrize(("first", "fits"), [(31, ["later"]), (20, [])])
def test_one_of_the_same_clip_fits_that_comes_when_the_other_is_gone(
    first: int, fits: list[str]
) -> None:
    before = alive(ANNA, 0, 30)
    later = alive(track("later", HERE, "person", 420), first, FRAMES - 1)
    both = (before, later)
    there = Bank(
        [
            DonorCandidate(HERE, before, both, RED),
            DonorCandidate(HERE, later, both, seen_as(later, "dark clothes", 15.0)),
        ]
    )
    rules = RULES.model_copy(update={"frames": 25})
    swaps = replacements(HERE, before, both, TASK, there, rules)
    assert [swap.donor.candidate.track.track_id for swap in swaps] == fits


def test_what_is_half_hidden_is_not_replaced() -> None:
    """Its occluder's mask would have to be right to the pixel."""
    for occluded, count in ((0.2, 1), (0.4, 0)):
        hidden = DonorCandidate(HERE, ANNA, (ANNA,), seen_as(ANNA, "red", 40.0, occluded=occluded))
        swaps = replacements(HERE, ANNA, [ANNA], TASK, Bank([hidden, DONOR]), RULES)
        assert len(swaps) == count


def test_half_of_a_person_tells_two_apart() -> None:
    """Both in dark coats, one in jeans."""
    jeans = seen_as(BERT, "a dark top and blue trousers", 40.0)
    jeans = tuple(dataclasses.replace(a, lab=[40.0, 0.0, 0.0, 33.0, 3.0, -20.0]) for a in jeans)
    assert found(dataclasses.replace(DONOR, appearances=jeans)) == ["bert"]


def test_one_camera_is_as_sharp_at_both() -> None:
    soft = seen_as(BERT, "dark clothes", 15.0, blur=4.0)
    near = dataclasses.replace(THERE, source_id="s1")
    assert found(dataclasses.replace(DONOR, clip=near, appearances=soft)) == ["bert"]


def walking(one: Track, steps: list[float]) -> Track:
    """With its box moved by these px from frame to frame."""
    x = np.cumsum([0.0, *steps])
    boxes = np.array(one.boxes).reshape(-1, 4) + np.outer(x, [1, 0, 1, 0])
    return dataclasses.replace(one, boxes=boxes.ravel().tolist())


@pytest.mark.parametrize(
    ("steps", "fits"),
    [
        pytest.param([1.2] * 63, ["walks"], id="alike"),
        pytest.param([-1.2] * 63, ["walks"], id="the other way, mirrored"),
        pytest.param([0.0, 0.0, 3.6] * 21, ["walks"], id="in jumps of a few px"),
        pytest.param([0.0] * 21 + [3.6] * 21 + [0.0] * 21, [], id="stops and hurries"),
    ],
)
def test_a_walker_fits_who_walks_alike_all_the_time(steps: list[float], fits: list[str]) -> None:
    anna = walking(track("anna", HERE, "person", 380), [1.2] * 63)
    walks = walking(track("walks", THERE, "person", 420), steps)
    place = DonorCandidate(HERE, anna, (anna,), seen_as(anna, "red", 40.0))
    donor = DonorCandidate(THERE, walks, (walks,), seen_as(walks, "dark clothes", 15.0))
    rules = RULES.model_copy(update={"frames": FRAMES})
    task = dataclasses.replace(TASK, size=dataclasses.replace(TASK.size, frames=FRAMES))
    swaps = replacements(HERE, anna, (anna,), task, Bank([place, donor]), rules)
    assert [swap.donor.candidate.track.track_id for swap in swaps] == fits
    assert all(swap.match.mirror == (steps[0] < 0) for swap in swaps)


def test_a_donor_at_the_limit_of_many_terms_does_not_fit() -> None:
    far = track("far", THERE, "person", 420, foot=390)
    unlike = seen_as(far, "dark clothes", 15.0, surround_lab=[75.0, 0.0, 0.0], blur=1.8)
    assert found(DonorCandidate(THERE, far, (far,), unlike)) == []


def test_who_rides_is_no_cut_out() -> None:
    bicycle = track("bike", THERE, "bicycle", 420)
    assert found(dataclasses.replace(DONOR, tracks=(BERT, bicycle))) == []


def test_who_is_in_the_picture_already_does_not_come_twice() -> None:
    near = dataclasses.replace(THERE, source_id="s1")
    twin = track("twin", HERE, "person", 600)
    both = (ANNA, twin)
    with_twin = Bank(
        [
            DonorCandidate(HERE, ANNA, both, RED),
            DonorCandidate(HERE, twin, both, seen_as(twin, "dark clothes", 15.0)),
            dataclasses.replace(DONOR, clip=near),
        ]
    )
    assert replacements(HERE, ANNA, both, TASK, with_twin, RULES) == []


def test_vehicles_come_from_the_same_road() -> None:
    """Nothing else tells their facing."""
    car, van = track("car", HERE, "car", 400), track("van", THERE, "truck", 380)
    place = DonorCandidate(HERE, car, (car,), seen_as(car, "red", 40.0))
    for source, count in (("s1", 1), ("s2", 0)):
        other = DonorCandidate(
            dataclasses.replace(THERE, source_id=source), van, (van,), seen_as(van, "", 70.0)
        )
        assert len(replacements(HERE, car, [car], TASK, Bank([place, other]), RULES)) == count


def test_a_vehicle_is_not_mirrored() -> None:
    """It has a number plate."""
    near = dataclasses.replace(THERE, source_id="s1")
    car = walking(track("car", HERE, "car", 380), [1.0] * 63)
    place = DonorCandidate(HERE, car, (car,), seen_as(car, "red", 40.0))
    for step, count in ((1.0, 1), (-1.0, 0)):
        other = walking(track("other", near, "car", 420), [step] * 63)
        donor = DonorCandidate(near, other, (other,), seen_as(other, "dark", 15.0))
        assert len(replacements(HERE, car, [car], TASK, Bank([place, donor]), RULES)) == count


def plan() -> Plan:
    (made,) = draw_swaps(Scene(HERE, [ANNA], RULES, bank(DONOR)), 0)
    return made


def test_the_plan_says_what_is_there_and_what_takes_its_place() -> None:
    made = plan()
    assert (made.task, made.label, made.phrase) == ("object_swap", "person", "person in red")
    assert made.target_prompt == "a person in red"
    donor = made.params["donor"]
    assert donor["phrase"] == "person in dark clothes"
    assert (donor["track_id"], donor["clip_id"], donor["licence"]) == ("bert", "there", "MIT")
    assert donor["video"] == THERE.video
    assert donor["masks"] == [BERT.masks]
    x, y, width, height = donor["crop"]
    assert x <= 395 and y <= 200 and x + width >= 445 and y + height >= 300
    assert 0 <= donor["first_frame"] <= FRAMES - made.frames
    assert (donor["ratio"], donor["same_camera"]) == (1.0, False)


def test_the_same_seed_draws_the_same_donor_whatever_the_banks_order() -> None:
    cleo = track("cleo", THERE, "person", 300)
    more = [DONOR, DonorCandidate(THERE, cleo, (cleo,), seen_as(cleo, "blue", 15.0))]
    one, other = (draw_swaps(Scene(HERE, [ANNA], RULES, bank(*o)), 5) for o in (more, more[::-1]))
    assert one == other
    assert len(one) == 1


def test_a_large_bank_offers_a_part_but_all_of_the_same_source(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("experts.plan.bank.MAX_PER_LABEL", 2)
    near = dataclasses.replace(THERE, clip_id="near", source_id="s1")

    def many(where: Clip) -> list[DonorCandidate]:
        tracks = [track(f"{where.clip_id}{i}", where, "person", 420) for i in range(5)]
        return [DonorCandidate(where, t, (t,), seen_as(t, "dark clothes", 15.0)) for t in tracks]

    assert 1 <= len(found(*many(THERE))) <= 2  # Anna herself may be one of the two
    assert len(found(*many(near))) == 5


def test_without_a_bank_nothing_is_swapped() -> None:
    assert draw_swaps(Scene(HERE, [ANNA], RULES), 0) == []


def test_who_stands_nearer_may_hide_the_object() -> None:
    nearer = track("nearer", HERE, "car", 440, foot=330)
    behind = track("behind", HERE, "car", 440, foot=250)
    aside = track("aside", HERE, "car", 700, foot=330)
    tracks = (ANNA, nearer, behind, aside)
    place = DonorCandidate(HERE, ANNA, tracks, RED)
    (swap,) = replacements(HERE, ANNA, tracks, TASK, Bank([place, DONOR]), RULES)
    assert swap.params()["in_front"] == ["nearer"]


def test_an_appearance_tells_colour_place_and_what_occludes_it() -> None:
    frame = np.full((120, 120, 3), 128, np.uint8)
    mask, other = np.zeros((2, 120, 120), bool)
    mask[20:100, 40:80] = True
    other[60:110, 80:110] = True  # stands lower: nearer
    frame[mask] = (200, 30, 30)
    seen = appearance_of(frame, mask, [other], 8, "car")
    assert seen is not None
    assert (seen.frame, seen.colour, seen.box) == (8, "red", [40.0, 20.0, 80.0, 100.0])
    assert 0.1 < seen.occluded < 0.3
    behind = appearance_of(frame, mask, [np.roll(other, -40, axis=0)], 8, "car")
    assert behind is not None and behind.occluded == 0
    assert appearance_of(frame, np.zeros_like(mask), [], 8, "car") is None
