"""The filters on a CLIP, tiny and never trained, through the real code."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from catalog.errors import EditmillError
from filters.base import ABSTAINED, PairFrames
from filters.calibration import thresholds_of
from filters.config import filters_for, uncalibrated
from filters.encoder.clip import OpenClipEncoder
from filters.judge import judge, policy_of
from filters.quality.descriptor import descriptor, features_version
from filters.quality.filter import QualityFilter
from filters.quality.model import QualityModel
from filters.quality.training.ensemble import MLPS, fit
from filters.quality.training.training_set import training_set
from filters.rules import Filters

pytest.importorskip("open_clip")

from tests.checkpoints.open_clip import make

NAMES = ("construction", "quality", "alignment", "subtle")

LARGE = "timm/vit_large_patch14_clip_224.openai"


class Counted(OpenClipEncoder):
    """Counts the frames that go through it."""

    frames = 0

    def _forward(self, frames):
        self.frames += len(frames)
        return super()._forward(frames)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Counted:
    return Counted(checkpoint=str(make(tmp_path_factory.mktemp("clip"))), device="cpu")


@pytest.fixture(scope="module")
def samples(moving, box) -> list[PairFrames]:
    noise = np.random.default_rng(0).integers(0, 255, moving.shape, dtype=np.uint8)
    return [
        PairFrames("object_swap", moving, noise, box, "a red car", source_id="a", made="source"),
        PairFrames("global_style_transfer", moving, noise, prompt="oil", made="target"),
        PairFrames("object_removal", moving, moving.copy(), box, "a car", "car", made="target"),
        PairFrames("deblur", moving, noise, made="source"),
    ]


def rules(clip: OpenClipEncoder, samples: list[PairFrames], offset: float) -> Filters:
    """Thresholds that lie `offset` from what the first two samples score."""
    scored = judge(samples, filters_for(Filters(), clip), clip)
    least = {s.task: scored[i]["alignment"].score + offset for i, s in enumerate(samples[:2])}
    return Filters(alignment_per_task=least, subtle=scored[1]["subtle"].score - offset)


def test_frames_are_encoded_once_for_all_filters(clip: Counted, samples) -> None:
    clip.load()
    before = clip.frames
    judge(samples[:1], filters_for(Filters(), clip), clip)
    assert clip.frames - before == 34


def test_without_thresholds_and_model_they_abstain_and_say_how_to_calibrate(clip, samples) -> None:
    filters = filters_for(Filters(), clip)
    assert tuple(f.name for f in filters) == NAMES
    for one in filters:
        one.load()
    swap, style, removal, deblur = judge(samples, filters, clip)
    for row in (swap, style):
        assert all(row[name].keep for name in NAMES[1:])
        assert {row[name].reason for name in ("quality", "alignment", "subtle")} == {ABSTAINED}
        assert row["quality"].score is None
        assert -1 <= row["alignment"].score <= 1 and -1 <= row["subtle"].score <= 1
    assert removal["alignment"].reason == "not_measured"
    assert removal["subtle"].reason == "subtle"  # nothing changed: no threshold is needed
    assert {deblur[name].reason for name in ("quality", "alignment", "subtle")} == {"not_measured"}
    said = uncalibrated(filters)
    assert [line.split(":")[0].split()[0] for line in said] == ["quality", "alignment", "subtle"]
    for line in said:
        assert clip.scale in line and "abstains" in line and "\n" not in line
        assert "editmill train quality" in line or "editmill calibrate" in line


def test_thresholds_of_the_recipe_decide_and_change_the_version(clip, samples) -> None:
    lenient, strict = (filters_for(rules(clip, samples, o), clip) for o in (-0.01, 0.01))
    for filters, reasons in ((lenient, {""}), (strict, {"text_mismatch"})):
        swap, style, *_ = judge(samples, filters, clip)
        assert {swap["alignment"].reason, style["alignment"].reason} == reasons
        assert style["subtle"].reason == ("" if filters is lenient else "subtle")
    cuts = {cut.filter: cut for cut in policy_of(strict).thresholds}
    assert set(cuts["alignment"].per_task) == {"object_swap", "global_style_transfer"}
    none = filters_for(Filters(), clip)
    versions = {tuple(f.version for f in filters[2:]) for filters in (none, strict)}
    assert len(versions) == 2  # a kept "abstained" would stand for ever
    assert [f.version for f in lenient] == [f.version for f in strict]


def test_the_papers_thresholds_hold_for_openais_clip_only() -> None:
    openai = filters_for(Filters(), OpenClipEncoder(checkpoint=f"{LARGE}@{'0' * 40}"))
    cuts = {cut.filter: cut for cut in policy_of(openai).thresholds}
    assert cuts["subtle"].value == 0.95
    assert cuts["alignment"].per_task == {
        "object_swap": 0.22,
        "local_style_transfer": 0.22,
        "global_style_transfer": 0.20,
        "object_addition": 0.20,
    }
    laion = thresholds_of(OpenClipEncoder().scale)
    assert laion.subtle is None and not laion.alignment


def test_style_probes_belong_to_the_embedded_encoder(clip, tmp_path: Path) -> None:
    probes = tmp_path / "probes.safetensors"
    probes.touch()
    with pytest.raises(EditmillError, match="style probes belong to the embedded encoder"):
        filters_for(Filters(style_probes=probes), clip)


@pytest.fixture(scope="module")
def model(clip, moving, box) -> QualityModel:
    """Trained on a handful of edits of two sources."""
    rng = np.random.default_rng(0)
    good = []
    for i in range(4):
        source = np.roll(moving, 7 * i, axis=2)
        target = source.copy()
        target[box] = np.clip(target[box].astype(int) + rng.integers(-60, 60), 0, 255)
        pair = PairFrames(
            "local_style_transfer", source, target, box, source_id="ab"[i % 2], made="target"
        )
        good.append((f"clip {i}", "good", pair))
    examples = training_set(good, 0, clip)
    assert len(set(examples.kinds)) > 3
    features = features_version(clip)
    return fit(examples.x, examples.good, examples.sources, 0, features, mlps=MLPS[:2], epochs=3)


def test_a_model_of_this_encoder_judges_and_others_are_refused(
    clip, model: QualityModel, samples, tmp_path: Path
) -> None:
    path = tmp_path / "own.safetensors"
    model.save(path)
    filters = filters_for(Filters(quality_model=path), clip)
    filters[1].load()
    swap, *_ = judge(samples, filters, clip)
    assert 0 < swap["quality"].score < 1
    assert not any(line.startswith("quality") for line in uncalibrated(filters))
    assert filters[1].version != filters_for(Filters(), clip)[1].version
    other = OpenClipEncoder(checkpoint=str(make(tmp_path / "other", seed=1)), device="cpu")
    for wrong in (model, dataclasses.replace(model, features="1+embedded")):
        encoder = other if wrong is model else clip
        with pytest.raises(EditmillError, match="train one for this encoder") as said:
            QualityFilter(encoder, wrong).load()
        assert "\n" not in str(said.value)


def test_the_descriptor_holds_the_frozen_features(clip, samples) -> None:
    from filters.features import describe

    (seen,) = describe(samples[1:2], clip)
    vector = descriptor(seen, samples[1])
    mean = seen.target.embedding.mean(0)
    places = range(len(vector) - 15)
    start = next(i for i in places if np.allclose(vector[i : i + 16], mean, atol=1e-6))
    change = mean - seen.source.embedding.mean(0)
    assert np.allclose(vector[start + 16 : start + 32], change, atol=1e-6)
