"""Training what the factory learns from its own product: here, the quality filter.

Its training set has known truth: good edits of the sample clips, and the same ones broken on
purpose in the ways experts fail. A model is addressed by all that determines it and kept in the
user's cache, so every build of this version judges with the same one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from catalog.keys import digest
from experts import weights
from experts.edit.tasks import TASKS, expert_for
from filters.encoder.embedded import EmbeddedEncoder
from filters.quality import ensemble as quality
from filters.quality.good_edits import good_pairs
from filters.quality.training_set import GOOD, training_set
from flows.runtime.context import Context, checked
from flows.runtime.worker import loaded

STAGE = "quality"
SEED = 0

SAMPLES = ("clip_motorway", "clip_city", "clip_bikes", "clip_squirrel", "clip_bigbuckbunny")
"""Footage the training set is made from; every source is held out once."""

ALGORITHM = 10
"""Counts up whenever training set, features or ensemble change."""


def model_path() -> Path:
    """Where this version's model lies or would lie; its metrics lie beside it (`.json`)."""
    shas = [weights.entry(name).sha256 for name in SAMPLES]
    # Any of the embedded experts may have made one of the edits it learns from.
    made_by = sorted(
        (task.name, expert_for(task).version) for task in TASKS.values() if not task.checkpoint
    )
    key = digest("quality", ALGORITHM, SEED, shas, EmbeddedEncoder().version, made_by)
    return weights.cache_dir() / "models" / f"quality-{key}.safetensors"


def ensure_quality_model(ctx: Context) -> Path:
    """The model's file, trained first if it is absent."""
    path = model_path()
    ctx.stats.expect(STAGE, 1)
    if path.is_file():
        ctx.stats.count(STAGE, reused=1)
    else:
        with ctx.stats.work(STAGE):
            train(path, ctx.check_stop)
        ctx.stats.count(STAGE, done=1)
    return path


def train(path: Path, check_stop: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Trains the ensemble into `path` and returns its metrics: AUC of good against broken edits,
    each scored only by members that never saw its source; overall, per breakage and per task.
    `check_stop` is called between edits and may raise."""
    videos = [(weights.entry(name).sha256, weights.fetch(name)) for name in SAMPLES]
    encoder = loaded(EmbeddedEncoder)
    examples = training_set(checked(good_pairs(videos, SEED), check_stop), SEED, encoder)
    x, good = examples.x, examples.good
    # The model in use is folded by source: no member judges footage it learnt from. Folding by
    # clip, with other clips of the same sources in the training, is measured beside it.
    model = quality.fit(x, good, examples.sources, SEED, encoder.name)
    strict = model.score(x, examples.sources)
    by_clip = quality.fit(x, good, examples.clips, SEED, encoder.name).score(x, examples.clips)
    tasks, kinds = np.array(examples.tasks), np.array(examples.kinds)
    metrics = {
        "version": path.stem.removeprefix("quality-")[:8],
        "samples": len(x),
        "sources": len(set(examples.sources)),
        "clips": len(set(examples.clips)),
        "auc": _auc(good, by_clip),
        "auc_unseen_sources": _auc(good, strict),
        "auc_per_breakage": {
            kind: _auc(good[rows], by_clip[rows])
            for kind in sorted(set(examples.kinds) - {GOOD})
            for rows in [good | (kinds == kind)]
        },
        "auc_per_task": {
            task: _auc(good[tasks == task], by_clip[tasks == task])
            for task in sorted(set(examples.tasks))
        },
        "good_kept": round(float((strict[good] >= quality.THRESHOLD).mean()), 4),
        "broken_kept": round(float((strict[np.logical_not(good)] >= quality.THRESHOLD).mean()), 4),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".json").write_text(json.dumps(metrics, indent=2), encoding="utf-8")
    model.save(path)  # last: with the model there, the metrics are there
    return metrics


def _auc(good: np.ndarray, scores: np.ndarray) -> float | None:
    if good.all() or not good.any():
        return None
    return round(float(roc_auc_score(good, scores)), 4)


def metrics() -> dict[str, Any]:
    """Of the model in use; empty if there is none yet."""
    path = model_path().with_suffix(".json")
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def retrain() -> dict[str, Any]:
    """`editmill train quality`: trains anew, whatever is there."""
    return train(model_path())


def describe_metrics(found: dict[str, Any]) -> str:
    """The metrics as a few lines for a person."""
    lines = [
        f"quality filter {found['version']}: AUC {found['auc']:.3f} on clips it never saw "
        f"({found['samples']} samples of {found['clips']} clips), "
        f"{found['auc_unseen_sources']:.3f} on sources it never saw",
        f"at {quality.THRESHOLD}: keeps {found['good_kept']:.1%} of the good edits, "
        f"{found['broken_kept']:.1%} of the broken ones",
    ]
    for title in ("auc_per_breakage", "auc_per_task"):
        row = ", ".join(f"{k} {v:.3f}" for k, v in found[title].items() if v is not None)
        lines.append(f"{title.replace('_', ' ')}: {row}")
    return "\n".join(lines)
