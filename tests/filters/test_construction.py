"""What follows by arithmetic: right pairs pass, each way to be wrong has its reason."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from filters.base import FRAMES, PairFrames
from filters.construction import (
    BROKEN,
    CHECKS,
    DEGENERATE,
    FAMILIES,
    ConstructionFilter,
    constants_of,
)

HEIGHT, WIDTH = 144, 256


def _scene(seed: int) -> np.ndarray:
    """Footage [17, 144, 256, 3]: coloured discs on soft noise, under a camera that pans."""
    rng = np.random.default_rng(seed)
    wide = WIDTH + 4 * FRAMES
    coarse = rng.integers(60, 190, (9, 20, 3), dtype=np.uint8)
    picture = cv2.resize(coarse, (wide, HEIGHT), interpolation=cv2.INTER_CUBIC)
    for _ in range(40):
        centre = int(rng.integers(wide)), int(rng.integers(HEIGHT))
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        cv2.circle(picture, centre, int(rng.integers(3, 20)), colour, -1, cv2.LINE_AA)
    return np.stack([picture[:, 4 * t : 4 * t + WIDTH] for t in range(FRAMES)])


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    return _scene(0)


@pytest.fixture(scope="module")
def other() -> np.ndarray:
    return _scene(1)


def _reason(task: str, real: np.ndarray, made: np.ndarray, mask=None, **constants) -> str:
    side = "target" if task.endswith("_detection") or task == "object_grounding" else "source"
    source, target = (real, made) if side == "target" else (made, real)
    sample = PairFrames(task, source, target, mask, made=side)
    (verdict,) = ConstructionFilter({FAMILIES[task]: constants}).judge([sample])
    assert verdict.keep == (verdict.reason in ("", "abstained"))
    return verdict.reason


def _edges(frames: np.ndarray) -> np.ndarray:
    lines = [cv2.Canny(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), 60, 120) for f in frames]
    return np.repeat(np.stack(lines)[..., None], 3, axis=3)


def _grey(frames: np.ndarray, weights=(0.3, 0.59, 0.11)) -> np.ndarray:
    return np.repeat((frames @ np.array(weights)).astype(np.uint8)[..., None], 3, axis=3)


def _soft(frames: np.ndarray, sigma: float) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(f, (0, 0), sigma) for f in frames])


def _in_time(right: np.ndarray) -> dict[str, np.ndarray]:
    """Ways to show a right side at the wrong time."""
    blank = right.copy()
    blank[5] = 0
    midway = right[np.minimum(np.arange(FRAMES), FRAMES // 2)]
    return {"frozen": midway, "out_of_time": right[::-1], "flicker": blank}


LINE_TASKS = [task for task, family in FAMILIES.items() if family == "lines"]


@pytest.mark.parametrize("task", LINE_TASKS)
def test_a_map_of_the_footage_passes_thin_or_thick(task, scene):
    edges = _edges(scene)
    thick = np.stack([cv2.dilate(e, np.ones((5, 5), np.uint8)) for e in edges])
    assert _reason(task, scene, edges) == _reason(task, scene, thick) == ""
    assert _reason(task, scene[:1].repeat(FRAMES, 0), edges[:1].repeat(FRAMES, 0)) == ""


def test_wrong_maps_have_their_reasons(scene, other):
    edges = _edges(scene)
    noise = np.random.default_rng(0).integers(0, 100, (*edges.shape[:3], 1)).repeat(3, 3)
    wrong = {
        "map_mismatch": [_edges(other), np.roll(edges, 10, axis=1)],
        "empty_map": [np.zeros_like(edges)],
        "full_map": [255 - edges, np.full_like(edges, 230)],
        "not_grey": [scene // 3],
    }
    for reason, maps in wrong.items():
        for made in maps:
            assert _reason("hed_to_video", scene, made) == reason
    assert _reason("canny_to_video", scene, noise.astype(np.uint8)) in BROKEN | DEGENERATE
    for reason, made in _in_time(edges).items():
        assert _reason("canny_to_video", scene, made) == reason
    halves = np.concatenate([edges[:9], _edges(other)[9:]])
    assert _reason("hed_detection", scene, halves) in BROKEN


def test_a_fade_to_black_is_no_flicker(scene):
    faded = scene.copy()
    faded[-3:] = 0
    assert _reason("canny_to_video", faded, _edges(faded)) == ""
    assert _reason("colorization", faded, _grey(faded)) == ""


@pytest.mark.parametrize("weights", [(0.3, 0.59, 0.11), (0.8, 0.18, 0.02), (0.05, 0.55, 0.4)])
def test_a_grey_copy_passes_whatever_film_saw(weights, scene):
    rng = np.random.default_rng(0)
    film = _grey(scene, weights) * 0.85 + 12 + rng.normal(0, 4, scene.shape[:3])[..., None]
    assert _reason("colorization", scene, np.clip(film, 0, 255).astype(np.uint8)) == ""
    sepia = np.clip(_grey(scene, weights) * [1, 0.85, 0.7], 0, 255).astype(np.uint8)
    assert _reason("colorization", scene, sepia) == ""


def test_what_is_no_grey_copy_has_its_reason(scene, other):
    grey = _grey(scene)
    half = (grey // 2 + scene // 2).astype(np.uint8)
    assert _reason("colorization", scene, scene) == "not_grey"
    assert _reason("colorization", scene, half) == "not_grey"
    assert _reason("colorization", scene, _grey(other)) == "footage_mismatch"
    assert _reason("colorization", scene, np.roll(grey, 10, axis=1)) == "footage_mismatch"
    assert _reason("colorization", grey, grey) == "no_colour"
    jumping = np.clip(grey * np.array([1, 0.7] * 9)[:FRAMES, None, None, None], 0, 255)
    assert _reason("colorization", scene, jumping.astype(np.uint8)) == "flicker"
    for reason, made in _in_time(grey).items():
        assert _reason("colorization", scene, made) == reason


def test_colours_of_dark_footage_are_worth_restoring_and_a_spot_is_not(scene):
    dark = scene // 3
    assert _reason("colorization", dark, _grey(dark)) == ""
    spot = _grey(scene)
    spot[:, 40:50, 60:70] = (160, 60, 60)  # 0.3 % of the picture
    assert _reason("colorization", spot, _grey(spot)) == "no_colour"


@pytest.mark.parametrize("task", ["deblur", "upscaling"])
def test_less_detail_passes_under_noise_too(task, scene):
    soft = _soft(scene, 1.5)
    noise = np.random.default_rng(0).normal(0, 4, soft.shape)
    assert _reason(task, scene, soft) == ""
    assert _reason(task, scene, np.clip(soft + noise, 0, 255).astype(np.uint8)) == ""
    small = np.stack([cv2.resize(f, (WIDTH // 2, HEIGHT // 2)) for f in scene])
    assert _reason(task, scene, small) == ""


def test_what_did_not_lose_detail_or_all_of_it_has_its_reason(scene, other):
    soft = _soft(scene, 1.5)
    assert _reason("deblur", scene, scene) == "same_detail"
    assert _reason("deblur", soft, scene) == "same_detail"  # the sides are swapped
    assert _reason("deblur", scene // 128, soft // 128) == "same_detail"  # there was none
    assert _reason("deblur", scene, _soft(other, 1.5)) == "footage_mismatch"
    assert _reason("deblur", scene, np.roll(soft, 12, axis=1)) == "footage_mismatch"
    assert _reason("deblur", scene, _soft(scene, 20)) in ("no_detail", "footage_mismatch")
    for reason, made in _in_time(soft).items():
        assert _reason("deblur", scene, made) == reason


def test_an_upscaling_whose_frames_were_sampled_at_one_size_goes_by_its_files(scene):
    sizes = ((540, 960), (1080, 1920))
    sample = PairFrames("upscaling", scene, scene, sizes=sizes, made="source")
    assert ConstructionFilter().judge([sample])[0].keep


@pytest.fixture(scope="module")
def hole() -> np.ndarray:
    mask = np.zeros((FRAMES, HEIGHT, WIDTH), bool)
    for t in range(FRAMES):
        mask[t, 40:100, 30 + 6 * t : 110 + 6 * t] = True
    return mask


@pytest.mark.parametrize("task", ["inpainting", "outpainting"])
@pytest.mark.parametrize("colour", [0, 128])
def test_a_hole_where_the_mask_says_passes(task, colour, scene, hole):
    made = np.where(hole[..., None], colour, scene).astype(np.uint8)
    assert _reason(task, scene, made, hole) == ""
    assert _reason(task, scene, made) == "abstained"


def test_wrong_holes_have_their_reasons(scene, other, hole):
    def masked(mask, beside=scene, within=0):
        return np.where(mask[..., None], within, beside).astype(np.uint8)

    assert _reason("inpainting", scene, scene, hole) == "nothing_hidden"
    for made in (
        masked(np.roll(hole, 15, axis=2)),
        masked(hole, beside=other),
        masked(hole, beside=np.clip(scene * [1.2, 1, 0.8], 0, 255)),
        masked(hole, within=other),
        masked(hole)[np.zeros(FRAMES, int)],
    ):
        assert _reason("inpainting", scene, made, hole) == "hole_mismatch"
    none, every = np.zeros_like(hole), np.ones_like(hole)
    assert _reason("inpainting", scene, scene, none) == "empty_mask"
    assert _reason("inpainting", scene, masked(every), every) == "full_mask"
    assert _reason("inpainting", scene // 100, masked(hole) // 100, hole) == "nothing_hidden"


def test_a_grounding_is_colours_on_the_objects_and_black(scene, hole):
    made = np.where(hole[..., None], (255, 0, 120), 0).astype(np.uint8)
    task = "object_grounding"
    assert _reason(task, scene, made, hole) == _reason(task, scene, made) == ""
    assert _reason(task, scene, np.zeros_like(made), hole) == "empty_map"
    assert _reason(task, scene, np.full_like(made, (255, 0, 0)), hole) == "full_map"
    for wrong in (
        np.roll(made, 40, axis=2),
        np.where(hole[..., None], made, scene),
        np.where(hole[..., None], scene // 2, 0).astype(np.uint8) | made // 4,
        made[np.zeros(FRAMES, int)],
    ):
        assert _reason(task, scene, wrong, hole) in ("map_mismatch", "empty_map")


def test_a_depth_map_is_grey_not_flat_and_moves(scene):
    depth = _soft(_grey(scene), 6)
    assert _reason("depth_to_video", scene, depth) == ""
    assert _reason("depth_detection", scene, np.full_like(depth, 90)) == "empty_map"
    assert _reason("depth_detection", scene, scene) == "not_grey"
    assert _reason("depth_to_video", scene, depth[:1].repeat(FRAMES, 0)) == "frozen"


def test_constants_are_arguments(scene):
    edges = _edges(scene)
    assert _reason("canny_to_video", scene, edges, least_lines=0.4) == "empty_map"
    assert _reason("canny_to_video", scene, edges, least_agreement=0.99) == "map_mismatch"
    assert "least_lines" in constants_of("lines")
    assert set(FAMILIES.values()) == set(CHECKS)


def test_other_tasks_are_not_measured(scene):
    sample = PairFrames("object_removal", scene, scene, made="target")
    (verdict,) = ConstructionFilter().judge([sample])
    assert verdict.keep and verdict.score is None and verdict.reason == "not_measured"


def test_a_reason_speaks_of_a_broken_pair_or_of_a_degenerate_one():
    assert not BROKEN & DEGENERATE
