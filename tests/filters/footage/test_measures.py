"""Each measure on footage whose truth is known, on both sides of the default threshold."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.footage.measurer import LOOKED_AT, EvenlyKept, FootageMeasurer
from filters.footage.models import FootageModels
from filters.footage.rules import FootageRules, refusal


def reason(measures: dict[str, float], **rules: object) -> str:
    found = refusal(measures, FootageRules.model_validate(rules), 480, 270, 10.0)
    return found[0] if found else ""


def test_footage_that_moves_passes(pan, measure) -> None:
    measures = measure(pan)
    assert reason(measures) == ""
    assert measures["motion"] > 0.5
    assert measures["static_share"] == 0
    assert json.loads(json.dumps(measures)) == measures


@pytest.mark.parametrize(("dark", "expected"), [(9, ""), (12, "black")])
def test_black_frames_are_counted(dark: int, expected: str, pan, measure) -> None:
    frames = pan.copy()
    frames[:dark] = 10
    measures = measure(frames)
    assert measures["black_share"] == dark / 20
    assert reason(measures, still=None, slide_show=None) == expected


def test_a_lamp_in_the_night_is_not_black(pan, measure) -> None:
    frames = (pan * 0.05).astype(np.uint8)
    assert measure(frames)["black_share"] == 1
    for k, frame in enumerate(frames):
        cv2.circle(frame, (100 + 10 * k, 90), 30, (90, 70, 30), -1)
    assert measure(frames)["black_share"] == 0


def test_blue_light_is_light(pan, measure) -> None:
    frames = np.zeros_like(pan)
    frames[..., 2] = pan[..., 2] // 3  # its luma is under 10
    assert measure(frames)["black_share"] == 0


def test_one_picture_is_still_whatever_noise_a_codec_adds(pictures, measure) -> None:
    rng = np.random.default_rng(1)
    noisy = [np.clip(pictures[0] + rng.normal(0, 4, pictures[0].shape), 0, 255) for _ in range(20)]
    measures = measure([f.astype(np.uint8) for f in noisy])
    assert measures["static_share"] == 1
    assert reason(measures) == "still"


def test_something_small_that_moves_is_enough(pictures, measure) -> None:
    frames = [pictures[0].copy() for _ in range(20)]
    for k, frame in enumerate(frames):
        cv2.rectangle(frame, (20 * k, 150), (20 * k + 12, 162), (255, 255, 255), -1)
    measures = measure(frames)
    assert measures["static_share"] == 0
    assert measures["motion"] < 0.01
    assert reason(measures) == ""


def test_slow_motion_adds_up(wide, measure) -> None:
    """A pixel in five seconds' steps is seen, though each step is small."""
    frames = []
    for k in range(20):
        shift = np.float32([[1, 0, -0.15 * k], [0, 1, 0]])
        frames.append(cv2.warpAffine(wide, shift, (480, 270)))
    assert measure(frames)["static_share"] < 0.9


def held(pictures, seconds: float, fade: int = 0) -> list[np.ndarray]:
    """Each picture for `seconds`, the last `fade` steps of half a second mixed with the next."""
    frames = []
    for a, b in zip(pictures, [*pictures[1:], pictures[-1]], strict=True):
        frames += [a] * (int(2 * seconds) - fade)
        frames += [
            cv2.addWeighted(a, 1 - k / (fade + 1), b, k / (fade + 1), 0) for k in range(1, fade + 1)
        ]
    return frames


@pytest.mark.parametrize("fade", [0, 1, 2])
def test_pictures_in_turn_are_a_slide_show(fade: int, pictures, measure) -> None:
    measures = measure(held(pictures, 3, fade))
    assert measures["slides"] == 4
    assert reason(measures) == "slide_show"


def test_a_film_with_a_title_held_before_it_is_none(pan, pictures, measure) -> None:
    measures = measure([*held(pictures[:2], 3), *pan])
    assert measures["slides"] == 2
    assert measures["slide_share"] < 0.5
    assert reason(measures) == ""


