"""Commands about releases: what there is, how they differ, deciding anew, giving them to others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from flows.commands import completion
from flows.commands.options import DEFAULT_OUT, CatalogUri, Json, Ref

PANEL = "Release a dataset"
app = typer.Typer()


class _ListsFormats(TyperCommand):
    """Adds to its help what can be exported, read from the table when the help is asked for."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from flows.commands.releasing import export as command

        self.epilog = f"Formats:\n\n{command.listed()}\n\n{self.epilog}"
        super().format_help(ctx, formatter)


def _format_names() -> list[str]:
    from flows.commands.releasing import export as command

    return command.names()


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n"
    "`editmill releases --catalog ~/dataset --json`\n\n"
    "`editmill releases --card v1` · what it holds, sources, licences, thresholds, limits",
)
def releases(
    card: Annotated[
        str | None,
        typer.Option(
            metavar="TAG", help="Print its data card instead.", autocompletion=completion.refs
        ),
    ] = None,
    catalog_uri: CatalogUri = DEFAULT_OUT,
    json_: Json = False,
) -> None:
    """List the releases of a catalog, the oldest first, and what each holds."""
    from flows.commands.releasing import releases as command

    if card is not None:
        command.show_card(catalog_uri, card)
    else:
        command.show(catalog_uri, json_)


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n"
    "`editmill diff v1 v2`\n\n"
    "`editmill diff v2 main --catalog ~/dataset --json` · what the next release would change",
)
def diff(
    old: Annotated[
        str, typer.Argument(metavar="A", help="A tag, or main.", autocompletion=completion.refs)
    ],
    new: Annotated[
        str, typer.Argument(metavar="B", help="A tag, or main.", autocompletion=completion.refs)
    ],
    catalog_uri: CatalogUri = DEFAULT_OUT,
    json_: Json = False,
) -> None:
    """Count the pairs that B has and A has not, lacks, judges or holds otherwise, per task."""
    from flows.commands.releasing import diff as command

    command.show(catalog_uri, old, new, json_)


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n"
    "`editmill decide --set quality=0.7` · a new release of main with a stricter filter\n\n"
    "`editmill decide --ref v1 --set quality.object_removal=0.4 --off subtle --tag loose`",
)
def decide(
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="FILTER[.TASK]=VALUE", help="A threshold, for all tasks or for one."
        ),
    ] = None,
    off: Annotated[list[str] | None, typer.Option(help="A filter that shall not count.")] = None,
    on: Annotated[list[str] | None, typer.Option(help="A filter that shall count again.")] = None,
    tag: Annotated[
        str | None, typer.Option(help="The new release's tag; default: v1, v2 …")
    ] = None,
    catalog_uri: CatalogUri = DEFAULT_OUT,
    ref: Ref = "main",
    json_: Json = False,
) -> None:
    """Keep other pairs: release the same pairs under other thresholds, without judging again."""
    from flows.commands.releasing import decide as command

    command.main(
        catalog_uri,
        ref=ref,
        settings=set_ or (),
        off=off or (),
        on=on or (),
        tag=tag,
        as_json=json_,
    )


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n`editmill log`\n\n`editmill log --catalog lakefs://datasets --json`",
)
def log(
    limit: Annotated[int, typer.Option(min=1, help="How many entries.")] = 20,
    catalog_uri: CatalogUri = DEFAULT_OUT,
    json_: Json = False,
) -> None:
    """Say what happened to a catalog, the newest first: builds, releases, forgotten sources."""
    from flows.commands.releasing import log as command

    command.show(catalog_uri, limit, json_)


@app.command(
    cls=_ListsFormats,
    rich_help_panel=PANEL,
    epilog="Examples:\n\n"
    '`editmill export huggingface --ref v1 --out my-set` · then `load_dataset("my-set")`\n\n'
    "`editmill export diffsynth-vace --ref v1 --out vace --splits train=0.95,validation=0.05 "
    "--where \"task = 'object_removal' and quality_score > 0.7\"`",
)
def export(
    format_: Annotated[
        str,
        typer.Argument(metavar="FORMAT", help="See below.", autocompletion=_format_names),
    ],
    out: Annotated[Path, typer.Option(help="A new folder, or one to go on with.")],
    ref: Ref = "main",
    where: Annotated[
        str | None,
        typer.Option(
            help="An SQL condition on the columns of pairs; only kept pairs, unless it names keep."
        ),
    ] = None,
    splits: Annotated[
        str | None,
        typer.Option(help="Names and shares by source: train=0.95,validation=0.05."),
    ] = None,
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy media that could be hard links.")
    ] = False,
    catalog_uri: CatalogUri = DEFAULT_OUT,
    json_: Json = False,
) -> None:
    """Lay a dataset out as a trainer, a judge or a hub loads it. Started again, it goes on where it
    was interrupted."""
    from flows.commands.releasing import export as command

    command.show(
        catalog_uri, format_, out, ref=ref, where=where, splits=splits, copy=copy, as_json=json_
    )
