"""What a build would make and take, in words: `editmill build --dry-run`. Writes nothing."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from catalog.errors import EditmillError
from catalog.wording import counted
from experts.devices import cuda_device
from experts.edit.tasks import TASKS, expert_for
from experts.providers import provider
from experts.providers.requirements import Requirement
from experts.weights import WeightsEntry
from flows.commands.machine.recipe_models import provider_table
from flows.commands.making.estimate import costs, placement
from flows.commands.making.estimate.forecast import Forecast, forecast, whole
from flows.commands.making.estimate.planned import planned
from flows.commands.making.known import Known, known
from flows.needs import files, needed
from flows.recipe import Recipe
from flows.request import recipe_for
from flows.runtime.monitoring import status as build_status
from flows.runtime.pinned import pinned
from flows.runtime.servers.models import served_models
from flows.sources.stock.section import StockSection

MB, GB = 1e6, 1e9
REFUSALS = 5
"""Files that cannot be read that are named; the rest is counted."""


def show(recipe_name: str, out: str, *, source: Path | None, as_json: bool) -> None:
    """Prints the estimate. Raises EditmillError for a recipe, folder or sample that is not there,
    and where `out` is a catalog that cannot be read."""
    recipe = recipe_for(recipe_name, source, out)
    expected = forecast(recipe, planned(out, recipe))
    document = _document(recipe, out, expected)
    if as_json:
        print(json.dumps(document))
        return
    console = Console(highlight=False, soft_wrap=True)
    for line in _lines(recipe, expected, document):
        console.print(line, markup=False)
    if expected.edits:
        console.print(_edit_table(expected))
    console.print(_model_table(document["models"]))
    if with_checkpoints := [each for each in needed(recipe) if each.checkpoint]:
        console.print(provider_table(with_checkpoints))


def _document(recipe: Recipe, out: str, expected: Forecast) -> dict[str, Any]:
    entries = files(recipe)
    cores = os.cpu_count() or 1
    had = known(out, expected.footage.videos)
    return {
        "recipe": recipe.name,
        "out": str(out),
        "there": had.rows,
        "known": had.sources,
        "forgotten": had.forgotten,
        "refused_before": had.refused,
        "new_seconds": round(_new_seconds(expected, had), 1),
        "unfinished": any(had.rows.values()) and _unfinished(out),
        "sources": len(expected.footage.videos),
        "source_seconds": round(expected.footage.seconds, 1),
        "refused": expected.footage.refused,
        "absent": expected.absent,
        "left_out": expected.notes,
        "problems": _problems(recipe, out),
        "clips": expected.clips,
        "planned_clips": expected.planned,
        "edits": whole(expected.edits),
        "edits_between": {
            task: expected.between(task) for task in expected.edits if TASKS[task].needs_track
        },
        "records": round(expected.records),
        "bytes": round(expected.bytes),
        "core_seconds": {part: round(spent, 1) for part, spent in expected.seconds.items()},
        "unmeasured": expected.unmeasured,
        "gpu": placement.lines(recipe, expected.clips, expected.edits, _gpu_memory(recipe)),
        "providers": [dataclasses.asdict(each) for each in needed(recipe) if each.checkpoint],
        "wall_seconds": round(expected.core_seconds / max(1, min(recipe.run.workers, cores))),
        "servers": _servers(recipe),
        "weights": _weights(needed(recipe), entries),
        "models": [
            {
                "name": entry.name,
                "what": entry.what,
                "licence": entry.licence,
                "bytes": entry.size,
                "present": entry.present,
            }
            for entry in entries
        ],
        "download_bytes": sum(entry.size for entry in entries if not entry.present),
    }


def _gpu_memory(recipe: Recipe) -> int | None:
    """Bytes of this machine's GPU, looked for only where the recipe uses one."""
    device = cuda_device() if placement.placement(recipe) else None
    return None if device is None else device.memory


