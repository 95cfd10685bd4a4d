"""Commands about this machine: which weights lie on it, and what works."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.commands.options import Json

PANEL = "This machine"
app = typer.Typer()


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n`editmill models`\n\n`editmill models --fetch` · for work without network",
)
def models(
    fetch: Annotated[bool, typer.Option("--fetch", help="Download what is missing.")] = False,
    json_: Json = False,
) -> None:
    """What weights and sample clips are needed, present, licensed, and from where."""
    from flows.commands.machine import models as command

    if fetch:
        command.fetch_missing()
    command.show(json_)


@app.command(
    rich_help_panel=PANEL, epilog="Examples:\n\n`editmill doctor`\n\n`editmill doctor --json`"
)
def doctor(json_: Json = False) -> None:
    """What works on this machine, and what a missing piece costs."""
    from flows.commands.machine import doctor as command

    raise typer.Exit(command.show(json_))
