"""Prompts that fit are kept, swapped ones dropped, and what cannot be told is abstained from."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from catalog.errors import EditmillError
from filters.alignment import filter as alignment
from filters.alignment.filter import AlignmentFilter, Calibration
from filters.alignment.style_examples import StyleExamples, styles
from filters.alignment.style_probe import REGION, SHIPPED, ProbeDiscrimination, StyleProbes, fit
from filters.alignment.train import agreement, describe_metrics, train
from filters.base import ABSTAINED, PairFrames
from filters.roc import auc


@pytest.fixture(scope="module")
def footage(footage):
    """Every fourth frame: what a picture shows, five tell as well as seventeen."""
    return {clip: frames[::4] for clip, frames in footage.items()}


def test_auc_by_hand():
    assert auc([3, 4], [1, 2]) == 1
    assert auc([1], [1]) == 0.5
    assert auc([1, 3], [2]) == 0.5


@pytest.fixture
def made():
    """A probe of three looks that three columns tell apart; `Words` knows only their words."""
    rng = np.random.default_rng(0)
    features = rng.normal(0, 0.1, (42, 3)).astype(np.float32)
    labels = [i % 3 for i in range(42)]
    features[np.arange(42), labels] += 1
    measured = ProbeDiscrimination(0.9, 0.5, 0.05, 0.8, 42)
    return fit(features, labels, ["red {label}", "blue {label}", "green {label}"], "view", measured)


class Words:
    name = "words"

    def texts(self, texts):
        known = ("red", "blue", "green", "tax")
        rows = np.array([[word in text for word in known] for text in texts], np.float32)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-8)


def test_a_probe_tells_the_looks_it_was_fitted_on(made):
    for look, word in enumerate(("red", "blue", "green")):
        seen = made.probabilities(np.eye(3, dtype=np.float32)[[look]])
        assert seen.argmax() == look and seen.sum() == pytest.approx(1)
        assert made.match(f"a {word} car", "car", Words()).argmax() == look
    assert made.match("tax", "car", Words()) is None


def test_a_style_without_an_example_is_named():
    features = np.eye(3, dtype=np.float32)
    with pytest.raises(EditmillError, match="'blue'"):
        fit(features, [0, 2, 2], ["red", "blue", "green"], "view", ProbeDiscrimination())


def test_probes_survive_their_file_and_are_the_same_bytes(tmp_path, made):
    probes = StyleProbes({"t": made, "u": made}, "e", {"seed": 0})
    probes.save(tmp_path / "a")
    back = StyleProbes.load(tmp_path / "a")
    assert list(back.by_task) == ["t", "u"] and back.trained_with == {"seed": 0}
    assert back.by_task["t"].styles == made.styles and back.metrics == probes.metrics
    for field in ("weight", "bias", "mean", "scale"):
        assert np.array_equal(getattr(back.by_task["u"], field), getattr(made, field))
    assert back.to_bytes() == probes.to_bytes() == (tmp_path / "a").read_bytes()


@pytest.mark.parametrize("content", [None, b"", b"not a safetensors file"])
def test_missing_and_damaged_probes_name_the_remedy(tmp_path, content):
    path = tmp_path / "probes"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EditmillError, match="editmill train alignment") as error:
        AlignmentFilter(Words(), path).calibrations()
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.weights
def test_probes_of_another_encoder_are_refused(encoder, made):
    probes = StyleProbes({"global_style_transfer": made}, "another")
    with pytest.raises(EditmillError, match=r"another.*editmill train alignment"):
        AlignmentFilter(encoder, probes).load()


@pytest.mark.weights
def test_a_small_training_makes_measured_probes_that_come_out_again(encoder, tmp_path, monkeypatch):
    small = functools.partial(StyleExamples, long_side=128)  # a style shows at half the size
    monkeypatch.setattr("filters.alignment.train.StyleExamples", small)
    # Each makes another text of every local style.
    monkeypatch.setattr("filters.alignment.style_examples.LABELS", ("car", "dog"))
    clips = ("clip_city", "clip_bikes")
    probes, painted = train(encoder, clips, frames=2)
    for task, of in probes.metrics.items():
        assert of["auc"] > 0.6 and of["examples"] == len(painted[task])
        assert {e.style for e in painted[task]} == set(range(len(styles()[task])))
    assert "clips they never saw" in describe_metrics(probes.metrics)
    probes.save(tmp_path / "p")
    assert agreement(StyleProbes.load(tmp_path / "p"), probes, painted).holds()
    weaker = fit(
        np.stack([e.features for e in painted["global_style_transfer"]])[:, ::-1].copy(),
        [e.style for e in painted["global_style_transfer"]],
        styles()["global_style_transfer"],
        "view",
        ProbeDiscrimination(),
    )
    other = StyleProbes({**probes.by_task, "global_style_transfer": weaker}, probes.encoder)
    assert not agreement(other, probes, painted).holds()


@pytest.mark.weights
def test_the_shipped_probes_are_of_these_styles_and_measured(encoder):
    assert SHIPPED.stat().st_size <= 1_000_000
    probes = StyleProbes.load(SHIPPED)
    assert probes.encoder == encoder.version
    assert {task: probe.styles for task, probe in probes.by_task.items()} == styles()
    assert set(probes.metrics) == set(REGION)
    for of in probes.metrics.values():
        assert alignment.ABSTAIN_BELOW < of["auc"] <= 1 and 0 < of["threshold"] < 1
        # Counted on clips that had no say in the threshold
        assert 0 <= of["false_rejections"] < 0.1
        assert of["swapped_rejected"] > 0.95


@pytest.mark.weights
def test_every_measured_task_has_a_calibration(encoder):
    calibrations = AlignmentFilter(encoder).calibrations()
    assert set(calibrations) == alignment.MEASURED
    for found in calibrations.values():
        assert 0.5 < found.auc <= 1


@pytest.mark.weights
def test_objects_are_told_by_name(encoder, footage):
    motorway = footage["clip_motorway"]
    empty = np.zeros_like(motorway)

    def verdict(prompt, **thresholds):
        sample = PairFrames("object_addition", empty, motorway, prompt=prompt, made="source")
        return AlignmentFilter(encoder, thresholds=thresholds).judge([sample])[0]

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
    (verdict,) = AlignmentFilter(encoder).judge(
        [PairFrames("object_addition", city, city, prompt="a person", made="source")]
    )
    assert verdict.keep and verdict.score is None and verdict.reason == ABSTAINED


@pytest.mark.weights
def test_styles_are_told_by_prompt(encoder, footage):
    from experts.edit.style.painters import Painter
    from experts.edit.style.styles import style_named

    painter = Painter()
    painter.load()
    frames = footage["clip_city"][:3]
    scores: dict[str, list[float]] = {"fits": [], "swapped": []}
    styles = [style_named(n) for n in ("pencil_sketch", "fiery_oil", "starry_swirls")]
    judge = AlignmentFilter(encoder)
    for i, style in enumerate(styles):
        painted = np.stack([painter.paint(f, style) for f in frames])
        painted = np.clip(painted, 0, 255).astype(np.uint8)
        for k, prompt in enumerate([styles[i].prompt, styles[(i + 1) % 3].prompt]):
            (verdict,) = judge.judge(
                [PairFrames("global_style_transfer", frames, painted, prompt=prompt, made="target")]
            )
            scores[("fits", "swapped")[k]].append(verdict.score)
            assert verdict.keep == (k == 0)
    assert min(scores["fits"]) > max(scores["swapped"])


@pytest.mark.weights
def test_a_look_the_probe_does_not_know_is_abstained_from(encoder, moving):
    (verdict,) = AlignmentFilter(encoder).judge(
        [
            PairFrames(
                "global_style_transfer",
                moving,
                moving,
                prompt="quarterly tax report",
                made="target",
            )
        ]
    )
    assert verdict.keep and verdict.reason == ABSTAINED and verdict.score is None


@pytest.mark.weights
def test_below_the_least_auc_it_keeps_and_says_so(encoder, footage, monkeypatch):
    weak = {"object_addition": Calibration(auc=0.69, threshold=1e9)}
    monkeypatch.setattr(alignment, "OBJECTS", weak)
    frames = footage["clip_motorway"]
    (verdict,) = AlignmentFilter(encoder).judge(
        [PairFrames("object_addition", frames, frames, prompt="a car", made="source")]
    )
    assert verdict.keep and verdict.reason == ABSTAINED and verdict.score is not None


@pytest.mark.weights
def test_a_threshold_can_be_set_per_task(encoder, footage):
    frames = footage["clip_motorway"]
    sample = PairFrames("object_addition", frames, frames, prompt="a car", made="source")
    (verdict,) = AlignmentFilter(encoder, thresholds={"object_addition": 1e9}).judge([sample])
    assert not verdict.keep


@pytest.mark.weights
@pytest.mark.parametrize("task", ["object_removal", "deblur", "hed_detection"])
def test_other_tasks_are_not_measured(encoder, moving, task):
    (verdict,) = AlignmentFilter(encoder).judge(
        [PairFrames(task, moving, moving, prompt="a car", made="target")]
    )
    assert verdict.keep and verdict.score is None and verdict.reason == "not_measured"
