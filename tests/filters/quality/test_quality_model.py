"""The ensemble: cross-fitting, its file, and the filter that judges with it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from catalog.errors import EditmillError
from filters.quality.descriptor import GROUP_NAMES
from filters.quality.filter import QualityFilter
from filters.quality.model import Fold, Mlp, QualityModel, inputs
from filters.quality.training.ensemble import MlpSettings, fit, fit_mlp, normal
from filters.roc import auc

EVERY = frozenset(GROUP_NAMES)
SETTINGS = (
    MlpSettings(EVERY, (16,), 0.1, 0.5, 0.5),
    MlpSettings(EVERY, (16, 8), 0.1, 0.5, 0.5),
)


@pytest.fixture(scope="module")
def described():
    """Descriptors [240, 80] of four sources, of which a few columns tell good from failed; the
    groups take turns."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(240, 80)).astype(np.float32)
    x[:, : len(GROUP_NAMES)] = np.eye(len(GROUP_NAMES))[np.arange(240) // 4 % 4]
    labels = rng.random(240) < 0.4
    x[:, 8] += 3 * labels
    x[:, 50] -= 3 * labels
    sources = [f"source{i % 4}" for i in range(240)]
    return x, labels, sources


@pytest.fixture(scope="module")
def model(described):
    return fit(*described, 0, "some features", mlps=3 * SETTINGS)


def _constant(logit: float, trained_on: set[str]) -> Fold:
    groups = len(GROUP_NAMES) + 1
    mlp = Mlp(frozenset(range(groups)), np.array([0]), (np.zeros((2, 1)),), (np.array([logit]),))
    return Fold(frozenset(trained_on), np.zeros((groups, 1)), np.ones((groups, 1)), (mlp,))


@pytest.mark.parametrize("settings", SETTINGS)
def test_inference_is_sklearns(settings, described):
    x, labels, _ = described
    rows = np.arange(len(x))
    fold = Fold(frozenset(), *normal(x, rows, labels), mlps=())
    mlp, classifier = fit_mlp(settings, fold, x, labels, rows, np.random.default_rng(1), 40)
    seen = fold.departures(x)
    theirs = classifier.predict_proba(inputs(seen[:, mlp.columns]))[:, 1]
    assert np.allclose(1 / (1 + np.exp(-mlp.logit(seen))), theirs, atol=1e-12)
    assert np.ptp(theirs) > 0.5


def test_it_learns_what_tells_them_apart(described, model):
    x, labels, sources = described
    scores = model.score(x, sources)
    assert auc(scores[labels], scores[~labels]) > 0.9
    kept = scores[labels] >= 0.6
    for group in range(len(GROUP_NAMES)):  # the offsets let a few good ones of each group go
        assert 0.85 <= kept[x[labels][:, group] > 0].mean() < 1


def test_a_fold_never_judges_footage_it_was_trained_on(model):
    assert len(model.folds) == 4
    for fold in model.folds:
        assert len(fold.trained_on) == 3  # of four, one held out
    two = QualityModel((_constant(5, {"a"}), _constant(-5, {"b"})), "f")
    x = np.zeros((3, len(GROUP_NAMES)))
    scores = two.score(x[:, :1], ["a", "b", "never seen"])
    assert scores[0] < 0.01 and scores[1] > 0.99 and scores[2] == pytest.approx(0.5)


def test_footage_that_all_folds_were_trained_on_is_refused():
    one = QualityModel((_constant(5, {"a", "b"}),), "f")
    with pytest.raises(EditmillError, match="editmill train quality"):
        one.score(np.zeros((1, 1)), ["a"])


def test_the_same_seed_gives_the_same_model(described, model):
    again, other = (fit(*described, seed, "some features", mlps=3 * SETTINGS) for seed in (0, 1))
    assert again.to_bytes() == model.to_bytes() != other.to_bytes()


def test_saved_and_loaded_it_scores_the_same(tmp_path, described, model):
    x, _, sources = described
    path = tmp_path / "new" / "quality.safetensors"
    model = dataclasses.replace(model, metrics={"auc": 0.9}, trained_with={"seed": 0})
    model.save(path)
    back = QualityModel.load(path)
    assert np.array_equal(back.score(x, sources), model.score(x, sources))
    assert back.to_bytes() == model.to_bytes() == path.read_bytes()
    assert (back.metrics, back.trained_with) == (model.metrics, model.trained_with)
    assert [f.trained_on for f in back.folds] == [f.trained_on for f in model.folds]


@pytest.mark.parametrize("content", [None, b"", b"not a model at all"])
def test_a_missing_or_foreign_file_names_the_command(tmp_path, content):
    path = tmp_path / "q.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EditmillError, match="editmill train quality") as error:
        QualityModel.load(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("case", ["one source", "one label"])
def test_too_little_to_train_on_is_said(case, described):
    x, labels, sources = described
    if case == "one source":
        sources = ["a"] * len(sources)
    else:
        labels = np.ones_like(labels)
    with pytest.raises(EditmillError, match="at least two source videos"):
        fit(x, labels, sources, 0, "f")


@pytest.mark.weights
def test_a_model_of_other_features_is_refused(encoder, model):
    with pytest.raises(EditmillError, match=r"some features.*editmill train quality"):
        QualityFilter(encoder, model).load()


def test_an_mlp_judges_its_own_groups_alone(described):
    x, labels, sources = described
    own = [MlpSettings(frozenset({name}), (16,), 0.1, 0.5, 0.5) for name in GROUP_NAMES]
    model = fit(x, labels, sources, 0, "f", mlps=own)
    for fold in model.folds:
        assert [sorted(mlp.groups) for mlp in fold.mlps] == [[g] for g in range(len(GROUP_NAMES))]
    fold = dataclasses.replace(model.folds[0], mlps=model.folds[0].mlps[:1])
    first = x[:, 0] > 0
    assert fold.logit(x)[first].all() and not fold.logit(x)[~first].any()


def test_a_short_descriptor_lacks_only_what_its_group_is_not_judged_by(described, model):
    x, _, sources = described
    padded = x.copy()
    padded[:, 60:] = 0
    assert np.array_equal(model.score(x[:, :60], sources), model.score(padded, sources))
