"""Provenance documents, of a catalog that has rows and no media at all."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

import catalog
from catalog.errors import EditmillError
from catalog.keys import digest
from catalog.policy import Policy, Threshold
from catalog.provenance import Provenance, document, provenance, provenances
from catalog.records import Clip, ModelRow, Pair, Plan, Source, Track
from catalog.releases import Catalog
from catalog.tables import Tables
from tests.editmill.small_catalog import make_pair
from tests.parts import by_key

SOURCE, DONOR = "5" * 64, "d" * 64
REFS = {part: f"media/{n}{n}/{n * 64}.mp4" for part, n in (("source", "a"), ("target", "b"))}
MASK = f"media/cc/{'c' * 64}.mkv"
RECIPE = json.dumps({"name": "tiny"})
POLICY = Policy((Threshold("quality", "at_least", "edit_failed", 0.6),))

FROM_A_DONOR = {
    "donor": {"source_id": DONOR, "uri": "file:donor", "licence": "CC0-1.0", "clip_id": "other"},
    "lift": 0.5,
}


def _pair(task: str = "object_removal", **changes: Any) -> Pair:
    fields = dict(
        mask=MASK, track_id="track", plan_id="plan", source_id=SOURCE, seed=7,
        expert="remover", expert_version="7+6f1f3530", params={"by_migan": 0.25},
        instruction_by="model", instruction_model="Writer@1+b179c952",
        filter_versions={"quality": "2+1+b142d345+08bef03e"}, phrasings=["Remove it.", "Erase it."],
        output_licence="Apache-2.0 AND ISC", may_train=True,
    )  # fmt: skip
    return make_pair(task, REFS["source"], REFS["target"], **fields | changes)


def _model(name: str, version: str) -> ModelRow:
    return ModelRow(f"{name}@{version}", name, version, "ISC (its page)", f"pkg:npm/{name}@1", {})


@pytest.fixture
def dataset(tmp_path: Path) -> Catalog:
    """One pair with everything, at main and as release `v1`."""
    dataset = catalog.open(tmp_path / "catalog", create=True)
    dataset = dataset.select("tiny-1", RECIPE, POLICY, code="0.1")
    tables = dataset.tables
    tables.put(
        "sources",
        by_key([Source(SOURCE, "street", "file:street", "MIT", 96, 64, 12.0, 90, "h264")]),
    )
    tables.put(
        "clips",
        by_key([Clip("clip", SOURCE, "file:street", "MIT", REFS["source"], 30, 24, 12.0, 96, 64)]),
    )
    tables.put(
        "tracks",
        by_key(
            [Track("track", "clip", "bar", 0.9, MASK, 2, 5, [0.0, 0.0, 0.6, 0.8], 0.1, [0.0] * 16)]
        ),
    )
    plan = Plan(
        plan_id="plan", clip_id="clip", task="object_removal", expert="x:Y", track_id="track",
        label="bar", phrase="bar", count=1, prompt="Remove bar", negative_prompt="", seed=7,
        target_prompt="", first_frame=3, frames=12, crop=[0, 0, 96, 64], width=96, height=64,
    )  # fmt: skip
    tables.put("plans", by_key([plan]))
    models = [_model("migan", "6f1f3530a1a2"), _model("writer", "b179c9523d0e"),
              _model("quality", "08bef03e"), _model("shots", "a313d0b3bebf"),
              _model("clip_street", SOURCE[:12])]  # fmt: skip
    tables.put("models", by_key(models))
    tables.put("pairs", by_key([_pair()]))
    dataset.release("v1", RECIPE, code="0.1")
    return dataset


def only(dataset: Catalog) -> Provenance:
    (made,) = provenances(dataset)
    return made


def test_the_way_from_the_source_to_the_release(dataset: Catalog):
    released = catalog.open(dataset.root, ref="v1")
    made = only(released)
    assert made == provenance(released, made["pair_id"][:6])
    assert made == json.loads(json.dumps(made)) and made["version"] == 1
    assert made["source"]["source_id"] == SOURCE and made["source"]["codec"] == "h264"
    assert (made["clip"]["first_frame"], made["clip"]["frames"]) == (30, 24)
    assert (made["track"]["label"], made["track"]["confidence"]) == ("bar", 0.7)
    assert (made["plan"]["seed"], made["plan"]["first_frame"]) == (7, 3)
    assert made["edit"]["params"] == {"by_migan": 0.25} and made["edit"]["seed"] == 7
    assert made["edit"]["output_licence"] == "Apache-2.0 AND ISC" and made["edit"]["may_train"]
    assert made["instruction"]["phrasings"] == ["Remove it.", "Erase it."]
    (quality,) = (f for f in made["filters"] if f["name"] == "quality")
    assert (quality["score"], quality["version"]) == (0.75, "2+1+b142d345+08bef03e")
    assert made["verdict"] == {"keep": True, "reason": ""}
    assert made["policy"] == POLICY.document()
    assert (made["release"]["tag"], made["release"]["recipe"]) == ("v1", "tiny")
    assert (made["release"]["selection"], made["release"]["code"]) == ("tiny-1", "0.1")
    assert made["release"]["tables"]["pairs"] == dataset.tables.version("pairs")


def test_every_section_has_the_fields_it_declares(dataset: Catalog):
    made = only(catalog.open(dataset.root, ref="v1"))
    assert list(made) == list(Provenance.__annotations__)
    for section, declared in (
        (made["source"], document.SourceProvenance),
        (made["clip"], document.ClipCut),
        (made["track"], document.ObjectProvenance),
        (made["plan"], document.EditPlan),
        (made["edit"], document.EditProvenance),
        (made["instruction"], document.InstructionProvenance),
        (made["release"], document.ReleasedAs),
        *((each, document.Ingredient) for each in made["ingredients"]),
        *((each, document.FilterScore) for each in made["filters"]),
        *((each, document.Medium) for each in made["media"].values()),
        *((each, document.ModelProvenance) for each in made["edit"]["models"]),
    ):
        assert list(section) == list(declared.__annotations__)


def test_versions_lead_to_the_models_that_took_part(dataset: Catalog):
    made = only(catalog.open(dataset.root, ref="v1"))
    assert made["edit"]["models"] == [
        {"model_id": "migan@6f1f3530a1a2", "licence": "ISC (its page)", "origin": "pkg:npm/migan@1"}
    ]
    assert [m["model_id"] for m in made["instruction"]["models"]] == ["writer@b179c9523d0e"]
    by_filter = {f["name"]: [m["model_id"] for m in f["models"]] for f in made["filters"]}
    assert by_filter["quality"] == ["quality@08bef03e"] and by_filter["subtle"] == []
    # those of the annotation too, but no sample footage
    assert [each.partition("@")[0] for each in made["release"]["models"]] == [
        "migan", "quality", "shots", "writer",
    ]  # fmt: skip


def test_main_is_no_release_and_has_a_policy(dataset: Catalog):
    made = only(dataset)
    assert made["release"] is None and made["policy"] == POLICY.document()


def test_a_release_under_another_policy_tells_its_own_verdict(dataset: Catalog):
    dataset.decide("strict", POLICY.changed({"quality": 0.9}))
    strict = only(catalog.open(dataset.root, ref="strict"))
    assert strict["verdict"] == {"keep": False, "reason": "edit_failed"}
    assert strict["policy"]["thresholds"][0]["value"] == 0.9
    (quality,) = (f for f in strict["filters"] if f["name"] == "quality")
    assert (quality["score"], quality["reason"]) == (0.75, "edit_failed")
    assert only(catalog.open(dataset.root, ref="v1"))["verdict"] == {"keep": True, "reason": ""}


def test_the_trained_expert_is_named_with_its_licence(dataset: Catalog):
    (pair,) = dataset.tables.records("pairs")
    row = dataclasses.replace(
        _model("remover", "0123456789ab"), licence="Apache-2.0", kind="expert"
    )
    dataset.tables.put("trained", by_key([row]))
    by_it = dict(expert="cogvideox-remover", expert_version="0123456789ab/cache+fedcba98")
    dataset.tables.put("pairs", by_key([dataclasses.replace(pair, **by_it)]))
    assert [m["licence"] for m in only(dataset)["edit"]["models"]] == ["Apache-2.0"]


def test_the_digital_source_type_follows_from_expert_and_mask(dataset: Catalog):
    cases = {
        "object_removal": (_pair(), "compositeWithTrainedAlgorithmicMedia", "parentOf"),
        "global_style_transfer": (
            _pair("global_style_transfer", mask=""), "trainedAlgorithmicMedia", "inputTo",
        ),
        "deblur": (
            _pair("deblur", mask="", expert_version="2"), "algorithmicallyEnhanced", "parentOf",
        ),
    }  # fmt: skip
    dataset.tables.put("pairs", by_key([pair for pair, _, _ in cases.values()]))
    for made in provenances(dataset):
        _, kind, relationship = cases[made["task"]]
        assert made["edit"]["digital_source_type"].endswith(f"/{kind}")
        assert [each["relationship"] for each in made["ingredients"]] == [relationship]


def test_a_swaps_donor_is_an_ingredient(dataset: Catalog):
    (pair,) = dataset.tables.records("pairs")
    dataset.tables.put("pairs", by_key([dataclasses.replace(pair, params=FROM_A_DONOR)]))
    own, donor = only(dataset)["ingredients"]
    assert (own["relationship"], own["source_id"], own["licence"]) == ("parentOf", SOURCE, "MIT")
    assert donor == {
        "relationship": "componentOf", "source_id": DONOR, "uri": "file:donor",
        "licence": "CC0-1.0", "clip_id": "other",
    }  # fmt: skip


def test_what_is_not_known_is_null(dataset: Catalog):
    (pair,) = dataset.tables.records("pairs")
    changes = dict(output_licence="", may_train=None, track_id="", mask="", plan_id="gone")
    dataset.tables.put("pairs", by_key([dataclasses.replace(pair, **changes)]))
    dataset.tables.drop("clips", ["clip"])
    dataset.tables.drop("sources", [SOURCE])
    made = only(dataset)
    assert made["edit"]["output_licence"] is None and made["edit"]["may_train"] is None
    assert made["source"] is made["clip"] is made["track"] is made["plan"] is None
    assert made["ingredients"][0]["uri"] == pair.source_uri
    assert set(made["media"]) == {"source", "target"}


def test_many_pairs_read_no_table_more_often_than_one(
    dataset: Catalog, monkeypatch: pytest.MonkeyPatch
):
    pairs = [dataclasses.replace(_pair(), pair_id=digest(k), seed=k) for k in range(8, 300)]
    dataset.tables.put("pairs", by_key(pairs))
    scanned: list[str] = []
    scan = Tables.scan

    def counted(self: Tables, table: str, *rest: Any) -> Any:
        scanned.append(table)
        return scan(self, table, *rest)

    monkeypatch.setattr(Tables, "scan", counted)
    (one,) = provenances(dataset, dataset.pairs().filter(seed=7))
    for_one = sorted(scanned)
    scanned.clear()
    many = list(provenances(dataset, dataset.pairs().filter(keep=True).sort("seed")))
    assert sorted(scanned) == for_one
    assert [each["edit"]["seed"] for each in many] == [7, *range(8, 300)] and many[0] == one
    assert all(each["plan"]["plan_id"] == "plan" for each in many)


def test_ids_that_name_no_pair_or_several(dataset: Catalog):
    with pytest.raises(EditmillError, match="no pair begins"):
        provenance(dataset, "zz")


def test_a_catalog_without_a_build_has_no_policy(tmp_path: Path):
    dataset = catalog.open(tmp_path / "catalog", create=True)
    dataset.tables.put("pairs", by_key([_pair()]))
    dataset.release("by-hand", "sources: {}")
    made = only(catalog.open(dataset.root, ref="by-hand"))
    assert made["policy"] is None and made["release"]["recipe"] == ""
    assert made["edit"]["models"] == [] and made["clip"] is None