def test_quick_cuts_are_no_slide_show(pictures, measure) -> None:
    measures = measure(pictures * 5)
    assert measures["cut_share"] == 1
    assert measures["slides"] == 0
    assert reason(measures) == ""


def page(lines: int, ground: int = 250) -> np.ndarray:
    made = np.full((270, 480, 3), ground, np.uint8)
    ink = 20 if ground > 128 else 220
    for row in range(lines):
        y = 20 + 16 * row
        cv2.putText(made, "def measured(frames)", (60, y), 0, 0.45, (ink,) * 3, 1, cv2.LINE_AA)
    return made


@pytest.mark.parametrize("ground", [250, 30])
def test_a_page_that_is_typed_is_a_screen(ground: int, measure) -> None:
    measures = measure([page(3 + k // 2, ground) for k in range(20)])
    assert reason(measures) == "screen_recording"
    assert measures["flat_area"] > 0.5


def test_flat_sky_with_grainless_clouds_is_no_screen(pan, measure) -> None:
    soft = np.stack([cv2.GaussianBlur(f, (0, 0), 2) for f in pan])  # as a lens is
    bright = np.clip(soft.astype(int) * 2 + 120, 0, 255).astype(np.uint8)
    measures = measure(bright)
    assert measures["flat_area"] > 0.4  # overexposed
    assert reason(measures) == ""


def test_bars_are_neither_flat_nor_drawn(pan, measure) -> None:
    frames = pan.copy()
    frames[:, :40] = frames[:, -40:] = 0
    with_bars, without = measure(frames), measure(pan)
    assert with_bars["drawn_area"] == pytest.approx(without["drawn_area"], abs=1e-3)
    assert with_bars["flat_area"] == pytest.approx(without["flat_area"], abs=0.02)


def test_one_frame_gives_what_one_frame_can(pan, measure) -> None:
    measures = measure(pan[:1])
    assert measures["samples"] == 1
    assert "static_share" not in measures
    assert reason(measures) == ""
    assert measure([]) == {"samples": 0}


def test_measures_may_be_asked_for_in_between(pan, pictures, measure) -> None:
    frames = [*held(pictures, 3), *pan]
    asked = FootageMeasurer(FootageModels())
    for k, frame in enumerate(frames):
        asked.add(k / 2, frame)
        asked.measures()
    assert asked.measures() == measure(frames)


def test_frames_of_two_sizes_are_an_error(pan) -> None:
    measurer = FootageMeasurer(FootageModels())
    measurer.add(0, pan[0])
    with pytest.raises(ValueError, match="after frames of"):
        measurer.add(0.5, pan[1, :100])


@given(st.integers(1, 500), st.integers(1, 8))
def test_a_long_stream_leaves_a_bounded_even_sample(length: int, n: int) -> None:
    kept = EvenlyKept(n)
    for k in range(length):
        kept.add(np.array([k]))
        assert len(kept._kept) <= 2 * n
    steps = np.diff([int(k[0]) for k in kept._kept])
    assert len(set(steps)) <= 1
    chosen = kept.chosen()[:, 0]
    assert len(chosen) == min(n, length)
    assert np.all(np.diff(chosen) > 0)
    assert length - kept._kept[-1][0] <= kept._every


def test_memory_does_not_grow_with_the_video(pan) -> None:
    import tracemalloc

    from filters.footage.faces import FaceDetector  # any model makes frames be kept

    measurer = FootageMeasurer(FootageModels(faces=FaceDetector()))
    sizes = []
    tracemalloc.start()
    for k in range(12 * LOOKED_AT):
        measurer.add(k / 2, pan[k % len(pan)])
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert max(sizes[4 * LOOKED_AT :]) <= 1.05 * max(sizes[: 4 * LOOKED_AT])
