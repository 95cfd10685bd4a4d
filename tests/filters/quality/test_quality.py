"""The ensemble: cross-fitting, its file, and how well it judges footage it never saw."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from catalog.errors import EditmillError
from filters.alignment.filter import auc
from filters.base import PairSample
from filters.quality.descriptor import GROUP_NAMES
from filters.quality.ensemble import (
    STRATEGIES,
    Member,
    QualityFilter,
    QualityModel,
    fit,
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
    groups = len(GROUP_NAMES) + 1
    centre, spread = np.zeros((groups, 1)), np.ones((groups, 1))
    weights, biases = (np.zeros((2, 1)),), (np.array([logit]),)
    return Member(columns, centre, spread, weights, biases, frozenset(seen))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_inference_is_sklearns(strategy, described):
    x, labels, _ = described
    rng = np.random.default_rng(1)
    rows = np.arange(len(x))
    member, classifier = train_member(strategy, x, labels, rows, frozenset(), rng)
    theirs = classifier.predict_proba(member.prepare(x))[:, 1]
    assert np.allclose(1 / (1 + np.exp(-member.logit(x))), theirs, atol=1e-12)
    assert np.ptp(theirs) > 0.5


def test_it_learns_what_tells_them_apart(described, model):
    x, labels, groups = described
    scores = model.score(x, groups)
    assert auc(list(scores[labels]), list(scores[~labels])) > 0.9


def test_a_member_never_judges_its_own_source(model):
    for member in model.members:
        assert len(member.seen) == 3  # of four, one held out
    two = QualityModel((_constant(5, {"a"}), _constant(-5, {"b"})), "e", {})
    x = np.zeros((3, len(GROUP_NAMES)))
    scores = two.score(x, ["a", "b", "never seen"])
    assert scores[0] < 0.01 and scores[1] > 0.99 and scores[2] == pytest.approx(0.5)


def test_footage_that_all_members_saw_is_refused():
    one = QualityModel((_constant(5, {"a", "b"}),), "e", {})
    with pytest.raises(EditmillError, match="editmill train quality"):
        one.score(np.zeros((1, len(GROUP_NAMES))), ["a"])


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
    """Good pairs with known truth that need no expert: removals of a pasted object."""
    from filters.quality.good_edits import moving_masks, paste

    rng = np.random.default_rng(0)
    for clip, frames in footage.items():
        for _ in range(4):
            masks = moving_masks(frames.shape[:3], rng)
            pasted = paste(frames, masks, rng)
            yield (
                clip,
                PairSample("object_removal", pasted, frames, masks, source_id=clip, made="target"),
            )


@pytest.mark.weights
def test_broken_edits_of_unseen_footage_are_told_apart(encoder, footage):
    from filters.quality.training_set import training_set

    examples = training_set(_easy_good_pairs(footage), 0, encoder)
    good = examples.good
    assert 20 < len(good) < 60
    model = fit(examples.x, good, examples.sources, 0, encoder.name)
    scores = model.score(examples.x, examples.sources)
    assert auc(list(scores[good]), list(scores[~good])) >= 0.7


@pytest.mark.weights
def test_only_the_made_side_is_broken(moving, box):
    from filters.quality.training_set import GOOD, with_broken

    made = moving.copy()
    made[box] = 128
    removal = PairSample("object_removal", moving, made, box, source_id="a", made="target")
    addition = dataclasses.replace(
        removal, task="object_addition", source=made, target=moving, made="source"
    )
    for good, untouched in ((removal, "source"), (addition, "target")):
        versions = with_broken(good, np.random.default_rng(0), [])
        kinds = [kind for kind, _ in versions]
        assert len(kinds) > 1 and kinds[0] == GOOD and GOOD not in kinds[1:]
        first = versions[0][1]
        assert all(getattr(s, untouched) is getattr(first, untouched) for _, s in versions)
