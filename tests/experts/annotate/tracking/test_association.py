import numpy as np
import pytest

from experts.annotate.tracking.association import DetectionCandidate, associate, candidates


def box_mask(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros((100, 100), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def test_the_pair_that_overlaps_most_is_matched_first() -> None:
    near, far = (
        DetectionCandidate("car", 0.5, (12, 10, 32, 30)),
        DetectionCandidate("car", 0.9, (18, 10, 38, 30)),
    )
    matches = associate(["car"], [box_mask(10, 10, 30, 30)], [far, near], 0.3, 0.7)
    assert matches == {0: near}


@pytest.mark.parametrize(
    ("label", "shift", "matched"),
    [("car", 8, True), ("truck", 8, False), ("truck", 4, True), ("person", 0, False)],
)
def test_the_gate_is_narrower_for_similar_labels_and_shut_for_others(
    label: str, shift: int, matched: bool
) -> None:
    one = DetectionCandidate(
        label, 0.9, (10 + shift, 10, 30 + shift, 30)
    )  # IoU .43 at 8 px, .67 at 4
    matches = associate(["car"], [box_mask(10, 10, 30, 30)], [one], 0.35, 0.7)
    assert (0 in matches) == matched


def test_candidates_are_scaled_clipped_and_single() -> None:
    found = [
        DetectionCandidate("car", 0.6, (20, 20, 300, 220)),
        DetectionCandidate("bus", 0.9, (20, 20, 290, 220)),  # the same object, surer
        DetectionCandidate("dog", 0.8, (0, 0, 8, 8)),  # too small at half size
    ]
    kept = candidates(found, 0.5, (100, 140), least_area=20, duplicate_iou=0.7)
    assert kept == [DetectionCandidate("bus", 0.9, (10, 10, 140, 100))]
