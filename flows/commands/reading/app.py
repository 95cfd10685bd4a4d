"""Commands that read a dataset: its tables, its releases, its pairs as pictures and figures."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from catalog.errors import EditmillError
from flows.commands import completion
from flows.commands.options import (
    CATALOG_VARIABLE,
    DEFAULT_OUT,
    CatalogUri,
    Json,
    PairId,
    Recipe,
    Ref,
)

PANEL = "Look at a dataset"
app = typer.Typer()


@app.command(
    rich_help_panel=PANEL,
    # A query may begin with a comment, `-- …`, which is no option.
    context_settings={"ignore_unknown_options": True},
    epilog="Examples:\n\n"
    '`editmill query "select task, count(*) n from pairs where keep group by task"`\n\n'
    '`editmill query "select * from failures" --ref v1 --json`',
)
def query(
    sql: Annotated[str, typer.Argument(help="SQL over the tables, as polars understands it.")],
    catalog_uri: CatalogUri = DEFAULT_OUT,
    ref: Ref = "main",
    json_: Json = False,
) -> None:
    """Ask the tables: sources, clips, tracks, plans, pairs, local_edits, statistics, failures,
    models, trained, labels, releases, scores."""
    import catalog
    from flows.commands.reading.printed import printed

    frame = catalog.open(catalog_uri, ref=ref).sql(sql)
    typer.echo(printed(frame, json_, sys.stdout.encoding))


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n"
    "`editmill show 3f9c01` · facts, scores, and the pair's frames in the terminal\n\n"
    "`editmill show 3f9c01 --png pair.png`\n\n"
    "`editmill show 3f9c01 --ref v1 --provenance` · its way from source to release, as JSON",
)
def show(
    pair_id: PairId,
    catalog_uri: CatalogUri = DEFAULT_OUT,
    ref: Ref = "main",
    png: Annotated[Path | None, typer.Option(help="Write the contact sheet to this file.")] = None,
    provenance: Annotated[
        bool, typer.Option("--provenance", help="Print the provenance document instead.")
    ] = False,
    json_: Json = False,
) -> None:
    """Show one pair: its facts, its way from source to verdict, and some of its frames."""
    from flows.commands.reading import show as command

    command.show(catalog_uri, pair_id, ref=ref, png=png, as_json=json_, as_provenance=provenance)


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n"
    "`editmill objects` · why a task was planned for few clips, or none\n\n"
    "`editmill objects --recipe other.yaml` · what other rules of `plan` would suit",
)
def objects(
    catalog_uri: CatalogUri = DEFAULT_OUT,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Plan by this recipe: a shipped one's name or a YAML file; default: the one that "
            "built the catalog.",
            autocompletion=completion.recipes,
        ),
    ] = None,
    clips: Annotated[int, typer.Option(min=1, help="Look at so many clips at most.")] = 200,
    json_: Json = False,
) -> None:
    """Count the objects that suit each task, and say why the others do not."""
    from flows.commands.reading import objects as command

    command.show(catalog_uri, recipe=recipe, clips=clips, as_json=json_)


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n"
    "`editmill sheet --out kept.png` · twelve random kept pairs\n\n"
    "`editmill sheet --rejected --task object_removal --n 20 --seed 1 --out rejected.png`",
)
def sheet(
    out: Annotated[Path, typer.Option(help="The picture to write (.png).")],
    kept: Annotated[bool, typer.Option("--kept/--rejected", help="Which pairs.")] = True,
    task: Annotated[
        str | None, typer.Option(help="Only this task.", autocompletion=completion.tasks)
    ] = None,
    n: Annotated[int, typer.Option(min=1, max=200, help="How many pairs.")] = 12,
    seed: Annotated[int, typer.Option(help="Same seed, same pairs.")] = 0,
    catalog_uri: CatalogUri = DEFAULT_OUT,
    ref: Ref = "main",
    json_: Json = False,
) -> None:
    """Draw random kept or rejected pairs as one labelled picture."""
    from flows.commands.reading import sheet as command

    command.show(catalog_uri, out, kept=kept, task=task, count=n, seed=seed, ref=ref, as_json=json_)


@app.command(
    "open",
    rich_help_panel=PANEL,
    epilog="Examples:\n\n`editmill open`\n\n`editmill open --catalog ~/dataset`",
)
def open_(catalog_uri: CatalogUri = DEFAULT_OUT, json_: Json = False) -> None:
    """Open the catalog's report in the browser; without one, print where it lies."""
    from flows.commands.reading import open_report

    open_report.show(catalog_uri, json_)


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n"
    "`editmill evaluate editmill-demo` · every kept pair, task by task\n\n"
    "`editmill evaluate my-set --ref v1 --task object_removal --json`\n\n"
    '`editmill evaluate --source in.mp4 --target out.mp4 --mask masks.mkv --prompt "a red car"`',
)
def evaluate(
    catalog_uri: Annotated[
        str | None,
        typer.Argument(
            metavar="CATALOG",
            help="The catalog: a folder, s3://… or lakefs://…; default: as of --catalog elsewhere.",
        ),
    ] = None,
    ref: Ref = "main",
    task: Annotated[
        str | None,
        typer.Option(
            help="Only this task; of a single pair, what it is.", autocompletion=completion.tasks
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Pairs per task; 0: all of them.")] = 0,
    source: Annotated[Path | None, typer.Option(help="Instead: the video before an edit.")] = None,
    target: Annotated[Path | None, typer.Option(help="And the video after it.")] = None,
    mask: Annotated[str | None, typer.Option(help="A mask video or a folder of images.")] = None,
    prompt: Annotated[str, typer.Option(help="What the target shows.")] = "",
    clip: Annotated[
        str, typer.Option(help="A CLIP in open_clip's layout: a folder, or owner/name@commit.")
    ] = "",
    recipe: Recipe = "",
    json_: Json = False,
) -> None:
    """Measure kept pairs, or one pair, with the papers' metrics, beside the papers' figures."""
    from flows.commands.reading import evaluate as command

    if source is None and target is None:
        if mask is not None or prompt:
            raise EditmillError("--mask and --prompt go with --source and --target; give both")
        usual = os.environ.get(CATALOG_VARIABLE) or DEFAULT_OUT
        report = command.evaluate_catalog(
            catalog_uri or usual, ref=ref, task=task, clip=clip, limit=limit, recipe=recipe
        )
    elif source is None or target is None:
        raise EditmillError("a pair needs both --source and --target")
    elif catalog_uri is not None:
        raise EditmillError("give a catalog, or --source and --target, not both")
    else:
        report = command.evaluate_pair(
            source, target, mask=mask, prompt=prompt, task=task, clip=clip, recipe=recipe
        )
    if json_:
        typer.echo(json.dumps(report.document()))
    else:
        command.show(report)


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n"
    "`editmill rebuild 3f9c01 --out again/` · source, target and mask once more\n\n"
    "`editmill rebuild 3f9c01 --check` · exit code 1 where a byte differs",
)
def rebuild(
    pair_id: PairId,
    catalog_uri: CatalogUri = DEFAULT_OUT,
    ref: Ref = "main",
    out: Annotated[Path | None, typer.Option(help="The folder for the pair's files.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Compare with what the catalog holds.")
    ] = False,
    json_: Json = False,
) -> None:
    """Make one pair again from its row."""
    import dataclasses

    from flows.commands.reading import rebuild as command

    rebuilt = command.rebuild(catalog_uri, pair_id, ref=ref, out=out)
    if json_:
        typer.echo(json.dumps(dataclasses.asdict(rebuilt)))
    else:
        typer.echo(command.describe(rebuilt, check))
    if check and not rebuilt.identical:
        raise typer.Exit(1)


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n"
    "`editmill replay edit 3f9c01` · the edits of a clip, or the one of a plan or a pair\n\n"
    "`editmill replay judge 8d2a40c1f7be` · a shard, as logs and traces name it",
)
def replay(
    stage: Annotated[
        str,
        typer.Argument(
            help="annotate, caption, bank, plan, ideas, edit, instruct, judge, vlm, best, draw or "
            "local_edit."
        ),
    ],
    what: Annotated[
        str,
        typer.Argument(
            metavar="SHARD|RECORD",
            help="A shard's or source's name, or how the id of a clip, a plan, a pair or a record "
            "begins.",
        ),
    ],
    catalog_uri: CatalogUri = DEFAULT_OUT,
    ref: Ref = "main",
    recipe: Annotated[
        str | None,
        typer.Option(
            help="The recipe that built it, where the catalog's memory of it lacks what changes no "
            "result: a server's address.",
            autocompletion=completion.recipes,
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Run one stage again alone from its recorded inputs, and compare; exit code 1 where anything
    differs. Nothing is written into the catalog."""
    from flows.commands.reading import replay as command

    if not command.main(catalog_uri, stage, what, ref=ref, recipe=recipe, as_json=json_):
        raise typer.Exit(1)
