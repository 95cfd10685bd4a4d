"""The rendered scenes are what their README says: two versions that differ by the object alone, and
exact masks, depth, flow and cameras."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest

from infra.bench.rendered.load import CLIPS, STRIDE, RenderedScene, names, scene, table

BUDGET = 10_000_000  # bytes, all scenes together

loaded = cache(scene)  # each is read once

every_scene = pytest.mark.parametrize("name", names())


def blurred(made: RenderedScene) -> bool:
    return any("motion blur" in trait for trait in made.traits)


def test_each_scene_of_the_table_is_there_and_all_are_small() -> None:
    assert names() == list(table())
    assert sum(p.stat().st_size for p in CLIPS.rglob("*.*")) <= BUDGET


def some_frames(name: str) -> RenderedScene:
    """Every sixth frame of a scene; enough for what holds in each."""
    made = loaded(name)
    kept = {
        key: getattr(made, key)[::6] for key in ("with_object", "without", "coverage", "labels")
    }
    return replace(made, **kept)


@every_scene
def test_the_object_is_plainly_seen(name: str) -> None:
    made = some_frames(name)
    assert made.masks.mean() > 0.005
    inside = made.coverage == 255
    apart = np.abs(made.with_object[inside].astype(int) - made.without[inside]).max(axis=1)
    assert np.mean(apart > 12) > 0.5


@every_scene
def test_elsewhere_the_two_versions_agree_but_for_the_codec(name: str) -> None:
    made = some_frames(name)
    grow = np.ones((9, 9), np.uint8)  # the codec smears an edge over its block
    touched = np.stack([cv2.dilate(m.astype(np.uint8), grow) > 0 for m in made.affected()])
    assert 0.01 < touched.mean() < 0.6
    apart = np.abs(made.with_object[~touched].astype(int) - made.without[~touched])
    grain = float(table()[name].get("grain", 0))  # type: ignore[arg-type]  # the codec smooths it
    assert apart.mean() < 4 + 0.3 * grain


@every_scene
def test_labels_and_coverage_show_the_same_object(name: str) -> None:
    made = some_frames(name)
    if blurred(made):
        pytest.skip("coverage has the motion blur, labels have not")
    middle, covered = made.labels == 1, made.coverage >= 128
    assert (middle & covered).sum() / (middle | covered).sum() > 0.93


def sampled(shape: tuple[int, ...]) -> np.ndarray:
    """x, y of the pixels whose depth and flow are stored, [h, w, 2]."""
    rows, columns = np.mgrid[0 : shape[1] : STRIDE, 0 : shape[2] : STRIDE]
    return np.stack([columns, rows], axis=-1).astype(np.float32)


@every_scene
def test_flow_leads_to_the_same_point_in_the_next_frame(name: str) -> None:
    made = loaded(name)
    start = sampled(made.without.shape)
    size = np.array(made.without.shape[2:0:-1])
    followed, still = [], []
    for t, flow in list(enumerate(made.flow))[::4]:
        end = start + flow
        there = cv2.remap(made.without[t + 1], end[..., 0], end[..., 1], cv2.INTER_LINEAR)
        here = made.without[t, ::STRIDE, ::STRIDE].astype(np.float32)
        inside = ((end >= 0) & (end <= size - 1)).all(axis=-1)
        followed.append(np.median(np.abs(there - here).mean(axis=-1)[inside]))
        later = made.without[t + 1, ::STRIDE, ::STRIDE]
        still.append(np.median(np.abs(later - here).mean(axis=-1)))
    grain = float(table()[name].get("grain", 0))  # type: ignore[arg-type]
    assert np.mean(followed) < 5 + grain
    moves = np.median(np.hypot(made.flow[..., 0], made.flow[..., 1])) > 1
    if moves:
        assert np.mean(followed) < (0.8 if grain else 0.6) * np.mean(still)


@every_scene
def test_flow_is_what_depth_and_camera_make_it(name: str) -> None:
    made = loaded(name)
    x, y = np.moveaxis(sampled(made.without.shape).astype(np.float64), -1, 0)
    for t in range(0, len(made.flow), 5):
        depth = np.minimum(made.depth[t].astype(np.float64), 1e6)  # the sky's is infinite
        static = made.labels[t, ::STRIDE, ::STRIDE] == 0
        z, here, there = depth[static], made.intrinsics[t], made.intrinsics[t + 1]
        ray = np.linalg.inv(here) @ np.stack([x[static], y[static], np.ones(len(z))])
        moved = (
            made.poses[t + 1] @ np.linalg.inv(made.poses[t]) @ np.vstack([ray * z, np.ones(len(z))])
        )
        seen = there @ moved[:3]
        expected = seen[:2] / seen[2] - np.stack([x[static], y[static]])
        apart = np.abs(expected.T - made.flow[t][static]).max(axis=1)
        assert np.median(apart) < 0.1
        assert np.mean(apart < 0.5) > 0.95  # what hides behind the object may move
