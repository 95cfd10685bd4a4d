"""The steps of a training: encode, train, evaluate, register.

Each finds in the training's folder what an earlier, interrupted run of it left, and continues from
there.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch
from accelerate import PartialState

from catalog import trained
from catalog.records import ModelRow
from catalog.storage.files import write_bytes
from experts.diffusion.conditioning.text import LENGTH
from experts.diffusion.conditioning.vae import open_vae
from experts.diffusion.model.build import build
from experts.diffusion.model.checkpoint import open_base, open_expert
from experts.diffusion.model.editor import VideoEditor
from experts.diffusion.model.freezing import freeze
from experts.diffusion.sampling.schedule import scheduler
from experts.diffusion.serving import Serving
from experts.diffusion.training import loop
from experts.diffusion.training.comparison import Comparison, Scores, compare
from experts.diffusion.training.data.catalog_clips import TrainableRecord
from experts.diffusion.training.data.encoders import CheckpointEncoders
from experts.diffusion.training.data.examples import Examples, with_steps
from experts.diffusion.training.data.prepare import INDEX, prepare
from experts.diffusion.training.evaluation import evaluate as scores_of
from experts.diffusion.training.loop import StepMetrics
from experts.diffusion.training.run import STAGE, TrainingResult, TrainingRun, sources_of

TRAIN, HELD_OUT = "train", "held_out"
"""Folders of the examples, within the training's."""

Report = Callable[[str], None]
"""Gets a line of progress now and then."""


def encode(run: TrainingRun, report: Report) -> None:
    """Encode the training examples.

    The model is built first: an unsuitable base is found before hours of encoding, not after.
    """
    if (run.folder / TRAIN / INDEX).is_file():
        return
    _initial_model(run)
    _prepare(run, run.train_records, TRAIN, report)


