"""Other thresholds for what is judged already: `editmill decide`."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

import catalog
from catalog.errors import EditmillError
from catalog.policy import Policy
from catalog.records import SCORES
from catalog.releases import Catalog
from catalog.wording import counted
from experts.edit.tasks import TASKS
from filters.base import SCORE_RANGES


def main(
    root: str,
    *,
    ref: str,
    settings: Sequence[str],
    off: Sequence[str],
    on: Sequence[str],
    tag: str | None,
    as_json: bool,
) -> None:
    """Makes a release of `ref` under the changed policy, and says what it keeps now.

    Raises EditmillError for a setting that is none, an unknown ref, or a tag that is taken.
    """
    dataset = catalog.open(root, ref=ref)
    policy = changed(dataset, settings, off, on)
    notes = f"{ref}, decided anew: " + "; ".join(
        [*settings, *(f"{name} off" for name in off), *(f"{name} on" for name in on)]
    )
    release = dataset.decide(tag or dataset.next_tag(), policy, notes)
    tasks = release.counts["tasks"]
    kept, made = (sum(task[what] for task in tasks.values()) for what in ("kept", "made"))
    if as_json:
        document = {"release": release.tag, "kept": kept, "made": made, "tasks": tasks}
        print(json.dumps(document | {"policy": policy.document()}))
        return
    _print_tasks(dataset.counts()["tasks"], tasks, ref, release.tag)
    print(f"Release {release.tag} keeps {kept} of {counted(made, 'pair')}; {ref} stays as it was.")


def _print_tasks(before: dict[str, Any], after: dict[str, Any], ref: str, tag: str) -> None:
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("task")
    for heading in ("made", f"kept in {ref}", f"in {tag}"):
        table.add_column(heading, justify="right")
    for task, now in after.items():
        table.add_row(task, str(now["made"]), str(before[task]["kept"]), str(now["kept"]))
    Console().print(table)


def changed(
    dataset: Catalog, settings: Sequence[str], off: Sequence[str], on: Sequence[str]
) -> Policy:
    """The dataset's policy with `FILTER=VALUE` and `FILTER.TASK=VALUE` of `settings`."""
    if dataset.policy is None:
        raise EditmillError(
            f"{dataset.uri}: {dataset.ref} has no policy that could be changed: only what this "
            "version of editmill built has one; build once more and decide on that release"
        )
    values, per_task = {}, {}
    for setting in settings:
        name, _, text = setting.partition("=")
        score, dot, task = name.partition(".")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or score not in SCORES:
            raise EditmillError(
                f"--set {setting}: not a threshold; write FILTER=VALUE or FILTER.TASK=VALUE, the "
                f"filter one of {', '.join(SCORE_RANGES)}"
            )
        if score not in SCORE_RANGES:
            raise EditmillError(
                f"--set {setting}: {score} has no threshold that a decision can move: what it "
                f"checks is set in the recipe (filters: {score}: …) and takes effect with the next "
                f"build; here it can only be switched off (--off {score})"
            )
        low, high = SCORE_RANGES[score]
        if not low <= value <= high:
            raise EditmillError(
                f"--set {setting}: a score of {score} lies between {low:g} and {high:g}; give a "
                "threshold in that range"
            )
        if dot and task not in TASKS:
            raise EditmillError(f"--set {setting}: no task {task!r}; see: editmill tasks")
        if dot:
            per_task[score, task] = value
        else:
            values[score] = value
    if not (settings or off or on):
        raise EditmillError(
            "nothing to decide; give --set FILTER=VALUE, --off FILTER or --on FILTER"
        )
    return dataset.policy.changed(values, per_task, tuple(off), tuple(on))
