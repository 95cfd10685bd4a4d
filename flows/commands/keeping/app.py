"""Commands for whoever looks after a catalog: bring it to the present format, take a source out of
it, and give back the space of what nothing needs."""

from __future__ import annotations

import typer

from flows.commands.options import DEFAULT_OUT, CatalogUri, Json

PANEL = "Keep a catalog"
app = typer.Typer()


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n"
    "`editmill upgrade --catalog ~/dataset` · may be interrupted, and run again\n\n"
    "`editmill upgrade --catalog ~/dataset --json`",
)
def upgrade(catalog_uri: CatalogUri = DEFAULT_OUT, json_: Json = False) -> None:
    """Bring a catalog that an older editmill made to the present format; it loses nothing."""
    from flows.commands.keeping import upgrade as command

    command.main(catalog_uri, as_json=json_)
