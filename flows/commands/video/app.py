"""Commands for one video or one pair, without a catalog."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from flows.commands import completion
from flows.commands.options import CATALOG_VARIABLE, DEFAULT_OUT, Json, Recipe

PANEL = "One video"
app = typer.Typer()


@app.command(
    rich_help_panel=PANEL,
    epilog="Examples:\n\n"
    "`editmill edit object_removal in.mp4 --mask masks.mkv --object car --out out.mp4`\n\n"
    "`editmill edit object_removal in.mp4 --object car --out out.mp4` · finds every car itself\n\n"
    "`editmill edit local_style_transfer in.mp4 --box 40,60,200,180 --prompt red --out out.mp4`\n\n"
    '`editmill edit senorita_editor in.mp4 --catalog dataset --prompt "Make it snow." '
    "--first-frame snow.png --out out.mp4` · an editor trained in a catalog",
)
def edit(
    task: Annotated[
        str,
        typer.Argument(
            help="A task's name, as in a recipe (but a swap's, which takes a build), or an "
            "editor's, or editor@version.",
            autocompletion=completion.tasks_and_editors,
        ),
    ],
    video: Annotated[Path, typer.Argument(help="The video to edit.")],
    out: Annotated[Path, typer.Option(help="Where the edited video goes (.mp4), without sound.")],
    mask: Annotated[
        str, typer.Option(help="A mask video (.mkv), a folder of mask images, or none.")
    ] = "none",
    box: Annotated[
        str | None, typer.Option(help="x0,y0,x1,y1 in px of the object in the first frame.")
    ] = None,
    object_: Annotated[
        str, typer.Option("--object", help="What is edited: car, person …; all that are found.")
    ] = "",
    prompt: Annotated[
        str, typer.Option(help="What the result shows, for stylizers; what an editor is told.")
    ] = "",
    first_frame: Annotated[
        Path | None, typer.Option(help="An image: the first frame, edited, that leads an editor.")
    ] = None,
    catalog_uri: Annotated[
        str,
        typer.Option(
            "--catalog", envvar=CATALOG_VARIABLE, help="The catalog an editor was trained in."
        ),
    ] = DEFAULT_OUT,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same result.")] = 0,
    json_: Json = False,
) -> None:
    """Run one expert, or an editor trained from a catalog, on one video."""
    from flows.commands.video import arguments

    given = arguments.EditArguments(
        task,
        video,
        out,
        mask=mask,
        box=box,
        label=object_,
        prompt=prompt,
        seed=seed,
        first_frame=first_frame,
        root=catalog_uri,
    )
    arguments.check(given)  # before the imports below, which take half a minute on a busy machine
    from flows.commands.video import edit as command
    from flows.commands.video import progress

    with progress.shown():
        result = command.edit(given)
    typer.echo(json.dumps(result) if json_ else command.describe(result))


@app.command(
    rich_help_panel=PANEL,
    epilog="Example:\n\n"
    "`editmill judge source.mp4 target.mp4 --task object_removal "
    '--instruction "Remove the car." --json`',
)
def judge(
    source: Annotated[Path, typer.Argument(help="The video before the edit.")],
    target: Annotated[Path, typer.Argument(help="The video after it.")],
    task: Annotated[
        str,
        typer.Option(help="A task's name, as in a recipe.", autocompletion=completion.tasks),
    ],
    instruction: Annotated[str, typer.Option(help="The instruction of the pair.")],
    prompt: Annotated[
        str, typer.Option(help="What the target shows, for the alignment filter.")
    ] = "",
    mask: Annotated[str | None, typer.Option(help="A mask video or a folder of images.")] = None,
    recipe: Recipe = "",
    json_: Json = False,
) -> None:
    """Ask every filter about one pair: score, verdict and reason."""
    from experts.edit.tasks import task_named
    from flows.commands.video import arguments

    task_named(task)
    arguments.check_files(source, target, *([] if mask is None else [Path(mask)]))
    from flows.commands.video import judge as command

    verdicts = command.judge_pair(
        source,
        target,
        task=task,
        instruction=instruction,
        prompt=prompt,
        mask=mask,
        recipe=recipe,
    )
    typer.echo(json.dumps(verdicts) if json_ else command.describe(verdicts))
