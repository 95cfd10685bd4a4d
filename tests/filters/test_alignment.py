"""Prompts that fit are kept, swapped ones dropped, and what cannot be told is abstained from."""

from __future__ import annotations

import numpy as np
import pytest

from filters import alignment
from filters.alignment import Alignment, Calibration, auc
from filters.base import ABSTAINED, PairSample
from filters.probe import load_probes, save_probes


def test_auc_by_hand():
    assert auc([3, 4], [1, 2]) == 1
    assert auc([1], [1]) == 0.5
    assert auc([1, 3], [2]) == 0.5


def test_the_papers_thresholds_stand_for_clip():
    assert alignment.CLIP_THRESHOLDS == {
        "object_swap": 0.22,
        "local_style_transfer": 0.22,
        "global_style_transfer": 0.20,
        "object_addition": 0.20,
    }


def test_probes_survive_their_file(tmp_path):
    class Named:
        name = "e"

    probes = load_probes()
    save_probes(tmp_path / "p", probes, Named())  # type: ignore[arg-type]
    back = load_probes(tmp_path / "p")
    assert back.keys() == probes.keys()
    for task, probe in probes.items():
        assert back[task].looks == probe.looks and back[task].threshold == probe.threshold
        assert np.array_equal(back[task].weight, probe.weight)


@pytest.mark.weights
def test_every_measured_task_has_a_calibration(encoder):
    calibrations = Alignment(encoder).calibrations()
    assert set(calibrations) == alignment.MEASURED
    for found in calibrations.values():
        assert 0.5 < found.auc <= 1


@pytest.mark.weights
def test_objects_are_told_by_name(encoder, footage):
    motorway = footage["clip_motorway"]
    empty = np.zeros_like(motorway)

    def verdict(prompt, **thresholds):
        sample = PairSample("object_addition", empty, motorway, prompt=prompt)
        return Alignment(encoder, thresholds).judge([sample])[0]

    fits, swapped = verdict("a car"), verdict("a dog")
    assert fits.keep and fits.reason == ""
    assert fits.score > swapped.score + 1
    between = (fits.score + swapped.score) / 2
    assert verdict("a car", object_addition=between).keep
    dropped = verdict("a dog", object_addition=between)
    assert not dropped.keep and dropped.reason == "text_mismatch"


@pytest.mark.weights
def test_a_person_is_beyond_the_class_names(encoder, footage):
    city = footage["clip_city"]
    (verdict,) = Alignment(encoder).judge(
        [PairSample("object_addition", city, city, prompt="a person")]
    )
    assert verdict.keep and verdict.score is None and verdict.reason == ABSTAINED


@pytest.mark.weights
def test_styles_are_told_by_prompt(encoder, footage):
    from experts.edit.painters import Painter
    from experts.edit.styles import style_named

    painter = Painter()
    painter.load()
    frames = footage["clip_city"][:3]
    scores: dict[str, list[float]] = {"fits": [], "swapped": []}
    styles = [style_named(n) for n in ("pencil_sketch", "fiery_oil", "starry_swirls")]
    judge = Alignment(encoder)
    for i, style in enumerate(styles):
        painted = np.stack([painter.paint(f, style) for f in frames])
        painted = np.clip(painted, 0, 255).astype(np.uint8)
        for k, prompt in enumerate([styles[i].prompt, styles[(i + 1) % 3].prompt]):
            (verdict,) = judge.judge(
                [PairSample("global_style_transfer", frames, painted, prompt=prompt)]
            )
            scores[("fits", "swapped")[k]].append(verdict.score)
            assert verdict.keep == (k == 0)
    assert min(scores["fits"]) > max(scores["swapped"])


@pytest.mark.weights
def test_a_look_the_probe_does_not_know_is_abstained_from(encoder, moving):
    (verdict,) = Alignment(encoder).judge(
        [PairSample("global_style_transfer", moving, moving, prompt="quarterly tax report")]
    )
    assert verdict.keep and verdict.reason == ABSTAINED and verdict.score is None


@pytest.mark.weights
def test_below_the_least_auc_it_keeps_and_says_so(encoder, footage, monkeypatch):
    weak = {"object_addition": Calibration(auc=0.69, threshold=1e9)}
    monkeypatch.setattr(alignment, "OBJECTS", weak)
    frames = footage["clip_motorway"]
    (verdict,) = Alignment(encoder).judge(
        [PairSample("object_addition", frames, frames, prompt="a car")]
    )
    assert verdict.keep and verdict.reason == ABSTAINED and verdict.score is not None


@pytest.mark.weights
def test_a_threshold_can_be_set_per_task(encoder, footage):
    frames = footage["clip_motorway"]
    sample = PairSample("object_addition", frames, frames, prompt="a car")
    (verdict,) = Alignment(encoder, {"object_addition": 1e9}).judge([sample])
    assert not verdict.keep


@pytest.mark.weights
@pytest.mark.parametrize("task", ["object_removal", "deblur", "hed_detection"])
def test_other_tasks_are_not_measured(encoder, moving, task):
    (verdict,) = Alignment(encoder).judge([PairSample(task, moving, moving, prompt="a car")])
    assert verdict.keep and verdict.score is None and verdict.reason == "not_measured"
