"""The `editmill` command. Each command's work lies in a module of its own, imported when asked for,
so that `--help` answers at once."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from catalog.errors import EditmillError
from flows.commands import entry

app = typer.Typer(
    name="editmill",
    help="A dataset factory for instruction-based video editing.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a machine to read.")]
CatalogDir = Annotated[Path, typer.Option("--catalog", help="The catalog's folder.")]
Server = Annotated[
    str | None,
    typer.Option(
        help="Report to this Prefect server: a URL, a Prefect profile's name, or `profile` for the "
        "one in use; default: one of its own."
    ),
]
DEFAULT_OUT = Path("editmill-demo")


@app.command(
    epilog="Examples:\n\n"
    "`editmill build` · the embedded recipe on the sample clips\n\n"
    "`editmill build embedded --source ~/footage --out ~/dataset` · your own videos\n\n"
    "`editmill build vivid-embedded --out ~/records` · local-editing records instead of pairs\n\n"
    "`editmill build my-recipe.yaml --out ~/dataset --tag v2`"
)
def build(
    recipe: Annotated[
        str, typer.Argument(help="A shipped recipe's name or a YAML file.")
    ] = "embedded",
    out: Annotated[Path, typer.Option(help="The catalog's folder; made if absent.")] = DEFAULT_OUT,
    source: Annotated[
        Path | None, typer.Option(help="Build from this folder instead of the recipe's sources.")
    ] = None,
    tag: Annotated[str | None, typer.Option(help="The release's tag; default: v1, v2 …")] = None,
    server: Server = None,
    json_: Json = False,
) -> None:
    """Build a dataset: from source videos to a release. Run it again to continue or to extend."""
    from flows.commands import build as run_build

    raise typer.Exit(
        run_build.main(recipe, out, source=source, tag=tag, server=server, as_json=json_)
    )


@app.command(
    epilog="Examples:\n\n"
    '`editmill query "select task, count(*) n from pairs where keep group by task"`\n\n'
    '`editmill query "select * from failures" --ref v1 --json`'
)
def query(
    sql: Annotated[str, typer.Argument(help="SQL over the tables, as polars understands it.")],
    catalog_dir: CatalogDir = DEFAULT_OUT,
    ref: Annotated[str, typer.Option(help="A release's tag, or main.")] = "main",
    json_: Json = False,
) -> None:
    """Ask the tables: sources, clips, tracks, plans, pairs, local_edits, statistics, failures,
    models, releases."""
    import catalog
    from flows.commands.printed import printed

    frame = catalog.open(catalog_dir, ref=ref).sql(sql)
    typer.echo(printed(frame, json_, sys.stdout.encoding))


@app.command(
    epilog="Examples:\n\n"
    "`editmill edit object_removal in.mp4 --mask masks.mkv --object car --out out.mp4`\n\n"
    "`editmill edit object_removal in.mp4 --object car --out out.mp4` · finds the car itself\n\n"
    "`editmill edit local_style_transfer in.mp4 --box 40,60,200,180 --prompt red --out out.mp4`\n\n"
    '`editmill edit senorita_editor in.mp4 --catalog dataset --prompt "Make it snow." '
    "--first-frame snow.png --out out.mp4` · an editor trained in a catalog"
)
def edit(
    task: Annotated[
        str,
        typer.Argument(help="A task's name, as in a recipe, or an editor's, or editor@version."),
    ],
    video: Annotated[Path, typer.Argument(help="The video to edit.")],
    out: Annotated[Path, typer.Option(help="Where the edited video goes (.mp4).")],
    mask: Annotated[
        str, typer.Option(help="A mask video (.mkv), a folder of mask images, or none.")
    ] = "none",
    box: Annotated[
        str | None, typer.Option(help="x0,y0,x1,y1 in px of the object in the first frame.")
    ] = None,
    object_: Annotated[
        str, typer.Option("--object", help="What the object is: car, person …")
    ] = "",
    prompt: Annotated[
        str, typer.Option(help="What the result shows, for stylizers; what an editor is told.")
    ] = "",
    first_frame: Annotated[
        Path | None, typer.Option(help="An image: the first frame, edited, that leads an editor.")
    ] = None,
    catalog_dir: Annotated[
        Path, typer.Option("--catalog", help="The catalog an editor was trained in.")
    ] = DEFAULT_OUT,
    seed: Annotated[int, typer.Option(help="Same seed, same result.")] = 0,
    json_: Json = False,
) -> None:
    """Run one expert, or an editor trained from a catalog, on one video."""
    from flows.commands import edit as edit_one

    result = edit_one.edit(
        task,
        video,
        out,
        mask=mask,
        box=box,
        label=object_,
        prompt=prompt,
        seed=seed,
        first_frame=first_frame,
        root=catalog_dir,
    )
    typer.echo(json.dumps(result) if json_ else edit_one.describe(result))


@app.command(
    epilog="Example:\n\n"
    "`editmill judge source.mp4 target.mp4 --task object_removal "
    '--instruction "Remove the car." --json`'
)
def judge(
    source: Annotated[Path, typer.Argument(help="The video before the edit.")],
    target: Annotated[Path, typer.Argument(help="The video after it.")],
    task: Annotated[str, typer.Option(help="A task's name, as in a recipe.")],
    instruction: Annotated[str, typer.Option(help="The instruction of the pair.")],
    prompt: Annotated[
        str, typer.Option(help="What the target shows, for the alignment filter.")
    ] = "",
    mask: Annotated[str | None, typer.Option(help="A mask video or a folder of images.")] = None,
    json_: Json = False,
) -> None:
    """Ask every filter about one pair: score, verdict and reason."""
    from flows.commands import judge as judge_one

    verdicts = judge_one.judge_pair(
        source, target, task=task, instruction=instruction, prompt=prompt, mask=mask
    )
    typer.echo(json.dumps(verdicts) if json_ else judge_one.describe(verdicts))


@app.command(
    epilog="Examples:\n\n"
    "`editmill evaluate editmill-demo` · every kept pair, task by task\n\n"
    "`editmill evaluate my-set --ref v1 --task object_removal --json`\n\n"
    '`editmill evaluate --source in.mp4 --target out.mp4 --mask masks.mkv --prompt "a red car"`'
)
def evaluate(
    catalog_dir: Annotated[
        Path | None, typer.Argument(metavar="CATALOG", help="The catalog's folder.")
    ] = None,
    ref: Annotated[str, typer.Option(help="A release's tag, or main.")] = "main",
    task: Annotated[
        str | None, typer.Option(help="Only this task; of a single pair, what it is.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Pairs per task; 0: all of them.")] = 0,
    source: Annotated[Path | None, typer.Option(help="Instead: the video before an edit.")] = None,
    target: Annotated[Path | None, typer.Option(help="And the video after it.")] = None,
    mask: Annotated[str | None, typer.Option(help="A mask video or a folder of images.")] = None,
    prompt: Annotated[str, typer.Option(help="What the target shows.")] = "",
    clip: Annotated[
        str, typer.Option(help="A CLIP in open_clip's layout: a folder, or owner/name@commit.")
    ] = "",
    json_: Json = False,
) -> None:
    """Measure kept pairs, or one pair, with the papers' metrics, beside the papers' figures."""
    from flows.commands import evaluate as evaluate_command

    if source is None and target is None:
        if mask is not None or prompt:
            raise EditmillError("--mask and --prompt go with --source and --target; give both")
        report = evaluate_command.evaluate_catalog(
            catalog_dir or DEFAULT_OUT, ref=ref, task=task, clip=clip, limit=limit
        )
    elif source is None or target is None:
        raise EditmillError("a pair needs both --source and --target")
    elif catalog_dir is not None:
        raise EditmillError("give a catalog, or --source and --target, not both")
    else:
        report = evaluate_command.evaluate_pair(
            source, target, mask=mask, prompt=prompt, task=task, clip=clip
        )
    if json_:
        typer.echo(json.dumps(report.document()))
    else:
        evaluate_command.show(report)


@app.command(
    epilog="Examples:\n\n"
    "`editmill rebuild 3f9c01 --out again/` · source, target and mask once more\n\n"
    "`editmill rebuild 3f9c01 --check` · exit code 1 where a byte differs"
)
def rebuild(
    pair_id: Annotated[str, typer.Argument(help="The pair's id, or how it begins.")],
    catalog_dir: CatalogDir = DEFAULT_OUT,
    ref: Annotated[str, typer.Option(help="A release's tag, or main.")] = "main",
    out: Annotated[Path | None, typer.Option(help="The folder for the pair's files.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Compare with what the catalog holds.")
    ] = False,
    json_: Json = False,
) -> None:
    """Make one pair again from its row."""
    import dataclasses

    from flows.commands import rebuild as rebuild_command

    rebuilt = rebuild_command.rebuild(catalog_dir, pair_id, ref=ref, out=out)
    if json_:
        typer.echo(json.dumps(dataclasses.asdict(rebuilt)))
    else:
        typer.echo(rebuild_command.describe(rebuilt, check))
    if check and not rebuilt.identical:
        raise typer.Exit(1)


@app.command()
def models(
    fetch: Annotated[bool, typer.Option("--fetch", help="Download what is missing.")] = False,
    json_: Json = False,
) -> None:
    """What weights and sample clips are needed, present, licensed, and from where."""
    from flows.commands import models as models_command

    if fetch:
        models_command.fetch_missing()
    models_command.show(json_)


@app.command()
def doctor(json_: Json = False) -> None:
    """What works on this machine, and what a missing piece costs."""
    from flows.commands import doctor as doctor_command

    raise typer.Exit(doctor_command.show(json_))


train = typer.Typer(no_args_is_help=True, help="Retrain what the factory learns.")
app.add_typer(train, name="train")


@train.callback()
def _train() -> None:
    """Retrain what the factory learns."""


TrainedOut = Annotated[
    Path | None, typer.Option("--out", help="The safetensors file to write the model to.")
]
TrainingCheck = Annotated[
    bool,
    typer.Option(
        "--check", help="Compare with the shipped model; exit code 1 where they judge differently."
    ),
]


@train.command(
    "quality",
    epilog="Examples:\n\n"
    "`editmill train quality --out quality.safetensors` · a recipe judges with it by "
    "`filters: {quality_model: quality.safetensors}`\n\n"
    "`editmill train quality --check` · does the shipped model come out again?",
)
def train_quality(
    out: TrainedOut = None, check: TrainingCheck = False, server: Server = None, json_: Json = False
) -> None:
    """Train the quality filter on edits of the sample clips, good ones and ones broken on purpose,
    and print its AUC on clips it never saw."""
    from flows.commands import train_filter as command

    raise typer.Exit(command.main("quality", out=out, check=check, server=server, as_json=json_))


@train.command(
    "alignment",
    epilog="Examples:\n\n"
    "`editmill train alignment --out probes.safetensors` · a recipe judges with them by "
    "`filters: {style_probes: probes.safetensors}`\n\n"
    "`editmill train alignment --check` · do the shipped probes come out again?",
)
def train_alignment(
    out: TrainedOut = None, check: TrainingCheck = False, server: Server = None, json_: Json = False
) -> None:
    """Train the alignment filter's style probes on the stylizers' own styles, and print how well
    each task tells matched from swapped prompts."""
    from flows.commands import train_filter as command

    raise typer.Exit(command.main("alignment", out=out, check=check, server=server, as_json=json_))


@train.command(
    "expert",
    epilog="Examples:\n\n"
    "`editmill train expert remover --catalog dataset --ref v3 --base ~/CogVideoX-2b`\n\n"
    "`editmill train expert remover --catalog dataset --config mine.yaml` · your own settings",
)
def train_expert(
    name: Annotated[
        str,
        typer.Argument(
            help="remover, inpainter, local_stylizer or global_stylizer; or an editor: "
            "senorita_editor, vivid_editor (docs/train.md has its variants)."
        ),
    ],
    catalog_dir: CatalogDir = DEFAULT_OUT,
    ref: Annotated[
        str, typer.Option(help="What to learn from: a release's tag, or main.")
    ] = "main",
    config: Annotated[
        Path | None, typer.Option(help="A YAML file; default: the paper's settings.")
    ] = None,
    base: Annotated[
        Path | None, typer.Option(help="The folder of the base checkpoint, in diffusers' layout.")
    ] = None,
    encode: Annotated[
        bool, typer.Option("--encode", help="Encode the clips and stop; then train on many GPUs.")
    ] = False,
    server: Server = None,
    json_: Json = False,
) -> None:
    """Train a CogVideoX expert on the catalog's clips, or an editor on its edits, judge it on
    held-out ones, register it, and promote it if it is better. Run it again to continue."""
    try:
        from flows.commands import train_expert as command
    except ImportError as error:
        raise EditmillError(f"training needs {error.name}; pip install 'editmill[gpu]'") from None

    command.main(
        name,
        catalog_dir,
        ref=ref,
        config=config,
        base=base,
        encode_only=encode,
        server=server,
        as_json=json_,
    )


def main() -> None:
    """Runs the command; every expected error is one line on stderr and exit code 1."""
    entry.run(app)


if __name__ == "__main__":
    main()
