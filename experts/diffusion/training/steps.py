"""The steps of a training. Each finds what an earlier, interrupted run of it left, and goes on."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from catalog import trained
from catalog.records import ModelRow
from catalog.storage.files import write_bytes
from experts.diffusion.conditioning.vae import open_vae
from experts.diffusion.model.build import build
from experts.diffusion.model.checkpoint import open_base, open_expert
from experts.diffusion.model.editor import VideoEditor
from experts.diffusion.model.freezing import freeze
from experts.diffusion.sampling.schedule import scheduler
from experts.diffusion.serving import Serving
from experts.diffusion.training import loop
from experts.diffusion.training.comparison import Verdict, compared
from experts.diffusion.training.data.catalog_clips import Record
from experts.diffusion.training.data.encoders import CheckpointEncoders
from experts.diffusion.training.data.examples import Examples, counted
from experts.diffusion.training.data.prepare import INDEX, prepare
from experts.diffusion.training.evaluation import Measures, measure
from experts.diffusion.training.loop import Step
from experts.diffusion.training.run import SOURCES, STAGE, Run, sources_of

LEARN, HELD = "learn", "held"

Report = Callable[[str], None]
"""Told a line now and then."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training came to; JSON-able through `dataclasses.asdict`."""

    expert: str
    model_id: str
    version: str
    path: str
    promoted: bool
    reason: str
    metrics: dict[str, Any]


def tell(line: str) -> None:
    """Progress, on stderr."""
    print(line, file=sys.stderr, flush=True)


def done(run: Run) -> Trained | None:
    """What came of this training, if it has ended and its version is there."""
    document = run.main().products.get(STAGE, run.key)
    if document is None:
        return None
    if not (trained.path_of(run.root, document["path"]) / "config.json").is_file():
        return None
    return Trained(**document)


def encode(run: Run, report: Report) -> None:
    """Prepare the examples to learn from, after a look at the base: hours later is too late."""
    if (run.folder / LEARN / INDEX).is_file():
        return
    _beginning(run)
    _prepare(run, _encoders(run), run.learn, LEARN, report)


