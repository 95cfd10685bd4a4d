"""What the annotators measure in the rendered scenes, against what Blender knows exactly."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from experts.annotate.motion.camera import camera_path, fit_transform, track_corners
from experts.annotate.motion.flow import flow
from experts.edit.remover import RemoverSettings
from experts.edit.remover.background_flow import camera_flow, camera_steps
from experts.edit.remover.remover import dilated
from experts.edit.remover.shadow import ShadowDetector
from infra.bench.rendered.load import RenderedScene, scene


def test_flow_agrees_with_the_scene_but_at_edges(made: RenderedScene) -> None:
    if any("motion blur" in trait for trait in made.traits):
        pytest.skip("the exact flow is that of a shutter without duration")
    errors = []
    for t in (4, 16):
        measured = flow(made.without[t], made.without[t + 1])[:: made.stride, :: made.stride]
        textured = np.isfinite(made.depth[t])  # the sky has next to nothing to follow
        errors.append(np.linalg.norm(measured - made.flow[t], axis=-1)[textured])
    apart = np.concatenate(errors)
    # Measured: up to 0.24 px, 0.92 to 1 of the pixels within 1 px; 0.78 on a polished table; 0.7 px
    # and 0.57 of a close fence before grass and leaves.
    median, share = (0.9, 0.5) if "grass" in made.traits else (0.4, 0.7)
    assert np.median(apart) < median
    assert np.mean(apart < 1) > share


def turned(made: RenderedScene, t: int) -> np.ndarray:
    """The homography that a camera which only turns gives the picture from frame t to t + 1."""
    motion = made.poses[t + 1] @ np.linalg.inv(made.poses[t])
    assert np.abs(motion[:3, 3]).max() < 1e-5
    homography: np.ndarray = (
        made.intrinsics[t + 1] @ motion[:3, :3] @ np.linalg.inv(made.intrinsics[t])
    )
    return homography / homography[2, 2]


def test_the_homography_of_a_pan_is_exact_to_half_a_pixel_at_the_corners() -> None:
    made = scene("facade")
    _, height, width = made.masks.shape
    corners = np.array([[[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]]], float)
    for t in (0, 11, 22):
        grey = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in made.with_object[t : t + 2]]
        found = fit_transform(*track_corners(*grey, ~made.masks[t]), model="homography")
        exact = cv2.perspectiveTransform(corners, turned(made, t))
        assert np.abs(cv2.perspectiveTransform(corners, found) - exact).max() < 0.5


def test_the_path_of_a_pan_is_exact_to_a_twentieth() -> None:
    made = scene("facade")
    _, height, width = made.masks.shape
    middle = np.array([[[(width - 1) / 2, (height - 1) / 2]]])
    steps = [
        cv2.perspectiveTransform(middle, turned(made, t)) - middle for t in range(len(made.flow))
    ]
    exact = np.cumsum(np.concatenate(steps)[:, 0], axis=0)
    path = camera_path(made.with_object, made.masks)[1:]
    assert np.abs(path - exact).max() < 0.05 * np.abs(exact).max()


def test_a_camera_that_stands_is_found_to_stand() -> None:
    made = scene("square")
    assert np.abs(camera_path(made.with_object, made.masks)).max() < 1


def test_what_is_taken_for_a_shadow_is_one() -> None:
    """Measured 0.92 of what is found, and 0.63 of what there is."""
    made = scene("newsreel")
    radius = max(1, round(RemoverSettings().dilation * made.masks.shape[2]))
    holes = dilated(made.masks, radius)
    steps = camera_steps(made.with_object, holes)
    camera = camera_flow(steps, holes.shape[1:])
    found = ShadowDetector().detect(made.with_object, holes, camera, holes & False)
    shadow = made.affected() & ~holes
    assert (found & shadow).sum() > 0.8 * found.sum()
    assert (found & shadow).sum() > 0.5 * shadow.sum()
