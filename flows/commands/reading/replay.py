"""`editmill replay`: a stage run again alone, a line for each of its records."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import typer

from catalog.wording import counted
from flows.replay import Replayed, replay

SHOWN = 6
"""Fields of a record that are told; `--json` has all."""

LONGEST = 60  # characters of a value

WHY = {
    "another key": "the same outcome lies in the journal under another key: the code, the recipe "
    "or a model has changed since, and a build would make it again",
    "not recorded": "the journal has nothing under its key: it was made by other code, another "
    "recipe or model, or not at all",
}


def main(root: str, stage: str, what: str, *, ref: str, recipe: str | None, as_json: bool) -> bool:
    """Runs the command; whether every record came out the same."""
    found = replay(root, stage, what, ref=ref, recipe=recipe)
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(each) for each in found]))
    else:
        typer.echo("\n".join([*(line(stage, each) for each in found), total(found)]))
    return all(each.state == "same" for each in found)


def line(stage: str, replayed: Replayed) -> str:
    """What became of a record, in one line."""
    told = [f"{name}: {_short(a)} → {_short(b)}" for name, (a, b) in replayed.fields.items()]
    if len(told) > SHOWN:
        told = [*told[:SHOWN], f"and {len(told) - SHOWN} more fields"]
    why = "; ".join(told) or replayed.message or WHY.get(replayed.state, "")
    return f"{stage} {replayed.record}: {replayed.state}" + (f", {why}" if why else "")


def total(found: Sequence[Replayed]) -> str:
    """`4 records: 3 same, 1 differs`."""
    counts = Counter(each.state for each in found)
    states = ", ".join(f"{n} {state}" for state, n in sorted(counts.items(), reverse=True))
    return f"{counted(len(found), 'record')}: {states}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
