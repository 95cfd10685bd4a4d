"""Retraining: when there is enough to learn from, what is promoted, what the next build gets."""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from prefect.flows import load_flow_from_entrypoint
from prefect.states import State
from typer.testing import CliRunner

import catalog
from catalog import trained
from catalog.errors import EditmillError
from catalog.keys import digest
from catalog.labels import add, labelled
from catalog.storage.location import Versioned
from experts.diffusion.specs import TRAINABLE
from experts.providers.choice import choice_of
from filters.config import filters_for
from filters.encoder.embedded import EmbeddedEncoder
from filters.quality.model import SHIPPED, QualityModel
from filters.quality.training.good_edits import GoodEdits
from filters.quality.training.labelled import LabelComparison
from filters.rules import Filters
from filters.trained import NAMED_BY, labels_learnt, pinned
from flows.cli import app
from flows.runtime.orchestration.client import using
from flows.runtime.orchestration.server import OrchestrationServer
from flows.training import retrain as module
from flows.training.filters import quality
from flows.training.filters.candidates import CANDIDATES, FilterSettings, ModelCandidate
from flows.training.filters.retraining import retrained_filter
from flows.training.retrain import retrain
from tests.catalog.writers import selected
from tests.checkpoints import open_clip
from tests.editmill.small_catalog import make_pair
from tests.flows.tiny_training import release_footage, write_base, write_catalog
from tests.flows.training.test_training_flows import TINY
from tests.parts import by_key
from tests.servers import commits

ENCODER = choice_of("encode", "embedded")
AUCS = (0.904, 0.906, 0.89, 0.95)


def outcome(state: State[Any]) -> dict[str, Any]:
    """Of the flow's function called without Prefect."""
    assert state.is_completed()
    found: dict[str, Any] = state.data
    return found


@pytest.mark.parametrize(
    ("model", "option", "value"),
    [
        ("quality", "--catalog", "nowhere"),
        ("quality", "--recipe", "none-such"),
        ("quality", "--config", "none.yaml"),
        ("remover", "--config", "none.yaml"),
        ("remover", "--margin", "inf"),
    ],
)
def test_what_cannot_be_read_is_told_before_a_server_is_started(
    model: str, option: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a server was started")

    monkeypatch.setattr(OrchestrationServer, "connect", refuse)
    monkeypatch.chdir(tmp_path)
    catalog.open("dataset", create=True)
    asked = {"--catalog": "dataset"} | {option: value}
    arguments = ["retrain", model, *(part for pair in asked.items() for part in pair)]
    with pytest.raises(EditmillError, match=value):
        CliRunner().invoke(app, arguments, catch_exceptions=False)


@pytest.mark.parametrize("margin", [-1.0, float("nan"), float("inf")])
def test_a_margin_that_is_no_number_from_0_on_is_refused(margin: float, tmp_path: Path) -> None:
    with pytest.raises(EditmillError, match=r"a margin of .+ means"):
        retrain.fn(str(tmp_path), "quality", margin=margin)
    ended = CliRunner().invoke(app, ["retrain", "quality", "--margin", str(margin)])
    assert ended.exit_code != 0


def test_a_servers_page_describes_every_parameter() -> None:
    found = load_flow_from_entrypoint("flows/training/retrain.py:retrain")
    schema = found.parameters.model_dump()
    assert schema["required"] == ["out", "expert"] and found.description
    for name, of in schema["properties"].items():
        assert len(of.get("description", "")) > 40, name
    assert set(schema["properties"]["expert"]["enum"]) == {*TRAINABLE, *CANDIDATES}
    assert set(get_args(get_args(module.Model)[0])) == {*TRAINABLE, *CANDIDATES}


def test_without_a_release_or_with_little_that_is_new_nothing_is_trained(tmp_path: Path) -> None:
    root, recipe = str(tmp_path / "catalog"), tmp_path / "other.yaml"
    recipe.write_text(
        "name: other\nsources: [{kind: folder, path: v}]\nplan: {weights: {deblur: 1}}\n"
    )
    with pytest.raises(EditmillError, match="is not a catalog"):
        retrain.fn(root, "quality")
    catalog.open(root, create=True)
    assert "nothing to learn from yet: " in str(retrain.fn(root, "quality").message)
    release_footage(root, range(3))
    few = retrain.fn(root, "quality", least_new=4)
    assert few.message == (
        "quality: nothing to learn from yet: release v1: 3 of 3 sources are new, and 4 are asked "
        "for (least_new)"
    )
    assert "no release of other" in str(retrain.fn(root, "quality", str(recipe)).message)
    # Clips without a caption teach the global stylizer nothing, and that is no error.
    assert outcome(retrain.fn(root, "global_stylizer", least_new=1))["model_id"] == ""
    assert catalog.open(root).trained().collect().is_empty()


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Path | None]]:
    """What each training of the quality filter got. They take no time: the n-th makes the shipped
    model with another offset, whose AUC is the n-th of AUCS and the present one's .9."""
    given: list[tuple[Any, Path | None]] = []

    def train(settings: Any, material: Any, present: Path | None, encoder: Any) -> ModelCandidate:
        assert encoder == "embedded"
        number = len(given)
        given.append((material, present))
        model = dataclasses.replace(QualityModel.load(SHIPPED), offsets=(float(number),) * 4)
        labels = len(material.labelled)
        return ModelCandidate(model.to_bytes(), {"auc": 0.99}, AUCS[number], 0.9, 7, labels)

    monkeypatch.setitem(CANDIDATES, "quality", train)
    return given


