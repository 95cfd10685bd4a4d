"""Options that several commands share. Importing them costs nothing, so that `--help` answers at
once."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.commands import completion

DEFAULT_OUT = "editmill-demo"
CATALOG_VARIABLE = "EDITMILL_CATALOG"
"""The environment's, which names another catalog to be the default of `--catalog`."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a machine to read.")]
CatalogUri = Annotated[
    str,
    typer.Option(
        "--catalog",
        envvar=CATALOG_VARIABLE,
        help="The catalog: a folder, s3://… or lakefs://….",
    ),
]
Ref = Annotated[
    str,
    typer.Option(help="A release's tag, or main.", autocompletion=completion.refs),
]
PairId = Annotated[
    str,
    typer.Argument(
        metavar="PAIR", help="The pair's id, or how it begins.", autocompletion=completion.pair_ids
    ),
]
RecipeName = Annotated[
    str,
    typer.Argument(
        help="A shipped recipe's name or a YAML file.", autocompletion=completion.recipes
    ),
]
Recipe = Annotated[
    str,
    typer.Option(
        help="Measure by this recipe's models and thresholds: a shipped one's name or a YAML file; "
        "default: the embedded ones.",
        autocompletion=completion.recipes,
    ),
]
Server = Annotated[
    str | None,
    typer.Option(
        help="Report to this Prefect server: a URL, a Prefect profile's name, or `profile` for the "
        "one in use; default: one of its own."
    ),
]
