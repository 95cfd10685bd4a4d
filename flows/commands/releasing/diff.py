"""What changed between two releases: `editmill diff`."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path

from rich.table import Table

from catalog.diff.pairs import KEPT, Change, changes
from flows.commands.tables import console, print_table

WORDS = {
    "added": "added",
    "removed": "removed",
    "re-judged": "judged otherwise",
    "changed": "other content",
}
"""What a person reads for each `Change.what`."""


def show(root: str | Path, old: str, new: str, as_json: bool) -> None:
    """Prints the changes as a table per task and verdict, or with every id as JSON.

    Raises EditmillError where there is no catalog or no such ref.
    """
    found = changes(root, old, new)
    if as_json:
        print(json.dumps({"old": old, "new": new, "changes": list(map(dataclasses.asdict, found))}))
        return
    to = console()
    if found:
        print_table(to, _table(found, old, new))
    to.print(_summary(found, old, new), highlight=False)


def _table(found: list[Change], old: str, new: str) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("task", no_wrap=True)
    for heading in ("what happened", f"in {old}", f"in {new}"):
        table.add_column(heading, overflow="fold")
    table.add_column("pairs", justify="right")
    for one in found:
        verdicts = (_verdict(one.before) or "–", _verdict(one.after) or "–")
        table.add_row(one.task, WORDS[one.what], *verdicts, str(len(one.ids)))
    return table


def _verdict(reason: str) -> str:
    return reason if reason in ("", KEPT) else f"rejected: {reason}"


def _summary(found: list[Change], old: str, new: str) -> str:
    counts: Counter[str] = Counter()
    for one in found:
        counts[one.what] += len(one.ids)
    if not counts:
        return f"{old} and {new} hold the same pairs with the same verdicts."
    told = ", ".join(f"{counts[what]} {words}" for what, words in WORDS.items() if counts[what])
    explained = " Content is the instruction, the media and how they were made."
    return f"From {old} to {new}: {told}." + (explained if counts["changed"] else "")
