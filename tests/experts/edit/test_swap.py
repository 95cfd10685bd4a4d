"""A swap with known truth: a square that slides over a texture, a disc from another clip."""

import functools
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from catalog.errors import BadInput
from experts.base import EditRequest, EditResult
from experts.edit.image_statistics import blur_of, noise_of
from experts.edit.matte import foreground_colours, signed_distance
from experts.edit.remover import RemovalResult, Remover
from experts.edit.swap import Swap, SwapSettings
from experts.edit.swap.trajectory import Trajectory, placements, smoothed, trajectory_of

FRAMES, HEIGHT, WIDTH = 6, 120, 200
SQUARE, FOOT = 40, 90
GREEN = (40, 170, 60)


def texture(seed: int, height: int, width: int, level: int = 120) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.normal(0, 60, (height, width, 3)), (0, 0), 2)
    return np.clip(level + noise, 0, 255).astype(np.uint8)


def masks_of_square() -> NDArray[np.bool_]:
    masks = np.zeros((FRAMES, HEIGHT, WIDTH), bool)
    for t, mask in enumerate(masks):
        mask[FOOT - SQUARE : FOOT, 60 + 4 * t : 60 + SQUARE + 4 * t] = True
    return masks


def footage() -> NDArray[np.uint8]:
    frames = np.stack([texture(1, HEIGHT, WIDTH)] * FRAMES)
    frames[masks_of_square()] = (190, 60, 50)
    return frames


