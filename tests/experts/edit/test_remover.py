"""The remover against truth: a square glides over a texture that is known behind it."""

from __future__ import annotations

import functools

import cv2
import numpy as np
import pytest

from catalog.errors import BadInput
from experts.base import EditRequest, EditResult, Frames, Masks
from experts.edit.remover import Remover, RemoverSettings, TemporalContext
from experts.edit.remover.background_flow import BackgroundFlow
from experts.edit.remover.fills.diffuse import diffuse
from experts.edit.remover.fills.gather import PixelSamples
from experts.edit.remover.merge import merge
from experts.edit.remover.never_visible import fill_never_visible
from experts.edit.remover.remover import _feather
from experts.progress import heard_by

SIZE = (112, 160)
COUNT = 7


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(height, width, 3)).astype(np.float32)
    grain = cv2.GaussianBlur(noise, (0, 0), 2.0) * 200 + cv2.GaussianBlur(noise, (0, 0), 12.0) * 900
    return np.clip(128 + grain, 0, 255).astype(np.uint8)


def scene(
    pan: float = 0.0, speed: float = 9.0, light: float = 0.0, count: int = COUNT
) -> tuple[Frames, Masks, Frames]:
    """Frames with a square on them, its masks, and the truth; `pan` and `speed` in px a frame."""
    height, width = SIZE
    canvas = texture(height, width + 64)
    truth, masks = [], np.zeros((count, height, width), bool)
    for t in range(count):
        move = np.array([[1, 0, -pan * t], [0, 1, 0]], np.float64)
        view = cv2.warpAffine(canvas, move, (width, height), flags=cv2.INTER_CUBIC)
        truth.append(np.clip(view.astype(np.float32) + light * t, 0, 255).astype(np.uint8))
        left = int(18 + speed * t)
        masks[t, 40:70, left : left + 30] = True
    frames = np.stack(truth)
    frames[masks] = (250, 20, 20)
    return frames, masks, np.stack(truth)


def psnr(a: Frames, b: Frames, where: Masks) -> float:
    return float(
        10 * np.log10(255**2 / max(np.mean((a[where] - b[where].astype(float)) ** 2), 1e-9))
    )


REMOVER = Remover()
"""Its network is opened once."""


def remove(frames: Frames, masks: Masks | None, remover: Remover = REMOVER) -> EditResult:
    return remover.edit(EditRequest("object_removal", frames, masks))


@functools.cache
def removed(pan: float = 0.0, light: float = 0.0) -> EditResult:
    """The scene without its square; several tests look at it, none changes it."""
    return remove(*scene(pan=pan, light=light)[:2])


@pytest.mark.parametrize(
    ("name", "pan", "light", "least"),
    [("fixed camera", 0.0, 0.0, 40), ("pan", 2.3, 0.0, 32), ("dimming", 0.0, -1.5, 36)],
)
def test_brings_back_what_other_frames_saw(
    name: str, pan: float, light: float, least: float
) -> None:
    _, masks, truth = scene(pan=pan, light=light)
    result = removed(pan=pan, light=light)
    assert psnr(result.frames, truth, masks) > least, name
    assert result.info["by_migan"] == 0
    assert result.info["by_flow"] + result.info["by_median"] == pytest.approx(1)


def test_samples_the_background_before_and_after_the_edit_too() -> None:
    frames, masks, truth = scene(speed=6.0)  # a square of 30 px uncovers nothing within 3 frames
    own = slice(2, 5)
    alone = remove(frames[own], masks[own])
    context = {"context": TemporalContext(frames, masks, own.start)}
    request = EditRequest("object_removal", frames[own], masks[own], params=context)
    result = REMOVER.edit(request)
    assert result.frames.shape == frames[own].shape
    assert result.masks is not None and result.masks.shape == masks[own].shape
    outside = ~result.masks
    assert (result.frames[outside] == frames[own][outside]).all()
    assert alone.info["by_migan"] > 0.2
    assert result.info["by_migan"] < 0.02
    assert psnr(result.frames, truth[own], masks[own]) > 38
    assert sum(result.info[k] for k in PARTS) == pytest.approx(1)


PARTS = ("by_flow", "by_median", "by_migan", "by_others", "by_telea")