def _problems(recipe: Recipe, out: str) -> list[str]:
    """What the build would end with at once: a model or a checkpoint that is not there."""
    found = []
    try:
        pinned(recipe, out)
    except EditmillError as error:
        found.append(str(error))
    for task, weight in recipe.plan.weights.items():
        if weight and TASKS[task].checkpoint and recipe.models.depth is None:
            try:
                _ = expert_for(task).version
            except EditmillError as error:
                found.append(str(error))
    for each in needed(recipe):
        if each.fault or each.install:
            found.append(
                each.fault or f"{each.slot}: {each.name} needs {each.library}; {each.install}"
            )
        elif each.state == "no commit":
            found.append(provider(each.slot, each.name).without_commit)
    for section in recipe.sources:
        if isinstance(section, StockSection):
            try:
                section.check_key()
            except EditmillError as error:
                found.append(str(error))
    return list(dict.fromkeys(found))


def _servers(recipe: Recipe) -> list[dict[str, str]]:
    """The servers that the build would ask; none is asked."""
    return [
        {"slot": slot, "model": model.name, "address": model.address}
        for slot, model in served_models(recipe)
    ]


def _weights(rows: Sequence[Requirement], entries: Sequence[WeightsEntry]) -> dict[str, int]:
    """Bytes on disk of all that the build opens, those of it that are not here yet, and of how many
    checkpoints no size is known."""
    sizes = {(each.checkpoint, each.size): each.state == "here" for each in rows if each.checkpoint}
    here = [entry.size for entry in entries if entry.present]
    here += [size for (_, size), is_here in sizes.items() if is_here]
    missing = [entry.size for entry in entries if not entry.present]
    missing += [size for (_, size), is_here in sizes.items() if not is_here]
    return {
        "bytes": sum(here) + sum(missing),
        "missing_bytes": sum(missing),
        "unknown": sum(not size for _, size in sizes),
    }


def _lines(recipe: Recipe, expected: Forecast, document: dict[str, Any]) -> list[str]:
    refused = expected.footage.refused
    lines = [
        f"{recipe.name}: {counted(document['sources'], 'source')}, "
        f"{expected.footage.seconds / 60:.1f} minutes of footage → "
        f"{counted(expected.clips, 'clip')} → "
        + (
            f"{counted(round(expected.records), 'local-editing record')} at most"
            if recipe.records is not None
            else _edits(expected)
        )
    ]
    lines += [f"As it is, the build would refuse: {problem}" for problem in document["problems"]]
    if expected.absent:
        lines.append(
            f"Not counted, since they must be downloaded first: {', '.join(expected.absent)}"
        )
    if refused:
        lines += ["Cannot be read:", *(f"  {reason}" for reason in refused[:REFUSALS])]
        lines += [f"  and {len(refused) - REFUSALS} more"] if len(refused) > REFUSALS else []
    lines += expected.notes
    if any(document["there"].values()) or document["forgotten"]:
        lines += _there(expected, document)
    lines.append(_time(recipe, expected, document))
    lines.append(
        f"Disk: about {expected.bytes / MB:.0f} MB of media in {document['out']}. Memory: "
        f"{costs.MEMORY_GIB[0]} to {costs.MEMORY_GIB[1]} GiB with two workers."
    )
    lines.append(_weights_line(document["weights"]))
    if document["servers"]:
        asked = (f"{s['slot']}: {s['model']} at {s['address']}" for s in document["servers"])
        lines.append(f"Servers that are asked: {', '.join(asked)}.")
    lines += document["gpu"]
    as_before = (
        f"the edits per clip were those that this recipe planned for {expected.planned} clips of "
        f"{document['out']}"
    )
    lines.append(
        "Estimated as if each video were one shot and "
        f"{as_before if expected.planned else 'as many objects suited as on the samples'}; "
        "times were measured on two cores (infra/bench/results)."
        + (" How many of the edits are kept, the judgement decides." if expected.edits else "")
    )
    return lines