def test_only_what_is_better_is_promoted_and_the_next_build_gets_it_pinned(
    storage_uri: str, trainings: list[tuple[Any, Path | None]]
) -> None:
    root, latest = storage_uri, Filters(quality_model="latest")
    release_footage(root, range(2))
    assert (
        pinned(latest, ENCODER, root).quality_model is None
    )  # the shipped one, until one is promoted

    worse = outcome(retrain.fn(root, "quality", least_new=1))
    assert (worse["promoted"], worse["reason"]) == (False, "not_better")  # by .004, another seed's
    assert pinned(latest, ENCODER, root).quality_model is None
    first = Filters(quality_model=worse["model_id"])  # it can be named all the same
    assert pinned(first, ENCODER, root) == first

    assert not outcome(retrain.fn(root, "quality", least_new=1))["model_id"]  # nothing new since
    release_footage(root, range(2, 4))
    better = retrain.fn(root, "quality", least_new=2)
    assert outcome(better)["promoted"] and outcome(better)["new"] == 2
    assert better.message == (
        f"{outcome(better)['model_id']}: promoted; AUC 0.9060, shipped: 0.9000 (on 7 held-out "
        "sources)"
    )
    build = pinned(latest, ENCODER, root)
    assert build.quality_model == outcome(better)["model_id"]

    release_footage(root, range(4, 5))
    assert outcome(retrain.fn(root, "quality", least_new=1))["reason"] == "not_better"
    release_footage(root, range(5, 6))
    assert not outcome(retrain.fn(root, "quality", least_new=1, margin=0.06))["promoted"]
    assert pinned(latest, ENCODER, root) == build
    # The present model is what each is compared with, and what is new is learnt first.
    compared = [present for _, present in trainings]
    assert compared[:2] == [None, None] and compared[2] == compared[3] is not None
    assert QualityModel.load(compared[2]).offsets[0] == 1.0
    assert [given.footage[0][0] for given, _ in trainings[2:]] == [
        digest("source", 4),
        digest("source", 5),
    ]

    dataset = catalog.open(root)
    _, judge, *_ = filters_for(build, EmbeddedEncoder(), dataset)
    assert judge._loaded().offsets[0] == 1.0  # type: ignore[attr-defined]
    rows = trained.versions(dataset, "quality")
    assert [row.promoted for row in rows] == [False, True, False, False]
    assert {row.kind for row in rows} == {"filter"} and rows[1].data_ref == "v2"
    assert rows[1].metrics["held_out_auc"] == 0.906 and rows[1].metrics["rival"] == "shipped"
    # A source that has to be forgotten leads to what was trained on it.
    assert trained.seen(dataset.storage, digest("source", 2)) == sorted(r.path for r in rows[1:])
    if isinstance(dataset.storage, Versioned):
        assert commits(dataset.storage)[0].message.endswith("held-out sources)")


def put_pairs(root: str, sources: range, task: str = "object_removal") -> list[str]:
    """A pair of each source that :func:`release_footage` makes; their ids."""
    made = selected(root)
    clips = {clip.source_id: clip for clip in made.tables.records("clips")}
    rows = []
    for clip in (clips[digest("source", k)] for k in sources):
        row = make_pair(
            task, clip.video, clip.video, clip_id=clip.clip_id, source_id=clip.source_id,
            licence=clip.licence,
        )  # fmt: skip
        rows.append(row)
    made.tables.put("pairs", by_key(rows))
    made.release(made.next_tag(), made.selection.recipe)
    return [row.pair_id for row in rows]


def label(root: str, pairs: Iterable[str], good: bool) -> None:
    dataset = catalog.open(root)
    add(dataset, [labelled(pair, good) for pair in pairs])