def beside(masks: Masks) -> Masks:
    """A strip on the ground at the square's feet."""
    strip = np.zeros_like(masks)
    for t, mask in enumerate(masks):
        left = int(np.flatnonzero(mask.any(0))[0])
        strip[t, 68:80, left + 4 : left + 40] = True
    return strip & ~masks


@pytest.mark.parametrize("pan", [0.0, 2.3])
def test_a_shadow_goes_with_its_object(pan: float) -> None:
    frames, masks, truth = scene(pan=pan)
    shadow = beside(masks)
    frames[shadow] = np.rint(frames[shadow] * 0.6).astype(np.uint8)
    result = remove(frames, masks)
    assert result.masks is not None
    assert (result.masks & shadow).sum() > 0.95 * shadow.sum()
    assert psnr(result.frames, truth, masks | shadow) > 32
    assert result.info["shadow"] > 0


def test_a_halo_around_the_mask_leaves_no_outline() -> None:
    frames, masks, truth = scene()
    grown = np.stack([cv2.dilate(m.astype(np.uint8), np.ones((7, 7), np.uint8)) for m in masks])
    halo = (grown > 0) & ~masks
    frames[halo] = np.clip(frames.astype(int) - 16, 0, 255)[halo]
    made = remove(frames, masks).frames.astype(int)
    assert np.abs(made - truth)[halo].mean() < 7  # of 16
    steps = np.abs(np.diff(made - truth, axis=2)).mean(-1)[halo[:, :, 1:]]
    assert np.quantile(steps, 0.9) < 8


def test_what_is_filled_fades_into_the_frame() -> None:
    frames, holes = np.full((1, 40, 60, 3), 100, np.uint8), np.zeros((1, 40, 60), bool)
    holes[0, 8:32, 10:50] = True
    filled = np.where(holes[..., None], np.uint8(160), frames)
    _feather(filled, frames, holes, width=3)
    across = filled[0, 20, :30, 0].astype(int)
    assert (across[:10] == 100).all() and (across[14:] == 160).all()
    assert np.diff(across).min() >= 0 and np.diff(across).max() <= 60 / 4 + 1


def test_who_walks_beside_the_hole_loses_nothing_to_its_fading_rim() -> None:
    frames, masks, _ = scene()
    beside = np.zeros_like(masks)
    beside[:, 73:85] = masks[:, 50:62]  # as fast, 3 px below the square
    frames[beside] = (20, 220, 20)
    request = EditRequest("object_removal", frames, masks, params={"others": [beside]})
    result = REMOVER.edit(request)
    assert result.masks is not None and not (result.masks & beside).any()
    assert (result.frames[beside] == frames[beside]).all()


def test_what_moves_along_but_is_no_shadow_stays() -> None:
    frames, masks, _ = scene()
    thing = beside(masks)
    frames[thing] = (40, 30, 90)
    result = remove(frames, masks)
    assert result.masks is not None
    kept = thing & ~result.masks
    assert kept.sum() > 0.5 * thing.sum()  # but for the mask's own margin
    assert result.info["shadow"] == 0
    assert removed().info["shadow"] == 0  # nor is anything found where there is none


def test_fixed_camera_is_filled_by_the_median_and_a_moving_one_along_the_flow() -> None:
    assert removed().info["by_median"] > 0.95
    assert removed(pan=2.3).info["by_flow"] > 0.95


def test_pixels_outside_the_mask_are_identical_and_the_input_is_left_alone() -> None:
    frames, masks = (each[:6] for each in scene(pan=1.5)[:2])
    before, masks_before = frames.copy(), masks.copy()
    result = remove(frames, masks)
    assert result.masks is not None
    assert np.array_equal(result.frames[~result.masks], before[~result.masks])
    assert np.array_equal(frames, before)
    assert np.array_equal(masks, masks_before)
    assert (result.masks >= masks).all()
    assert result.masks.sum() < 2 * masks.sum()
    assert result.frames.dtype == np.uint8


def test_same_request_same_bytes_whatever_the_threads() -> None:
    frames, masks = (each[:6] for each in scene(pan=1.5)[:2])
    first = remove(frames, masks, Remover(threads=1)).frames
    assert np.array_equal(first, remove(frames, masks, Remover(threads=1)).frames)
    assert np.array_equal(first, remove(frames, masks, Remover(threads=3)).frames)