def _edits(expected: Forecast) -> str:
    """How many, and between which bounds where it depends on the objects that suit."""
    about = round(sum(expected.edits.values()))
    least, most = (round(sum(each.values())) for each in (expected.without, expected.with_many))
    if least == most:
        return counted(about, "edit")
    return f"about {counted(about, 'edit')}, {least} to {most} as objects suit"


def _weights_line(sizes: dict[str, int]) -> str:
    checkpoints = counted(sizes["unknown"], "checkpoint")
    unknown = f", and {checkpoints} of unknown size" if sizes["unknown"] else ""
    missing = sizes["missing_bytes"]
    fetched = f"{missing / GB:.1f} GB of it still to be fetched" if missing else "all of it here"
    return f"Weights: {sizes['bytes'] / GB:.1f} GB on disk{unknown}, {fetched}."


def _unfinished(out: str) -> bool:
    """Whether the last build in the catalog did not come to its end, as far as is known."""
    last = build_status.read(out)
    return last is not None and last.state != "finished"


def _new_seconds(expected: Forecast, had: Known) -> float:
    """Seconds of footage that the catalog neither has nor refuses."""
    old = {*had.sources, *had.forgotten, *had.refused}
    videos = expected.footage.videos
    return float(sum(video.info.duration for video in videos if video.file.name not in old))


def _there(expected: Forecast, document: dict[str, Any]) -> list[str]:
    """What of it is there already, what is new, and what will be refused."""
    there = ", ".join(f"{count} {table}" for table, count in document["there"].items() if count)
    had, gone = len(document["known"]), document["forgotten"]
    refused = len(document["refused_before"])
    new = document["sources"] - had - len(gone) - refused
    lines = [f"{document['out']} holds {there or 'nothing'} already. "]
    lines[0] += f"By name, {had} of the {document['sources']} sources are in it, {new} new"
    if refused:
        lines[0] += f", {refused} refused before (its failures say why)"
    if had and expected.footage.seconds:
        share = document["new_seconds"] / expected.footage.seconds
        spent = share * expected.core_seconds / 60
        lines[0] += (
            f"; what is finished is not made again, so of the time below about {spent:.0f} "
            "core-minutes are for what is new, if the recipe stayed the same"
        )
        if document["unfinished"]:
            lines[0] += " (and more for what the last build, which did not finish, has left)"
    lines[0] += "."
    if gone:
        named = ", ".join(gone[:REFUSALS]) + (" …" if len(gone) > REFUSALS else "")
        lines.append(f"Forgotten, so the build refuses them: {named}")
    return lines


def _time(recipe: Recipe, expected: Forecast, document: dict[str, Any]) -> str:
    text = (
        f"Time: about {expected.core_seconds / 60:.0f} core-minutes, "
        f"{counted(round(document['wall_seconds'] / 60), 'minute')} with "
        f"{counted(recipe.run.workers, 'worker')}"
    )
    if recipe.records is not None:
        text += ", without the records themselves, which were not measured"
    if expected.unmeasured:
        text += f"; not measured: {', '.join(expected.unmeasured)}"
    return text + "."


def _edit_table(expected: Forecast) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("task")
    table.add_column("edits", justify="right")
    table.add_column("as objects suit", justify="right")
    table.add_column("core-minutes", justify="right")
    for task, count in expected.edits.items():
        spent = f"{expected.seconds[task] / 60:.1f}" if task in expected.seconds else "?"
        least, most = expected.between(task)
        about = f"{count:.0f}" if count >= 0.5 else "< 1"
        between = f"{least} to {most}" if TASKS[task].needs_track else ""
        table.add_row(task, about, between, spent)
    return table


def _model_table(models: list[dict[str, Any]]) -> Table:
    missing = sum(model["bytes"] for model in models if not model["present"])
    told = f"{missing / MB:.0f} MB to download" if missing else "all here"
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column(f"models and samples ({told})")
    table.add_column("MB", justify="right")
    table.add_column("")
    table.add_column("licence", overflow="fold")
    for model in models:
        here = "here" if model["present"] else "missing"
        table.add_row(model["name"], f"{model['bytes'] / MB:.1f}", here, model["licence"])
    return table