def test_enough_new_labels_are_enough_to_learn_from(
    storage_uri: str, trainings: list[tuple[Any, Path | None]], capsys: pytest.CaptureFixture[str]
) -> None:
    root = storage_uri
    release_footage(root, range(3))
    retrain.fn(root, "quality", least_new=3)  # all sources are known from here on
    pairs, blurred = put_pairs(root, range(3)), put_pairs(root, range(1), "deblur")
    label(root, [*pairs[:2], *blurred, "of no release"], False)
    few = retrain.fn(root, "quality", least_new=3)
    assert few.message == (
        "quality: nothing to learn from yet: release v3: 0 of 3 sources and 2 of 2 labels are "
        "new, and 3 of either are asked for (least_new)"
    )
    assert outcome(few)["new_labels"] == 2 and len(trainings) == 1
    told = capsys.readouterr().err
    assert "1 label left out, of tasks that quality does not measure: deblur" in told
    assert "1 label left out, of pairs that v3 does not hold" in told
    label(root, pairs[2:], True)
    done = retrain.fn(root, "quality", least_new=3)
    assert (outcome(done)["new"], outcome(done)["new_labels"]) == (0, 3)
    assert str(done.message).endswith("; learnt from 3 labels, too few to compare on")
    given, _ = trainings[-1]
    assert {each.record.pair_id: each.label.good for each in given.labelled} == {
        pairs[0]: False, pairs[1]: False, pairs[2]: True
    }  # fmt: skip
    dataset = catalog.open(root)
    row = trained.versions(dataset, "quality")[-1]
    assert row.metrics["labels"] == 3
    assert len(labels_learnt(dataset, row)) == 3

    # What is known is no news; another word on the same pair is. Alignment learns from none.
    assert not outcome(retrain.fn(root, "quality", least_new=1))["model_id"]
    label(root, pairs[:1], True)
    assert outcome(retrain.fn(root, "quality", least_new=1))["new_labels"] == 1
    assert len(trainings[-1][0].labelled) == 3
    nothing = retrained_filter(
        dataset, dataset.releases()[-1], "alignment", FilterSettings(), 4, None
    )
    assert nothing.new_labels == 0 and "labels" not in nothing.reason


@pytest.mark.parametrize(
    ("auc", "worse", "better", "reason"),
    [
        (0.95, 0.94, 0.06, "better"),
        (0.95, 0.95, 0.05, "worse_on_labels"),
        (0.9, 0.99, 0.01, "not_better"),
        (0.896, 0.03, 0.95, "better_on_labels"),
        (0.896, 0.03, 0.94, "not_better"),
        (0.894, 0.0, 1.0, "not_better"),  # it has unlearnt what is broken on purpose
    ],
)
def test_labels_have_a_word_in_what_is_promoted(
    auc: float, worse: float, better: float, reason: str
) -> None:
    on_labels = LabelComparison((0.7, 0.8), worse, better)
    made = ModelCandidate(b"", {}, auc, 0.9, 7, 30, on_labels)
    assert made.verdict(0.005) == reason
    assert dataclasses.replace(made, present_auc=None).verdict(0.005) == "present_outdated"


def test_labels_are_not_called_few_where_the_present_model_cannot_judge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ModelCandidate(SHIPPED.read_bytes(), {}, 0.9, None, 7, 300)
    monkeypatch.setitem(CANDIDATES, "quality", lambda *of: made)
    release_footage(str(tmp_path), range(1))
    done = retrain.fn(str(tmp_path), "quality", least_new=1)
    assert str(done.message).endswith("(on 7 held-out sources); learnt from 300 labels")


def test_a_version_that_is_not_there_is_refused_before_a_build(tmp_path: Path) -> None:
    asked = Filters(quality_model="quality@0123456789ab")
    with pytest.raises(EditmillError, match="build first and train with: editmill retrain"):
        pinned(asked, ENCODER, tmp_path / "none")
    release_footage(str(tmp_path / "catalog"), range(1))
    with pytest.raises(EditmillError, match=r"no version '0123456789ab'.*there are: none"):
        pinned(asked, ENCODER, tmp_path / "catalog")
    with pytest.raises(ValueError, match="there is no file alignment@0123456789ab"):
        Filters(quality_model="alignment@0123456789ab")  # another filter's