def train(run: TrainingRun, report: Report) -> Path:
    """Train from the newest checkpoint, or from the start; the folder of the trained model.

    Over several GPUs every process calls this; all wait until the first one has encoded.
    """
    PartialState().wait_for_everyone()
    examples = Examples(run.folder / TRAIN, run.name)
    recipe = with_steps(run.recipe, examples.rows)
    every = max(1, recipe.steps // 20)

    def on_step(done: StepMetrics) -> None:
        if (done.step + 1) % every == 0:
            report(f"step {done.step + 1} of {recipe.steps}: loss {done.loss:.4f}")

    return loop.train(
        recipe,
        _initial_model(run),
        scheduler(run.spec.base, folder=run.base),
        examples,
        run.folder,
        on_step=on_step,
    )


def evaluate(run: TrainingRun, candidate: Path, report: Report) -> Comparison:
    """Compare the candidate with the version promoted last, on held-out sources that neither was
    trained on; with the untrained expert where no version was promoted."""
    main, settings = run.catalog(), run.evaluation
    current = trained.latest(main, run.name)
    seen = sources_of(main, current) | sources_of(main, run.parent())
    unseen = [record for record in run.held_out_records if record.source_id not in seen]
    if not unseen:
        return compare(None, None, settings, current, 0)
    _prepare(run, unseen, HELD_OUT, report)
    examples = Examples(run.folder / HELD_OUT, run.name)
    vae = open_vae(run.base, _encoder_dtype(run)).to(_device())
    schedule = scheduler(run.spec.base, folder=run.base)

    def scores(editor: VideoEditor) -> Scores:
        return scores_of(
            editor.to(_device()),
            run.spec,
            schedule,
            examples,
            vae,
            max_examples=settings.examples,
            noise_levels=settings.noise_levels,
            sampled=settings.sampled,
            steps=settings.steps,
            bf16=run.recipe.precision == "bf16",
        )

    candidates = scores(open_expert(candidate, base=run.base))
    if current is None:
        rivals = scores(build(run.spec, open_base(run.base)))
    else:
        rivals = scores(open_expert(trained.folder_of(main, current), base=run.base))
    sources = {record.source_id for record in unseen}
    return compare(candidates, rivals, settings, current, len(sources))


def register(run: TrainingRun, candidate: Path, comparison: Comparison) -> TrainingResult:
    """Move the candidate into the catalog and write its row in `models`."""
    examples = Examples(run.folder / TRAIN, run.name).rows
    recipe, main, parent = with_steps(run.recipe, examples), run.catalog(), run.parent()
    Serving(
        expert=run.name,
        sizes=tuple(dict.fromkeys((s.frames, s.height, s.width) for s in recipe.stages)),
        precision=recipe.precision,
        encoders=run.encoders,
        **run.serving.model_dump(),
    ).write(candidate)
    seen = sources_of(main, parent) | {record.source_id for record in run.train_records}
    write_bytes(candidate / trained.SOURCES, json.dumps(sorted(seen)).encode())
    version, path = trained.keep(main.storage, run.name, candidate)
    licences = sorted({record.licence for record in run.train_records} - {""})
    row = ModelRow(
        model_id=f"{run.name}@{version}",
        name=run.name,
        version=version,
        licence=f"{run.spec.base}'s own; trained on footage under {', '.join(licences) or '?'}",
        origin=f"trained here by `editmill train expert {run.name}`",
        metrics=comparison.metrics | {"steps": recipe.steps, "training_examples": len(examples)},
        kind=trained.KIND,
        path=path,
        config={"base": str(run.base)} | run.settings,
        data_ref=run.data_ref,
        parent=parent.model_id if parent else "",
        promoted=comparison.promoted,
        created_at=datetime.now(UTC).isoformat(timespec="microseconds"),
    )
    main.tables.put("trained", {row.model_id: [row]})
    result = TrainingResult(
        run.name, row.model_id, version, path, row.promoted, comparison.reason, row.metrics
    )
    main.products.put(STAGE, run.key, dataclasses.asdict(result))
    # Several times the weights' size, and of no use once the version is registered.
    shutil.rmtree(run.folder / "checkpoints", ignore_errors=True)
    return result


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _encoder_dtype(run: TrainingRun) -> torch.dtype:
    return torch.bfloat16 if run.recipe.precision == "bf16" else torch.float32


def _initial_model(run: TrainingRun) -> VideoEditor:
    """The model before the first step; EditmillError where the base is not the expert's."""
    parent = run.parent()
    if parent is None:
        return build(run.spec, open_base(run.base))
    editor = open_expert(trained.folder_of(run.catalog(), parent), base=run.base)
    freeze(editor, run.spec)
    return editor


def _prepare(
    run: TrainingRun, records: Sequence[TrainableRecord], part: str, report: Report
) -> None:
    folder = run.folder / part
    folder.mkdir(parents=True, exist_ok=True)
    for kind in ("latents", "prompts"):  # encoded once for all trainings by these encoders
        (run.cache / kind).mkdir(parents=True, exist_ok=True)
        if not (folder / kind).is_symlink():
            (folder / kind).symlink_to((run.cache / kind).resolve(), target_is_directory=True)

    def on_record(encoded: int, of: int) -> None:
        if encoded % max(1, of // 10) == 0:
            report(f"{part}: {encoded} of {of} {run.spec.learns_from} encoded")

    # Its length in tokens is the transformer's; reading the configuration alone is enough.
    config = json.loads((run.base / "transformer" / "config.json").read_text(encoding="utf-8"))
    length = int(config.get("max_text_seq_length", LENGTH))
    encoders = CheckpointEncoders(run.base, _device(), _encoder_dtype(run), length)
    others = run.train_records if part == HELD_OUT else ()
    examples, skipped = prepare(run.recipe, records, encoders, folder, on_record, others)
    why = ", ".join(f"{reason} {n}" for reason, n in Counter(s.reason for s in skipped).items())
    report(f"{part}: {len(examples)} examples; skipped: {why or 'none'}")
    rows = [dataclasses.asdict(each) for each in skipped]
    write_bytes(folder / "skipped.json", json.dumps(rows, indent=1).encode())
