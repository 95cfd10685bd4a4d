"""The shadow detector against truth: a disc glides over a texture and casts a soft shadow on it."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from experts.base import Frames, Masks
from experts.edit.remover.background_flow import BackgroundFlow
from experts.edit.remover.shadow import ShadowDetector

COUNT, HEIGHT, WIDTH = 17, 96, 176
RADIUS, GROWN = 12, 15
"""px of the disc, and of its mask, which holds its soft edge."""

NOISE = 2.0
"""Gray values; deviation of every frame's own noise."""

VISIBLE = 0.06
"""Share of the light that is missing where a shadow can be seen to be one."""

Y, X = np.mgrid[:HEIGHT, :WIDTH]
Image = NDArray[np.float32]


def ground(pan: float) -> tuple[Frames, BackgroundFlow]:
    """A texture before a camera that pans by `pan` px a frame, and its flow."""
    rng = np.random.default_rng(1)
    coarse, fine = rng.normal(size=(2, HEIGHT, WIDTH + 64, 3)).astype(np.float32)
    canvas = (
        140 + cv2.GaussianBlur(fine, (0, 0), 2) * 120 + cv2.GaussianBlur(coarse, (0, 0), 9) * 300
    )
    moves = [np.array([[1, 0, -pan * t], [0, 1, 0]], np.float64) for t in range(COUNT)]
    views = [cv2.warpAffine(canvas, m, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC) for m in moves]
    ahead = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    ahead[..., 0] = -pan
    return np.stack(views), BackgroundFlow([ahead] * (COUNT - 1), [-ahead] * (COUNT - 1))


def filmed(views: Frames) -> Frames:
    noise = np.random.default_rng(2).normal(0, NOISE, views.shape)
    return np.clip(np.rint(views + noise), 0, 255).astype(np.uint8)


def blot(x: float, y: float, rx: float, ry: float, soft: float) -> Image:
    """1 inside an ellipse, 0 outside of it, between them over `soft` px."""
    inside = (((X - x) / rx) ** 2 + ((Y - y) / ry) ** 2 < 1).astype(np.float32)
    return cv2.GaussianBlur(inside, (0, 0), soft)


def scene(
    beside: Callable[[Image, Image], Image], speed: float = 7.0, pan: float = 0.0
) -> tuple[Frames, Masks, Masks, BackgroundFlow]:
    """A disc with something `beside` it, made of a frame [H, W, 3] and an alpha [H, W, 1] that
    follows the disc; frames, the disc's grown masks, where the alpha is visible, the flow."""
    views, camera = ground(pan)
    masks, visible = np.zeros((2, COUNT, HEIGHT, WIDTH), bool)
    for t in range(COUNT):
        x = 24 + speed * t
        alpha = blot(x + 17, 62, 18, 7, 2.5)
        views[t] = beside(views[t], alpha[..., None])
        views[t][np.hypot(X - x, Y - 46) < RADIUS] = (200, 60, 30)
        masks[t] = np.hypot(X - x, Y - 46) < GROWN
        visible[t] = (0.5 * alpha > VISIBLE) & ~masks[t]
    return filmed(views), masks, visible, camera


def shade(view: Image, alpha: Image) -> Image:
    """Takes half the light, of the red a little more."""
    return view * (1 - alpha * np.array([0.52, 0.5, 0.47], np.float32))


def nothing(view: Image, alpha: Image) -> Image:
    return view


def opaque(colour: tuple[int, int, int]) -> Callable[[Image, Image], Image]:
    """Hides what is behind it."""
    return lambda view, alpha: np.where(alpha > 0.5, np.array(colour, np.float32), view)


def detect(
    frames: Frames, masks: Masks, camera: BackgroundFlow, kept: Masks | None = None
) -> Masks:
    return ShadowDetector().detect(frames, masks, camera, masks & False if kept is None else kept)


@pytest.mark.parametrize("pan", [0.0, 2.0])
def test_the_soft_shadow_of_a_disc_that_moves_is_found(pan: float) -> None:
    frames, masks, shadow, camera = scene(shade, pan=pan)
    found = detect(frames, masks, camera)
    assert (found & shadow).sum() / (found | shadow).sum() >= 0.7
    assert not (found & masks).any()


def test_what_stirs_between_a_disc_and_its_shadow_goes_with_them() -> None:
    frames, masks, _, camera = scene(shade)
    stirred = np.zeros_like(masks)
    for t in range(COUNT):
        left = int(24 + 7 * t)
        stirred[t, 58:64, left + 2 : left + 12] = True
        frames[t][stirred[t]] = (frames[t][stirred[t]] * (0.15, 0.5, 0.3)[t % 3]).astype(np.uint8)
    stirred &= ~masks
    found = detect(frames, masks, camera)
    assert (found & stirred).sum() > 0.9 * stirred.sum()


def test_frames_that_are_shrunk_give_the_same_place() -> None:
    frames, masks, shadow, camera = scene(shade)
    double = (2 * WIDTH, 2 * HEIGHT)
    large = np.stack([cv2.resize(f, double, interpolation=cv2.INTER_CUBIC) for f in frames])
    wide, truth = (m.repeat(2, axis=1).repeat(2, axis=2) for m in (masks, shadow))
    found = ShadowDetector(long_side=WIDTH).detect(
        large, wide, camera.resized(double), np.zeros_like(wide)
    )
    assert (found & truth).sum() / (found | truth).sum() >= 0.7


def test_a_disc_without_a_shadow_has_none() -> None:
    frames, masks, _, camera = scene(nothing)
    assert not detect(frames, masks, camera).any()


def test_a_dark_thing_beside_the_disc_is_no_shadow() -> None:
    frames, masks, _, camera = scene(opaque((60, 55, 50)))
    assert not detect(frames, masks, camera).any()


def test_a_thing_of_another_colour_is_no_shadow_on_plain_ground() -> None:
    frames, masks, _, camera = scene(
        lambda view, alpha: opaque((90, 60, 110))(view * 0 + 140, alpha)
    )
    assert not detect(frames, masks, camera).any()


def test_a_flickering_light_is_no_shadow() -> None:
    frames, masks, _, camera = scene(nothing)
    light = 1 - 0.25 * np.random.default_rng(3).uniform(size=COUNT)
    dimmed = np.rint(frames * light[:, None, None, None]).astype(np.uint8)
    assert not detect(dimmed, masks, camera).any()


def test_the_shadow_of_a_disc_that_stands_is_part_of_the_ground() -> None:
    frames, masks, _, camera = scene(shade, speed=0.0)
    assert not detect(frames, masks, camera).any()


def test_what_is_to_be_kept_is_kept_even_in_the_shadow() -> None:
    frames, masks, shadow, camera = scene(shade)
    kept = np.zeros_like(masks)
    kept[:, 62:] = True
    found = ShadowDetector().detect(frames, masks, camera, kept)
    assert not (found & kept).any()
    assert (found & shadow & ~kept).any()


def test_more_than_the_object_can_cast_is_dropped() -> None:
    frames, masks, _, camera = scene(shade)
    assert (
        not ShadowDetector(max_area=0.1).detect(frames, masks, camera, np.zeros_like(masks)).any()
    )
