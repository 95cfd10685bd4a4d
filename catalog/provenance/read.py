"""Provenance documents, made from the catalog's rows alone: no media and no model is opened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, get_type_hints

import polars as pl

from catalog.errors import EditmillError
from catalog.provenance import document as doc
from catalog.provenance.models import ModelIndex
from catalog.provenance.values import filter_versions, finite, json_object
from catalog.query import Queries
from catalog.records import SCORES, VLM_SCORES
from catalog.releases import Catalog

BATCH = 32_768
"""Pairs joined and made into documents at a time: about 150 MB. The other tables are read once for
each batch, so smaller ones cost time."""

IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"

Row = dict[str, Any]


def provenance(dataset: Catalog, pair_id: str) -> doc.Provenance:
    """The document of the pair with this id, or of the only one whose id begins so.

    Raises EditmillError where there is none, or several.
    """
    found = dataset.pair(pair_id).record.pair_id
    (document,) = provenances(dataset, dataset.pairs().filter(pair_id=found))
    return document


def provenances(dataset: Catalog, pairs: pl.LazyFrame | None = None) -> Iterator[doc.Provenance]:
    """The documents of all pairs at the dataset's ref, or of `pairs`, in their order.

    One batch of pairs is in memory at a time.
    """
    models = ModelIndex(
        dataset.models().collect(),
        dataset.trained().collect(),
        footage=dataset.sources().select("source_id").collect()["source_id"],
    )
    policy = None if dataset.policy is None else dataset.policy.document()
    released = _released(dataset, models)
    wanted = dataset.pairs() if pairs is None else pairs
    for batch in wanted.collect_batches(chunk_size=BATCH, lazy=True):
        for row in _joined(dataset, batch).iter_rows(named=True):
            yield _document(row, models, policy, released)


def _joined(dataset: Queries, pairs: pl.DataFrame) -> pl.DataFrame:
    """The pairs, each with the rows it came from as structs."""
    tracks = dataset.tracks().with_columns(
        pl.col("confidence").list.eval(pl.element().filter(pl.element() > 0)).list.mean().round(4)
    )
    for name, table, section, key in (
        ("_source", dataset.sources(), doc.SourceProvenance, "source_id"),
        ("_clip", dataset.clips(), doc.ClipCut, "clip_id"),
        ("_track", tracks, doc.ObjectProvenance, "track_id"),
        ("_plan", dataset.table("plans"), doc.EditPlan, "plan_id"),
    ):
        keys = pairs.lazy().select(key).unique()
        rows = table.join(keys, on=key, how="semi")
        rows = rows.select(key, pl.struct(*get_type_hints(section)).alias(name))
        pairs = pairs.join(rows.collect(), on=key, how="left", maintain_order="left")
    return pairs


def _document(
    row: Row, models: ModelIndex, policy: Row | None, released: doc.ReleasedAs | None
) -> doc.Provenance:
    params = json_object(row["params"])
    if params is None:
        raise EditmillError(
            f"{row['pair_id']}: its params are no JSON object; leave the pair out, or restore it"
        )
    return {
        "version": doc.VERSION,
        "pair_id": row["pair_id"],
        "task": row["task"],
        "media": _media(row),
        "ingredients": _ingredients(row, params),
        "source": row["_source"],
        "clip": row["_clip"],
        "track": row["_track"],
        "plan": row["_plan"],
        "edit": _edit(row, params, models),
        "instruction": {
            "text": row["instruction"],
            "enhanced": row["enhanced_instruction"],
            "by": row["instruction_by"],
            "model": row["instruction_model"],
            "models": models.named(row["instruction_model"]),
            "phrasings": row["phrasings"] or [],
        },
        "filters": _filters(row, models),
        "policy": policy,
        "verdict": {"keep": row["keep"], "reason": row["reason"]},
        "release": released,
    }


def _media(row: Row) -> dict[str, doc.Medium]:
    refs = {"source": row["source_video"], "target": row["target_video"], "mask": row["mask"]}
    return {
        part: {
            "ref": ref,
            "sha256": PurePosixPath(ref).stem,  # media are named by their content
            "generated": part == row["generated_side"],
        }
        for part, ref in refs.items()
        if ref
    }


def _ingredients(row: Row, params: Row) -> list[doc.Ingredient]:
    own = row["_source"] or {"uri": row["source_uri"], "licence": row["licence"]}
    found: list[doc.Ingredient] = [
        {
            "relationship": "parentOf" if _keeps_footage(row) else "inputTo",
            "source_id": row["source_id"],
            "uri": own["uri"],
            "licence": own["licence"],
            "clip_id": row["clip_id"],
        }
    ]
    if donor := params.get("donor"):
        found.append(
            {
                "relationship": "componentOf",
                "source_id": donor["source_id"],
                "uri": donor["uri"],
                "licence": donor["licence"],
                "clip_id": donor["clip_id"],
            }
        )
    return found


def _edit(row: Row, params: Row, models: ModelIndex) -> doc.EditProvenance:
    return {
        "expert": row["expert"],
        "expert_version": row["expert_version"],
        "models": models.named(row["expert_version"]),
        "generated_side": row["generated_side"],
        "seed": row["seed"],
        "params": params,
        "digital_source_type": IPTC + _digital_source_type(row),
        "output_licence": row["output_licence"] or None,
        "may_train": row["may_train"],
    }


def _filters(row: Row, models: ModelIndex) -> list[doc.FilterScore]:
    versions = filter_versions(row["filter_versions"])
    return [
        {
            "name": name,
            "version": versions.get(name, ""),
            "score": finite(row[f"{name}_score"]),
            "reason": row[f"{name}_reason"] or "",
            "models": models.named(versions.get(name, "")),
        }
        for name in SCORES
        if name in versions or name not in VLM_SCORES
    ]


def _keeps_footage(row: Row) -> bool:
    """Whether the generated side is the footage, altered; else each of its pixels is a model's."""
    return bool(row["mask"]) or not ModelIndex.has_weights(row["expert_version"])


def _digital_source_type(row: Row) -> str:
    """Which of IPTC's digital source types the generated side is of."""
    if not ModelIndex.has_weights(row["expert_version"]):
        return "algorithmicallyEnhanced"  # altered by an algorithm that learnt from no data
    if _keeps_footage(row):
        return "compositeWithTrainedAlgorithmicMedia"
    return "trainedAlgorithmicMedia"


def _released(dataset: Catalog, models: ModelIndex) -> doc.ReleasedAs | None:
    release = dataset.released
    if release is None:
        return None
    return {
        "tag": release.tag,
        "created_at": release.created_at,
        "recipe": _recipe_name(release.recipe),
        "selection": release.selection,
        "code": release.code,
        "tables": release.tables,
        "models": models.took_part,
    }


def _recipe_name(recipe: str) -> str:
    try:
        values = json.loads(recipe)
    except ValueError:  # of a release that no build made
        return ""
    return str(values.get("name", "")) if isinstance(values, dict) else ""
