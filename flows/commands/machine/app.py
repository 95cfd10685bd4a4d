"""Commands about this machine: which weights lie on it, and what works."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from flows.commands import completion
from flows.commands.options import Json

PANEL = "This machine"
app = typer.Typer()


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n`editmill models`\n\n`editmill models --fetch` · for work without network"
    "\n\n`editmill models --recipe my.yaml --fetch` · what that recipe needs, and no more",
)
def models(
    recipe: Annotated[
        str,
        typer.Option(
            help="What this recipe needs: a shipped one's name or a YAML file.",
            autocompletion=completion.recipes,
        ),
    ] = "",
    slots: Annotated[
        bool, typer.Option("--slots", help="Every model that a recipe can choose.")
    ] = False,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Download what is missing; goes on where it stopped.")
    ] = False,
    pin: Annotated[
        bool,
        typer.Option(
            "--pin", help="Print the hub's newest commits of checkpoints of --recipe without one."
        ),
    ] = False,
    offline: Annotated[
        bool,
        typer.Option("--offline", help="Open no connection; fails where something is missing."),
    ] = False,
    json_: Json = False,
) -> None:
    """What models and sample clips are needed, present, licensed, and from where."""
    from catalog.errors import EditmillError
    from experts import weights
    from flows.commands.machine import models as command
    from flows.commands.machine import recipe_models

    if offline and (fetch or pin):
        raise EditmillError("--offline opens no connection; leave it out to fetch or to pin")
    if pin and not recipe:
        raise EditmillError("--pin needs --recipe NAME")
    if slots and (recipe or fetch):
        raise EditmillError("--slots lists everything; leave --recipe and --fetch out")
    if offline:
        os.environ["EDITMILL_OFFLINE"] = "1"
    if slots:
        recipe_models.show_slots(json_)
    elif pin:
        recipe_models.pin(recipe, json_)
    elif recipe:
        raise typer.Exit(recipe_models.show_recipe(recipe, bring=fetch, as_json=json_))
    else:
        if fetch:
            command.fetch_missing(weights.standard_entries())
        command.show(json_)
        if offline and not all(entry.present for entry in weights.standard_entries()):
            raise typer.Exit(1)


@app.command(
    rich_help_panel=PANEL, epilog="Examples:\n\n`editmill doctor`\n\n`editmill doctor --json`"
)
def doctor(json_: Json = False) -> None:
    """What works on this machine, and what a missing piece costs."""
    from flows.commands.machine import doctor as command

    raise typer.Exit(command.show(json_))