def disc(level: int = 120, radius: int = 20) -> dict[str, Any]:
    """A green disc in another clip; what surrounds it may be of another light."""
    size = 4 * radius
    rows, columns = np.ogrid[:size, :size]
    mask = (rows - size // 2 + 0.5) ** 2 + (columns - size // 2 + 0.5) ** 2 < radius**2
    masks = np.stack([mask] * FRAMES)
    frames = np.stack([texture(2, size, size, level)] * FRAMES)
    frames[masks] = GREEN
    return {"donor_frames": frames, "donor_masks": masks, "donor": {"ratio": 1.0, "mirror": False}}


def swapped(**params: Any) -> EditResult:
    masks = masks_of_square()
    return Swap().edit(
        EditRequest("object_swap", footage(), masks, seed=3, params={**disc(), **params})
    )


pytestmark = pytest.mark.weights

remove = Remover.remove


@functools.cache
def without_square(remover: Remover) -> RemovalResult:
    request = EditRequest("object_swap", footage(), masks_of_square())
    return remove(remover, request, keep_shadow=True)


@pytest.fixture(autouse=True)
def _square_is_removed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the donor, what lies behind the square is the same, and takes most of a swap."""

    def removed(remover: Remover, request: EditRequest, keep_shadow: bool = False) -> RemovalResult:
        asked, known = (request.frames, request.masks), (footage(), masks_of_square())
        if keep_shadow and all(map(np.array_equal, asked, known)):
            return without_square(remover)
        return remove(remover, request, keep_shadow)

    monkeypatch.setattr(Remover, "remove", removed)


def green(frame: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray(np.abs(frame.astype(int) - GREEN).max(-1) < 40)


def test_the_disc_stands_where_the_square_stood_and_follows_its_trajectory() -> None:
    made = swapped()
    for t, frame in enumerate(made.frames):
        rows, columns = np.nonzero(green(frame))
        assert abs(columns.mean() - (60 + SQUARE / 2 + 4 * t)) < 1.5
        assert abs(rows.max() + 1 - FOOT) < 3
        assert abs(rows.max() + 1 - rows.min() - SQUARE) < 5


def test_what_lies_around_is_the_footage_and_the_square_is_gone() -> None:
    made = swapped()
    assert made.masks is not None
    assert np.array_equal(made.frames[~made.masks], footage()[~made.masks])
    corner = made.frames[0, FOOT - SQUARE + 3, 63].astype(int)  # of the square, beside the disc
    truth = np.stack([texture(1, HEIGHT, WIDTH)] * FRAMES)[0, FOOT - SQUARE + 3, 63]
    assert np.abs(corner - truth).max() < 40


def test_the_ratio_is_the_donors_height_over_the_objects() -> None:
    small = swapped(donor={"ratio": 0.5, "mirror": False})
    rows = np.nonzero(green(small.frames[2]).any(axis=1))[0]
    assert abs(len(rows) - SQUARE / 2) < 4
    assert abs(rows.max() + 1 - FOOT) < 3


def test_what_stands_in_front_stays_in_front() -> None:
    front = np.zeros((FRAMES, HEIGHT, WIDTH), bool)
    front[:, 40:110, 86:92] = True
    frames = footage()
    frames[front] = (250, 240, 20)
    request = EditRequest(
        "object_swap", frames, masks_of_square() & ~front, params={**disc(), "in_front": front}
    )
    made = Swap().edit(request)
    core = front.copy()
    core[..., 86] = core[..., 91] = False  # the edge is shared
    assert np.array_equal(made.frames[core], frames[core])
    assert green(made.frames[2])[70, 80] and not green(made.frames[2])[70, 88]


def test_the_donors_old_background_leaves_no_halo() -> None:
    bright = disc()
    bright["donor_frames"] = bright["donor_frames"].copy()
    bright["donor_frames"][~bright["donor_masks"]] = 255
    made = swapped(**bright)
    plain = swapped()
    assert made.masks is not None
    rim = cv2.dilate(green(plain.frames[2]).astype(np.uint8), np.ones((5, 5))) > 0
    assert made.frames[2][rim].max() < 215  # a white rim would shine


def test_the_light_of_the_place_is_taken_on_in_part() -> None:
    dark, light = swapped(**disc(level=60)), swapped(**disc(level=180))
    inside = (2, 70, 88)
    assert dark.frames[inside].mean() > light.frames[inside].mean() + 8
    assert dark.info["shift"][0] > 0 > light.info["shift"][0]


def test_what_the_same_camera_filmed_keeps_its_colours_and_its_edges() -> None:
    filmed_here = {"ratio": 1.0, "mirror": False, "same_camera": True}
    made = swapped(**{**disc(level=60), "donor": filmed_here})
    assert made.info["shift"] == [0, 0, 0] and made.info["blur"] == made.info["noise"] == 0
    assert np.abs(made.frames[2, 70, 88].astype(int) - GREEN).max() <= 2


def test_same_seed_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    one = swapped()
    monkeypatch.setattr(Remover, "remove", remove)  # the removal is made anew, too
    other = swapped()
    assert one.frames.tobytes() == other.frames.tobytes()
    assert one.info == other.info


def test_a_mirrored_donor_is_mirrored() -> None:
    half = disc()
    frames = half["donor_frames"].copy()
    left = half["donor_masks"].copy()
    left[..., frames.shape[2] // 2 :] = False
    frames[left] = (230, 230, 60)
    as_is = swapped(donor_frames=frames)
    turned = swapped(donor_frames=frames, donor={"ratio": 1.0, "mirror": True})
    assert as_is.frames[0, 70, 70, 0] > 150 > as_is.frames[0, 70, 90, 0]
    assert turned.frames[0, 70, 90, 0] > 150 > turned.frames[0, 70, 70, 0]


@pytest.mark.parametrize(
    ("reason", "params"),
    [
        ("no_donor", {"donor_frames": None}),
        ("donor_mismatch", {"donor_masks": np.zeros((2, 80, 80), bool)}),
        ("donor_small", {"donor": {"ratio": 2.0, "mirror": False}}),
        ("donor_small", disc(radius=12)),
    ],
)
def test_a_donor_that_does_not_do_is_refused(reason: str, params: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as raised:
        swapped(**params)
    assert raised.value.reason == reason
    assert "\n" not in str(raised.value)


def test_settings_bound_what_is_accepted_and_make_another_version() -> None:
    wide = Swap(SwapSettings(max_enlargement=2.0))
    assert wide.version.startswith(Swap().version + "+")
    request = EditRequest("object_swap", footage(), masks_of_square(), params=disc(radius=12))
    assert wide.edit(request).info["enlarged"] == pytest.approx(40 / 24, rel=0.1)


def test_an_object_that_looks_the_same_is_refused() -> None:
    same = disc()
    same["donor_frames"][same["donor_masks"]] = (190, 60, 50)
    with pytest.raises(BadInput) as raised:
        swapped(**same)
    assert raised.value.reason == "alike"


def test_a_trajectory_is_smoothed_over_the_ground_and_shakes_with_the_camera() -> None:
    rng = np.random.default_rng(0)
    wide = texture(5, 160, 260)
    shake = rng.integers(-4, 5, (12, 2))
    frames = np.stack([wide[10 + y : 130 + y, 20 + x : 220 + x] for x, y in shake])
    masks = np.zeros(frames.shape[:3], bool)
    for mask, (x, y) in zip(masks, shake, strict=True):
        mask[50 - y : 90 - y, 80 - x : 120 - x] = True  # stands on the ground
    frames[masks] = (200, 40, 40)
    trajectory = trajectory_of(frames, masks)
    truth = np.array([[100 - x, 90 - y] for x, y in shake])
    assert np.abs(trajectory.foot - truth).max() < 1.5
    assert np.abs(trajectory.height - 40).max() < 0.5


def test_smoothing_keeps_what_goes_straight() -> None:
    straight = np.stack([np.arange(20.0), 3 - 2 * np.arange(20.0)], axis=1)
    assert np.allclose(smoothed(straight), straight)
    assert np.array_equal(smoothed(straight[:1]), straight[:1])


def test_placements_bring_foot_to_foot() -> None:
    place = Trajectory(np.array([[100.0, 90.0]]), np.array([40.0]))
    donor = Trajectory(np.array([[30.0, 50.0]]), np.array([20.0]))
    for mirror in (False, True):
        (matrix,) = placements(place, donor, 1.5, mirror)
        assert np.allclose(matrix @ [30, 50, 1], [100, 90])
        assert matrix[1, 1] == pytest.approx(3.0)
        assert np.sign(matrix[0, 0]) == (-1 if mirror else 1)


def test_colours_are_extrapolated_over_the_edge() -> None:
    frame = np.full((40, 40, 3), 255, np.uint8)
    mask = np.zeros((40, 40), bool)
    mask[10:30, 10:30] = True
    frame[mask] = GREEN
    extrapolated = foreground_colours(frame, signed_distance(mask))
    assert np.abs(extrapolated[9:31, 12:28] - GREEN).max() < 3


def test_blur_and_noise_are_measured() -> None:
    rng = np.random.default_rng(1)
    checks = (np.indices((96, 96)) // 24).sum(0) % 2 * 120 + 60
    sharp = np.repeat(checks[..., None], 3, axis=2).astype(np.uint8)
    everywhere = np.ones((96, 96), bool)
    for blur in (1.0, 2.0, 3.0):
        soft = cv2.GaussianBlur(sharp, (0, 0), blur)
        assert blur_of(soft, everywhere) == pytest.approx(blur, rel=0.35)
    flat = np.full((96, 96, 3), 120.0)
    noisy = np.clip(flat + rng.normal(0, 4, (96, 96, 1)), 0, 255).round().astype(np.uint8)
    assert noise_of(noisy, everywhere) == pytest.approx(4, rel=0.15)
    assert noise_of(flat.astype(np.uint8), everywhere) == 0
