"""The training at small size through the real code, and the model that is shipped."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from experts import weights
from filters.base import PairFrames
from filters.quality.descriptor import features_version
from filters.quality.model import SHIPPED, QualityModel
from filters.quality.training.ensemble import MLPS
from filters.quality.training.evaluation import agreement, describe_metrics
from filters.quality.training.good_edits import MADE_BY_EXPERTS, GoodEdits
from filters.quality.training.removals import paste
from filters.quality.training.synthetic_masks import blob_masks
from filters.quality.training.train import SAMPLES, sample_pairs, train
from filters.quality.training.training_set import GOOD, training_set, with_broken
from filters.roc import auc

pytestmark = pytest.mark.weights

SMALL = GoodEdits(windows=1, crops=1, long_side=128)
TWO = ("clip_city", "clip_bikes")


@pytest.fixture(scope="module")
def trained(encoder):
    """The training set of two sample clips at small size, and the model trained on it."""
    told: list[str] = []
    examples = sample_pairs(encoder, TWO, edits=SMALL, tell=told.append)
    assert told
    return examples, train(examples, encoder, mlps=MLPS[:2], samples=TWO)


def test_a_small_training_makes_a_measured_model(trained, encoder, tmp_path):
    examples, model = trained
    assert set(MADE_BY_EXPERTS) < set(examples.tasks)
    assert 0 < examples.good.sum() < len(examples.kinds)
    assert model.features == features_version(encoder)
    assert set(model.trained_with["samples"]) == set(TWO)
    assert set(model.trained_with["experts"]) == set(MADE_BY_EXPERTS)
    assert "clips it never saw" in describe_metrics(model.metrics)
    model.save(tmp_path / "q.safetensors")
    assert QualityModel.load(tmp_path / "q.safetensors").to_bytes() == model.to_bytes()


def test_trained_again_it_agrees_and_another_seeds_model_need_not(trained, encoder):
    examples, model = trained
    again = train(examples, encoder, mlps=MLPS[:2], samples=TWO)
    assert agreement(model, again, examples).as_dict() == {
        "holds": True,
        "same_verdict": 1.0,
        "score_difference": 0.0,
        "auc": [pytest.approx(model.metrics["auc_unseen_sources"], abs=1e-4)] * 2,
    }
    flipped = dataclasses.replace(
        model, offsets=tuple(o - 20 for o in model.offsets)
    )  # rejects everything
    assert not agreement(model, flipped, examples).holds()


def test_what_tell_raises_ends_the_training(encoder):
    def stop(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample_pairs(encoder, TWO, edits=SMALL, tell=stop)


def test_the_shipped_model_is_small_and_of_these_features_and_samples(encoder):
    assert SHIPPED.stat().st_size <= 1_000_000
    model = QualityModel.load(SHIPPED)
    assert model.features == features_version(encoder)
    ids = {name: weights.entry(name).sha256 for name in SAMPLES}
    assert model.trained_with["samples"] == {name: sha[:12] for name, sha in ids.items()}
    for source in ids.values():  # each is judged, and only by folds that were not trained on it
        assert any(source not in fold.trained_on for fold in model.folds)
    assert set().union(*(fold.trained_on for fold in model.folds)) == set(ids.values())
    assert model.metrics["auc"] > 0.93 and model.metrics["auc_unseen_sources"] > 0.9


def _removals_of_pasted_objects(footage):
    """Good pairs with known truth that need no expert."""
    rng = np.random.default_rng(0)
    for clip, every in footage.items():
        frames = every[::2]  # what is broken shows in nine as in seventeen
        source = weights.entry(clip).sha256
        for _ in range(4):
            masks = blob_masks(frames.shape[:3], rng)
            pasted = paste(frames, masks, rng)
            yield (
                clip,
                GOOD,
                PairFrames(
                    "object_removal", pasted, frames, masks, source_id=source, made="target"
                ),
            )


def test_the_shipped_model_tells_broken_edits_of_unseen_footage(encoder, footage):
    examples = training_set(_removals_of_pasted_objects(footage), 0, encoder)
    good = examples.good
    assert 20 < len(good) < 60
    scores = QualityModel.load(SHIPPED).score(examples.x, examples.sources)
    assert auc(scores[good], scores[~good]) >= 0.8


def test_only_the_made_side_is_broken(moving, box):
    made = moving.copy()
    made[box] = 128
    removal = PairFrames("object_removal", moving, made, box, source_id="a", made="target")
    addition = dataclasses.replace(
        removal, task="object_addition", source=made, target=moving, made="source"
    )
    for good, untouched in ((removal, "source"), (addition, "target")):
        versions = with_broken(good, np.random.default_rng(0), [])
        kinds = [kind for kind, _ in versions]
        assert len(kinds) > 1 and kinds[0] == GOOD and GOOD not in kinds[1:]
        first = versions[0][1]
        assert all(getattr(s, untouched) is getattr(first, untouched) for _, s in versions)
