"""A small catalog as format 1 had it: its tables written by deltalake alone, rows without parts, a
document of the journal for each record."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import write_deltalake

from catalog.keys import digest
from catalog.records import TABLES, Clip, Failure, ModelRow, Pair, Source, schema, to_row

FIRST = {"clips": 0, "pairs": 0, "sources": 0, "models": 0}
SECOND = {"clips": 1, "pairs": 1, "sources": 0, "models": 1, "failures": 0}
RELEASE_COLUMNS = ("tag", "created_at", "tables", "recipe", "notes")

STAGES = ("ingest", "annotate", "edit", "instruct")


def product_key(stage: str) -> str:
    return digest(stage, "a record")


def append(root: Path, table: str, records: Sequence[Any], without: Sequence[str] = ()) -> None:
    """One commit of these rows; `without` are columns that there were not yet."""
    frame = pl.DataFrame([to_row(r) for r in records], schema=schema(TABLES[table]), orient="row")
    frame = frame.drop(without)
    if table == "releases":
        frame = frame.select(RELEASE_COLUMNS)
    write_deltalake(root / "tables" / table, frame, mode="append", schema_mode="merge")


def pair(name: str, keep: bool) -> Pair:
    """A pair whose quality the threshold of its time rejected, or kept."""
    values: dict[str, Any] = {"int": 0, "float": 25.0, "str": "", "bool": keep}
    required = {
        f.name: values.get(str(f.type), {} if str(f.type).startswith("dict") else None)
        for f in dataclasses.fields(Pair)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    }
    reason = "" if keep else "edit_failed"
    own = dict(pair_id=name, task="deblur", source_id="s", clip_id="c1", quality_score=0.4)
    return Pair(**required | own | {"reason": reason, "quality_reason": reason})


def expert(version: str) -> ModelRow:
    return ModelRow(
        f"remover@{version}", "remover", version, "CC0-1.0", "trained here", {"psnr": 20.5},
        kind="expert", path=f"models/remover/{version}", config={"steps": 5}, promoted=True,
        created_at="2026-01-01T00:00:00+00:00",
    )  # fmt: skip


def write(root: Path) -> Path:
    """Two releases, `v1` and `v2`, and a row that came after both."""
    clips = [
        Clip(f"c{k}", "s", "u", "CC0-1.0", f"media/ab/c{k}.mp4", 0, 33, 25.0, 592, 336, "a car")
        for k in range(3)
    ]
    append(root, "clips", clips[:1], without=["camera"])
    append(root, "pairs", [pair("p1", True), pair("p2", False)], without=["plan_id"])
    append(root, "sources", [Source("s", "a.mp4", "u", "CC0-1.0", 592, 336, 25.0, 99, "h264")])
    used = ModelRow("quality@1", "quality", "1", "Apache-2.0", "here", {})
    since = ["kind", "path", "config", "data_ref", "parent", "promoted", "created_at"]
    append(root, "models", [used], without=since)
    append(root, "clips", clips[1:2])
    append(root, "pairs", [pair("p3", True)])
    append(root, "models", [expert("a" * 12)])
    append(root, "failures", [Failure("f", "edit", "r", "too_small", "is too small")])
    shared = {"recipe": '{"name": "tiny"}', "notes": "by hand"}
    rows = [
        dict(tag="v1", created_at="2026-01-01T00:00:00+00:00", tables=FIRST, **shared),
        dict(tag="v2", created_at="2026-02-01T00:00:00+00:00", tables=SECOND, **shared),
    ]
    for row in rows:
        append(root, "releases", [TABLES["releases"](**row)])
    append(root, "clips", clips[2:])
    for stage in STAGES:
        key = product_key(stage)
        _write(root / "work" / stage / key[:2] / f"{key}.json", {"made": stage})
    _write(root / "work" / "status.json", {"state": "finished"})
    _write(root / "work" / "previews" / f"{'0' * 32}.json", {})
    _write(root / "catalog.json", {"format": 1})
    return root


def _write(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
