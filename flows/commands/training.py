"""`editmill train …`: retraining what the factory learns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from catalog.errors import EditmillError
from flows.commands import completion
from flows.commands.options import DEFAULT_OUT, CatalogDir, Json, Server

app = typer.Typer(no_args_is_help=True, help="Retrain what the factory learns.")


@app.callback()
def _train() -> None:
    """Retrain what the factory learns."""


@app.command("quality", epilog="Example:\n\n`editmill train quality --json`")
def train_quality(json_: Json = False) -> None:
    """Train the quality filter on edits of the sample clips, good ones and ones broken on purpose,
    and print its AUC on clips it never saw."""
    from filters.quality import train as retrain

    metrics = retrain.retrain()
    typer.echo(json.dumps(metrics) if json_ else retrain.describe_metrics(metrics))


@app.command("alignment", epilog="Example:\n\n`editmill train alignment --json`")
def train_alignment(json_: Json = False) -> None:
    """Train the alignment filter's style probes on the stylizers' own looks, and print how well
    each task tells matched from swapped prompts."""
    from filters.alignment import train as probes

    metrics = probes.train_probes(probes.probes_path())
    typer.echo(json.dumps(metrics, indent=None if json_ else 2))


@app.command(
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
            "senorita_editor, vivid_editor (docs/train.md has its variants).",
            autocompletion=completion.trainable,
        ),
    ],
    catalog_dir: CatalogDir = DEFAULT_OUT,
    ref: Annotated[
        str,
        typer.Option(
            help="What to learn from: a release's tag, or main.", autocompletion=completion.refs
        ),
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