def test_a_filter_is_trained_for_the_encoder_of_the_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, mine = str(tmp_path / "catalog"), tmp_path / "mine.yaml"
    folder = open_clip.make(tmp_path / "clip")
    clip = {"provider": "open_clip", "checkpoint": str(folder)}
    recipe = {
        "name": "mine",
        "sources": [{"kind": "folder", "path": "v"}],
        "plan": {"weights": {"deblur": 1}},
        "models": {"encode": clip},
    }
    mine.write_text(yaml.safe_dump(recipe))
    release_footage(root, range(2), recipe)
    asked: list[Any] = []

    def train(settings: Any, material: Any, present: Path | None, encoder: Any) -> ModelCandidate:
        asked.append(encoder)
        return ModelCandidate(SHIPPED.read_bytes(), {}, 0.9, None, 2)

    monkeypatch.setitem(CANDIDATES, "quality", train)
    retrain.fn(root, "quality", str(mine), least_new=1)
    release_footage(root, range(2, 3), recipe)
    retrain.fn(root, "quality", least_new=1)  # by what its newest release was judged with
    assert asked == [clip, clip]
    row = trained.versions(catalog.open(root), "quality")[-1]
    assert row.config["encoder"] == clip
    # A version is one encoder's: `latest` of another is another, and learns from all there is.
    on_clip, latest = (
        choice_of("encode", {**clip, "device": "cpu"}),
        Filters(quality_model="latest"),
    )
    assert pinned(latest, on_clip, root).quality_model == row.model_id
    assert pinned(latest, ENCODER, root).quality_model is None
    other = retrained_filter(
        catalog.open(root), catalog.open(root).releases()[-1], "quality", FilterSettings(), 3, None
    )
    assert other.promoted and other.new == 3 and asked[-1] == "embedded"
    assert pinned(latest, ENCODER, root).quality_model == other.model_id
    assert pinned(latest, on_clip, root).quality_model == row.model_id
    with pytest.raises(EditmillError, match="open_clip the filter has nothing to train"):
        retrain.fn(root, "alignment", str(mine), least_new=1)


@pytest.mark.weights
@pytest.mark.parametrize("name", ["quality", "alignment"])
def test_a_filters_training_is_real(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On two tiny sources; both models are measured on the same pairs or frames."""
    root, settings = str(tmp_path / "catalog"), tmp_path / "small.yaml"
    monkeypatch.setattr(quality, "GoodEdits", functools.partial(GoodEdits, crops=1))  # half of them
    settings.write_text("{samples: [], windows: 1, mlps_per_fold: 2, frames: 2}\n")
    release_footage(root, range(2))
    first, second = put_pairs(root, range(2), "global_style_transfer")
    label(root, [first], True)
    label(root, [second], False)
    with using(OrchestrationServer(None).connect(threading.Event(), lambda line: None)):
        found: Any = retrain(root, name, least_new=1, config=settings)
    (row,) = trained.versions(catalog.open(root), name)
    assert row.model_id == found["model_id"]
    assert row.metrics["rival"] == "shipped" and row.metrics["held_out_sources"] == 2
    own, shipped = row.metrics["held_out_auc"], row.metrics["rival_auc"]
    assert 0.5 < shipped <= 1 and 0 < own <= 1
    assert row.promoted == (own >= shipped + 0.005)
    assert row.metrics["labels"] == (2 if name == "quality" else 0)
    rules = Filters(**{NAMED_BY[name]: row.model_id})
    judges = {f.name: f for f in filters_for(rules, EmbeddedEncoder(), catalog.open(root))}
    judge: Any = judges[name]
    judge.load()  # it fits the features of this version
    assert sorted(judge._loaded().trained_with["footage"]) == sorted(
        digest("source", k)[:12] for k in range(2)
    )


def test_an_expert_is_trained_once_for_what_is_new(tmp_path: Path) -> None:
    root, base = str(tmp_path / "catalog"), write_base(tmp_path / "base")
    config = tmp_path / "tiny.yaml"
    config.write_text(yaml.safe_dump(TINY))
    write_catalog(tmp_path / "catalog")
    catalog.open(root).release("v1", "{}")
    given: dict[str, Any] = {"config": config, "base": base}
    with using(OrchestrationServer(None).connect(threading.Event(), lambda line: None)):
        first: Any = retrain(root, "remover", least_new=4, **given)
        again: Any = retrain(root, "remover", least_new=1, **given)
        write_catalog(tmp_path / "catalog", sources=6)
        catalog.open(root).release("v2", "{}")
        second: Any = retrain(root, "remover", least_new=2, margin=0.99, **given)
    assert first["new"] == 4 and again["new"] == 0 and not again["model_id"]
    assert second["new"] == 2 and second["reason"] == "loss_not_lower"  # not by 99 %
    rows = trained.versions(catalog.open(root), "remover")
    assert [row.model_id for row in rows] == [first["model_id"], second["model_id"]]
    assert [row.data_ref for row in rows] == ["v1", "v2"]
    assert rows[1].config["evaluate"]["min_gain"] == 0.99
