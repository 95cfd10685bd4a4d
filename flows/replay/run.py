"""Runs a stage again, and says of each of its records what became of it."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from catalog.errors import EditmillError
from catalog.products import Products
from catalog.records import Plan, from_row
from catalog.releases import MAIN
from flows.replay.difference import MISSING, Values, difference
from flows.replay.inputs import context_of, recipe_of
from flows.replay.overlay import NO_INPUT, OverlaidProducts, OverlaidTables, overlaid
from flows.replay.stages import STAGES
from flows.replay.target import Target, target
from flows.runtime.context import Context
from flows.runtime.results.journal import FAILED
from flows.runtime.results.record_result import RecordResult
from flows.runtime.worker import limit_gpu_memory, limit_threads
from flows.stages import plan

State = Literal["same", "differs", "another key", "not recorded", "failed", "no input"]


@dataclass(frozen=True, slots=True)
class Replayed:
    """A record of the stage, run again.

    same: the same key, and the same document to the byte. differs: the same key, another document;
    `fields` says where, with the recorded and the present value. another key: the journal has the
    very document under another key, since the code, the recipe or a model has changed. not
    recorded: it has neither. failed: now, in a way that may pass. no input: a stage before it has
    left nothing to run it from.
    """

    record: str
    state: State
    key: str = ""
    fields: dict[str, Values] = field(default_factory=dict)
    message: str = ""


def replay(
    root: str | Path, stage: str, what: str, *, ref: str = MAIN, recipe: str | None = None
) -> list[Replayed]:
    """Runs `stage` again on what is meant by `what` (:func:`flows.replay.target.target`).

    `recipe` is a shipped recipe's name or a YAML file; None takes the one that the catalog was
    built by, as it remembers it: without what changes no result, the address of a server.

    Raises EditmillError where there is no such stage, catalog or record, and as the stage does.
    """
    if stage not in STAGES:
        raise EditmillError(f"{stage}: cannot be run again; use one of: {', '.join(STAGES)}")
    with tempfile.TemporaryDirectory(prefix="editmill-replay-") as folder:
        dataset = overlaid(root, ref, stage, Path(folder))
        ctx = context_of(dataset, recipe_of(dataset, recipe))
        wanted = target(dataset, what)
        results: list[RecordResult] = []
        ctx.on_result = results.append
        limit_threads(ctx.recipe.run.threads)
        limit_gpu_memory(ctx.recipe.run.gpu_memory)
        STAGES[stage](ctx, wanted)
        found = [each for result in results if (each := _replayed(ctx, stage, result))]
        if stage == plan.STAGE:
            found += _plans(ctx, wanted)
    if not found:
        raise EditmillError(f"{what}: {stage} has no record of it")
    return found


def _replayed(ctx: Context, stage: str, result: RecordResult) -> Replayed | None:
    """What to say of a record that has been through a stage; None where it is not `stage`'s."""
    reason = result.document.get(FAILED, {}) if result.document else {}
    if result.stage != stage:
        if reason.get("reason") != NO_INPUT:
            return None
        return Replayed(result.record, "no input", message=reason["message"])
    if result.document is None:
        return Replayed(result.record, "failed", result.key, message=_failure(ctx, result.record))
    products = ctx.catalog.products
    assert isinstance(products, OverlaidProducts)
    return _compared(products.recorded, result, json.loads(json.dumps(result.document)))


def _compared(recorded: Products, result: RecordResult, now: dict[str, Any]) -> Replayed:
    page = recorded.read(result.stage, result.page)
    then = recorded.page(result.stage, result.page).get(result.key)
    if then is not None:
        fields = difference(then, now)
        return Replayed(result.record, "differs" if fields else "same", result.key, fields)
    others = [document for document in page.values() if document == now]
    if others:
        return Replayed(result.record, "another key", result.key)
    return Replayed(result.record, "not recorded", result.key)


def _failure(ctx: Context, record: str) -> str:
    """Why the record failed just now."""
    tables = ctx.catalog.tables
    assert isinstance(tables, OverlaidTables)
    rows = [row for own in tables.given.get("failures", {}).values() for row in own]
    return next((row.message for row in rows if row.record == record), "")


def _plans(ctx: Context, wanted: Target) -> list[Replayed]:
    """Plans are no products, since they are drawn at no cost: they are compared with their rows."""
    tables = ctx.catalog.tables
    assert isinstance(tables, OverlaidTables)
    drawn = (each for own in tables.given["plans"].values() for each in own)
    rows = ctx.catalog.table("plans").collect().iter_rows(named=True)
    stored = (from_row(Plan, row) for row in rows if row["clip_id"] in wanted.clips)
    now, then = ({each.plan_id: _document(each) for each in plans} for plans in (drawn, stored))
    found = []
    for name in dict.fromkeys([*then, *now]):
        if wanted.record not in ("", name):
            continue
        task = (now.get(name) or then[name])["task"]
        if name not in then:
            found.append(Replayed(f"{task} {name}", "not recorded"))
            continue
        fields = difference(then[name], now[name]) if name in now else {"plan": (name, MISSING)}
        found.append(Replayed(f"{task} {name}", "differs" if fields else "same", "", fields))
    return found


def _document(planned: Plan) -> dict[str, Any]:
    """As JSON has it."""
    document: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(planned)))
    return document
