"""Commands that make a dataset: from a folder of footage to a recipe to a build."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.options import DEFAULT_OUT, CatalogUri, Json, RecipeName, Server

PANEL = "Make a dataset"
app = typer.Typer()


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n"
    "`editmill init ~/footage` · looks at the videos and writes recipe.yaml\n\n"
    "`editmill init ~/footage --out street.yaml && editmill build street.yaml --out dataset`",
)
def init(
    folder: Annotated[Path, typer.Argument(help="A folder of videos.")],
    out: Annotated[Path, typer.Option(help="The recipe to write.")] = Path("recipe.yaml"),
    force: Annotated[
        bool, typer.Option("--force", help="Replace the recipe if it exists.")
    ] = False,
    json_: Json = False,
) -> None:
    """Look at a folder of footage and write a commented recipe for it."""
    from flows.commands.making import init as command

    command.main(folder, out, force=force, as_json=json_)


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n"
    "`editmill tasks` · as the embedded recipe has them\n\n"
    "`editmill tasks recipe.yaml --json`",
)
def tasks(
    recipe: RecipeName = "embedded",
    json_: Json = False,
) -> None:
    """List the eighteen editing tasks: what each makes, what it needs, whether it is on."""
    from flows.commands.making import tasks as command

    command.show(recipe, json_)


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n"
    "`editmill build` · the embedded recipe on the sample clips\n\n"
    "`editmill build embedded --source ~/footage --out ~/dataset` · your own videos\n\n"
    "`editmill build recipe.yaml --dry-run` · what it would make and cost; writes nothing\n\n"
    "`editmill build vivid-embedded --out ~/records` · local-editing records instead of pairs\n\n"
    "`editmill build my-recipe.yaml --out ~/dataset --tag v2`",
)
def build(
    recipe: RecipeName = "embedded",
    out: Annotated[
        str,
        typer.Option(help="The catalog: a folder, s3://… or lakefs://…; made if absent."),
    ] = DEFAULT_OUT,
    source: Annotated[
        Path | None, typer.Option(help="Build from this folder instead of the recipe's sources.")
    ] = None,
    tag: Annotated[str | None, typer.Option(help="The release's tag; default: v1, v2 …")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be made, and make nothing.")
    ] = False,
    server: Server = None,
    json_: Json = False,
) -> None:
    """Build a dataset: from source videos to a release. Run it again to continue or to extend."""
    if dry_run:
        from flows.commands.making.estimate import dry_run as forecast

        forecast.show(recipe, out, source=source, as_json=json_)
        return
    from flows.commands.making import build as command

    raise typer.Exit(
        command.main(recipe, out, source=source, tag=tag, server=server, as_json=json_)
    )


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n"
    "`editmill status` · from another terminal, or of a build that has ended\n\n"
    "`editmill status --catalog ~/dataset --watch`",
)
def status(
    catalog_uri: CatalogUri = DEFAULT_OUT,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until the build ends.")] = False,
    json_: Json = False,
) -> None:
    """Say what a build is doing, or how the last one ended."""
    from flows.commands.making import status as command

    command.main(catalog_uri, watch=watch, as_json=json_)


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n"
    "`editmill deploy recipe.yaml --out ~/dataset` · every night at two, on this machine\n\n"
    '`editmill deploy recipe.yaml --out s3://bucket/cars --cron "0 22 * * *" --gpus 2`\n\n'
    "`editmill deploy embedded --out lakefs://videos --pool k8s --pool-type kubernetes "
    "--image registry.example.com/editmill:1`",
)
def deploy(
    recipe: RecipeName = "embedded",
    out: Annotated[
        str,
        typer.Option(help="The catalog: a folder, s3://… or lakefs://…; the first build makes it."),
    ] = DEFAULT_OUT,
    server: Annotated[
        str,
        typer.Option(help="The Prefect server: a URL, or a Prefect profile's name."),
    ] = "profile",
    pool: Annotated[
        str, typer.Option(help="The work pool; made if absent. Experts are retrained in POOL-gpu.")
    ] = "editmill",
    pool_type: Annotated[
        str, typer.Option(help="What its workers start: process, docker or kubernetes.")
    ] = "process",
    image: Annotated[
        str | None, typer.Option(help="The image of containers; editmill is installed in it.")
    ] = None,
    cron: Annotated[str, typer.Option(help="When it builds.")] = "0 2 * * *",
    timezone: Annotated[str, typer.Option(help="What all times are in.")] = "UTC",
    concurrency: Annotated[
        int, typer.Option(min=1, help="Runs at a time in the work pool, of all catalogs.")
    ] = 2,
    gpus: Annotated[
        int, typer.Option(min=0, help="Experts retrained at a time; 0: only when you start it.")
    ] = 0,
    notify: Annotated[
        str | None,
        typer.Option(
            help="The notification block that is told of failures, and of builds that keep too "
            "little: slack-webhook/NAME."
        ),
    ] = None,
    least_kept: Annotated[
        float, typer.Option(min=0, max=1, help="Less of the new pairs is too little: a share.")
    ] = 0.1,
    prefix: Annotated[
        str, typer.Option(help="Begins the deployments' names, for a server's second catalog.")
    ] = "",
    json_: Json = False,
) -> None:
    """Let a Prefect server build every night, retrain, release and clean up. Run it again with all
    options to change something."""
    from flows.commands.making import deploy as command

    command.main(
        recipe,
        out,
        server=server,
        pool=pool,
        pool_type=pool_type,
        image=image,
        cron=cron,
        timezone=timezone,
        concurrency=concurrency,
        gpus=gpus,
        notify=notify,
        least_kept=least_kept,
        prefix=prefix,
        as_json=json_,
    )