def test_other_settings_make_another_version() -> None:
    assert Remover(settings=RemoverSettings()).version == REMOVER.version
    frames, masks, _ = scene()
    wide = Remover(settings=RemoverSettings(dilation=0.05))
    assert wide.version.startswith(REMOVER.version + "+")
    grown, usual = remove(frames, masks, wide).masks, removed().masks
    assert grown is not None and usual is not None and grown.sum() > usual.sum()


def test_frames_without_the_object_come_back_as_they_were() -> None:
    frames, masks, _ = scene()
    masks[4:] = False
    result = remove(frames, masks)
    assert np.array_equal(result.frames[4:], frames[4:])
    assert not np.array_equal(result.frames[:4], frames[:4])


def test_empty_masks_change_nothing() -> None:
    frames, masks, _ = scene()
    result = remove(frames, np.zeros_like(masks))
    assert np.array_equal(result.frames, frames)
    assert result.masks is not None
    assert not result.masks.any()


@pytest.mark.parametrize("shape", [(COUNT - 1, *SIZE), (COUNT, SIZE[0], SIZE[1] - 2), SIZE])
def test_masks_that_do_not_fit_are_refused_in_one_line(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadInput) as error:
        remove(scene()[0], np.ones(shape, bool))
    assert error.value.reason == "mask_mismatch"
    assert "\n" not in str(error.value)


def test_masks_that_leave_no_background_or_are_missing_are_refused_in_one_line() -> None:
    frames, masks, _ = scene()
    with pytest.raises(BadInput) as everything:
        remove(frames, np.ones_like(masks))
    with pytest.raises(BadInput) as nothing:
        remove(frames, None)
    assert (everything.value.reason, nothing.value.reason) == ("no_background", "no_mask")
    assert "\n" not in str(everything.value) + str(nothing.value)


def test_a_frame_covered_whole_is_filled_from_the_others() -> None:
    frames, masks, truth = scene()
    masks[5], frames[5] = True, 0
    result = remove(frames, masks)
    assert psnr(result.frames[5], truth[5], masks[5]) > 30


@pytest.mark.weights
def test_a_place_no_frame_shows_is_inpainted_once_and_holds_still() -> None:
    frames, masks, _ = scene(speed=0.0)
    result = remove(frames, masks)
    assert result.info["by_migan"] > 0.9
    assert not (result.frames[masks] == (250, 20, 20)).all(axis=-1).any()
    steps = np.abs(np.diff(result.frames.astype(int), axis=0))[:, 45:65, 22:44]
    assert steps.mean() < 1.0


