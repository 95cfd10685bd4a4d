"""Commands for whoever looks after a catalog: bring it to the present format, take a source out of
it, and give back the space of what nothing needs."""

from __future__ import annotations

from typing import Annotated

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


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n"
    "`editmill forget holiday.mp4 --catalog ~/dataset --dry-run` · what would go, and from where"
    "\n\n"
    "`editmill forget 91028f9d --catalog ~/dataset` · builds refuse it from now on\n\n"
    "`editmill forget holiday.mp4 --catalog ~/dataset --erase --yes` · its media are deleted too",
)
def forget(
    source: Annotated[
        str,
        typer.Argument(help="The source's name, its URI, its id, or how the id begins."),
    ],
    catalog_uri: CatalogUri = DEFAULT_OUT,
    erase: Annotated[
        bool,
        typer.Option("--erase", help="Delete its media, also those that old releases show."),
    ] = False,
    tag: Annotated[
        str | None, typer.Option(help="The tag of the release without it; default: v1, v2 …")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether to go on.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go, and change nothing.")
    ] = False,
    json_: Json = False,
) -> None:
    """Take a source out of a catalog, with all that came of it, and release what is left."""
    from flows.commands.keeping import forget as command

    command.main(
        source, catalog_uri, erasing=erase, tag=tag, yes=yes, dry_run=dry_run, as_json=json_
    )


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n"
    "`editmill collect --catalog ~/dataset --dry-run` · what could go, and how much it is\n\n"
    "`editmill collect --catalog s3://bucket/dataset --older-than 48`",
)
def collect(
    catalog_uri: CatalogUri = DEFAULT_OUT,
    older_than: Annotated[
        float,
        typer.Option(
            min=0, help="Hours that what nothing needs is kept, for builds to go on with."
        ),
    ] = 168,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go, and change nothing.")
    ] = False,
    json_: Json = False,
) -> None:
    """Delete what neither main nor a release needs: old media, selections and table files."""
    from flows.commands.keeping import collect as command

    command.main(catalog_uri, older_than=older_than, dry_run=dry_run, as_json=json_)