def train(run: Run, report: Report) -> Path:
    """Train from the newest checkpoint, or the beginning; the folder of the expert."""
    examples = Examples(run.folder / LEARN, run.name)
    recipe = counted(run.config.recipe, examples.rows)
    every = max(1, recipe.steps // 20)

    def tell(step: Step) -> None:
        if (step.step + 1) % every == 0:
            report(f"step {step.step + 1} of {recipe.steps}: loss {step.loss:.4f}")

    return loop.train(
        recipe,
        _beginning(run),
        scheduler(run.spec.base, folder=run.base),
        examples,
        run.folder,
        on_step=tell,
    )


def judge(run: Run, candidate: Path, report: Report) -> Verdict:
    """Measure the candidate, and what serves now, on held-out sources that neither has seen.

    Where nothing serves yet, the untrained expert stands in for it.
    """
    main, rules = run.main(), run.config.settings.judge
    current = trained.latest(main, run.name)
    seen = sources_of(main, current) | sources_of(main, run.parent())
    fair = [record for record in run.held if record.source_id not in seen]
    if not fair:
        return compared(None, None, rules, current, 0)
    _prepare(run, _encoders(run), fair, HELD, report)
    examples = Examples(run.folder / HELD, run.name)
    vae = open_vae(run.base, run.dtype).to(run.device)
    schedule = scheduler(run.spec.base, folder=run.base)

    def measured(editor: VideoEditor) -> Measures:
        return measure(
            editor.to(run.device),
            run.spec,
            schedule,
            examples,
            vae,
            most=rules.examples,
            levels=rules.levels,
            sampled=rules.sampled,
            steps=rules.steps,
            bf16=run.bf16,
        )

    mine = measured(open_expert(candidate, base=run.base))
    if current is None:
        theirs = measured(build(run.spec, open_base(run.base)))
    else:
        theirs = measured(open_expert(trained.folder_of(main, current), base=run.base))
    return compared(mine, theirs, rules, current, len({record.source_id for record in fair}))


def register(run: Run, candidate: Path, verdict: Verdict) -> Trained:
    """Move the candidate into the catalog and write its row; promoted if the verdict says so."""
    learnt = Examples(run.folder / LEARN, run.name).rows
    recipe, settings, main = counted(run.config.recipe, learnt), run.config.settings, run.main()
    parent = run.parent()
    Serving(
        expert=run.name,
        sizes=tuple(dict.fromkeys((s.frames, s.height, s.width) for s in recipe.stages)),
        steps=settings.serve.steps,
        solver=settings.serve.solver,
        precision=recipe.precision,
        encoders=run.encoders,
        tiling=settings.serve.tiling,
        cache=settings.serve.cache,
        compile=settings.serve.compile,
    ).write(candidate)
    seen = sources_of(main, parent) | {record.source_id for record in run.learn}
    write_bytes(candidate / SOURCES, json.dumps(sorted(seen)).encode())
    version, path = trained.keep(run.root, run.name, candidate)
    licences = sorted({record.licence for record in run.learn} - {""})
    row = ModelRow(
        model_id=f"{run.name}@{version}",
        name=run.name,
        version=version,
        licence=f"{run.spec.base}'s own; learnt from footage under {', '.join(licences) or '?'}",
        origin=f"trained here by `editmill train expert {run.name}`",
        metrics=verdict.metrics | {"steps": recipe.steps, "examples_learnt": len(learnt)},
        kind=trained.KIND,
        path=path,
        config={"base": str(run.base)} | run.config.decisions(),
        data_ref=run.data_ref,
        parent=parent.model_id if parent else "",
        promoted=verdict.promoted,
        created_at=datetime.now(UTC).isoformat(timespec="microseconds"),
    )
    main.tables.merge("models", [row])
    ended = Trained(
        run.name, row.model_id, version, path, row.promoted, verdict.reason, row.metrics
    )
    main.products.put(STAGE, run.key, dataclasses.asdict(ended))
    _drop_checkpoints(run)
    return ended


def _beginning(run: Run) -> VideoEditor:
    """The editor before the first step. Raises EditmillError for a base of another make."""
    parent = run.parent()
    if parent is None:
        return build(run.spec, open_base(run.base))
    editor = open_expert(trained.folder_of(run.main(), parent), base=run.base)
    freeze(editor, run.spec)
    return editor


def _encoders(run: Run) -> CheckpointEncoders:
    # The prompt's length is the base's; reading its configuration alone is enough.
    config = json.loads((run.base / "transformer" / "config.json").read_text(encoding="utf-8"))
    length = int(config.get("max_text_seq_length", 226))
    return CheckpointEncoders(run.base, run.device, run.dtype, length)


def _prepare(
    run: Run,
    encoders: CheckpointEncoders,
    records: Sequence[Record],
    part: str,
    report: Report,
) -> None:
    folder = run.folder / part
    folder.mkdir(parents=True, exist_ok=True)
    for kind in ("latents", "prompts"):  # encoded once for all trainings by these encoders
        (run.cache / kind).mkdir(parents=True, exist_ok=True)
        if not (folder / kind).is_symlink():
            (folder / kind).symlink_to((run.cache / kind).resolve(), target_is_directory=True)

    def tell(encoded: int, of: int) -> None:
        if encoded % max(1, of // 10) == 0:
            report(f"{part}: {encoded} of {of} {run.spec.learns_from} encoded")

    lenders = run.learn if part == HELD else ()
    examples, skipped = prepare(run.config.recipe, records, encoders, folder, tell, lenders)
    why = ", ".join(f"{reason} {n}" for reason, n in Counter(s.reason for s in skipped).items())
    report(f"{part}: {len(examples)} examples; left out: {why or 'none'}")
    rows = [dataclasses.asdict(each) for each in skipped]
    write_bytes(folder / "skipped.json", json.dumps(rows, indent=1).encode())


def _drop_checkpoints(run: Run) -> None:
    """They are several times the weights' size, and the version is safe now."""
    shutil.rmtree(run.folder / "checkpoints", ignore_errors=True)
