"""`editmill train …`, `editmill label` and `editmill retrain`: training what the factory learns."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from catalog.errors import EditmillError
from flows.commands import completion
from flows.commands.options import DEFAULT_OUT, CatalogUri, Json, Ref, Server

app = typer.Typer(no_args_is_help=True, help="Retrain what the factory learns.")


top = typer.Typer()


@app.callback()
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


Encoder = Annotated[
    str,
    typer.Option(
        "--encoder",
        help="The filters' encoder, as a recipe's `models.encode` has it: a name, or "
        "`{provider: open_clip, checkpoint: FOLDER}`.",
    ),
]


@app.command(
    "quality",
    epilog="Examples:\n\n"
    "`editmill train quality --out quality.safetensors` · a recipe judges with it by "
    "`filters: {quality_model: quality.safetensors}`\n\n"
    "`editmill train quality --check` · does the shipped model come out again?\n\n"
    "`editmill train quality --encoder open_clip --out quality.safetensors` · for a CLIP",
)
def train_quality(
    out: TrainedOut = None,
    check: TrainingCheck = False,
    encoder: Encoder = "embedded",
    server: Server = None,
    json_: Json = False,
) -> None:
    """Train the quality filter on edits of the sample clips, good ones and ones broken on purpose,
    and print its AUC on clips it never saw."""
    from flows.commands import train_filter as command

    code = command.main(
        "quality", out=out, check=check, encoder=encoder, server=server, as_json=json_
    )
    raise typer.Exit(code)


@app.command(
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
    catalog_uri: CatalogUri = DEFAULT_OUT,
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

        command.main(
            name,
            catalog_uri,
            ref=ref,
            config=config,
            base=base,
            encode_only=encode,
            server=server,
            as_json=json_,
        )
    except ImportError as error:
        raise EditmillError(
            f"training needs {error.name}; in the checkout, pip install -e '.[gpu]'"
        ) from None


@top.command(
    "calibrate",
    rich_help_panel="Train",
    epilog="Examples:\n\n"
    "`editmill calibrate --encoder open_clip` · the lines to write into a recipe\n\n"
    "`editmill calibrate --encoder '{provider: open_clip, checkpoint: ~/clip, device: cuda}'`",
)
def calibrate(encoder: Encoder, json_: Json = False) -> None:
    """Measure the thresholds of the alignment and subtle-change filters on a CLIP, on edits of the
    sample clips, and print them as a recipe has them. Each checkpoint has a scale of its own."""
    from flows.commands import calibrate as command

    command.main(encoder, as_json=json_)


@top.command(
    "label",
    rich_help_panel="Train",
    epilog="Examples:\n\n"
    "`editmill label bad 3f9c01 81aa --note 'a shadow is left' --catalog dataset`\n\n"
    "`editmill label --file labels.csv --by ada --catalog dataset` · columns pair_id, label",
)
def label(
    verdict: Annotated[
        str | None, typer.Argument(metavar="[good|bad]", help="What the pairs are.")
    ] = None,
    pairs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PAIR]...",
            help="The pairs' ids, or how they begin.",
            autocompletion=completion.pair_ids,
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            help="Instead: a .csv or .jsonl with the columns pair_id, label (good or bad) and, "
            "where you like, by and note."
        ),
    ] = None,
    by: Annotated[str, typer.Option(help="Who says so, where the file does not.")] = "",
    note: Annotated[str, typer.Option(help="Why, where the file does not say.")] = "",
    catalog_uri: CatalogUri = DEFAULT_OUT,
    ref: Ref = "main",
    json_: Json = False,
) -> None:
    """Say which pairs are good edits and which are bad ones, for retrain quality to learn from. The
    newest label of a pair holds."""
    from flows.commands import label as command

    command.main(
        verdict, pairs or [], catalog_uri, file=file, by=by, note=note, ref=ref, as_json=json_
    )


@top.command(
    "retrain",
    rich_help_panel="Train",
    epilog="Examples:\n\n"
    "`editmill retrain quality --catalog dataset` · a recipe judges with the promoted version by "
    "`filters: {quality_model: latest}`\n\n"
    "`editmill retrain remover --catalog dataset --least-new 500 --base ~/CogVideoX-2b`",
)
def retrain(
    name: Annotated[
        str,
        typer.Argument(
            help="quality or alignment (the filters), or an expert or editor as in train expert.",
            autocompletion=completion.retrainable,
        ),
    ],
    catalog_uri: CatalogUri = DEFAULT_OUT,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Learn from the newest release of this recipe; default: the newest of all.",
            autocompletion=completion.recipes,
        ),
    ] = None,
    least_new: Annotated[
        int,
        typer.Option(
            min=1,
            help="Train only on so many new records or more: of a filter sources, or, of quality, "
            "labels of pairs.",
        ),
    ] = 100,
    margin: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="By how much it must be better: a share of the loss, or the AUC's difference "
            "(default .005).",
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="A YAML file of settings (docs/train.md).")
    ] = None,
    base: Annotated[
        Path | None, typer.Option(help="The folder of an expert's base checkpoint.")
    ] = None,
    server: Server = None,
    json_: Json = False,
) -> None:
    """Train a filter, an expert or an editor again on the catalog's newest release, if that has
    enough that is new, and promote the new version if it is better on held-out footage."""
    from flows.commands import retrain as command

    command.main(
        name,
        catalog_uri,
        recipe=recipe,
        least_new=least_new,
        margin=margin,
        config=config,
        base=base,
        server=server,
        as_json=json_,
    )
