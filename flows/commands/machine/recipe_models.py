"""What serves each slot, and what of it is here: `editmill models` with `--recipe` or `--slots`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from catalog.errors import EditmillError
from catalog.wording import counted
from experts import weights
from experts.checkpoint.download import UnavailableError, newest
from experts.checkpoint.places import offline
from experts.providers import providers, slots
from experts.providers.models import Models
from experts.providers.requirements import Requirement, of_choices, requirement
from flows import needs
from flows.commands.machine import models
from flows.recipe import Recipe, load

MB = 1e6
SHOWN = 12
"""Digits of a commit that a table shows; `--json` has all."""

COLOURS = {
    "here": "green",
    "served": "green",
    "missing": "yellow",
    "no commit": "yellow",
    "unusable": "red",
}
TRAINING = {
    True: "outputs may train models",
    False: "outputs may not train models",
    None: "whether outputs may train models is not known",
}


def show_recipe(name: str, *, bring: bool, as_json: bool) -> int:
    """Prints what a recipe needs, fetched first if `bring`; returns the exit code: 1 where
    something is unusable, or is missing and was to be fetched, or may not be (`offline`).
    """
    recipe = load(name)
    faults = _bring(recipe, name) if bring else []
    rows, files = needs.needed(recipe), needs.files(recipe)
    lacking = [row for row in rows if row.state not in ("here", "served")]
    absent = [entry for entry in files if not entry.present]
    if as_json:
        told = [dataclasses.asdict(row) for row in rows]
        listed = [models.row(entry) for entry in files]
        print(json.dumps({"recipe": recipe.name, "models": told, "files": listed}, indent=2))
    else:
        Console().print(provider_table(rows))
        _print_rest(name, lacking, absent, bring, Console(soft_wrap=True, highlight=False))
    for fault in faults:
        Console(stderr=True, soft_wrap=True, highlight=False).print(fault, markup=False)
    unusable = any(row.state == "unusable" for row in lacking)
    return int(unusable or ((bring or offline()) and bool(lacking or absent)))


def show_slots(as_json: bool) -> None:
    """Prints every provider of every slot."""
    rows = [requirement(slot, name) for slot in slots() for name in providers(slot)]
    if as_json:
        print(json.dumps([dataclasses.asdict(row) for row in rows], indent=2))
    else:
        Console().print(provider_table(rows))


def pin(name: str, as_json: bool) -> None:
    """Prints the recipe's `models` with the hub's newest commit of each checkpoint without one.

    Raises EditmillError where the hub cannot be asked.
    """
    models = load(name).models
    rows = of_choices(models.choices())
    pinned = _pinned(models, rows)
    ignored = {f"{row.slot}: {row.name}": row.fault for row in rows if row.state == "unusable"}
    if as_json:
        print(json.dumps({"models": pinned, "unusable": ignored}))
        return
    for what, fault in ignored.items():
        print(f"# Not pinned, since it cannot be used: {what} ({fault})")
    if not pinned:
        print(f"# Every {'other ' * bool(ignored)}checkpoint of {name} has its commit.")
        return
    print("# Newest commits of the hub; put these lines into the recipe.\nmodels:")
    for slot, choice in pinned.items():
        print(f"  {slot}: {json.dumps(choice)}")  # which YAML reads, too


def _pinned(chosen: Models, rows: Sequence[Requirement]) -> dict[str, dict[str, Any]]:
    found = {}
    for row in rows:
        if row.state != "no commit":
            continue
        try:
            commit = newest(row.checkpoint)
        except UnavailableError as error:
            raise EditmillError(
                f"{row.checkpoint}: its newest commit cannot be had ({error}); connect, or give "
                f"`checkpoint` of `models.{row.slot}` a folder"
            ) from None
        choice = getattr(chosen, row.slot)
        given = {"provider": choice.provider, **choice.options}
        found[row.slot] = {**given, "checkpoint": f"{row.checkpoint}@{commit}"}
    return found


def _bring(recipe: Recipe, name: str) -> list[str]:
    """Fetches what is missing; a line for each checkpoint that cannot be had."""
    models.fetch_missing(needs.files(recipe))
    faults = []
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        for row in needs.needed(recipe):
            if row.state == "no commit":
                faults.append(
                    f"{row.slot}: which commit of {row.checkpoint} is not settled; "
                    f"editmill models --recipe {name} --pin asks the hub for the newest"
                )
                continue
            bar = bars.add_task(row.name, total=None, visible=False)

            def report(done: int, total: int, bar: Any = bar) -> None:
                bars.update(bar, completed=done, total=total, visible=True)

            try:
                needs.fetch(row, report)
            except EditmillError as error:
                faults.append(str(error))
    return faults


def provider_table(rows: Sequence[Requirement]) -> Table:
    """Slot by slot what serves it, what of it is here, and under which licence."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column()
    last = ""
    for row in rows:
        table.add_row(row.slot if row.slot != last else "", _described(row))
        last = row.slot
    return table


def _described(row: Requirement) -> Text:
    size = f"{row.size / MB:,.0f} MB".replace(",", " ") if row.size else ""
    if row.checkpoint and not row.size:
        size = "size not known"
    gpu = f"{row.gpu:g} GiB of GPU, {row.dtype}" if row.gpu else ""
    text = Text(row.name, style="bold")
    text.append("  ")
    text.append(row.state, style=COLOURS[row.state])
    text.append("".join(f"  {part}" for part in (size, gpu) if part), style="not bold")
    repo, at, commit = row.checkpoint.partition("@")
    library = f"uses {row.library}" if row.library else ""
    lines = (
        row.what,
        f"{repo}{at}{commit[:SHOWN]}",
        f"{row.licence}; {TRAINING[row.may_train]}",
        f"{library}: {row.install}" if row.install else library,
        row.fault,
    )
    for line in filter(None, lines):
        text.append(f"\n{line}", style="not bold dim")
    return text


def _in_words(checkpoints: int, files: int) -> str:
    """What is missing, in words."""
    parts = [(checkpoints, "checkpoint"), (files, "file")]
    return ", ".join(counted(count, what) for count, what in parts if count)


def _print_rest(
    name: str,
    lacking: list[Requirement],
    absent: list[weights.WeightsEntry],
    tried: bool,
    console: Console,
) -> None:
    missing = [n for n in lacking if n.state == "missing" and n.checkpoint]
    if not lacking and not absent:
        console.print(f"All that {name} needs is here.", markup=False)
    elif (missing or absent) and not tried:
        size = sum(n.size for n in missing) + sum(entry.size for entry in absent)
        unknown = sum(not n.size for n in missing)
        more = f" + {unknown} of unknown size" if unknown else ""
        console.print(
            f"{size / MB:.0f} MB{more} are missing ({_in_words(len(missing), len(absent))}); "
            f"fetch them with: editmill models --recipe {name} --fetch",
            markup=False,
        )
    if unusable := [n for n in lacking if n.state == "unusable"]:
        console.print(
            f"{len(unusable)} cannot be used, so a build would refuse the recipe: "
            f"{', '.join(f'{n.slot}: {n.name}' for n in unusable)}",
            markup=False,
        )
    if any(n.state == "no commit" for n in lacking) and not tried:
        console.print(
            f"Which commits are used is not settled; ask the hub for the newest with: editmill "
            f"models --recipe {name} --pin",
            markup=False,
        )
