"""SAM 3's streaming session: what is dropped from it is not looked at again."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from experts.annotate.tracking.predictors import sam3
from experts.annotate.tracking.predictors.sam3 import Sam3Tracker, doubtful
from tests.checkpoints import sam3_video

pytest.importorskip("transformers")

FRAMES = 18  # more than the memory's 16


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> Sam3Tracker:
    made = Sam3Tracker(
        checkpoint=str(sam3_video.make(tmp_path_factory.mktemp("sam3"))),
        max_objects=2,
        min_area=0.0,
        min_frames=1,
        min_confidence=0.0,
        detection_threshold=0.2,
    )
    made.load()
    made._models[0].max_num_objects = 2
    return made


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    noise = np.random.default_rng(5).integers(0, 256, (48, 64, 3), np.uint8)
    return np.stack([np.roll(noise, t, axis=1) for t in range(FRAMES)])


def test_a_bounded_session_gives_the_masks_of_an_unbounded_one(
    tracker: Sam3Tracker, frames: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions: list[Any] = []
    drop = sam3.forget

    def watched(session: Any, number: int, config: Any) -> None:
        drop(session, number, config)
        sessions.append(session)

    monkeypatch.setattr(sam3, "forget", watched)
    bounded = tracker.track(frames, phrases=["cat"])
    monkeypatch.setattr(sam3, "forget", lambda *given: None)
    unbounded = tracker.track(frames, phrases=["cat"])

    assert bounded and len(bounded) == len(unbounded)
    for own, other in zip(bounded, unbounded, strict=True):
        np.testing.assert_array_equal(own.masks, other.masks)
        np.testing.assert_array_equal(own.confidence, other.confidence)

    session = sessions[-1]
    assert set(session.processed_frames.values()) == {None}
    for outputs in session.output_dict_per_obj.values():
        kept = outputs["non_cond_frame_outputs"]
        whole = [frame for frame, each in kept.items() if each["maskmem_features"] is not None]
        assert len(kept) <= 15
        assert len(whole) <= 6
        assert all(each["pred_masks"] is None for each in kept.values())


def test_phrases_are_read_as_words(tracker: Sam3Tracker, frames: np.ndarray) -> None:
    """Given twice, or with nothing in it, a phrase is not looked for again."""
    once = tracker.track(frames[:2], phrases=["cat"])
    again = tracker.track(frames[:2], phrases=[" cat", "cat", "  "])
    assert [track.label for track in again] == [track.label for track in once]
    assert tracker.track(frames[:2], phrases=["", " "]) == []


def test_nothing_that_fetches_code_is_left_on(tracker: Sam3Tracker) -> None:
    """transformers would take its kernels for both from the hub, whatever is set offline."""
    model, _ = tracker._models
    assert (model.fill_hole_area, model.det_nms_thresh) == (0, 0.0)


@pytest.mark.parametrize(
    "unmatched, shared, expected",
    [
        ({}, {}, set()),
        ({4: range(11, 18)}, {}, set()),  # 7 frames
        ({4: range(11, 19)}, {}, {4}),
        ({4: range(20, 40)}, {}, set()),  # 5 of them in its first 15 frames
        ({}, {(1, 4): range(11, 19)}, {4}),
        ({}, {(1, 4): range(30, 60)}, set()),
        ({1: range(0, 8), 4: [12]}, {}, {1}),
    ],
)
def test_a_track_is_doubtful_early_or_not_at_all(
    unmatched: dict[int, range], shared: dict[tuple[int, int], range], expected: set[int]
) -> None:
    session = SimpleNamespace(
        obj_first_frame_idx={1: 0, 4: 10},
        unmatched_frame_inds=defaultdict(list, unmatched),
        overlap_pair_to_frame_inds=defaultdict(list, shared),
    )
    config = SimpleNamespace(hotstart_delay=15, hotstart_unmatch_thresh=8, hotstart_dup_thresh=8)
    assert doubtful(session, config) == expected


def test_a_folder_without_weights_is_told(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"config\.json"):
        Sam3Tracker(checkpoint=str(tmp_path)).load()