@pytest.mark.weights
@pytest.mark.parametrize("height", [17, 64])
def test_cuts_black_frames_and_tiny_sizes_are_survived(height: int) -> None:
    frames = np.stack([texture(height, height + 8, seed) for seed in range(6)])
    frames[3] = 0
    masks = np.zeros(frames.shape[:3], bool)
    masks[:, 4:10, 5:12] = True
    masks[4, :, : height // 2] = True
    result = remove(frames, masks)
    assert result.masks is not None
    assert np.array_equal(result.frames[~result.masks], frames[~result.masks])
    assert sum(v for k, v in result.info.items() if k.startswith("by_")) == pytest.approx(1)


@pytest.mark.weights
def test_a_single_frame_is_inpainted() -> None:
    frames, masks, _ = scene()
    result = remove(frames[:1], masks[:1])
    assert result.info["by_migan"] > 0.99
    assert not np.array_equal(result.frames, frames[:1])


def test_what_is_painted_once_travels_with_the_background() -> None:
    height, width = 64, 96
    canvas = texture(height, width + 16, seed=3)
    truth = np.stack([canvas[:, 2 * t : 2 * t + width] for t in range(5)])
    never_visible = np.zeros((5, height, width), bool)
    for t in range(5):
        never_visible[t, 20:40, 50 - 2 * t : 70 - 2 * t] = True
    filled = np.where(never_visible[..., None], 0, truth).astype(np.uint8)
    ahead = np.zeros((height, width, 2), np.float32)
    ahead[..., 0] = -2
    calls: list[int] = []

    def paint(t: int, frame: np.ndarray, hole: np.ndarray) -> np.ndarray:
        assert np.array_equal(hole, never_visible[t])
        calls.append(t)
        return np.where(hole[..., None], truth[t], frame)

    frames, painted = fill_never_visible(
        filled, never_visible, BackgroundFlow([ahead] * 4, [-ahead] * 4), paint
    )
    assert len(calls) == 1
    assert np.array_equal(painted, never_visible)
    assert np.abs(frames.astype(int) - truth).max() <= 2


def test_merge_ignores_a_sample_that_disagrees_and_one_that_saw_nothing() -> None:
    colour = np.full((5, 3, 3), 100, np.float32)
    colour[1, 0], colour[2, 1] = 200, 0
    seen = np.ones((5, 3), bool)
    seen[2, 1] = False
    seen[:, 2] = False
    merged, found, _ = merge(
        PixelSamples(colour, seen, np.ones(5, np.float32), np.arange(1, 6, dtype=np.int16))
    )
    assert found.tolist() == [True, True, False]
    assert np.abs(merged[:2] - 100).max() < 1


def test_merge_believes_the_frame_that_fits_the_ring() -> None:
    colour = np.stack([np.full((1, 3), v, np.float32) for v in (100, 106)])
    errors = np.array([0.0, 60.0], np.float32)
    merged, _, _ = merge(
        PixelSamples(colour, np.ones((2, 1), bool), errors, np.array([1, 2], np.int16))
    )
    assert merged.mean() < 102


def test_diffuse_keeps_what_is_known_and_stays_between_its_values() -> None:
    rng = np.random.default_rng(0)
    values = rng.uniform(-3, 5, (37, 53, 2)).astype(np.float32)
    weight = (rng.uniform(size=(37, 53)) < 0.3).astype(np.float32)
    weight[10:30, 10:40] = 0
    filled = diffuse(values, weight)
    assert np.allclose(filled[weight == 1], values[weight == 1], atol=1e-5)
    assert filled.min() > -3.01
    assert filled.max() < 5.01
    assert (
        np.abs(
            diffuse(np.full((20, 30), 7, np.float32), np.eye(20, 30, dtype=np.float32)) - 7
        ).max()
        < 1e-3
    )


def crossing() -> tuple[Frames, Masks, Frames, Masks]:
    """A square goes to the right, before a plain disc that goes to the left and stays; frames, the
    square's masks, the truth with the disc, and where the disc is seen."""
    _, masks, truth = scene(speed=9.0)
    height, width = SIZE
    y, x = np.mgrid[:height, :width]
    disc = np.stack([np.hypot(x - (140 - 12 * t), y - 55) <= 11 for t in range(COUNT)])
    shading = np.stack([np.full(SIZE, 40.0), 90 + 0.8 * y, np.full(SIZE, 200.0)], axis=-1)
    for t in range(COUNT):
        truth[t][disc[t]] = shading[disc[t]].astype(np.uint8)
    frames = truth.copy()
    frames[masks] = (250, 20, 20)
    return frames, masks, truth, disc & ~masks


def test_an_object_passing_behind_comes_out_of_the_removed_one() -> None:
    frames, masks, truth, seen = crossing()
    hidden = masks & (truth != scene(speed=9.0)[2]).any(-1)  # where the disc is behind the square
    assert hidden.sum() > 300
    blind = remove(frames, masks)
    aware = REMOVER.edit(EditRequest("object_removal", frames, masks, params={"others": [seen]}))
    assert aware.info["by_others"] > 0
    assert psnr(aware.frames, truth, hidden) > psnr(blind.frames, truth, hidden) + 3
    assert psnr(aware.frames, truth, hidden) > 22
    assert sum(aware.info[k] for k in aware.info if k.startswith("by_")) == pytest.approx(1)


def test_a_static_object_is_background() -> None:
    frames, masks, truth = scene()
    parked = np.zeros_like(masks)
    parked[:, 45:65, 90:110] = True
    params = {"others": [parked & ~masks]}
    result = REMOVER.edit(EditRequest("object_removal", frames, masks, params=params))
    assert result.info["by_others"] == 0
    assert psnr(result.frames, truth, masks) > 40


def test_who_waits_is_told_of_each_frame():
    told: list[tuple[str, int, int]] = []
    frames, masks, _ = scene()
    with heard_by(lambda *said: told.append(said)):
        remove(frames, masks)
    stages = {what for what, _, _ in told}
    assert {"measuring motion", "completing motion", "filling coarsely", "filling"} <= stages
    assert ("filling", COUNT, COUNT) in told
