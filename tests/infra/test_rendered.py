"""The rendered scenes are what their README says: two versions that differ by the object alone, and
exact masks, depth, flow and cameras."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from infra.bench.rendered.load import CLIPS, RenderedScene, names, table

BUDGET = 10_000_000  # bytes, all scenes together


def blurred(made: RenderedScene) -> bool:
    return any("motion blur" in trait for trait in made.traits)


def test_each_clip_is_in_the_table_and_all_are_small() -> None:
    assert set(names()) == {folder.name for folder in CLIPS.iterdir()}
    assert sum(p.stat().st_size for p in CLIPS.rglob("*.*")) <= BUDGET


def some_frames(made: RenderedScene) -> RenderedScene:
    """Every sixth frame of a scene; enough for what holds in each."""
    kept = {
        key: getattr(made, key)[::6] for key in ("with_object", "without", "coverage", "labels")
    }
    return replace(made, **kept)


def test_the_object_is_plainly_seen(made: RenderedScene) -> None:
    made = some_frames(made)
    assert made.masks.mean() > 0.005
    inside = made.coverage == 255
    apart = np.abs(made.with_object[inside].astype(int) - made.without[inside]).max(axis=1)
    assert np.mean(apart > 12) > 0.5


def test_elsewhere_the_two_versions_agree_but_for_the_codec(made: RenderedScene) -> None:
    made = some_frames(made)
    grow = np.ones((9, 9), np.uint8)  # the codec smears an edge over its block
    touched = np.stack([cv2.dilate(m.astype(np.uint8), grow) > 0 for m in made.affected()])
    assert 0.01 < touched.mean() < 0.6
    apart = np.abs(made.with_object[~touched].astype(int) - made.without[~touched])
    grain = float(table()[made.name].get("grain", 0))  # type: ignore[arg-type]  # the codec smooths it
    assert apart.mean() < 4 + 0.3 * grain


def test_labels_and_coverage_show_the_same_object(made: RenderedScene) -> None:
    made = some_frames(made)
    if blurred(made):
        pytest.skip("coverage has the motion blur, labels have not")
    middle, covered = made.labels == 1, made.coverage >= 128
    assert (middle & covered).sum() / (middle | covered).sum() > 0.93


def sampled(made: RenderedScene) -> np.ndarray:
    """x, y of the pixels whose depth and flow are stored, [h, w, 2]."""
    step = made.stride
    rows, columns = np.mgrid[0 : made.without.shape[1] : step, 0 : made.without.shape[2] : step]
    return np.stack([columns, rows], axis=-1).astype(np.float32)


def test_flow_leads_to_the_same_point_in_the_next_frame(made: RenderedScene) -> None:
    start = sampled(made)
    size = np.array(made.without.shape[2:0:-1])
    followed, still = [], []
    for t, flow in list(enumerate(made.flow))[::4]:
        end = start + flow
        there = cv2.remap(made.without[t + 1], end[..., 0], end[..., 1], cv2.INTER_LINEAR)
        here = made.without[t, :: made.stride, :: made.stride].astype(np.float32)
        inside = ((end >= 0) & (end <= size - 1)).all(axis=-1)
        followed.append(np.median(np.abs(there - here).mean(axis=-1)[inside]))
        later = made.without[t + 1, :: made.stride, :: made.stride]
        still.append(np.median(np.abs(later - here).mean(axis=-1)))
    grain = float(table()[made.name].get("grain", 0))  # type: ignore[arg-type]
    assert np.mean(followed) < 7 + grain  # blades of grass are thinner than pixels
    moves = np.median(np.hypot(made.flow[..., 0], made.flow[..., 1])) > 1
    if moves:
        assert np.mean(followed) < (0.8 if grain else 0.6) * np.mean(still)


def test_flow_is_what_depth_and_camera_make_it(made: RenderedScene) -> None:
    x, y = np.moveaxis(sampled(made).astype(np.float64), -1, 0)
    for t in range(0, len(made.flow), 5):
        depth = np.minimum(made.depth[t].astype(np.float64), 1e6)  # the sky's is infinite
        static = made.labels[t, :: made.stride, :: made.stride] == 0
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
