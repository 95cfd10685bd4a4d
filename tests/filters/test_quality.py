"""The ensemble: cross-fitting, its file, and how well it judges footage it never saw."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from catalog.errors import EditmillError
from filters.alignment import auc
from filters.base import PairSample
from filters.quality import (
    STRATEGIES,
    Member,
    QualityFilter,
    QualityModel,
    fit,
    train,
    train_member,
)


@pytest.fixture(scope="module")
def described():
    """Descriptors [120, 80] of four sources, of which a few columns tell good from failed."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 80)).astype(np.float32)
    labels = rng.random(120) < 0.4
    x[:, 3] += 3 * labels
    x[:, 50] -= 3 * labels
    groups = [f"source{i % 4}" for i in range(120)]
    return x, labels, groups


@pytest.fixture(scope="module")
def model(described):
    x, labels, groups = described
    return fit(x, labels, groups, 0, "some encoder")


def _constant(logit: float, seen: set[str]) -> Member:
    columns = np.array([0])
    one, zero = np.ones(1), np.zeros(1)
    weights, biases = (np.zeros((1, 1)),), (np.array([logit]),)
    return Member(columns, zero, one, None, weights, biases, frozenset(seen))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_inference_is_sklearns(strategy, described):
    x, labels, _ = described
    rng = np.random.default_rng(1)
    rows = np.arange(len(x))
    member, classifier = train_member(strategy, x, labels, rows, frozenset(), rng)
    theirs = classifier.predict_proba(member.prepare(x))[:, 1]
    assert np.allclose(member.probability(x), theirs, atol=1e-12)
    assert np.ptp(theirs) > 0.5


def test_it_learns_what_tells_them_apart(described, model):
    x, labels, groups = described
    scores = model.score(x, groups)
    assert auc(list(scores[labels]), list(scores[~labels])) > 0.9


def test_a_member_never_judges_its_own_source(model):
    for member in model.members:
        assert len(member.seen) == 3  # of four, one held out
    two = QualityModel((_constant(5, {"a"}), _constant(-5, {"b"})), "e", {})
    x = np.zeros((3, 1))
    scores = two.score(x, ["a", "b", "never seen"])
    assert scores[0] < 0.01 and scores[1] > 0.99 and scores[2] == pytest.approx(0.5)


def test_footage_that_all_members_saw_is_refused():
    one = QualityModel((_constant(5, {"a", "b"}),), "e", {})
    with pytest.raises(EditmillError, match="editmill train quality"):
        one.score(np.zeros((1, 1)), ["a"])


def test_the_same_seed_gives_the_same_model(described, model):
    x, labels, groups = described
    assert fit(x, labels, groups, 0, "some encoder").to_bytes() == model.to_bytes()
    assert fit(x, labels, groups, 1, "some encoder").to_bytes() != model.to_bytes()


def test_saved_and_loaded_it_scores_the_same(tmp_path, described, model):
    x, _, groups = described
    path = tmp_path / "new" / "quality.safetensors"
    model.save(path)
    back = QualityModel.load(path)
    assert np.array_equal(back.score(x, groups), model.score(x, groups))
    assert back.to_bytes() == model.to_bytes() and back.facts == model.facts
    assert [m.seen for m in back.members] == [m.seen for m in model.members]


def test_a_missing_or_foreign_file_names_the_command(tmp_path):
    with pytest.raises(EditmillError, match="editmill train quality"):
        QualityModel.load(tmp_path / "none.safetensors")
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"not a model at all")
    with pytest.raises(EditmillError, match="editmill train quality"):
        QualityModel.load(other)


@pytest.mark.parametrize("case", ["one source", "one label"])
def test_too_little_to_train_on_is_said(case, described):
    x, labels, groups = described
    if case == "one source":
        groups = ["a"] * len(groups)
    else:
        labels = np.ones_like(labels)
    with pytest.raises(EditmillError, match="at least two source videos"):
        fit(x, labels, groups, 0, "e")


@pytest.mark.weights
def test_a_model_of_another_encoder_is_refused(encoder, model):
    with pytest.raises(EditmillError, match="some encoder"):
        QualityFilter(encoder, model).load()


def _easy_good_pairs(footage):
    """Good pairs with known truth that need no expert: removal of a pasted object, colouring."""
    from flows.quality_set import moving_masks, paste

    rng = np.random.default_rng(0)
    clips = list(footage.items())
    pairs = []
    for i, (clip, frames) in enumerate(clips):
        grey = np.repeat(frames.mean(-1, keepdims=True), 3, -1).astype(np.uint8)
        pairs.append(PairSample("colorization", grey, frames, source_id=clip))
        for k in range(3):
            masks = moving_masks(frames.shape[:3], rng)
            other = clips[(i + 1 + k % 2) % len(clips)][1]
            pasted = paste(frames, other, masks)
            pairs.append(PairSample("object_removal", pasted, frames, masks, source_id=clip))
    return pairs


@pytest.mark.weights
def test_broken_edits_of_unseen_footage_are_told_apart(encoder, footage):
    from filters.training import GOOD, training_set

    samples, labels, groups, kinds = training_set(_easy_good_pairs(footage), 0)
    assert labels == [kind == GOOD for kind in kinds] and 20 < len(samples) < 60
    model = train(samples, labels, groups, 0, encoder)
    verdicts = QualityFilter(encoder, model).judge(samples)
    scores = np.array([v.score for v in verdicts])
    good = np.array(labels)
    assert auc(list(scores[good]), list(scores[~good])) >= 0.9
    assert all(v.reason == ("" if v.keep else "edit_failed") for v in verdicts)

    strict = QualityFilter(encoder, model, thresholds={"colorization": 1.01})
    for sample, verdict in zip(samples, strict.judge(samples), strict=True):
        assert verdict.keep is False or sample.task != "colorization"


@pytest.mark.weights
def test_only_the_made_side_is_broken(moving, box):
    from filters.training import training_set

    made = moving.copy()
    made[box] = 128
    removal = PairSample("object_removal", moving, made, box, source_id="a")
    addition = dataclasses.replace(removal, task="object_addition", source=made, target=moving)
    for good, untouched in ((removal, "source"), (addition, "target")):
        samples, labels, _, _ = training_set([good], 0)
        assert len(samples) > 1 and labels[0] and not any(labels[1:])
        assert all(getattr(s, untouched) is getattr(samples[0], untouched) for s in samples)
